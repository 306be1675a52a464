// Frees what would take long to free (a flushed database, a hash of a million fields) on a thread
// of its own, so that no command waits for it.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <thread>

#include "base/mutex.h"

namespace kiwi::keyspace {

// Thread-safe. Its thread is started with the first garbage; the destructor frees what is left.
class Reaper {
 public:
  Reaper() = default;
  ~Reaper();
  Reaper(const Reaper&) = delete;
  Reaper& operator=(const Reaper&) = delete;

  void Discard(std::shared_ptr<void> garbage);
  size_t pending() const { return pending_.load(std::memory_order_relaxed); }
  uint64_t freed() const { return freed_.load(std::memory_order_relaxed); }  // since the start

 private:
  void Loop();

  std::atomic<size_t> pending_{0};
  std::atomic<uint64_t> freed_{0};
  Mutex mu_;
  CondVar wake_;
  std::deque<std::shared_ptr<void>> queue_ KIWI_GUARDED_BY(mu_);
  bool stopping_ KIWI_GUARDED_BY(mu_) = false;
  std::thread thread_;  // started under mu_, joined by the destructor
};

}  // namespace kiwi::keyspace
