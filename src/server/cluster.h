// A node's side of its group: the transport and the snapshot mover behind the Raft node, and the
// changes of membership that operators ask for. Only there when raft.port is set; without it the node
// is a group of its own for good.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "raft/node/node.h"
#include "raft/node/peers.h"
#include "raft/node/snapshot_mover.h"
#include "raft/transport/transport.h"
#include "server/admin_thread.h"
#include "server/join_gate.h"
#include "server/join_wire.h"
#include "server/lag_times.h"
#include "server/pending_answers.h"

namespace kiwi::server {

struct ClusterOptions {
  raft::Member self;  // as others are told
  raft::TransportOptions transport;
  raft::SnapshotMoverOptions mover;
  // Where this node reaches members by other addresses than they are known by (raft.initial-members
  // of its own file).
  std::vector<raft::PeerAddress> addresses;
  size_t voters_max = 0;  // learners beyond are not promoted by themselves; 0: no limit
  bool accept_invitations = true;
};

// The requests on the service streams, beside the mover's.
inline constexpr raft::ServiceKind kForwardKind = 2;
inline constexpr raft::ServiceKind kForwardAnswerKind = kForwardKind | raft::kServiceReply;
inline constexpr raft::ServiceKind kTimeKind = 3;  // the group's clock, fixed64 ms
// From the leader that has removed the receiver: nobody else would tell it.
inline constexpr raft::ServiceKind kRemovedKind = 4;
inline constexpr raft::ServiceKind kJoinKind = 5 | raft::kServiceJoin;
inline constexpr raft::ServiceKind kInviteKind = 6 | raft::kServiceJoin;

class Cluster final : public raft::Peers,
                      public raft::TransportHandler,
                      public raft::SnapshotHost,
                      public raft::SnapshotWire {
 public:
  // All outlive it. Gives itself to the node (Node::SetPeers).
  Cluster(const ClusterOptions& options, raft::Node* node, raft::Storage* log,
          raft::StateMachine* machine, Clock* clock);
  ~Cluster() override;  // Stop()

  // After the node's: what peers send is stepped from here on.
  Status Start();
  // Ends all waiting, here and in what waits on any thread: changes under way are answered kAborted,
  // and nothing is asked any more. Any thread; never waits.
  void Interrupt();
  // Before the node's.
  void Stop();
  // A few times a second, on one thread: promotes learners that have caught up.
  void Maintain();

  // --- changes of membership; on the leader, any thread that may wait ---
  // Returns once the change is applied here. kNotLeader; kBusy: another change is under way, try
  // again; kAborted: it is not known whether it took effect.
  Status AddNode(const raft::Member& member, int64_t timeout_ms);  // a learner, promoted later
  // Unless forced: only what has caught up, and only if a reachable majority remains. A leader that
  // is to remove itself hands over first, and answers kNotLeader: the next one does it.
  Status PromoteNode(raft::NodeId id, bool force, int64_t timeout_ms);
  Status RemoveNode(raft::NodeId id, bool force, int64_t timeout_ms);
  // kNotLeader, and where the leader is.
  Status NotLeader() const;

  // --- joining another group; any thread that may wait ---
  // Who joins holds it meanwhile.
  JoinGate& gate() { return gate_; }
  // Asks once to be taken in as `self`, and answers what was said. kAborted: it was interrupted, or
  // given_up said so (asked again at each WakeAsking).
  Result<JoinAnswer> AskToJoin(const std::string& host, int port, const raft::Member& self,
                               int64_t timeout_ms, const std::function<bool()>& given_up);
  void WakeAsking() { asked_->Wake(); }
  // Who follows an invitation, or says why not; called on a thread that may wait, one at a time.
  // Before Start.
  void SetInvited(std::function<Status(const Invitation&)> invited) {
    invited_ = std::move(invited);
  }
  // Whether it follows any.
  void SetAcceptInvitations(bool on) { accept_invitations_ = on; }
  bool accept_invitations() const { return accept_invitations_; }

  raft::Transport& transport() { return transport_; }
  raft::SnapshotMover& mover() { return mover_; }
  const LagTimes& lag_times() const { return lag_times_; }
  const raft::Member& self() const { return options_.self; }
  size_t voters_max() const { return options_.voters_max; }
  // The group has removed this node, and it knows.
  bool removed() const { return removed_.load(std::memory_order_relaxed); }

  // --- raft::Peers ---
  void Send(raft::Message message) override { transport_.Send(std::move(message)); }
  void SendSnapshot(raft::Message message) override { mover_.Send(std::move(message)); }
  Status Forward(raft::NodeId leader, std::string proposals) override;
  void AnswerForward(raft::NodeId origin, std::string answer) override;
  void MembersChanged(const raft::Membership& membership) override;
  void TellTime(int64_t group_ms) override;
  raft::LogIndex WantedLogEnd() const override { return mover_.LowestServedIndex(); }
  void LeaderChanged(bool leading) override;

  // --- raft::TransportHandler ---
  void OnMessage(raft::Message&& message) override { node_->Step(std::move(message)); }
  void OnUnreachable(raft::NodeId peer) override { node_->OnUnreachable(peer); }
  void OnService(raft::NodeId from, raft::ServiceKind kind, std::string&& payload) override;
  void OnServiceDown(raft::NodeId peer, raft::ServiceEnd end) override;
  void OnServiceUp(raft::NodeId) override { node_->OnForwardUp(); }
  void OnToldRemoved(raft::NodeId by) override;

  // --- raft::SnapshotHost and raft::SnapshotWire ---
  void ReportSnapshot(raft::NodeId peer, bool success) override {
    node_->ReportSnapshot(peer, success);
  }
  raft::LogIndex FirstIndex() override { return log_->FirstIndex(); }
  Status SnapshotStaged(raft::Message message,
                        std::unique_ptr<raft::SnapshotStage> stage) override {
    return node_->SnapshotStaged(std::move(message), std::move(stage));
  }
  Status Send(raft::NodeId to, raft::ServiceKind kind, std::string payload) override {
    return transport_.SendService(to, kind, std::move(payload));
  }
  size_t Unsent(raft::NodeId to, raft::ServiceKind kind) override {
    return transport_.service_unsent(to, kind);
  }

 private:
  // No node's id is so far beyond the others'.
  static constexpr raft::NodeId kIdStrideMax = 1'000'000;

  struct Leaving {  // removed a moment ago, and still reachable to be told so
    raft::PeerAddress address;
    int64_t until_ns = 0;
  };

  Status Change(const raft::ConfChange& change, int64_t timeout_ms);
  Status HandOver(int64_t timeout_ms);
  size_t ReachableVoters(const raft::NodeStatus& status, raft::NodeId without) const;
  bool EnoughVote(const raft::NodeStatus& status) const;
  void PromoteCaughtUp(const raft::NodeStatus& status);
  void CompactForJoiners(const raft::NodeStatus& status);
  void InviteAdded(const raft::NodeStatus& status);
  void OnInvitationAnswered(raft::NodeId id, const Result<std::string>& answer)
      KIWI_EXCLUDES(members_mu_);
  void OnInvited(raft::NodeId from, const std::string& payload);
  void RefuseInvitation(raft::NodeId from, const Status& why);
  void ForgetLeaving();
  void Retire(raft::NodeId told_by);
  void AnswerJoin(raft::NodeId from, const std::string& request);
  JoinAnswer TakeIn(const std::string& request);
  Result<raft::NodeId> TakeInAs(raft::Member member);

  const ClusterOptions options_;
  raft::Node* const node_;
  raft::Storage* const log_;
  Clock* const clock_;
  raft::Transport transport_;
  raft::SnapshotMover mover_;
  AdminThread admin_;
  LagTimes lag_times_;
  std::function<Status(const Invitation&)> invited_;
  int64_t next_invitation_ns_ = 0;  // of Maintain's thread
  int64_t next_refusal_ns_ = 0;     // of the transport's thread
  std::string invitation_answer_;   // of admin_: the last that was logged
  std::atomic<bool> accept_invitations_;
  std::atomic<bool> following_{false};  // an invitation waits for admin_, or is being followed
  JoinGate gate_;
  const std::shared_ptr<PendingAnswers> asked_ = std::make_shared<PendingAnswers>();
  std::atomic<bool> stopping_{false};
  std::atomic<bool> removed_{false};
  std::atomic<bool> compacting_{false};

  Mutex members_mu_;
  std::vector<raft::PeerAddress> peers_ KIWI_GUARDED_BY(members_mu_);  // the members
  std::vector<Leaving> leaving_ KIWI_GUARDED_BY(members_mu_);
  raft::NodeId last_id_ KIWI_GUARDED_BY(members_mu_) = raft::kNoNode;  // ids up to it were given
  std::string invitation_refusal_ KIWI_GUARDED_BY(members_mu_);        // the last that was logged
  void TellTransport() KIWI_REQUIRES(members_mu_);
};

}  // namespace kiwi::server
