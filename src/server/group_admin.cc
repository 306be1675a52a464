#include "server/group_admin.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "server/own_start.h"

namespace kiwi::server {
namespace {

constexpr int64_t kChangeMs = 10'000;
constexpr int64_t kTransferMs = 5'000;
constexpr int64_t kJoinMs = 20'000;
constexpr int64_t kAskMs = 5000;  // one of several
constexpr int64_t kFollowMs = 3000;
constexpr int64_t kRetryMs = 100;
constexpr int kRedirectsMax = 8;
constexpr std::string_view kSayJoin = "RAFT.CLUSTER JOIN, said to it, makes it join";

bool Contains(const std::vector<raft::NodeId>& ids, raft::NodeId id) {
  return std::binary_search(ids.begin(), ids.end(), id);
}

std::string PartOf(const raft::NodeStatus& status, bool removed) {
  const raft::ConfState& conf = status.conf_state;
  if (removed) return "removed";
  if (status.distrusted) return "distrusted";
  if (Contains(conf.voters, status.id) || Contains(conf.voters_outgoing, status.id)) return "voter";
  if (Contains(conf.learners, status.id)) return "learner";
  return conf.voters.empty() ? "waiting" : "removed";
}

// Under an id that is another member's this node would take part in its name.
Status CheckTakenIn(const JoinAnswer& answer, const raft::Member& self) {
  const raft::Member* const there = answer.membership.Find(answer.id);
  if (there != nullptr && there->raft_host == self.raft_host &&
      there->raft_port == self.raft_port) {
    return {};
  }
  return {StatusCode::kInvalidArgument,
          "taken in as node " + std::to_string(answer.id) + ", which is another one there"};
}

}  // namespace

GroupAdmin::GroupAdmin(Server* server, Clock* clock, std::function<void()> request_restart)
    : server_(server), clock_(clock), request_restart_(std::move(request_restart)) {
  server_->SetInvited([this](const Invitation& invitation) { return Follow(invitation); });
}

// --- what there is ---

commands::GroupReport GroupAdmin::Report() {
  const raft::NodeStatus status = server_->engine().node().GetStatus();
  Cluster* const cluster = server_->cluster();
  commands::GroupReport report;
  report.cluster_id = status.membership.cluster_id;
  report.node_id = status.id;
  report.leader_id = status.leader;
  report.part = PartOf(status, cluster != nullptr && cluster->removed());
  DescribeMembers(status, &report);
  if (cluster == nullptr) return report;
  for (const raft::SnapshotProgress& snapshot : cluster->mover().progress()) {
    report.snapshots.push_back(
        {.peer = snapshot.peer,
         .sending = snapshot.direction == raft::SnapshotProgress::Direction::kSending,
         .bytes_done = snapshot.bytes_done,
         .bytes_estimated = snapshot.estimated_bytes,
         .started_unix_ms = snapshot.started_unix_ms});
  }
  return report;
}

void GroupAdmin::DescribeMembers(const raft::NodeStatus& status, commands::GroupReport* report) {
  Cluster* const cluster = server_->cluster();
  const int64_t lag_now_ms = clock_->MonotonicNs() / 1'000'000;
  const int64_t link_now_ms = SystemClock().MonotonicNs() / 1'000'000;  // as the transport's
  std::vector<raft::PeerLinkStats> links;
  if (cluster != nullptr) links = cluster->transport().stats();
  const auto lag_ms = [&](raft::LogIndex match) -> int64_t {
    return cluster != nullptr ? cluster->lag_times().LagMs(lag_now_ms, match) : 0;
  };
  for (const raft::Member& known : status.membership.members) {
    commands::MemberReport member{.id = known.id,
                                  .raft = {known.raft_host, known.raft_port},
                                  .client = {known.client_host, known.client_port}};
    if (known.id == status.leader) report->leader_client = member.client;
    const bool voter = Contains(status.conf_state.voters, known.id);
    member.role = known.id == status.leader ? "leader" : voter ? "voter" : "learner";
    for (const raft::PeerLinkStats& link : links) {
      if (link.id != known.id) continue;
      member.connected = link.connected;
      if (link.last_contact_ms >= 0) {
        member.last_contact_ms = std::max<int64_t>(0, link_now_ms - link.last_contact_ms);
      }
    }
    if (known.id == status.id) {
      member.connected = true;
      member.last_contact_ms = 0;
    }
    for (const raft::RawNode::PeerProgress& peer : status.peers) {
      if (peer.id != known.id) continue;
      member.state = peer.state;
      member.match = static_cast<int64_t>(peer.match);
      member.lag_entries =
          static_cast<int64_t>(status.last_index - std::min(status.last_index, peer.match));
      member.lag_ms = member.lag_entries == 0 ? 0 : lag_ms(peer.match);
    }
    report->members.push_back(std::move(member));
  }
}

// --- changes ---

Result<Cluster*> GroupAdmin::WithPeers() {
  Cluster* const cluster = server_->cluster();
  if (cluster != nullptr) return cluster;
  return Status(StatusCode::kUnavailable,
                "this node is a group of its own: set raft.port in the configuration, where other "
                "nodes reach it, and start it anew");
}

Status GroupAdmin::TransferLeader(uint64_t id) {
  KIWI_ASSIGN_OR_RETURN(Cluster* const cluster, WithPeers());
  raft::Node& node = server_->engine().node();
  if (!node.is_leader()) return cluster->NotLeader();
  if (id == node.id()) return {};
  const Status begun = node.TransferLeadership(id);
  if (begun.code() == StatusCode::kNotLeader) return cluster->NotLeader();
  KIWI_RETURN_IF_ERROR(begun);
  const int64_t deadline_ns = clock_->MonotonicNs() + kTransferMs * 1'000'000;
  while (node.is_leader() || node.leader() == raft::kNoNode) {
    if (server_->draining() || clock_->MonotonicNs() > deadline_ns) {
      return {StatusCode::kAborted, "the leadership was not taken over in time"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {};
}

Status GroupAdmin::AddNode(uint64_t id, const commands::HostPort& raft,
                           const commands::HostPort& client) {
  KIWI_ASSIGN_OR_RETURN(Cluster* const cluster, WithPeers());
  return cluster->AddNode({.id = id,
                           .raft_host = raft.host,
                           .raft_port = raft.port,
                           .client_host = client.host,
                           .client_port = client.port},
                          kChangeMs);
}

Status GroupAdmin::PromoteNode(uint64_t id, bool force) {
  KIWI_ASSIGN_OR_RETURN(Cluster* const cluster, WithPeers());
  return cluster->PromoteNode(id, force, kChangeMs);
}

Status GroupAdmin::RemoveNode(uint64_t id, bool force) {
  KIWI_ASSIGN_OR_RETURN(Cluster* const cluster, WithPeers());
  KIWI_LOG(kInfo, "removing a node id={} force={}", id, force);
  return cluster->RemoveNode(id, force, kChangeMs);
}

Status GroupAdmin::AcceptLoss() { return server_->engine().AcceptLoss(); }

// --- joining ---

bool GroupAdmin::HoldsKeys() {
  keyspace::Keyspace& keyspace = server_->engine().keyspace();
  keyspace::ShardSet all;
  all.AddAll();
  const keyspace::ShardLock lock(keyspace, all, keyspace::LockMode::kShared);
  for (int i = 0; i < keyspace.databases(); ++i) {
    if (keyspace::Db(keyspace, i, {}).size() != 0) return true;
  }
  return false;
}

Status GroupAdmin::CheckEmpty() {
  const raft::NodeStatus status = server_->engine().node().GetStatus();
  if (status.conf_state.voters != std::vector<raft::NodeId>{status.id} ||
      !status.conf_state.learners.empty()) {
    return {StatusCode::kInvalidArgument, "this node is a member of a group already"};
  }
  if (status.applied_index < status.last_index) {
    return {StatusCode::kBusy, "writes to this node are under way"};
  }
  if (HoldsKeys()) {
    return {
        StatusCode::kInvalidArgument,
        "this node holds keys, which joining would replace: FLUSHALL it, then RAFT.CLUSTER JOIN"};
  }
  return {};
}

Status GroupAdmin::Join(const std::vector<commands::HostPort>& contacts) {
  KIWI_ASSIGN_OR_RETURN(Cluster* const cluster, WithPeers());
  if (joining_.exchange(true)) return {StatusCode::kBusy, "this node is joining already"};
  cluster->WakeAsking();
  {
    MutexLock lock(mu_);
    while (following_) changed_.Wait(mu_);  // it gives up now
  }
  Status joined = JoinAny(cluster->self(), contacts);
  joining_ = false;
  return joined;
}

Status GroupAdmin::JoinAny(const raft::Member& self,
                           const std::vector<commands::HostPort>& contacts) {
  const auto never = [] { return false; };
  const int64_t deadline_ns = clock_->MonotonicNs() + kJoinMs * 1'000'000;
  Random random(EntropySeed());
  while (true) {
    Status last(StatusCode::kInvalidArgument, "every contact is this node itself");
    for (const commands::HostPort& contact : contacts) {
      // Of a list of all members this node is one.
      if (contacts.size() > 1 && contact.host == self.raft_host && contact.port == self.raft_port) {
        continue;
      }
      // One that is there and says nothing must not keep the others from being asked.
      const int64_t until_ns =
          contacts.size() == 1 ? deadline_ns
                               : std::min(deadline_ns, clock_->MonotonicNs() + kAskMs * 1'000'000);
      last = JoinBy([&] { return AskLeader(self, contact, until_ns, never); });
      // Refused by this node or by a leader: the others would say the same.
      if (last.ok() || last.code() == StatusCode::kInvalidArgument) return last;
      if (server_->draining()) {
        return {StatusCode::kAborted,
                "the server is shutting down; whether it was taken in is not known"};
      }
    }
    if (last.code() == StatusCode::kInvalidArgument || clock_->MonotonicNs() > deadline_ns) {
      return last;
    }
    // Two nodes that ask each other do not meet in step, and one of them takes the other in.
    const auto wait_ms = kRetryMs + static_cast<int64_t>(random.Below(kRetryMs));
    std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
  }
}

// Once and not for long: the leader repeats what it says.
Status GroupAdmin::Follow(const Invitation& invitation) {
  KIWI_ASSIGN_OR_RETURN(Cluster* const cluster, WithPeers());
  if (!cluster->accept_invitations()) {
    return {StatusCode::kInvalidArgument,
            "raft.accept-invitations is no there: " + std::string(kSayJoin)};
  }
  {
    MutexLock lock(mu_);
    following_ = true;
  }
  Status followed = JoinBy([&] { return AskInviter(invitation); });
  MutexLock lock(mu_);
  following_ = false;
  if (followed.ok()) invited_ = true;  // another one may come before the restart
  changed_.NotifyAll();
  return followed;
}

// Nobody has told this node to join: it does so only if nothing was ever entrusted to it.
Result<JoinAnswer> GroupAdmin::AskInviter(const Invitation& invitation) {
  KIWI_RETURN_IF_ERROR(CheckUnused());
  const auto given_up = [this] { return joining_.load(); };
  if (given_up()) return Status(StatusCode::kBusy, "an operator lets this node join a group");
  const int64_t deadline_ns = clock_->MonotonicNs() + kFollowMs * 1'000'000;
  KIWI_ASSIGN_OR_RETURN(JoinAnswer answer,
                        AskLeader(invitation.as, {.host = invitation.host, .port = invitation.port},
                                  deadline_ns, given_up));
  if (answer.id != invitation.as.id) {
    return Status(StatusCode::kInvalidArgument,
                  "invited as node " + std::to_string(invitation.as.id) +
                      ", but taken in as node " + std::to_string(answer.id));
  }
  return answer;
}

Status GroupAdmin::CheckUnused() {
  const Status own = CheckOnlyOwnStart(server_->engine().log());
  if (own.code() != StatusCode::kInvalidArgument) return own;
  return {own.code(),
          std::string(own.message()) + ", and follows no invitation: " + std::string(kSayJoin)};
}

Status GroupAdmin::JoinBy(FunctionRef<Result<JoinAnswer>()> find) {
  KIWI_ASSIGN_OR_RETURN(Cluster* const cluster, WithPeers());
  KIWI_RETURN_IF_ERROR(cluster->gate().BeginJoining());
  // Nobody is taken in from here on: the answer holds until somebody writes.
  const Status empty = CheckEmpty();
  const Result<JoinAnswer> group = empty.ok() ? find() : Result<JoinAnswer>(empty);
  if (!group.ok()) {
    cluster->gate().EndJoining();
    return group.status();
  }
  KIWI_LOG(kInfo, "joining a group node={} cluster={} members={}", group->id,
           group->membership.cluster_id, group->membership.members.size());
  {
    MutexLock lock(mu_);
    joined_ = Identity{.node_id = group->id, .wipe = true, .membership = group->membership};
  }
  request_restart_();
  return {};
}

Result<JoinAnswer> GroupAdmin::AskLeader(const raft::Member& self, commands::HostPort contact,
                                         int64_t deadline_ns,
                                         const std::function<bool()>& given_up) {
  KIWI_ASSIGN_OR_RETURN(Cluster* const cluster, WithPeers());
  const raft::Member& own = cluster->self();
  for (int i = 0; i < kRedirectsMax; ++i) {
    if (contact.host == own.raft_host && contact.port == own.raft_port) {
      return Status(StatusCode::kInvalidArgument,
                    contact.host + ":" + std::to_string(contact.port) + " is this node itself");
    }
    const int64_t left_ms = (deadline_ns - clock_->MonotonicNs()) / 1'000'000;
    Result<JoinAnswer> answer = cluster->AskToJoin(contact.host, contact.port, self,
                                                   std::max<int64_t>(left_ms, kRetryMs), given_up);
    if (!answer.ok()) {
      return Status(answer.status().code(), contact.host + ":" + std::to_string(contact.port) +
                                                ": " + std::string(answer.status().message()));
    }
    switch (answer->verdict) {
      case JoinVerdict::kAccepted:
        KIWI_RETURN_IF_ERROR(CheckTakenIn(*answer, self));
        return answer;
      case JoinVerdict::kRedirect:
        contact = {.host = std::move(answer->host), .port = answer->port};
        break;
      case JoinVerdict::kLater:
        return Status(StatusCode::kBusy, std::move(answer->reason));
      case JoinVerdict::kRefused:
        return Status(StatusCode::kInvalidArgument, std::move(answer->reason));
    }
  }
  return Status(StatusCode::kBusy, "the leader changes; try again");
}

Status GroupAdmin::CommitJoin() {
  MutexLock lock(mu_);
  if (!joined_) return {StatusCode::kAborted, "no group was joined"};
  Status empty = CheckEmpty();
  if (empty.ok() && invited_) empty = CheckUnused();
  if (!empty.ok()) {
    const std::string id = std::to_string(joined_->node_id);
    return {StatusCode::kAborted,
            "it stays alone, for it has changed since it asked: " + std::string(empty.message()) +
                ". The group waits for it as node " + id + ": RAFT.NODE REMOVE " + id +
                " there, or RAFT.CLUSTER JOIN here once more"};
  }
  return WriteIdentity(server_->engine().dir(), *joined_);
}

}  // namespace kiwi::server
