// Linearizable reads (dissertation 6.4) and the leader's lease (6.4.1).
//
// Heartbeats are numbered in rounds. A read is confirmed when a quorum has answered a round that
// began after the read: nobody else was leader when the read came. The same answers extend the
// lease, which counts from the moment the round was sent.
#include <algorithm>

#include "raft/core/core.h"
#include "raft/core/mutants.h"

namespace kiwi::raft {
namespace {

constexpr size_t kMaxPendingReads = 1 << 16;

}  // namespace

Result<uint64_t> Core::ReadIndex() {
  if (role_ != Role::kLeader && leader_ == kNoNode) {
    return Status(StatusCode::kNotLeader, "no leader is known");
  }
  if (reads_.size() + early_reads_.size() + forwarded_reads_.size() >= kMaxPendingReads) {
    return Status(StatusCode::kBusy, "too many reads wait for their confirmation");
  }
  if (next_token_ == 0) ++next_token_;
  const uint64_t token = next_token_++;
  if (role_ == Role::kLeader) {
    AddRead({.token = token, .from = id()});
    return token;
  }
  forwarded_reads_.push_back({token, now_ + static_cast<uint64_t>(options_.election_ticks)});
  Message m;
  m.type = MessageType::kReadIndex;
  m.to = leader_;
  m.context = token;
  Send(std::move(m));
  return token;
}

void Core::AddRead(PendingRead read) {
  // Before its first commit a leader does not know what its predecessors have committed.
  if (!committed_in_term_ && !KIWI_MUTANT(kReadBeforeFirstCommit)) {
    early_reads_.push_back(read);
    return;
  }
  read.index = commit_;
  if (IsSingleVoter() || KIWI_MUTANT(kReadWithoutQuorum)) {
    AnswerRead(read);
    return;
  }
  read.round = round_ + 1;
  round_wanted_ = true;
  if (KIWI_MUTANT(kReadOldRound) && round_ > 0) read.round = round_;
  reads_.push_back(read);
}

void Core::AnswerRead(const PendingRead& read) {
  if (read.from == id()) {
    read_states_.push_back({read.token, read.index});
    return;
  }
  Message m;
  m.type = MessageType::kReadIndexResponse;
  m.to = read.from;
  m.index = read.index;
  m.context = read.token;
  Send(std::move(m));
}

void Core::ReleaseEarlyReads() {
  std::vector<PendingRead> reads = std::move(early_reads_);
  early_reads_.clear();
  for (const PendingRead& read : reads) AddRead(read);
}

void Core::StartRound() {
  ++round_;
  round_wanted_ = false;
  if (options_.check_quorum && (sent_rounds_.empty() || sent_rounds_.back().tick != now_)) {
    sent_rounds_.push_back({round_, now_});
  }
  SendHeartbeats();
}

void Core::OnRoundAnswered() {
  const uint64_t confirmed = QuorumValue(conf_, [this](NodeId node) {
    if (node == id()) return round_;
    const Progress* pr = FindProgress(node);
    return pr != nullptr ? pr->acked_round : 0;
  });
  while (!reads_.empty() && reads_.front().round <= confirmed) {
    AnswerRead(reads_.front());
    reads_.pop_front();
  }
  while (!sent_rounds_.empty() && sent_rounds_.front().round <= confirmed) {
    lease_known_ = true;
    lease_start_ = KIWI_MUTANT(kLeaseFromAnswer) ? now_ : sent_rounds_.front().tick;
    sent_rounds_.pop_front();
  }
}

uint64_t Core::LeaseEndTick() const {
  if (role_ != Role::kLeader) return 0;
  if (!committed_in_term_ && !KIWI_MUTANT(kReadBeforeFirstCommit)) return 0;
  if (IsSingleVoter()) return kNoLimit;
  if (!options_.check_quorum || !lease_known_) return 0;
  if (lease_void_ && !KIWI_MUTANT(kLeaseSurvivesTransfer)) return 0;
  const auto election = static_cast<uint64_t>(options_.election_ticks);
  const auto margin = static_cast<uint64_t>(options_.lease_margin_ticks);
  if (KIWI_MUTANT(kLeaseIgnoresSkew)) return lease_start_ + election + election / 2;
  return lease_start_ + election - margin;
}

bool Core::LeaseReadAllowed() const { return now_ < LeaseEndTick(); }

// The leadership these reads counted on is over, or not what it was.
void Core::DropReads() {
  for (; !reads_.empty(); reads_.pop_front()) {
    if (reads_.front().from == id()) dropped_tokens_.push_back(reads_.front().token);
  }
  for (const PendingRead& read : early_reads_) {
    if (read.from == id()) dropped_tokens_.push_back(read.token);
  }
  early_reads_.clear();
  for (const ForwardedRead& read : forwarded_reads_) dropped_tokens_.push_back(read.token);
  forwarded_reads_.clear();
  round_ = 0;
  round_wanted_ = false;
  sent_rounds_.clear();
  lease_known_ = false;
}

// A request or its answer may have been lost on the way.
void Core::ExpireForwardedReads() {
  std::erase_if(forwarded_reads_, [this](const ForwardedRead& read) {
    if (read.deadline_tick > now_) return false;
    dropped_tokens_.push_back(read.token);
    return true;
  });
}

void Core::HandleReadIndex(const Message& m) {
  if (reads_.size() + early_reads_.size() >= kMaxPendingReads) return;
  AddRead({.token = m.context, .from = m.from});
}

void Core::HandleReadIndexResponse(const Message& m) {
  const auto it = std::find_if(forwarded_reads_.begin(), forwarded_reads_.end(),
                               [&m](const ForwardedRead& read) { return read.token == m.context; });
  if (it == forwarded_reads_.end()) return;
  forwarded_reads_.erase(it);
  read_states_.push_back({m.context, m.index});
}

}  // namespace kiwi::raft
