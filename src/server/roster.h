// Who the members of the group are to clients: tells the others, through the log, where this node's
// clients reach it, and describes all members for CLUSTER, ROLE and INFO.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "commands/cluster_state.h"
#include "raft/node/node.h"
#include "raft/transport/transport.h"

namespace kiwi::server {

struct ClientAddress {
  std::string host;
  int port = 0;  // 0: no TCP port
};

class Roster {
 public:
  // Both outlive it. `own`: where clients reach this node.
  Roster(raft::Node* node, ClientAddress own, bool cluster_enabled, Clock* clock);

  bool cluster_enabled() const { return cluster_enabled_; }
  // A few times a second, one thread: proposes this node's client address once the membership has
  // another one. Never waits. `announce`: there are others to be told.
  void Maintain(bool announce);
  // Any thread. transport: null without peers.
  commands::ClusterState Describe(const raft::Transport* transport) const;

 private:
  void Announce();

  raft::Node* const node_;
  const ClientAddress own_;
  const bool cluster_enabled_;
  Clock* const clock_;
  // While there is no leader, clients see the one before as failed, as Redis shows it.
  std::atomic<raft::NodeId> last_leader_{raft::kNoNode};
  int64_t announced_ns_ = 0;                             // of Maintain
  const std::shared_ptr<std::atomic<bool>> announcing_;  // shared with the proposal under way
};

}  // namespace kiwi::server
