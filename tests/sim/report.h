// What a run exercised: counters, summed over runs, each with a floor for a million events. A
// simulator that stops reaching something proves nothing about it.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace kiwi::sim {

// X(name, floor a million events)
#define KIWI_SIM_COUNTERS(X)   \
  X(events, 900000)            \
  X(messages, 100000)          \
  X(messages_lost, 3000)       \
  X(messages_duplicated, 1000) \
  X(messages_encoded, 10000)   \
  X(elections_won, 500)        \
  X(entries_applied, 20000)    \
  X(truncations, 30)           \
  X(appends_rejected, 200)     \
  X(crashes, 500)              \
  X(crash_before_write, 20)    \
  X(crash_before_sync, 20)     \
  X(crash_after_sync, 20)      \
  X(crash_in_apply, 20)        \
  X(crash_in_checkpoint, 5)    \
  X(crash_all, 10)             \
  X(unsynced_lost, 50)         \
  X(acknowledged_lost, 10)     \
  X(trust_regained, 10)        \
  X(torn_writes, 30)           \
  X(bit_flips_found, 2)        \
  X(fsync_failures, 20)        \
  X(full_disks, 20)            \
  X(slow_disks, 50)            \
  X(late_persist_answers, 500) \
  X(pauses, 100)               \
  X(partitions, 100)           \
  X(one_way_partitions, 50)    \
  X(chains, 20)                \
  X(clogged_links, 50)         \
  X(skewed_clocks, 300)        \
  X(checkpoints, 500)          \
  X(compactions, 300)          \
  X(log_fetches, 300)          \
  X(snapshots_sent, 50)        \
  X(snapshots_failed, 5)       \
  X(snapshots_installed, 30)   \
  X(conf_changes_applied, 100) \
  X(joint_configurations, 20)  \
  X(leaders_removed, 3)        \
  X(nodes_joined, 50)          \
  X(transfers, 50)             \
  X(transfers_done, 10)        \
  X(writes_acknowledged, 1000) \
  X(writes_unknown, 50)        \
  X(writes_lost_for_sure, 5)   \
  X(writes_refused, 20)        \
  X(reads_by_index, 300)       \
  X(reads_by_lease, 100)       \
  X(reads_by_follower, 50)     \
  X(reads_dropped, 50)         \
  X(stepped_down_without_quorum, 20)

struct Report {
#define KIWI_SIM_COUNTER(name, floor) uint64_t name = 0;
  KIWI_SIM_COUNTERS(KIWI_SIM_COUNTER)
#undef KIWI_SIM_COUNTER
  uint64_t simulated_us = 0;
  uint64_t liveness_ticks_max = 0;

  bool operator==(const Report&) const = default;
  void Add(const Report& other);
  // A line a counter, with its floor for so many events. With `floors`, below it a counter is marked
  // and *met becomes false.
  std::string Format(bool floors, bool* met) const;
};

}  // namespace kiwi::sim
