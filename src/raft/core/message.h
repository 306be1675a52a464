// What nodes say to each other, and the changes of membership that travel in the log.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "raft/core/types.h"

namespace kiwi::raft {

enum class MessageType : uint8_t {
  kAppend = 1,
  kAppendResponse,
  kVote,
  kVoteResponse,
  kPreVote,
  kPreVoteResponse,
  kHeartbeat,
  kHeartbeatResponse,
  kSnapshot,
  kTimeoutNow,
  kReadIndex,
  kReadIndexResponse,
  kTransferLeader,
  kLogEnd,  // of a node that is not sure of its log: where does the leader's end? (trust.cc)
  kLogEndResponse,
};

struct Message {
  MessageType type = MessageType::kHeartbeat;
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  Term term = 0;
  // kAppend: the entry before the first (index, log_term); kVote: the candidate's last entry.
  LogIndex index = 0;
  Term log_term = 0;
  LogIndex commit = 0;
  std::vector<Entry> entries;
  SnapshotMeta snapshot;
  bool reject = false;
  LogIndex reject_hint = 0;  // with reject: where to look for agreement next
  // Read token; heartbeat round; kTransferLeader: the target; vote requests and their rejections:
  // the term of the entry at `commit`; kLogEnd: which question it is.
  uint64_t context = 0;
  bool force = false;  // kVote: by transfer, the lease of the old leader does not hold it up
};

enum class ConfChangeType : uint8_t { kAddVoter = 0, kRemove = 1, kAddLearner = 2 };

struct ConfChangeStep {
  ConfChangeType type = ConfChangeType::kAddVoter;
  NodeId node = kNoNode;
  bool operator==(const ConfChangeStep&) const = default;
};

enum class ConfChangeTransition : uint8_t {
  kAuto = 0,           // simple if one voter changes, else joint with auto-leave
  kJointImplicit = 1,  // joint, left automatically
  kJointExplicit = 2,  // joint, left by an empty change
};

struct ConfChange {
  ConfChangeTransition transition = ConfChangeTransition::kAuto;
  std::vector<ConfChangeStep> steps;  // empty: leave the joint configuration
  std::string context;                // the host's, e.g. the new node's address

  bool operator==(const ConfChange&) const = default;
};

// Versioned encodings (docs/formats.md). Decoders trust no length.
std::string EncodeConfChange(const ConfChange& change);
Result<ConfChange> DecodeConfChange(std::string_view bytes);
void EncodeConfState(const ConfState& state, std::string* out);
Result<ConfState> DecodeConfState(std::string_view* bytes);

}  // namespace kiwi::raft
