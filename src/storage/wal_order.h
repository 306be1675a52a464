// Makes write-ahead logs durable in their order: before a new one comes to be, all older ones are
// synced. Without it, a crash soon after an engine has switched its log could keep records of the
// new file and lose some of the old one; LevelDB would even acknowledge a sync of the new file
// while the old one's tail is in memory only. So at open every log file but the last must be whole.
// Costs one sync a memtable.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <string_view>

#include "base/mutex.h"
#include "base/status.h"

namespace kiwi::storage {

inline bool IsWalPath(std::string_view path) { return path.ends_with(".log"); }

// One a database. Thread-safe.
class WalOrder {
 public:
  // An open log file. Its adapter calls Appended() before and Synced() after what it does.
  class File {
   public:
    virtual ~File() = default;
    // The engine may append or sync meanwhile.
    virtual Status SyncForSuccessor() = 0;

    void Appended() { appends_.fetch_add(1, std::memory_order_relaxed); }
    uint64_t appends() const { return appends_.load(std::memory_order_relaxed); }
    // All of the first so many appends are durable.
    void Synced(uint64_t appends) { synced_.store(appends, std::memory_order_relaxed); }
    bool dirty() const { return appends() != synced_.load(std::memory_order_relaxed); }

   private:
    std::atomic<uint64_t> appends_{0};
    std::atomic<uint64_t> synced_{0};
  };

  void Add(File* file) {
    MutexLock lock(mu_);
    open_.insert(file);
  }
  // Waits until nobody syncs the file.
  void Remove(File* file) {
    MutexLock lock(mu_);
    open_.erase(file);
  }
  // Before a new log file is created.
  Status SyncOpen() {
    MutexLock lock(mu_);
    for (File* file : open_) {
      if (file->dirty()) KIWI_RETURN_IF_ERROR(file->SyncForSuccessor());
    }
    return {};
  }

 private:
  Mutex mu_;
  std::set<File*> open_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::storage
