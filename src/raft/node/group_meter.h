// What a node counts about its group's life: elections, votes, messages, and how long an entry takes
// on its way. For the metrics.
#pragma once

#include <array>
#include <cstdint>

#include "metrics/histogram.h"
#include "raft/core/message.h"
#include "raft/core/raw_node.h"

namespace kiwi::raft {

inline constexpr size_t kMessageTypes = static_cast<size_t>(MessageType::kTransferLeader) + 1;

struct GroupFigures {
  uint64_t elections_begun = 0;
  uint64_t elections_won = 0;
  uint64_t leader_changes = 0;
  uint64_t votes_granted = 0;  // to others, pre-votes included
  uint64_t votes_refused = 0;
  std::array<uint64_t, kMessageTypes> sent{};  // by MessageType
  std::array<uint64_t, kMessageTypes> received{};
  metrics::HistogramSum leaderless;  // each time without a known leader
  metrics::HistogramSum sync;        // writes of the log with a sync
  metrics::HistogramSum commit;      // from composing to committed, of the timed entries
  metrics::HistogramSum apply;       // of entries with data
};

// Guarded by its node's lock over the core.
class GroupMeter {
 public:
  // Without a leader since then; before any other call.
  void Begin(int64_t now_ns) { leaderless_since_ns_ = now_ns; }
  void OnSoftState(const SoftState& state, int64_t now_ns);
  void OnSent(const Message& message);
  void OnReceived(const Message& message) { ++figures_.received[IndexOf(message)]; }
  void OnCommitted(uint64_t ns) { commit_.Record(ns); }
  // Without what others keep: sync and apply.
  GroupFigures figures() const;

 private:
  // 0: of a type that this build does not know.
  static size_t IndexOf(const Message& message) {
    const auto type = static_cast<size_t>(message.type);
    return type < kMessageTypes ? type : 0;
  }

  GroupFigures figures_;
  SoftState last_;
  int64_t leaderless_since_ns_ = 0;
  metrics::HistogramCell<metrics::CoarseBuckets> leaderless_;
  metrics::HistogramCell<metrics::CoarseBuckets> commit_;
};

}  // namespace kiwi::raft
