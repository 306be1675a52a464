// The log's shape in memory, which MemoryStorage and LogStorage share: where it begins and ends,
// every entry's term and size, hard state, conf state and snapshot, and the entries themselves as
// far back as a bound in bytes allows. It decides what a mutation may do and what it then does;
// making that durable is its owner's business.
//
// Not thread-safe: the owner's lock guards it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "raft/core/storage.h"
#include "raft/core/types.h"

namespace kiwi::raft {

class LogState {
 public:
  // The newest entries are kept while their payloads sum to at most this, the last one always.
  explicit LogState(uint64_t cache_bytes_max) : cache_bytes_max_(cache_bytes_max) {}

  // What a valid batch does to the entries.
  struct Plan {
    size_t skip = 0;  // so many of the batch's entries are covered by the snapshot
    bool has_new_entries = false;
    LogIndex truncate_from = 0;  // entries from here to the old last one are replaced; 0: none
  };

  // Whether the batch may be applied: the errors of Storage::Write.
  Result<Plan> Check(const LogBatch& batch) const;
  void Apply(const LogBatch& batch, const Plan& plan);

  // The errors of Storage::CreateSnapshot, and of Compact.
  Status CheckCreateSnapshot(const SnapshotMeta& meta) const;
  Status CheckCompact(LogIndex index) const;
  void SetSnapshot(const SnapshotMeta& meta) { snapshot_ = meta; }
  void Compact(LogIndex index);

  // The errors of LogReader::Entries. On success *end is behind the last entry to return: at most
  // hi, and what max_bytes allows.
  Status CheckRead(LogIndex lo, LogIndex hi, uint64_t max_bytes, LogIndex* end) const;
  Result<Term> TermAt(LogIndex index) const;

  // Entries from here on are in memory: cached_first() <= last_index() whenever there are entries.
  LogIndex cached_first() const { return last_index_ + 1 - cache_.size(); }
  const Entry& cached(LogIndex index) const { return cache_[index - cached_first()]; }
  // Payload bytes of those in [lo, end) that are not; all of them are in the log.
  uint64_t BytesBelowCache(LogIndex lo, LogIndex end) const;

  LogIndex first_index() const { return base_index_ + 1; }
  LogIndex last_index() const { return last_index_; }
  LogIndex base_index() const { return base_index_; }
  Term base_term() const { return base_term_; }
  uint64_t size_bytes() const { return size_bytes_; }
  const HardState& hard_state() const { return hard_state_; }
  const ConfState& conf_state() const { return conf_state_; }
  const SnapshotMeta& snapshot() const { return snapshot_; }
  const std::string& state_dir() const { return state_dir_; }
  InitialState initial() const { return {hard_state_, conf_state_, state_dir_}; }

  // Recovery only.
  void Restore(LogIndex base_index, Term base_term);
  void SetHardState(const HardState& hard_state) { hard_state_ = hard_state; }
  void SetConfState(const ConfState& conf_state) { conf_state_ = conf_state; }
  void SetStateDir(std::string state_dir) { state_dir_ = std::move(state_dir); }
  void AppendOne(const Entry& entry);  // entry.index == last_index() + 1

 private:
  struct TermRun {
    LogIndex first;
    Term term;
  };

  Status CheckNewer(const SnapshotMeta& meta) const;
  void DropEntries(LogIndex from);  // and all behind it
  void ShrinkCache();

  uint64_t cache_bytes_max_;
  // The entry before the first one kept: compacted, or covered by a snapshot that replaced the log.
  LogIndex base_index_ = 0;
  Term base_term_ = 0;
  LogIndex last_index_ = 0;
  std::deque<TermRun> term_runs_;  // ascending by both; a run ends where the next one begins
  std::deque<uint32_t> sizes_;     // payload bytes of first_index..last_index
  uint64_t size_bytes_ = 0;        // their sum
  std::deque<Entry> cache_;        // the newest entries; ends with last_index
  uint64_t cache_bytes_ = 0;
  HardState hard_state_;
  ConfState conf_state_;
  SnapshotMeta snapshot_;
  std::string state_dir_;
};

}  // namespace kiwi::raft
