// A log in memory for stories of nodes: each overrides what its disk does.
#pragma once

#include <vector>

#include "raft/storage/memory_storage.h"

namespace kiwi::raft {

class MemoryLog : public Storage {
 public:
  Status Write(const LogBatch& batch) override { return memory_.Write(batch); }
  Status Sync() override { return memory_.Sync(); }
  Status CreateSnapshot(const SnapshotMeta& meta) override { return memory_.CreateSnapshot(meta); }
  Status Compact(LogIndex index) override { return memory_.Compact(index); }
  Result<InitialState> GetInitialState() const override { return memory_.GetInitialState(); }
  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max) const override {
    return memory_.Entries(lo, hi, max);
  }
  Result<Term> TermAt(LogIndex index) const override { return memory_.TermAt(index); }
  LogIndex FirstIndex() const override { return memory_.FirstIndex(); }
  LogIndex LastIndex() const override { return memory_.LastIndex(); }
  Result<SnapshotMeta> GetSnapshot() const override { return memory_.GetSnapshot(); }
  uint64_t SizeBytes() const override { return memory_.SizeBytes(); }

 protected:
  MemoryStorage memory_;
};

}  // namespace kiwi::raft
