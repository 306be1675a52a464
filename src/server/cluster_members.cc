// Changes of membership.
#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"
#include "server/cluster.h"

namespace kiwi::server {
namespace {

// A learner so close behind the leader's log votes without holding up anybody.
constexpr raft::LogIndex kPromoteLag = 1000;
// Heard of so recently, a node is there: its transport pings twice a second.
constexpr int64_t kContactMs = 1500;
constexpr int64_t kTakeInMs = 10'000;
constexpr int64_t kAfterLeadingMs = 1000;

raft::ConfChange OneStep(raft::ConfChangeType type, raft::NodeId id, std::string context = "") {
  raft::ConfChange change;
  change.steps.push_back({.type = type, .node = id});
  change.context = std::move(context);
  return change;
}

std::string Named(raft::NodeId id) { return "node " + std::to_string(id); }

Status Invalid(std::string why) { return {StatusCode::kInvalidArgument, std::move(why)}; }

}  // namespace

// --- what the leader does by itself ---

void Cluster::Maintain() {
  ForgetLeaving();
  if (!node_->is_leader()) return;
  const raft::NodeStatus status = node_->GetStatus();
  lag_times_.Note(clock_->MonotonicNs() / 1'000'000, status.last_index);
  CompactForJoiners(status);
  InviteAdded(status);
  PromoteCaughtUp(status);
}

bool Cluster::EnoughVote(const raft::NodeStatus& status) const {
  return options_.voters_max != 0 && status.conf_state.voters.size() >= options_.voters_max;
}

void Cluster::PromoteCaughtUp(const raft::NodeStatus& status) {
  if (!status.conf_state.voters_outgoing.empty() || EnoughVote(status)) return;
  for (const auto& peer : status.peers) {
    if (!peer.learner || peer.state != "replicate" || !peer.recently_active) continue;
    if (peer.match + kPromoteLag < status.last_index) continue;
    const auto proposed =
        node_->ProposeConfChange(OneStep(raft::ConfChangeType::kAddVoter, peer.id));
    if (proposed.ok()) KIWI_LOG(kInfo, "learner caught up, promoting node={}", peer.id);
    return;  // one at a time
  }
}

// A node that has joined takes nothing but a snapshot first. Whoever took it in has compacted its
// log; a later leader's may still reach back to the beginning.
void Cluster::CompactForJoiners(const raft::NodeStatus& status) {
  if (status.first_index > 1) return;
  const bool waits = std::any_of(status.peers.begin(), status.peers.end(),
                                 [](const auto& peer) { return peer.learner && peer.match == 0; });
  if (!waits || compacting_.exchange(true)) return;
  const bool posted = admin_.Post([this] {
    if (const Status s = node_->CheckpointAndCompact(kTakeInMs, stopping_); !s.ok()) {
      KIWI_LOG(kWarn, "checkpoint for a learner failed error=\"{}\"", s.ToString());
    }
    compacting_ = false;
  });
  if (!posted) compacting_ = false;
}

// --- changes that operators ask for ---

Status Cluster::NotLeader() const {
  const raft::NodeId leader = node_->leader();
  if (leader == raft::kNoNode || leader == options_.self.id) {
    return {StatusCode::kNotLeader, "no leader is known now"};
  }
  const raft::Membership membership = node_->membership();
  const raft::Member* const member = membership.Find(leader);
  std::string where = "the leader is " + Named(leader);
  if (member != nullptr && member->client_port != 0) {
    where += " at " + member->client_host + ":" + std::to_string(member->client_port);
  }
  return {StatusCode::kNotLeader, where};
}

size_t Cluster::ReachableVoters(const raft::NodeStatus& status, raft::NodeId without) const {
  const int64_t now_ms = SystemClock().MonotonicNs() / 1'000'000;  // as the transport's
  const std::vector<raft::PeerLinkStats> links = transport_.stats();
  return static_cast<size_t>(std::count_if(
      status.conf_state.voters.begin(), status.conf_state.voters.end(), [&](raft::NodeId id) {
        if (id == without) return false;
        if (id == options_.self.id) return true;
        const bool active = std::any_of(status.peers.begin(), status.peers.end(),
                                        [id](auto& p) { return p.id == id && p.recently_active; });
        return active || std::any_of(links.begin(), links.end(), [&](const auto& link) {
                 return link.id == id && link.last_contact_ms >= 0 &&
                        now_ms - link.last_contact_ms < kContactMs;
               });
      }));
}

Status Cluster::AddNode(const raft::Member& member, int64_t timeout_ms) {
  const JoinGate::TakingIn taking_in(gate_);
  KIWI_RETURN_IF_ERROR(taking_in.status());
  if (!node_->is_leader()) return NotLeader();
  KIWI_RETURN_IF_ERROR(CheckMember(member));
  const raft::Membership now = node_->membership();
  if (now.members.size() >= kMembersMax) {
    return Invalid("the group has " + std::to_string(kMembersMax) + " members, which is the limit");
  }
  if (now.Find(member.id) != nullptr) return Invalid(Named(member.id) + " is a member");
  if (member.id <= now.last_id) {
    return Invalid("node id " + std::to_string(member.id) +
                   " was used before; the next free one "
                   "is " +
                   std::to_string(now.last_id + 1));
  }
  if (member.id - now.last_id > kIdStrideMax) {
    return Invalid("node id " + std::to_string(member.id) +
                   " is far beyond the others; the next "
                   "free one is " +
                   std::to_string(now.last_id + 1));
  }
  for (const raft::Member& other : now.members) {
    if (other.raft_host == member.raft_host && other.raft_port == member.raft_port) {
      return Invalid(Named(other.id) + " has this address");
    }
  }
  // What the group holds must reach it as a snapshot: it knows nothing of how the log began.
  // A node that was alone may have got another address since its last checkpoint (CorrectOwnAddress).
  if (now.members.size() == 1) KIWI_RETURN_IF_ERROR(node_->WaitCheckpoint(stopping_));
  if (log_->FirstIndex() <= 1) {
    KIWI_RETURN_IF_ERROR(node_->CheckpointAndCompact(timeout_ms, stopping_));
  }
  return Change(OneStep(raft::ConfChangeType::kAddLearner, member.id, raft::EncodeMember(member)),
                timeout_ms);
}

Status Cluster::PromoteNode(raft::NodeId id, bool force, int64_t timeout_ms) {
  if (!node_->is_leader()) return NotLeader();
  const raft::NodeStatus status = node_->GetStatus();
  if (status.membership.Find(id) == nullptr) return {StatusCode::kNotFound, "no " + Named(id)};
  const auto& voters = status.conf_state.voters;
  if (std::binary_search(voters.begin(), voters.end(), id)) return {};
  if (!force && EnoughVote(status)) {
    return Invalid(std::to_string(voters.size()) +
                   " nodes vote, as raft.replication-factor says; " + Named(id) +
                   " takes the place of one that is removed; FORCE overrides");
  }
  const auto peer = std::find_if(status.peers.begin(), status.peers.end(),
                                 [id](const auto& p) { return p.id == id; });
  // One that was never heard of has a match of 0, which is close to the end of a short log.
  const bool caught_up = peer != status.peers.end() && peer->recently_active && peer->match > 0 &&
                         peer->match + kPromoteLag >= status.last_index;
  if (!force && !caught_up) {
    return Invalid(Named(id) + " has not caught up and would hold the group up; FORCE overrides");
  }
  return Change(OneStep(raft::ConfChangeType::kAddVoter, id), timeout_ms);
}

Status Cluster::RemoveNode(raft::NodeId id, bool force, int64_t timeout_ms) {
  if (!node_->is_leader()) return NotLeader();
  const raft::NodeStatus status = node_->GetStatus();
  if (status.membership.Find(id) == nullptr) return {StatusCode::kNotFound, "no " + Named(id)};
  const auto& voters = status.conf_state.voters;
  if (std::binary_search(voters.begin(), voters.end(), id)) {
    const size_t remaining = voters.size() - 1;
    if (remaining == 0) return Invalid(Named(id) + " is the only voter");
    const size_t reachable = ReachableVoters(status, id);
    if (!force && 2 * reachable <= remaining) {
      return {StatusCode::kNoQuorum,
              "without " + Named(id) + " only " + std::to_string(reachable) + " of " +
                  std::to_string(remaining) +
                  " voters are reachable, which is no majority; FORCE overrides"};
    }
  }
  // A leader that removes itself leaves a group without one until somebody's patience ends.
  if (id == options_.self.id) {
    const Status handed = HandOver(timeout_ms);
    if (handed.ok()) return NotLeader();
    if (!force) return handed;
  }
  return Change(OneStep(raft::ConfChangeType::kRemove, id), timeout_ms);
}

Status Cluster::HandOver(int64_t timeout_ms) {
  KIWI_RETURN_IF_ERROR(node_->TransferLeadership(raft::kNoNode));
  const int64_t deadline_ns = clock_->MonotonicNs() + timeout_ms * 1'000'000;
  while (node_->is_leader() || node_->leader() == raft::kNoNode) {
    if (stopping_ || clock_->MonotonicNs() > deadline_ns) {
      return {StatusCode::kAborted, "the leadership was not taken over in time"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {};
}

Status Cluster::Change(const raft::ConfChange& change, int64_t timeout_ms) {
  const Result<raft::ProposeResult> proposed = node_->ProposeConfChange(change);
  if (proposed.status().code() == StatusCode::kNotLeader) return NotLeader();
  KIWI_RETURN_IF_ERROR(proposed.status());
  int64_t deadline_ns = clock_->MonotonicNs() + timeout_ms * 1'000'000;
  bool led = true;
  // Applied: the membership names it. Lost: another term's entry took its place.
  while (node_->applied_index() < proposed->index) {
    if (stopping_ || clock_->MonotonicNs() > deadline_ns ||
        node_->GetStatus().term != proposed->term) {
      return {StatusCode::kAborted,
              "the change was proposed; whether it takes effect is not known"};
    }
    // It may still be heard of from the next leader, if there is one soon.
    if (std::exchange(led, node_->is_leader()) && !led) {
      deadline_ns = std::min(deadline_ns, clock_->MonotonicNs() + kAfterLeadingMs * 1'000'000);
    }
    node_->ApplyCommitted(false);  // this may be the only worker
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {};
}

}  // namespace kiwi::server
