// A log in memory for the tests of the core: what was persisted, at once and without faults.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "raft/core/raw_node.h"
#include "raft/core/storage.h"

namespace kiwi::raft {

class TestLog final : public LogReader {
 public:
  TestLog() = default;
  // A member of a cluster that begins with these voters.
  explicit TestLog(std::vector<NodeId> voters) { state_.conf_state.voters = std::move(voters); }

  void Persist(const Ready& ready) {
    if (ready.snapshot && ready.snapshot->index > snapshot_.index) {
      snapshot_ = *ready.snapshot;
      entries_.clear();
      first_ = snapshot_.index + 1;
      before_first_ = snapshot_.term;
      state_.conf_state = snapshot_.conf_state;
    }
    if (!ready.entries.empty()) Append(ready.entries);
    if (ready.hard_state) state_.hard_state = *ready.hard_state;
  }
  void Append(const std::vector<Entry>& entries) {
    entries_.resize(entries.front().index - first_);
    entries_.insert(entries_.end(), entries.begin(), entries.end());
  }
  void SetHardState(const HardState& hard_state) { state_.hard_state = hard_state; }
  void SetConfState(const ConfState& conf) { state_.conf_state = conf; }
  void CreateSnapshot(LogIndex index, const ConfState& conf) {
    snapshot_ = {index, *TermAt(index), conf};
  }
  void Compact(LogIndex index) {
    before_first_ = *TermAt(index);
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<ptrdiff_t>(index + 1 - first_));
    first_ = index + 1;
  }

  Result<InitialState> GetInitialState() const override { return state_; }
  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const override {
    if (lo < first_) return Status(StatusCode::kCompacted, "compacted");
    if (hi > LastIndex() + 1) return Status(StatusCode::kUnavailable, "not there");
    std::vector<Entry> out;
    uint64_t bytes = 0;
    for (; lo < hi; ++lo) {
      const Entry& e = entries_[lo - first_];
      bytes += e.bytes().size();
      if (!out.empty() && bytes > max_bytes) break;
      out.push_back(e);
    }
    return out;
  }
  Result<Term> TermAt(LogIndex index) const override {
    if (index + 1 == first_) return before_first_;
    if (index < first_) return Status(StatusCode::kCompacted, "compacted");
    if (index > LastIndex()) return Status(StatusCode::kUnavailable, "not there");
    return entries_[index - first_].term;
  }
  LogIndex FirstIndex() const override { return first_; }
  LogIndex LastIndex() const override { return first_ + entries_.size() - 1; }
  Result<SnapshotMeta> GetSnapshot() const override { return snapshot_; }

 private:
  InitialState state_;
  SnapshotMeta snapshot_;
  LogIndex first_ = 1;
  Term before_first_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace kiwi::raft
