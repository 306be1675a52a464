// Where workers sleep when there is nothing to do. Waking costs one load while nobody sleeps, and a
// wake-up that comes between a worker's last look and its sleep is never lost.
#pragma once

#include <atomic>
#include <chrono>

#include "base/mutex.h"

namespace kiwi::runtime {

// Thread-safe.
class SleepGate {
 public:
  // Wakes up to n sleepers. With nobody asleep, the next one to come returns at once. What a
  // sleeper is to see must have been written by a seq_cst operation before.
  void Wake(int n);

  // Sleeps until a wake-up, at most timeout_ms. `has_work` is asked once more after the thread has
  // announced itself: a producer that pushes later sees the sleeper, one that pushed before is
  // seen.
  template <typename HasWork>
  void Sleep(int timeout_ms, HasWork has_work) {
    waiting_.fetch_add(1, std::memory_order_seq_cst);
    if (!pending_.exchange(false, std::memory_order_seq_cst) && !has_work()) {
      WaitForTicket(timeout_ms);
    }
    waiting_.fetch_sub(1, std::memory_order_seq_cst);
  }

  int waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  void WaitForTicket(int timeout_ms);

  std::atomic<int> waiting_{0};       // announced, asleep or about to be
  std::atomic<bool> pending_{false};  // a wake-up that found nobody

  Mutex mu_;
  CondVar ticket_granted_;
  int asleep_ KIWI_GUARDED_BY(mu_) = 0;   // inside WaitForTicket
  int tickets_ KIWI_GUARDED_BY(mu_) = 0;  // granted to sleepers, not yet taken; at most asleep_
};

inline void SleepGate::Wake(int n) {
  // What the caller changed before, and Sleep's announcement and last look, are all seq_cst: one of
  // the two sides sees the other (Dekker).
  if (waiting_.load(std::memory_order_seq_cst) == 0) {
    pending_.exchange(true, std::memory_order_seq_cst);
    // A sleeper that announced itself meanwhile may have missed the flag: go on for it.
    if (waiting_.load(std::memory_order_seq_cst) == 0) return;
  }
  MutexLock lock(mu_);
  for (; n > 0 && tickets_ < asleep_; --n) {
    ++tickets_;
    ticket_granted_.NotifyOne();
  }
  // Announced but not yet inside: it looks at the flag under the mutex before it waits.
  if (n > 0) pending_.store(true, std::memory_order_seq_cst);
}

inline void SleepGate::WaitForTicket(int timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  MutexLock lock(mu_);
  if (pending_.exchange(false, std::memory_order_seq_cst)) return;
  ++asleep_;
  while (tickets_ == 0) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds(0)) break;
    ticket_granted_.WaitFor(mu_, left);
  }
  if (tickets_ > 0) --tickets_;
  --asleep_;
}

}  // namespace kiwi::runtime
