// The durable Raft log, on a storage backend of its own. One Write() is one backend batch. The
// newest entries stay in memory, so that the applier and healthy followers never read the disk.
//
// Threads: as Storage. Reads of recent entries and all other const functions take one short mutex;
// reads of older entries go to the backend, and make truncation and compaction wait for them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "raft/core/storage.h"
#include "raft/storage/log_state.h"
#include "storage/backend.h"

namespace kiwi::raft {

struct LogStorageOptions {
  // Payloads of the newest entries kept in memory; the last entry is kept whatever its size.
  uint64_t cache_bytes = uint64_t{16} << 20;
};

class LogStorage final : public Storage {
 public:
  // Reads and checks every retained entry: checksums, contiguity, terms, and that nothing is
  // missing that the hard state or the snapshot say must be there. kCorruption names the index or
  // the key. The backend holds nothing else, is not owned, and outlives the log.
  static Result<std::unique_ptr<LogStorage>> Open(storage::Backend* backend,
                                                  const LogStorageOptions& options = {});

  Result<InitialState> GetInitialState() const override;
  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const override;
  Result<Term> TermAt(LogIndex index) const override;
  LogIndex FirstIndex() const override;
  LogIndex LastIndex() const override;
  Result<SnapshotMeta> GetSnapshot() const override;

  // A batch of 0 changes writes nothing, and syncs if it says so.
  Status Write(const LogBatch& batch) override;
  // May run beside one mutation: covers every write that returned before it was called.
  Status Sync() override { return backend_->Sync(); }
  // Durable at return.
  Status CreateSnapshot(const SnapshotMeta& meta) override;
  // Not synced: after a crash the entries may be there again.
  Status Compact(LogIndex index) override;
  uint64_t SizeBytes() const override;
  uint64_t BytesOnDisk(LogIndex lo, LogIndex hi, uint64_t max_bytes) const override
      KIWI_EXCLUDES(mu_);
  std::optional<Result<std::vector<Entry>>> TryEntries(LogIndex lo, LogIndex hi,
                                                       uint64_t max_bytes) const override;

  // Gives back the disk and memory of compacted entries. Blocks on the disk: call it from a
  // background thread after compaction of much (half of the backend's write buffer, say). It may
  // run beside everything else.
  Status ReleaseSpace() { return backend_->Flush(); }

  // After an error whose cause is gone: resumes the backend and reads the log again, as Open does.
  // What was written before is there; the mutation that failed has happened or not, as a whole, so
  // the owner must look (and forget what it believed). kCorruption: the disk lost acknowledged
  // entries. It is a mutation: no other runs beside it.
  Status Resume();

 private:
  LogStorage(storage::Backend* backend, const LogStorageOptions& options);

  Status Recover(LogState* state) const;
  Status RecoverRecords(LogState* state) const;
  Status RecoverEntries(LogState* state) const;
  Result<bool> ReadRecord(std::string_view key, std::string* value) const;

  // Writes batch_ and clears it. It removes entries from `removes_from` on (kNoLimit: none).
  Status WriteBatch(bool sync, LogIndex removes_from = kNoLimit);
  void AddToBatch(const LogBatch& batch, const LogState::Plan& plan, LogIndex old_first,
                  LogIndex old_last);
  template <typename Record>
  void PutRecord(std::string_view key, const Record& record);
  // Nothing: they are not all in memory.
  std::optional<Result<std::vector<Entry>>> CachedEntries(LogIndex lo, LogIndex hi,
                                                          uint64_t max_bytes) const
      KIWI_EXCLUDES(mu_);
  Result<std::vector<Entry>> StoredEntries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const
      KIWI_REQUIRES_SHARED(rewrite_mu_) KIWI_EXCLUDES(mu_);
  Status ReadFromBackend(LogIndex lo, LogIndex end, std::vector<Entry>* entries) const;

  storage::Backend* const backend_;
  const LogStorageOptions options_;

  // The mutator's alone. The first two are kept to spare allocations.
  std::unique_ptr<storage::WriteBatch> batch_;
  std::string scratch_;
  // A mutation that failed may have removed entries from here on.
  LogIndex uncertain_from_ = kNoLimit;

  // Taken before mu_. Exclusive while existing entries are deleted or replaced, in the backend and
  // in state_; shared by reads of the backend, which so see what state_ says.
  mutable SharedMutex rewrite_mu_;
  mutable Mutex mu_;
  LogState state_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::raft
