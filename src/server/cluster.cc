#include "server/cluster.h"

#include <algorithm>
#include <utility>

#include "base/coding.h"
#include "base/log.h"

namespace kiwi::server {
namespace {

// A removed node stays reachable so long, to be told.
constexpr int64_t kLeavingMs = 2000;

}  // namespace

Cluster::Cluster(const ClusterOptions& options, raft::Node* node, raft::Storage* log,
                 raft::StateMachine* machine, Clock* clock)
    : options_(options),
      node_(node),
      log_(log),
      clock_(clock),
      transport_(options.transport, this),
      mover_(options.mover, machine, this, this, clock),
      accept_invitations_(options.accept_invitations) {
  node_->SetPeers(this);
}

Cluster::~Cluster() { Stop(); }

Status Cluster::Start() {
  mover_.Start();
  admin_.Start();
  return transport_.Start();
}

void Cluster::Interrupt() {
  stopping_ = true;
  asked_->Wake();
}

void Cluster::Stop() {
  Interrupt();
  admin_.Stop();
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

// --- who is there ---

void Cluster::MembersChanged(const raft::Membership& membership) {
  const bool leading = node_->is_leader();
  MutexLock lock(members_mu_);
  const std::vector<raft::PeerAddress> before = std::exchange(peers_, {});
  for (const raft::Member& member : membership.members) {
    const auto known =
        std::find_if(options_.addresses.begin(), options_.addresses.end(),
                     [&member](const raft::PeerAddress& a) { return a.id == member.id; });
    peers_.push_back(known != options_.addresses.end()
                         ? *known
                         : raft::PeerAddress{member.id, member.raft_host, member.raft_port});
  }
  const int64_t leaving_until_ns = clock_->MonotonicNs() + kLeavingMs * 1'000'000;
  for (const raft::PeerAddress& peer : before) {
    if (!leading || peer.id == options_.self.id || membership.Find(peer.id) != nullptr) continue;
    leaving_.push_back({peer, leaving_until_ns});
    (void)transport_.SendService(peer.id, kRemovedKind, {});
  }
  // A snapshot from before this node was added does not name it either, and does not know its id.
  const raft::NodeId self = options_.self.id;
  const bool removed = membership.Find(self) == nullptr && membership.last_id >= self;
  if (removed && !removed_.exchange(removed)) {
    KIWI_LOG(kWarn, "this node is no member of the group any more node={}", self);
    // The others may still need to hear from the leader that it was.
    for (raft::PeerAddress& peer : peers_) leaving_.push_back({peer, leaving_until_ns});
    peers_.clear();
  }
  last_id_ = removed_ ? raft::kNoNode : membership.last_id;
  transport_.SetClusterId(membership.cluster_id);
  TellTransport();
}

void Cluster::TellTransport() {
  std::vector<raft::PeerAddress> all = peers_;
  for (const Leaving& leaving : leaving_) all.push_back(leaving.address);
  transport_.SetPeers(all, last_id_);
}

void Cluster::ForgetLeaving() {
  MutexLock lock(members_mu_);
  const int64_t now_ns = clock_->MonotonicNs();
  if (std::erase_if(leaving_, [now_ns](const Leaving& l) { return l.until_ns < now_ns; }) != 0) {
    TellTransport();
  }
}

// Removed while it was down: nobody tells it, but all whom it dials refuse it for that reason.
void Cluster::OnToldRemoved(raft::NodeId by) {
  if (node_->leader() == raft::kNoNode) Retire(by);
}

void Cluster::Retire(raft::NodeId told_by) {
  if (removed_.exchange(true)) return;
  node_->Retire();
  {
    MutexLock lock(members_mu_);
    peers_.clear();
    leaving_.clear();
    last_id_ = raft::kNoNode;
    TellTransport();
  }
  KIWI_LOG(kWarn,
           "the group has removed this node node={} told_by={}: it takes no part any more, and its "
           "id is not used again; to come back, empty its data directory and let it join",
           options_.self.id, told_by);
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
  if (leading) return;
  mover_.CancelSending();
  lag_times_.Clear();
}

void Cluster::OnService(raft::NodeId from, raft::ServiceKind kind, std::string&& payload) {
  switch (kind) {
    case kForwardKind:
      return node_->OnForward(from, std::move(payload));
    case kForwardAnswerKind:
      return node_->OnForwardAnswer(payload);
    case kTimeKind: {
      std::string_view in = payload;
      int64_t group_ms = 0;
      if (GetFixed(&in, &group_ms)) node_->OnTimeTold(from, group_ms);
      return;
    }
    case kRemovedKind:
      if (from == node_->leader()) Retire(from);
      return;
    case kJoinKind:
      if (!admin_.Post([this, from, request = std::move(payload)] { AnswerJoin(from, request); })) {
        KIWI_LOG(kWarn, "request to join dropped: too many wait");
      }
      return;
    case kInviteKind:
      return OnInvited(from, payload);
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

}  // namespace kiwi::server
