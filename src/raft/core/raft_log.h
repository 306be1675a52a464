// The log as the core sees it: the durable part behind a LogReader, and its tail in memory. The
// tail holds everything not yet durable, and what became durable recently, so that in a steady
// state nothing is read back.
//
//   first_index      handed_out      persisted       commit           last_index
//   |-- storage ---------|---------------|--------------|------------------|
//                 offset |------------------ tail -------------------------|
//
// (commit and persisted may stand in either order; what is handed out to be applied is both.)
//
// Persistence is asynchronous and numbered: TakeUnpersisted() gives a batch, OnPersisted(number)
// says that it and all before it are durable. When entries are replaced meanwhile, the batches
// under way are cut to what they still prove, so that a late answer for the old entries never
// acknowledges the new ones, even if these are equal (ABA).
#pragma once

#include <optional>
#include <vector>

#include "base/status.h"
#include "raft/core/ring.h"
#include "raft/core/storage.h"
#include "raft/core/types.h"

namespace kiwi::raft {

class RaftLog {
 public:
  // `storage` outlives the log, which begins where the storage ends.
  // In memory stay at most so many durable entries, of so many bytes together.
  RaftLog(const LogReader* storage, uint64_t max_tail_bytes, size_t max_tail_entries);

  LogIndex FirstIndex() const;
  LogIndex LastIndex() const { return offset_ + tail_.size() - 1; }
  Term LastTerm() const { return last_term_; }
  // Nothing for what is compacted or not there.
  std::optional<Term> TermAt(LogIndex index) const;
  bool Matches(LogIndex index, Term term) const;
  // A log that ends in (index, term) is at least as up to date as this one (dissertation 3.6.1).
  bool IsUpToDate(LogIndex index, Term term) const;
  // The last index <= `index` whose term is <= `term`: where two logs may agree at best.
  LogIndex FindConflict(LogIndex index, Term term) const;

  void Append(Entry entry);
  // Cuts off everything from `index` on.
  void TruncateFrom(LogIndex index);
  // The log becomes this snapshot, with nothing behind it.
  void Restore(const SnapshotMeta& meta);

  // Appends entries of [lo, hi) to *out: at least one, then as many as fit in max_bytes.
  Status Read(LogIndex lo, LogIndex hi, uint64_t max_bytes, std::vector<Entry>* out) const;
  // Payload bytes of an entry in memory; 0 for another.
  uint64_t BytesInTail(LogIndex index) const;

  bool HasUnpersisted() const { return next_persist_ <= LastIndex() || snapshot_to_persist_; }
  // Moves what no batch contains yet into the batch `number`.
  void TakeUnpersisted(uint64_t number, std::vector<Entry>* entries,
                       std::optional<SnapshotMeta>* snapshot);
  void OnPersisted(uint64_t number);
  // Everything up to here is durable.
  LogIndex persisted() const { return persisted_; }
  // A snapshot was restored and is not durable yet.
  Result<SnapshotMeta> Snapshot() const { return storage_->GetSnapshot(); }
  bool snapshot_pending() const { return pending_snapshot_.has_value(); }
  // Lets go of entries in memory that are durable and at or below `commit`, beyond a bound.
  void TrimTail(LogIndex commit);

 private:
  struct Batch {
    uint64_t number = 0;
    LogIndex last = 0;  // what it proves durable
    LogIndex snapshot = 0;
  };

  const LogReader* storage_;
  uint64_t max_tail_bytes_;
  size_t max_tail_entries_;
  Ring<Entry> tail_;
  LogIndex offset_;  // the index of tail_[0]
  uint64_t tail_bytes_ = 0;
  Term last_term_ = 0;
  LogIndex next_persist_;  // the first entry in no batch yet
  LogIndex persisted_;
  Ring<Batch> batches_;  // under way
  std::optional<SnapshotMeta> pending_snapshot_;
  bool snapshot_to_persist_ = false;
};

}  // namespace kiwi::raft
