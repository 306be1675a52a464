// The vocabulary of Raft: the field's names (Ongaro's dissertation, etcd's raft).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::raft {

using NodeId = uint64_t;  // above 0; 0 is "nobody"
using Term = uint64_t;
using LogIndex = uint64_t;  // the first entry is 1

inline constexpr NodeId kNoNode = 0;

// Immutable and shared: the same bytes lie in the log's tail, in send queues and in the applier.
using Payload = std::shared_ptr<const std::string>;

enum class EntryType : uint8_t {
  kNormal = 0,      // data is the state machine's (commands under their envelope), or empty
  kConfChange = 1,  // data is an encoded ConfChange
};

struct Entry {
  Term term = 0;
  LogIndex index = 0;
  EntryType type = EntryType::kNormal;
  Payload data;  // null means empty

  std::string_view bytes() const { return data ? std::string_view(*data) : std::string_view(); }
};

// Must be durable before any message that depends on it leaves.
struct HardState {
  Term term = 0;
  NodeId vote = kNoNode;
  LogIndex commit = 0;

  bool operator==(const HardState&) const = default;
};

// Who takes part (dissertation 4.3, joint consensus). Each list ascending and without duplicates.
struct ConfState {
  std::vector<NodeId> voters;
  std::vector<NodeId> learners;
  std::vector<NodeId> voters_outgoing;  // not empty: in a joint configuration
  std::vector<NodeId> learners_next;    // become learners when the joint configuration is left
  bool auto_leave = false;
  // The entry whose change led here; 0: none (bootstrap). A change at or below it, replayed after a
  // restart, is already contained.
  LogIndex index = 0;

  bool operator==(const ConfState&) const = default;
};

struct SnapshotMeta {
  LogIndex index = 0;  // the last entry it covers
  Term term = 0;       // that entry's term
  ConfState conf_state;

  bool operator==(const SnapshotMeta&) const = default;
};

}  // namespace kiwi::raft
