// What the loop does each iteration and each tick: peers, queues, and what faults hold up.
#include <algorithm>
#include <utility>

#include "raft/transport/transport_impl.h"

namespace kiwi::raft {
namespace {

// More than that held up on one link: messages are lost, a service stream breaks.
constexpr size_t kHeldMax = 65536;

}  // namespace

bool Transport::Impl::EndIteration() {
  if (restart_.exchange(false, std::memory_order_acq_rel)) {
    CloseAllLinks(Status(StatusCode::kAborted, "the cluster id changed"));
  }
  if (peers_changed_.exchange(false, std::memory_order_acq_rel)) ReconcilePeers();
  const int64_t now_ms = MonotonicMs();
  if (held_count_ > 0) ReleaseHeld(now_ms);
  for (auto& [key, record] : links_) record.link->Pump(now_ms);
  TellUnreachable();
  // A socket that takes all at once calls nobody back.
  loop_.AfterOutput([this] { AfterOutput(); });
  return false;
}

void Transport::Impl::AfterOutput() {
  for (auto& [key, record] : links_) {
    if (record.link->WantsPump()) return loop_.Wake();
  }
}

void Transport::Impl::Tick() {
  const int64_t now_ms = MonotonicMs();
  if (faults_seen_ != faults_.version()) {
    faults_seen_ = faults_.version();
    EnforcePartitions();
  }
  for (auto& [key, record] : links_) {
    record.link->Tick(now_ms);
    if (record.ask != nullptr && now_ms > record.ask->deadline_ms) {
      record.link->Close(LinkError::kTimeout, Status(StatusCode::kNetwork, "no answer in time"));
    }
  }
  for (const auto& peer : loop_peers_) {
    MaybeDial(peer, StreamKind::kMessages, now_ms);
    MaybeDial(peer, StreamKind::kService, now_ms);
  }
}

void Transport::Impl::ReconcilePeers() {
  std::vector<std::shared_ptr<Peer>> wanted;
  {
    MutexLock lock(mu_);
    for (const auto& [id, peer] : peers_) wanted.push_back(peer);
  }
  for (const auto& peer : loop_peers_) {
    if (std::find(wanted.begin(), wanted.end(), peer) == wanted.end()) peer->gone = true;
  }
  loop_peers_ = std::move(wanted);
  for (auto& [key, record] : links_) {
    if (record.peer != nullptr && record.peer->gone) {
      record.link->Close(LinkError::kReset,
                         Status(StatusCode::kAborted, "the peer's address changed, or it left"));
    }
  }
  const int64_t now_ms = MonotonicMs();
  for (const auto& peer : loop_peers_) {
    MaybeDial(peer, StreamKind::kMessages, now_ms);
    MaybeDial(peer, StreamKind::kService, now_ms);
  }
}

void Transport::Impl::CloseAllLinks(const Status& reason) {
  for (auto& [key, record] : links_) {
    if (record.ask == nullptr) record.link->Close(LinkError::kReset, reason);
  }
  for (const auto& peer : loop_peers_) {
    for (Dial& dial : peer->dials) dial.next_ms = dial.backoff_ms = 0;
  }
}

void Transport::Impl::TellUnreachable() {
  for (const auto& peer : loop_peers_) {
    if (peer->unreachable.load(std::memory_order_relaxed) &&
        peer->unreachable.exchange(false, std::memory_order_acq_rel)) {
      handler_->OnUnreachable(peer->address.id);
    }
  }
  std::vector<NodeId> unknown;
  {
    MutexLock lock(mu_);
    if (unknown_.empty()) return;
    unknown.swap(unknown_);
  }
  for (const NodeId id : unknown) handler_->OnUnreachable(id);
}

// --- faults ---

bool Transport::Impl::Cut(const Link& link) const {
  return link.stream() == StreamKind::kService && link.peer() != kNoNode &&
         (faults_.Partitioned(options_.self, link.peer()) ||
          faults_.Partitioned(link.peer(), options_.self));
}

// A service stream carries requests one way and replies the other: half of it is of no use.
void Transport::Impl::EnforcePartitions() {
  for (auto& [key, record] : links_) {
    if (record.link->established() && Cut(*record.link)) {
      record.link->Close(LinkError::kReset,
                         Status(StatusCode::kNetwork, "cut by an injected fault"));
    }
  }
}

void Transport::Impl::HoldUp(Link& link, Incoming&& incoming, const fault::LinkVerdict& verdict) {
  Record& record = RecordOf(link);
  if (!record.held.Wants(verdict)) return DeliverHeld(record, std::move(incoming));
  if (record.held.size() >= kHeldMax) {
    if (!incoming.is_message) {
      link.Close(LinkError::kReset,
                 Status(StatusCode::kBusy, "a fault holds up too many services"));
    }
    return;
  }
  record.held.Push(std::move(incoming), verdict, MonotonicMs());
  ++held_count_;
}

void Transport::Impl::ReleaseHeld(int64_t now_ms) {
  for (auto& [key, record] : links_) {
    Incoming incoming;
    while (record.held.PopDue(now_ms, &incoming)) {
      --held_count_;
      DeliverHeld(record, std::move(incoming));
    }
  }
}

void Transport::Impl::DeliverHeld(Record& record, Incoming&& incoming) {
  if (incoming.is_message) {
    handler_->OnMessage(std::move(incoming.message));
  } else {
    DeliverService(record, incoming.kind, std::move(incoming.payload));
  }
}

void Transport::Impl::DeliverService(Record& record, ServiceKind kind, std::string&& payload) {
  if (record.ask == nullptr) {
    handler_->OnService(record.link->peer(), kind, std::move(payload));
    return;
  }
  EndAsk(*record.ask, std::move(payload));
  record.link->Close(LinkError::kReset, Status(StatusCode::kAborted, "answered"));
}

void Transport::Impl::OnLinkMessage(Link& link, Message&& message) {
  if (!faults_.active() && held_count_ == 0) {
    handler_->OnMessage(std::move(message));
    return;
  }
  const fault::LinkVerdict verdict =
      faults_.Judge(message.from, options_.self, MessageTypeName(message.type));
  if (verdict.drop) return;
  Incoming incoming;
  incoming.is_message = true;
  incoming.message = std::move(message);
  if (verdict.duplicate) HoldUp(link, Incoming(incoming), verdict);
  HoldUp(link, std::move(incoming), verdict);
}

void Transport::Impl::OnLinkService(Link& link, ServiceKind kind, std::string&& payload) {
  if (!faults_.active() && held_count_ == 0) {
    return DeliverService(RecordOf(link), kind, std::move(payload));
  }
  if (Cut(link)) {
    link.Close(LinkError::kReset, Status(StatusCode::kNetwork, "cut by an injected fault"));
    return;
  }
  fault::LinkVerdict verdict;
  verdict.delay_ms = faults_.ServiceDelayMs(link.peer(), options_.self);
  Incoming incoming;
  incoming.kind = kind;
  incoming.payload = std::move(payload);
  HoldUp(link, std::move(incoming), verdict);
}

std::shared_ptr<SendQueue> Transport::Impl::MakeQueue(StreamKind stream, bool join_only) {
  SendQueueOptions o;
  o.body = {options_.frame_bytes, options_.compress_min_bytes};
  o.join_only = join_only;
  if (stream == StreamKind::kMessages) {
    o.count_max[0] = options_.control_queue_count;
    o.bytes_max[1] = options_.data_queue_bytes;
  } else {
    o.window_for_high = true;
    o.bytes_max[0] = options_.command_queue_bytes;
    o.bytes_max[1] = options_.bulk_queue_bytes;
  }
  return std::make_shared<SendQueue>(o, &bodies_);
}

}  // namespace kiwi::raft
