// Blocks of figures, one for each thread that records: a thread writes its own block only, so that
// recording shares no cache line and takes no lock. Whoever reads sums all blocks.
//
// Threads come and go. The block of a thread that ends keeps its figures and goes to the next new
// thread, which adds to them: nothing is lost or counted twice, and there are never more blocks than
// threads that have lived at the same time.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace kiwi::metrics {

// Of relaxed atomics with one writer: the thread that has the block.
inline void Bump(std::atomic<uint64_t>& value, uint64_t n) {
  value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

// Thread-safe. Made for one instance per type of block and process: a thread remembers one, and one
// that serves several in turn pays a lock for each change.
template <typename Block>
class ThreadBlocks {
 public:
  // make() is called for each new block, on the thread that needs it.
  explicit ThreadBlocks(std::function<std::unique_ptr<Block>()> make)
      : shared_(std::make_shared<Shared>(NextId(), std::move(make))) {}
  ThreadBlocks(const ThreadBlocks&) = delete;
  ThreadBlocks& operator=(const ThreadBlocks&) = delete;

  // The calling thread's block; a thread-local look-up. Valid until the thread ends, as long as this
  // lives.
  Block& Local() {
    thread_local Lease lease;
    if (lease.id != shared_->id) [[unlikely]]
      lease.Take(shared_);
    return *lease.block;
  }

  // fn(const Block&) for each, those whose thread has ended included. A new thread's first record
  // waits for it.
  template <typename Fn>
  void ForEach(Fn fn) const {
    MutexLock lock(shared_->mu);
    for (const auto& block : shared_->blocks) fn(static_cast<const Block&>(*block));
  }

 private:
  struct Shared {
    Shared(uint64_t id_, std::function<std::unique_ptr<Block>()> make_)
        : id(id_), make(std::move(make_)) {}
    const uint64_t id;  // tells instances apart that follow each other at one address
    const std::function<std::unique_ptr<Block>()> make;
    Mutex mu;
    std::vector<std::unique_ptr<Block>> blocks KIWI_GUARDED_BY(mu);
    std::vector<Block*> idle KIWI_GUARDED_BY(mu);  // of threads that have ended
  };
  struct Lease {
    uint64_t id = 0;
    Block* block = nullptr;
    std::shared_ptr<Shared> shared;  // outlives the instance while a thread has a block of it

    ~Lease() { Return(); }
    void Return() {
      if (shared == nullptr) return;
      MutexLock lock(shared->mu);
      shared->idle.push_back(block);
    }
    void Take(const std::shared_ptr<Shared>& from) {
      Return();
      MutexLock lock(from->mu);
      if (from->idle.empty()) {
        from->blocks.push_back(from->make());
        block = from->blocks.back().get();
      } else {
        block = from->idle.back();
        from->idle.pop_back();
      }
      id = from->id;
      shared = from;
    }
  };

  static uint64_t NextId() {
    static std::atomic<uint64_t> next{1};
    return next.fetch_add(1);
  }

  const std::shared_ptr<Shared> shared_;
};

}  // namespace kiwi::metrics
