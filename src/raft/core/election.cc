// Elections (dissertation 3.4, 3.6, 9.6 pre-vote) and leadership transfer (3.10).
#include <algorithm>

#include "raft/core/core.h"
#include "raft/core/mutants.h"

namespace kiwi::raft {

Status Core::Campaign() {
  if (role_ == Role::kLeader) return Status::Ok();
  if (distrusted_) return {StatusCode::kAborted, "this node may have lost acknowledged entries"};
  if (!Promotable()) return {StatusCode::kAborted, "this node is not a voter"};
  if (HasUnappliedCommittedChange()) {
    return {StatusCode::kBusy, "a committed membership change is not applied yet"};
  }
  if (LeaderMayHoldLease()) {
    return {StatusCode::kBusy, "the present leader may hold a lease"};
  }
  Hup(options_.pre_vote && !IsSingleVoter() ? ElectionKind::kPreVote : ElectionKind::kVote);
  return Status::Ok();
}

bool Core::Promotable() const {
  if (KIWI_MUTANT(kRemovedCampaigns)) return true;
  return IsVoter(conf_, id()) && !log_.snapshot_pending() && !distrusted_;
}

// True while a leader may serve reads on the strength of this node's silence (6.4.1).
bool Core::LeaderMayHoldLease() const {
  if (!options_.check_quorum || KIWI_MUTANT(kLeaseVoteGranted)) return false;
  return role_ == Role::kLeader || now_ < promise_end_;
}

void Core::Hup(ElectionKind kind) {
  if (role_ == Role::kLeader || !Promotable()) return;
  // A node with a committed change still to apply counts by an outdated configuration.
  if (HasUnappliedCommittedChange() && !KIWI_MUTANT(kCampaignUnappliedChange)) return;
  StartElection(kind);
}

void Core::StartElection(ElectionKind kind) {
  const bool pre = kind == ElectionKind::kPreVote;
  ResetForTerm(pre ? term_ : term_ + 1);
  role_ = pre ? Role::kPreCandidate : Role::kCandidate;
  if (!pre) vote_ = id();
  if (pre && KIWI_MUTANT(kPreVoteBumpsTerm)) ++term_;
  forced_election_ = kind == ElectionKind::kTransfer;

  std::vector<NodeId> voters = conf_.voters;
  voters.insert(voters.end(), conf_.voters_outgoing.begin(), conf_.voters_outgoing.end());
  std::sort(voters.begin(), voters.end());
  voters.erase(std::unique(voters.begin(), voters.end()), voters.end());
  for (NodeId to : voters) {
    if (to == id()) continue;
    Message m;
    m.type = pre ? MessageType::kPreVote : MessageType::kVote;
    m.to = to;
    m.term = pre ? term_ + 1 : term_;
    m.index = log_.LastIndex();
    m.log_term = log_.LastTerm();
    m.force = forced_election_;
    TellCommit(&m);
    Send(std::move(m));
  }
  if (pre || KIWI_MUTANT(kSelfVoteBeforePersist)) {
    RecordVote(id(), true);
    CountVotes();
  }
}

void Core::RecordVote(NodeId node, bool granted) {
  for (const auto& [voter, vote] : votes_) {
    if (voter == node) return;
  }
  votes_.emplace_back(node, granted ? Vote::kGranted : Vote::kRejected);
}

void Core::CountVotes() {
  const VoteResult result = QuorumVote(conf_, [this](NodeId node) {
    for (const auto& [voter, vote] : votes_) {
      if (voter == node) return vote;
    }
    return Vote::kMissing;
  });
  if (result == VoteResult::kPending) return;
  if (result == VoteResult::kLost) {
    BecomeFollower(term_, kNoNode);
  } else if (role_ == Role::kPreCandidate) {
    StartElection(ElectionKind::kVote);
  } else {
    BecomeLeader();
  }
}

// Called when something became durable: the candidate's own vote counts from then on.
void Core::CountOwnVote() {
  if (role_ != Role::kCandidate || durable_term_ != term_ || durable_vote_ != id()) return;
  RecordVote(id(), true);
  CountVotes();
}

void Core::HandleVote(const Message& m) {
  LearnCommit(m);
  const bool pre = m.type == MessageType::kPreVote;
  const bool free = vote_ == kNoNode && leader_ == kNoNode;
  bool may = free || (!pre && vote_ == m.from) || (pre && m.term > term_) ||
             (pre && vote_ == m.from && leader_ == kNoNode);
  if (KIWI_MUTANT(kVoteTwice) && role_ != Role::kLeader) may = true;
  const bool grant = may && !distrusted_ && log_.IsUpToDate(m.index, m.log_term);
  Message response;
  response.type = pre ? MessageType::kPreVoteResponse : MessageType::kVoteResponse;
  response.to = m.from;
  response.reject = !grant;
  response.term = grant ? m.term : term_;
  if (!grant) TellCommit(&response);
  Send(std::move(response));
  if (grant && !pre) {
    election_elapsed_ = 0;
    vote_ = m.from;
  }
}

// A membership takes effect when it is applied, so the members it leaves may need votes of those it
// removed until they know that it is committed; and who was removed does not campaign, however much
// longer its log. So candidates and those who refuse them tell each other what is committed.
void Core::TellCommit(Message* m) const {
  m->commit = commit_;
  m->context = log_.TermAt(commit_).value_or(0);
}

void Core::LearnCommit(const Message& m) {
  if (role_ == Role::kLeader || m.commit <= commit_ || m.context == 0) return;
  if (!log_.Matches(m.commit, m.context)) return;
  CommitTo(m.commit);
  if (role_ != Role::kFollower && HasUnappliedCommittedChange()) BecomeFollower(term_, kNoNode);
}

void Core::HandleVoteResponse(const Message& m) {
  if (m.reject) LearnCommit(m);
  const bool pre = m.type == MessageType::kPreVoteResponse;
  if (role_ != (pre ? Role::kPreCandidate : Role::kCandidate)) return;
  if (pre && !m.reject && m.term != term_ + 1) return;
  RecordVote(m.from, !m.reject);
  CountVotes();
}

void Core::HandleTimeoutNow(const Message& m) {
  if (m.from != leader_) return;
  Hup(ElectionKind::kTransfer);
}

Status Core::TransferLeadership(NodeId target) {
  if (role_ == Role::kLeader) return StartTransfer(target);
  if (leader_ == kNoNode) return {StatusCode::kNotLeader, "no leader is known"};
  Message m;
  m.type = MessageType::kTransferLeader;
  m.to = leader_;
  m.context = target;
  Send(std::move(m));
  return Status::Ok();
}

Status Core::StartTransfer(NodeId target) {
  if (target == id()) {
    AbortTransfer();
    return Status::Ok();
  }
  Progress* pr = FindProgress(target);
  if (pr == nullptr || !IsVoter(conf_, target)) {
    return {StatusCode::kInvalidArgument, "the target of a transfer must be a voter"};
  }
  if (transferee_ == target) return Status::Ok();
  transferee_ = target;
  transfer_elapsed_ = 0;
  if (pr->match == log_.LastIndex()) {
    SendTimeoutNow(target);
  } else {
    pr->probe_sent = false;
    appends_wanted_ = true;
  }
  return Status::Ok();
}

// From here on the target may be elected without waiting for any lease, and nobody knows when the
// message arrives: this term serves no more reads on its lease.
void Core::SendTimeoutNow(NodeId target) {
  lease_void_ = true;
  Message m;
  m.type = MessageType::kTimeoutNow;
  m.to = target;
  Send(std::move(m));
}

void Core::AbortTransfer() {
  transferee_ = kNoNode;
  transfer_elapsed_ = 0;
}

}  // namespace kiwi::raft
