// A backend around an engine; see engine.h.
//
// After the first failed write or sync nothing is written any more. Neither engine can leave that
// state by itself and be trusted: a failed sync may have lost pages that the operating system then
// calls clean. So Resume() proves the disk writable, closes the engine and opens it again: what its
// files still hold is read, checked, and written anew, to new files with new syncs.
#pragma once

#include <atomic>
#include <memory>

#include "base/mutex.h"
#include "storage/backend.h"
#include "storage/backend_options.h"
#include "storage/directory_lock.h"
#include "storage/engine.h"
#include "storage/failure_latch.h"
#include "storage/io_meter.h"

namespace kiwi::storage {

class ManagedBackend final : public Backend {
 public:
  static Result<std::unique_ptr<Backend>> Open(const EngineKind& kind,
                                               const BackendOptions& options);
  ~ManagedBackend() override;

  std::unique_ptr<WriteBatch> NewBatch() const override { return kind_.new_batch(); }
  Status Write(const WriteOptions& options, WriteBatch* batch) override;
  Status Sync() override;
  Status Flush() override;
  Status Get(const ReadOptions& options, std::string_view key, std::string* value) const override;
  std::unique_ptr<Iterator> NewIterator(const ReadOptions& options) const override;
  std::unique_ptr<const Snapshot> GetSnapshot() const override;
  Stats GetStats() const override;
  // kBusy while iterators or snapshots are open. If the disk proves writable but the engine then
  // cannot be opened, reads fail, too, until a later Resume() succeeds.
  Status Resume() override;
  std::string_view Name() const override { return kind_.name; }

 private:
  ManagedBackend(const EngineKind& kind, const BackendOptions& options)
      : kind_(kind), options_(options) {}
  Status OpenEngine() KIWI_REQUIRES(gate_);

  const EngineKind kind_;
  const BackendOptions options_;
  std::unique_ptr<DirectoryLock> lock_;
  FailureLatch failure_;
  IoMeter meter_;
  mutable std::atomic<int> views_{0};
  // Shared by all who use the engine, exclusive to replace it.
  mutable SharedMutex gate_;
  std::unique_ptr<Engine> engine_ KIWI_GUARDED_BY(gate_);  // null after a reopening that failed
};

}  // namespace kiwi::storage
