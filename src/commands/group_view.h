// What RAFT.* commands see of the group: its members, and changes of it. Implemented by the server;
// any thread that may wait.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace kiwi::commands {

struct HostPort {
  std::string host;
  int port = 0;  // 0: not known, or none
};

struct MemberReport {
  uint64_t id = 0;
  HostPort raft;
  HostPort client;
  std::string role;              // leader, voter, learner
  bool connected = false;        // itself: true
  int64_t last_contact_ms = -1;  // ago; itself 0; -1: never, or not known
  // Of a leader's members; -1: not known here.
  std::string state;  // probe, replicate, snapshot; empty: not known here
  int64_t match = -1;
  int64_t lag_entries = -1;
  int64_t lag_ms = -1;  // the age of the oldest entry that it has not
};

struct SnapshotReport {
  uint64_t peer = 0;
  bool sending = false;
  uint64_t bytes_done = 0;
  uint64_t bytes_estimated = 0;
  int64_t started_unix_ms = 0;
};

struct GroupReport {
  uint64_t cluster_id = 0;
  uint64_t node_id = 0;
  uint64_t leader_id = 0;  // 0: none is known
  HostPort leader_client;
  // This node's part: voter, learner; waiting (for the first snapshot), removed, or distrusted (it may
  // have lost acknowledged writes, and takes no part in elections).
  std::string part;
  std::vector<MemberReport> members;
  std::vector<SnapshotReport> snapshots;
};

// Errors: kNotLeader, with where the leader is; kBusy: try again later; kAborted: it is not known
// whether it took effect; others are final.
class GroupView {
 public:
  virtual ~GroupView() = default;
  virtual GroupReport Report() = 0;
  // Ok: another node leads. 0: whoever is furthest.
  virtual Status TransferLeader(uint64_t id) = 0;
  // A learner, promoted by itself once it has caught up. client.port 0: it tells by itself.
  virtual Status AddNode(uint64_t id, const HostPort& raft, const HostPort& client) = 0;
  // force: even if the group may lose its majority by it.
  virtual Status PromoteNode(uint64_t id, bool force) = 0;
  virtual Status RemoveNode(uint64_t id, bool force) = 0;
  // This node, alone and empty, asks to be taken into the group of any of these raft addresses. Ok:
  // it was; the server is about to start anew as that member.
  virtual Status Join(const std::vector<HostPort>& contacts) = 0;
  // This node votes again although it may have lost acknowledged writes. kInvalidArgument: it has not.
  virtual Status AcceptLoss() = 0;
};

}  // namespace kiwi::commands
