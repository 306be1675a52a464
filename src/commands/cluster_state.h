// The group of nodes as clients see it: a cluster of one master, which has all slots, and its
// replicas. Plain data that the server fills and CLUSTER, ROLE and INFO word.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kiwi::commands {

struct ClusterNode {
  uint64_t node = 0;  // raft.node-id
  std::string id;     // 40 hexadecimal digits
  std::string host;   // where clients reach it; empty: it has not said so yet
  int port = 0;       // 0: likewise
  int bus_port = 0;   // for other nodes
  bool leader = false;
  bool linked = true;           // this node's link to it stands
  bool failed = false;          // no sign of life for longer than a moment
  int64_t heard_ms = 0;         // Unix time of its last sign of life; 0: this node itself, or never
  int64_t lag_s = 0;            // since then
  bool loading = false;         // it gets a snapshot, or has nothing yet: known to the leader
  uint64_t offset = 0;          // what it has of the log: known to the leader, and of this node
  int64_t linked_since_ms = 0;  // Unix time; 0: not known
  uint64_t bytes_queued = 0;    // on their way to it

  bool reachable() const { return !host.empty() && port != 0; }
};

struct ClusterState {
  bool enabled = false;  // cluster-enabled
  bool ok = false;       // there is a leader
  uint64_t own = 0;      // raft.node-id of this node
  uint64_t term = 0;
  std::string replication_id;  // 40 hexadecimal digits, of the group
  std::vector<ClusterNode>
      nodes;  // ascending by node; without a leader, the last one counts as such
  uint64_t messages_sent = 0;
  uint64_t messages_received = 0;

  const ClusterNode* leader() const {
    for (const ClusterNode& node : nodes) {
      if (node.leader) return &node;
    }
    return nullptr;
  }
  const ClusterNode* self() const {
    for (const ClusterNode& node : nodes) {
      if (node.node == own) return &node;
    }
    return nullptr;
  }
  bool leads() const { return ok && leader() != nullptr && leader()->node == own; }
};

}  // namespace kiwi::commands
