// What the core and the node need of a durable log: the contract that every implementation meets
// (tests/unit/raft/storage_contract_test.cc runs on each).
//
// Invariants, at every return:
//   first_index <= last_index + 1; entries first_index..last_index are contiguous, terms never
//   fall; TermAt(first_index - 1) is known (it is the snapshot's last term, or 0 for index 0).
// Threads: const functions may run at any time from any thread; at most one mutation at a time.
// Errors: kIo / kNoSpace from a mutation means that nothing is promised about it. The caller stops
// acknowledging; it never retries as though the first try had not happened.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "raft/core/types.h"

namespace kiwi::raft {

inline constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

struct InitialState {
  HardState hard_state;
  ConfState conf_state;
  // The directory that holds the state machine's checkpoints, as LogBatch::state_dir last said.
  // Empty: the one that a node begins with.
  std::string state_dir;
};

// One atomic mutation of the log: all of it is durable afterwards, or none of it. Order inside:
// snapshot, then entries (which first cut off what conflicts), then hard state.
struct LogBatch {
  const HardState* hard_state = nullptr;   // null: unchanged
  const ConfState* conf_state = nullptr;   // null: unchanged
  const SnapshotMeta* snapshot = nullptr;  // not null: the log is replaced by this snapshot
  // Where the snapshot was staged; becomes the state machine's with this batch. Null: unchanged.
  const std::string* state_dir = nullptr;
  // Contiguous; begins at or below last_index + 1 and above the snapshot's index. Entries from its
  // first index on are replaced.
  const std::vector<Entry>* entries = nullptr;
  bool sync = true;  // false: durable only by a later synced batch or Sync()
};

// The read side: all that the core sees.
class LogReader {
 public:
  virtual ~LogReader() = default;

  virtual Result<InitialState> GetInitialState() const = 0;
  // Entries in [lo, hi), at least one, then as many as fit in max_bytes (sum of payload sizes):
  // max_bytes = 0 gives exactly one. kCompacted if lo < first_index; kUnavailable if
  // hi > last_index + 1. lo >= hi gives none. kBusy: it takes long; once RawNode::OnEntriesFetched is
  // called the core asks again.
  virtual Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi,
                                             uint64_t max_bytes) const = 0;
  // For first_index - 1 <= index <= last_index; TermAt(0) is 0 while nothing is compacted. Else
  // kCompacted or kUnavailable.
  virtual Result<Term> TermAt(LogIndex index) const = 0;
  virtual LogIndex FirstIndex() const = 0;
  virtual LogIndex LastIndex() const = 0;
  // Of the most recent snapshot; index 0 when there is none.
  // kSnapshotTemporarilyUnavailable while one is being made.
  virtual Result<SnapshotMeta> GetSnapshot() const = 0;
};

class Storage : public LogReader {
 public:
  // Applies the whole batch atomically. Durable at return if batch.sync.
  //   kCompacted: entries begin at or below the snapshot's index and nothing of them is newer
  //   (a batch that overlaps the compacted part is trimmed instead);
  //   kInvalidArgument: a gap after last_index, or entries not contiguous;
  //   kSnapshotOutOfDate: batch.snapshot's index is at or below the current snapshot's.
  virtual Status Write(const LogBatch& batch) = 0;
  // All earlier writes are durable at return.
  virtual Status Sync() = 0;
  // Records that the state machine's own durable checkpoint covers everything up to meta.index
  // (<= last_index). Keeps the entries. kSnapshotOutOfDate as above.
  virtual Status CreateSnapshot(const SnapshotMeta& meta) = 0;
  // Drops entries up to and including index; kCompacted if index < first_index, kUnavailable if
  // index > last_index or above the snapshot's index (what no snapshot covers is never dropped).
  virtual Status Compact(LogIndex index) = 0;
  // Payload bytes that the log retains.
  virtual uint64_t SizeBytes() const = 0;
  // Payload bytes that Entries would have to read from the disk; 0 if it would fail.
  virtual uint64_t BytesOnDisk(LogIndex /*lo*/, LogIndex /*hi*/, uint64_t /*max_bytes*/) const {
    return 0;
  }
  // Entries, which never waits for a mutation that has the disk; nothing: it would have to.
  virtual std::optional<Result<std::vector<Entry>>> TryEntries(LogIndex lo, LogIndex hi,
                                                               uint64_t max_bytes) const {
    return Entries(lo, hi, max_bytes);
  }

  // Conveniences over Write(), synced.
  Status Append(const std::vector<Entry>& entries);
  Status SetHardState(const HardState& hard_state);
  Status SetConfState(const ConfState& conf_state);
  // state_dir: null leaves it unchanged.
  Status ApplySnapshot(const SnapshotMeta& meta, const std::string* state_dir = nullptr);
};

}  // namespace kiwi::raft
