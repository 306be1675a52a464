#include "raft/node/snapshot_sender.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/log.h"

namespace kiwi::raft {
namespace {

// How soon to look whether the lane has room again: nobody tells.
constexpr int64_t kLanePollMs = 2;

int64_t Sooner(int64_t a, int64_t b) {
  if (a == SnapshotSender::kForever) return b;
  if (b == SnapshotSender::kForever) return a;
  return std::min(a, b);
}

}  // namespace

int64_t RateLimiter::WaitMs(int64_t now_ns) {
  if (rate_ == 0) {
    tokens_ = 0;
    filled_ns_ = now_ns;
    return 0;
  }
  const auto rate = static_cast<double>(rate_);
  if (filled_ns_ >= 0) tokens_ += rate * static_cast<double>(now_ns - filled_ns_) / 1e9;
  filled_ns_ = now_ns;
  tokens_ = std::min(tokens_, rate / 10);  // what an idle tenth of a second saves up
  return tokens_ >= 0 ? 0 : static_cast<int64_t>(std::ceil(-tokens_ / rate * 1000));
}

void RateLimiter::Spend(size_t bytes) {
  if (rate_ != 0) tokens_ -= static_cast<double>(bytes);
}

SnapshotSender::SnapshotSender(const SnapshotMoverOptions& options, StateMachine* machine,
                               SnapshotHost* host, SnapshotWire* wire, Clock* clock)
    : options_(options), machine_(machine), host_(host), wire_(wire), clock_(clock) {}

void SnapshotSender::Begin(Message message) {
  Outgoing& out = peers_[message.to];
  if (out.phase != Phase::kKept && message.term <= out.message.term) return;
  const bool fresh = out.phase == Phase::kKept;
  out.message = std::move(message);
  out.phase = Phase::kBackoff;
  out.due_ms = fresh ? out.not_before_ms : NowMs();
}

Status SnapshotSender::Open(Outgoing* out) {
  // Entries behind what it was kept for are gone from the log: it would not do any more.
  if (out->reader && out->reader->meta().index + 1 < host_->FirstIndex()) out->reader.reset();
  if (out->reader) return {};
  KIWI_ASSIGN_OR_RETURN(out->reader, machine_->OpenSnapshot(kSnapshotChunkBytes));
  out->started_unix_ms = clock_->WallMs();
  out->acked = 0;
  return {};
}

void SnapshotSender::SendBegin(NodeId peer, Outgoing* out) {
  if (const Status s = Open(out); !s.ok()) {
    Failed(peer, out, s.WithContext("opening the checkpoint"), Keep::kNothing);
    return;
  }
  out->stream = {out->reader->id(), ++attempts_};
  out->message.snapshot = out->reader->meta();
  out->phase = Phase::kBegun;
  out->due_ms = NowMs() + options_.ack_timeout_ms;
  const uint64_t size = out->reader->estimated_bytes();
  const Status sent =
      wire_->Send(peer, kSnapshotRequestKind, EncodeSnapshotBegin(out->stream, size, out->message));
  if (!sent.ok()) {
    Failed(peer, out, sent, Keep::kReader);
    return;
  }
  KIWI_LOG(kInfo, "snapshot offered peer={} index={} bytes={}", peer, out->message.snapshot.index,
           size);
}

bool SnapshotSender::SendChunk(NodeId peer, Outgoing* out, int64_t* wait_ms) {
  const int64_t now_ms = NowMs();
  *wait_ms = out->flying.empty() ? kLanePollMs : out->due_ms - now_ms;
  if (out->at_end || out->flying.size() >= static_cast<size_t>(options_.window_chunks)) {
    return false;
  }
  if (const int64_t limited = limiter_.WaitMs(clock_->MonotonicNs()); limited > 0) {
    *wait_ms = limited;
    return false;
  }
  if (wire_->Unsent(peer, kSnapshotRequestKind) >= options_.unsent_max_bytes) {
    *wait_ms = kLanePollMs;
    return false;
  }
  auto chunk = out->reader->Read(out->next);
  if (!chunk.ok()) {
    Failed(peer, out, chunk.status().WithContext("reading the checkpoint"), Keep::kNothing);
    return false;
  }
  if (chunk->empty()) {
    out->at_end = true;
    if (out->flying.empty()) AwaitDone(out);
    return false;
  }
  const Status sent =
      wire_->Send(peer, kSnapshotRequestKind, EncodeSnapshotChunk(out->stream, out->next, *chunk));
  if (sent.code() == StatusCode::kBusy) {
    *wait_ms = kLanePollMs;
    return false;
  }
  if (!sent.ok()) {
    Failed(peer, out, sent, Keep::kReader);
    return false;
  }
  limiter_.Spend(chunk->size());
  if (out->flying.empty()) out->due_ms = now_ms + options_.ack_timeout_ms;
  out->next += chunk->size();
  out->flying.push_back(out->next);
  return true;
}

bool SnapshotSender::Advance(NodeId peer, Outgoing* out, int64_t* wait_ms) {
  const bool due = NowMs() >= out->due_ms;
  *wait_ms = std::max<int64_t>(out->due_ms - NowMs(), 0);
  switch (out->phase) {
    case Phase::kKept:
      return false;
    case Phase::kBackoff:
      if (due) SendBegin(peer, out);
      return false;
    case Phase::kBegun:
    case Phase::kFinishing:
      if (due) Failed(peer, out, {StatusCode::kNetwork, "no answer in time"}, Keep::kReader);
      return false;
    case Phase::kStreaming:
      if (due && !out->flying.empty()) {
        Failed(peer, out, {StatusCode::kNetwork, "chunks are not answered for"}, Keep::kReader);
        return false;
      }
      return SendChunk(peer, out, wait_ms);
  }
  return false;
}

int64_t SnapshotSender::Poll(uint64_t bytes_per_second) {
  limiter_.SetRate(bytes_per_second);
  std::erase_if(peers_, [now = NowMs()](const auto& item) {
    return item.second.phase == Phase::kKept && now >= item.second.due_ms;
  });
  int64_t wait = kForever;
  NodeId served = last_served_;
  // In turn, beginning behind whoever had the last chunk: the rate may suffice for one only.
  const auto serve = [&](Peers::iterator from, Peers::iterator to) {
    for (auto it = from; it != to; ++it) {
      int64_t peer_wait = kForever;
      if (Advance(it->first, &it->second, &peer_wait)) {
        served = it->first;
        peer_wait = 0;
      }
      wait = Sooner(wait, peer_wait);
    }
  };
  const auto behind = peers_.upper_bound(last_served_);
  serve(behind, peers_.end());
  serve(peers_.begin(), behind);
  last_served_ = served;
  return wait;
}

void SnapshotSender::OnAck(NodeId from, std::string_view payload) {
  const auto it = peers_.find(from);
  if (it == peers_.end()) return;
  Outgoing* out = &it->second;
  if (out->phase == Phase::kKept || out->phase == Phase::kBackoff) return;
  const auto ack = DecodeSnapshotAck(payload);
  if (!ack.ok()) {
    Failed(from, out, ack.status(), Keep::kReader);
    return;
  }
  if (ack->stream != out->stream) return;  // late, to an earlier attempt
  switch (ack->state) {
    case SnapshotAckState::kAccepted:
      Accepted(from, out, ack->position);
      break;
    case SnapshotAckState::kAgain:
      Again(from, out, ack->position);
      break;
    case SnapshotAckState::kFinishing:
      AwaitDone(out);
      break;
    case SnapshotAckState::kDone:
      Succeeded(from);
      break;
    case SnapshotAckState::kRefused:
      Failed(from, out, {StatusCode::kAborted, "the peer refused: " + ack->reason}, Keep::kReader);
      break;
    case SnapshotAckState::kFailed:
      Failed(from, out, {StatusCode::kAborted, "the peer failed: " + ack->reason}, Keep::kNothing);
      break;
  }
}

void SnapshotSender::Accepted(NodeId peer, Outgoing* out, uint64_t position) {
  if (out->phase == Phase::kFinishing) return;
  out->due_ms = NowMs() + options_.ack_timeout_ms;
  if (out->phase == Phase::kBegun) {
    // Whether a chunk begins there, the reader knows.
    out->phase = Phase::kStreaming;
    out->next = out->acked = position;
    out->at_end = false;
    out->again = 0;
    out->flying.clear();
    return;
  }
  const auto end = std::find(out->flying.begin(), out->flying.end(), position);
  if (end == out->flying.end()) {
    Failed(peer, out, {StatusCode::kCorruption, "the peer confirms what was not sent"},
           Keep::kReader);
    return;
  }
  out->flying.erase(out->flying.begin(), end + 1);
  out->acked = position;
  out->again = 0;
  out->moved = true;
  if (out->at_end && out->flying.empty()) AwaitDone(out);
}

void SnapshotSender::Again(NodeId peer, Outgoing* out, uint64_t position) {
  if (out->phase != Phase::kStreaming) return;
  // The receiver bounds this itself; one that does not is no reason to send for ever.
  if (position != out->acked || ++out->again > 2 * options_.damaged_max) {
    Failed(peer, out, {StatusCode::kCorruption, "the peer asks for the same again and again"},
           Keep::kReader);
    return;
  }
  out->next = position;
  out->at_end = false;
  out->flying.clear();
}

void SnapshotSender::AwaitDone(Outgoing* out) {
  if (out->phase == Phase::kFinishing) return;
  out->phase = Phase::kFinishing;
  out->acked = out->next;
  out->flying.clear();
  out->due_ms = NowMs() + options_.finish_timeout_ms;
}

void SnapshotSender::OnBroken(NodeId peer, const Status& why) {
  const auto it = peers_.find(peer);
  if (it == peers_.end()) return;
  Outgoing* out = &it->second;
  if (out->phase == Phase::kKept || out->phase == Phase::kBackoff) return;
  Failed(peer, out, why, Keep::kReader);
}

void SnapshotSender::Succeeded(NodeId peer) {
  const auto it = peers_.find(peer);
  KIWI_LOG(kInfo, "snapshot sent peer={} index={} bytes={}", peer,
           it->second.message.snapshot.index, it->second.acked);
  peers_.erase(it);
  host_->ReportSnapshot(peer, true);
}

void SnapshotSender::Failed(NodeId peer, Outgoing* out, const Status& why, Keep keep) {
  KIWI_LOG(kWarn, "snapshot not sent peer={} bytes={} error=\"{}\"", peer, out->acked,
           why.ToString());
  const int64_t now_ms = NowMs();
  // What was taken and thrown away (its disk is full, say) is no progress.
  if (std::exchange(out->moved, false) && keep == Keep::kReader) out->backoff_ms = 0;
  out->backoff_ms =
      std::clamp(out->backoff_ms * 2, options_.backoff_min_ms, options_.backoff_max_ms);
  out->not_before_ms = now_ms + out->backoff_ms;
  out->phase = Phase::kKept;
  out->due_ms = now_ms + options_.resume_ms;
  out->flying.clear();
  if (keep == Keep::kNothing) out->reader.reset();
  host_->ReportSnapshot(peer, false);
}

LogIndex SnapshotSender::LowestServedIndex() const {
  LogIndex lowest = std::numeric_limits<LogIndex>::max();
  for (const auto& [peer, out] : peers_) {
    if (Active(out) && out.reader) lowest = std::min(lowest, out.reader->meta().index);
  }
  return lowest;
}

void SnapshotSender::AppendProgress(std::vector<SnapshotProgress>* progress) const {
  for (const auto& [peer, out] : peers_) {
    if (!Active(out) || !out.reader) continue;
    progress->push_back({peer, SnapshotProgress::Direction::kSending, out.acked,
                         out.reader->estimated_bytes(), out.started_unix_ms});
  }
}

}  // namespace kiwi::raft
