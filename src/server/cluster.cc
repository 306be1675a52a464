#include "server/cluster.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/coding.h"
#include "base/log.h"

namespace kiwi::server {
namespace {

// A learner so close behind the leader's log votes without holding up anybody.
constexpr raft::LogIndex kPromoteLag = 1000;

raft::ConfChange OneStep(raft::ConfChangeType type, raft::NodeId id, std::string context = "") {
  raft::ConfChange change;
  change.steps.push_back({.type = type, .node = id});
  change.context = std::move(context);
  return change;
}

}  // namespace

Cluster::Cluster(const ClusterOptions& options, raft::Node* node, raft::Storage* log,
                 raft::StateMachine* machine, Clock* clock)
    : options_(options),
      node_(node),
      log_(log),
      clock_(clock),
      transport_(options.transport, this),
      mover_(options.mover, machine, this, this, clock) {
  node_->SetPeers(this);
}

Cluster::~Cluster() { Stop(); }

Status Cluster::Start() {
  mover_.Start();
  return transport_.Start();
}

void Cluster::Stop() {
  mover_.Stop();
  transport_.Stop();
}

Status Cluster::Forward(raft::NodeId leader, std::string proposals) {
  return transport_.SendService(leader, kForwardKind, std::move(proposals));
}

void Cluster::AnswerForward(raft::NodeId origin, std::string answer) {
  // With the stream goes the knowledge at the other end; nobody waits for what cannot be sent.
  (void)transport_.SendService(origin, kForwardAnswerKind, std::move(answer));
}

void Cluster::MembersChanged(const raft::Membership& membership) {
  std::vector<raft::PeerAddress> peers;
  for (const raft::Member& member : membership.members) {
    const auto known =
        std::find_if(options_.addresses.begin(), options_.addresses.end(),
                     [&member](const raft::PeerAddress& a) { return a.id == member.id; });
    peers.push_back(known != options_.addresses.end()
                        ? *known
                        : raft::PeerAddress{member.id, member.raft_host, member.raft_port});
  }
  transport_.SetClusterId(membership.cluster_id);
  transport_.SetPeers(peers);
}

void Cluster::TellTime(int64_t group_ms) {
  std::string payload;
  PutFixed(&payload, group_ms);
  // Under the node's lock: the members are the transport's to know. Who cannot be told is told later.
  for (const raft::PeerLinkStats& link : transport_.stats()) {
    (void)transport_.SendService(link.id, kTimeKind, payload);
  }
}

void Cluster::LeaderChanged(bool leading) {
  if (!leading) mover_.CancelSending();
}

void Cluster::OnService(raft::NodeId from, raft::ServiceKind kind, std::string&& payload) {
  switch (kind) {
    case kForwardKind:
      return node_->OnForward(from, payload);
    case kForwardAnswerKind:
      return node_->OnForwardAnswer(payload);
    case kTimeKind: {
      std::string_view in = payload;
      int64_t group_ms = 0;
      if (GetFixed(&in, &group_ms)) node_->OnTimeTold(from, group_ms);
      return;
    }
    case raft::kSnapshotRequestKind:
    case raft::kSnapshotReplyKind:
      return mover_.OnService(from, kind, std::move(payload));
    default:
      KIWI_LOG(kWarn, "service of an unknown kind ignored from={} kind={}", from, int{kind});
  }
}

void Cluster::OnServiceDown(raft::NodeId peer, raft::ServiceEnd end) {
  if (end == raft::ServiceEnd::kOurs) node_->OnForwardDown(peer);
  mover_.OnServiceDown(peer, end);
}

// --- membership ---

void Cluster::Maintain() {
  if (!node_->is_leader()) return;
  const raft::NodeStatus status = node_->GetStatus();
  if (!status.conf_state.voters_outgoing.empty()) return;
  for (const auto& peer : status.peers) {
    if (!peer.learner || peer.state != "replicate" || !peer.recently_active) continue;
    if (peer.match + kPromoteLag < status.last_index) continue;
    const auto proposed =
        node_->ProposeConfChange(OneStep(raft::ConfChangeType::kAddVoter, peer.id));
    if (proposed.ok()) KIWI_LOG(kInfo, "learner caught up, promoting node={}", peer.id);
    return;  // one at a time
  }
}

Status Cluster::AddNode(const raft::Member& member, int64_t timeout_ms) {
  const raft::Membership now = node_->membership();
  if (now.Find(member.id) != nullptr) {
    return {StatusCode::kInvalidArgument, "node " + std::to_string(member.id) + " is a member"};
  }
  if (member.id <= now.last_id) {
    return {StatusCode::kInvalidArgument, "node id " + std::to_string(member.id) +
                                              " was used before; the next free one is " +
                                              std::to_string(now.last_id + 1)};
  }
  for (const raft::Member& other : now.members) {
    if (other.raft_host == member.raft_host && other.raft_port == member.raft_port) {
      return {StatusCode::kInvalidArgument,
              "node " + std::to_string(other.id) + " has this address"};
    }
  }
  // What the group holds must reach it as a snapshot: it knows nothing of how the log began.
  if (log_->FirstIndex() <= 1) KIWI_RETURN_IF_ERROR(node_->CheckpointAndCompact(timeout_ms));
  return Change(OneStep(raft::ConfChangeType::kAddLearner, member.id, raft::EncodeMember(member)),
                timeout_ms);
}

Status Cluster::PromoteNode(raft::NodeId id, int64_t timeout_ms) {
  if (node_->membership().Find(id) == nullptr) {
    return {StatusCode::kNotFound, "no node " + std::to_string(id)};
  }
  return Change(OneStep(raft::ConfChangeType::kAddVoter, id), timeout_ms);
}

Status Cluster::RemoveNode(raft::NodeId id, int64_t timeout_ms) {
  if (node_->membership().Find(id) == nullptr) {
    return {StatusCode::kNotFound, "no node " + std::to_string(id)};
  }
  return Change(OneStep(raft::ConfChangeType::kRemove, id), timeout_ms);
}

Status Cluster::Change(const raft::ConfChange& change, int64_t timeout_ms) {
  const Result<raft::ProposeResult> proposed = node_->ProposeConfChange(change);
  KIWI_RETURN_IF_ERROR(proposed.status());
  const int64_t deadline_ns = clock_->MonotonicNs() + timeout_ms * 1'000'000;
  // Applied: the membership names it. Lost: another term's entry took its place.
  while (node_->applied_index() < proposed->index) {
    if (clock_->MonotonicNs() > deadline_ns || node_->GetStatus().term != proposed->term) {
      return {StatusCode::kAborted,
              "the change was proposed; whether it takes effect is not known"};
    }
    node_->ApplyCommitted(false);  // this may be the only worker
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {};
}

}  // namespace kiwi::server
