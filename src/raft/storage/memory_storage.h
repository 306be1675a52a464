// A log that lives as long as its process, for the simulator and for tests of the core. Copies are
// independent and cheap (payloads are shared), so that a test can keep what was durable at a moment
// and go back to it.
#pragma once

#include <vector>

#include "base/mutex.h"
#include "raft/core/storage.h"
#include "raft/storage/log_state.h"

namespace kiwi::raft {

class MemoryStorage final : public Storage {
 public:
  MemoryStorage() = default;
  MemoryStorage(const MemoryStorage& other);
  MemoryStorage& operator=(const MemoryStorage&) = delete;

  Result<InitialState> GetInitialState() const override;
  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const override;
  Result<Term> TermAt(LogIndex index) const override;
  LogIndex FirstIndex() const override;
  LogIndex LastIndex() const override;
  Result<SnapshotMeta> GetSnapshot() const override;

  Status Write(const LogBatch& batch) override;
  Status Sync() override { return {}; }
  Status CreateSnapshot(const SnapshotMeta& meta) override;
  Status Compact(LogIndex index) override;
  uint64_t SizeBytes() const override;

 private:
  LogState Copy() const;

  mutable Mutex mu_;
  LogState state_ KIWI_GUARDED_BY(mu_){kNoLimit};
};

}  // namespace kiwi::raft
