// The disk of a simulated node: a file of checksummed records, of which a crash keeps what was
// synced and any part of the rest, torn in the middle of a record or with a flipped bit there; and
// the log that the synced records amount to, which is all that the core may read.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "raft/core/raw_node.h"
#include "raft/core/storage.h"
#include "sim/machine.h"

namespace kiwi::sim {

// One atomic record.
struct DiskBatch {
  std::optional<raft::HardState> hard_state;
  std::optional<raft::ConfState> conf_state;
  std::optional<raft::SnapshotMeta> snapshot;  // installed from a leader
  MachinePtr snapshot_state;                   // with snapshot
  std::vector<raft::Entry> entries;
  std::optional<raft::SnapshotMeta> checkpoint;  // made here
  raft::LogIndex compact_to = 0;
};

// The storage contract's read side over applied batches.
class SimLog final : public raft::LogReader {
 public:
  void Apply(const DiskBatch& batch);

  Result<raft::InitialState> GetInitialState() const override { return state_; }
  Result<std::vector<raft::Entry>> Entries(raft::LogIndex lo, raft::LogIndex hi,
                                           uint64_t max_bytes) const override;
  Result<raft::Term> TermAt(raft::LogIndex index) const override;
  raft::LogIndex FirstIndex() const override { return first_; }
  raft::LogIndex LastIndex() const override { return first_ + entries_.size() - 1; }
  Result<raft::SnapshotMeta> GetSnapshot() const override;

  const raft::HardState& hard_state() const { return state_.hard_state; }
  const raft::SnapshotMeta& snapshot() const { return snapshot_; }
  // While set, GetSnapshot() says that one is being made.
  void SetSnapshotBusy(bool busy) { snapshot_busy_ = busy; }
  // From now on what is asked for has to be fetched first. Wanted: from which entry on; 0: nothing.
  void SetSlow(bool slow) { slow_ = slow; }
  raft::LogIndex wanted() const { return wanted_; }
  void Fetch() { fetched_ = std::exchange(wanted_, 0); }

 private:
  raft::InitialState state_;
  raft::SnapshotMeta snapshot_;
  bool snapshot_busy_ = false;
  bool slow_ = false;
  mutable raft::LogIndex wanted_ = 0;
  raft::LogIndex fetched_ = 0;
  raft::LogIndex first_ = 1;
  raft::Term before_first_ = 0;
  std::vector<raft::Entry> entries_;
};

class SimDisk {
 public:
  // Appends a record; returns the offset behind it. Nothing is durable yet.
  size_t Write(const DiskBatch& batch);
  void SyncTo(size_t offset) { synced_ = std::max(synced_, offset); }
  size_t size() const { return bytes_.size(); }

  enum class Loss { kNone, kTail, kTorn };
  // Power fails: of what was not synced any prefix survives, perhaps damaged.
  Loss Crash(Random* random);
  // As if nothing had been synced but terms, votes, membership changes and snapshots: some of the last
  // entries go. False when there are none to lose.
  bool LoseEnd(Random* random);
  // A synced record that is not the last one decays. False when there is none.
  bool FlipDurableBit(Random* random);

  // The durable checkpoint of the state machine, beside the log.
  void SetCheckpoint(MachinePtr state) { checkpoint_ = std::move(state); }

  // Reads everything back. A damaged end is cut off as torn; damage before it is kCorruption.
  Status Recover(SimLog* log, MachinePtr* state);

 private:
  std::string bytes_;
  size_t synced_ = 0;
  MachinePtr checkpoint_ = std::make_shared<const Machine>();
};

}  // namespace kiwi::sim
