// What a backend's adapter of an on-disk engine implements. ManagedBackend (managed_backend.h) makes
// a Backend of it: it adds the directory's lock, the check before recovery, the failed state, and
// resuming. So an engine may fail without remembering it, and need not be able to recover in place.
#pragma once

#include <atomic>
#include <memory>
#include <string_view>

#include "base/status.h"
#include "storage/backend.h"
#include "storage/backend_options.h"
#include "storage/recovery_check.h"

namespace kiwi::storage {

// Held by every iterator and snapshot of an engine: as long as there is one, it cannot be closed.
class View {
 public:
  explicit View(std::atomic<int>* views) : views_(views) { views_->fetch_add(1); }
  ~View() { views_->fetch_sub(1); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

 private:
  std::atomic<int>* views_;
};

// Functions as of Backend, which see.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual Status Write(const WriteOptions& options, WriteBatch* batch) = 0;
  virtual Status Sync() = 0;
  virtual Status Flush() = 0;
  virtual Status Get(const ReadOptions& options, std::string_view key,
                     std::string* value) const = 0;
  virtual std::unique_ptr<Iterator> NewIterator(const ReadOptions& options) const = 0;
  virtual std::unique_ptr<const Snapshot> GetSnapshot() const = 0;
  virtual Stats GetStats() const = 0;
};

// One a kind of engine; a constant.
struct EngineKind {
  std::string_view name;
  // The directory is locked and checked; `views` outlives the engine.
  Result<std::unique_ptr<Engine>> (*open)(const BackendOptions& options, const RecoveryCheck& check,
                                          std::atomic<int>* views);
  // Works with every instance, the ones opened later included.
  std::unique_ptr<WriteBatch> (*new_batch)();
};

}  // namespace kiwi::storage
