// Tasks for a loop from any thread: an intrusive lock-free stack that the loop takes as a whole and
// turns round, so that it is FIFO over all posters. One compare-and-swap per post, no allocation.
#pragma once

#include <atomic>

#include "base/check.h"
#include "net/loop.h"

namespace kiwi::net {

class TaskStack {
 public:
  // False when sealed.
  bool Push(LoopTask* task) {
    KIWI_CHECK(!task->posted_.exchange(true, std::memory_order_relaxed),
               "a task is posted again before it ran");
    LoopTask* head = head_.load(std::memory_order_relaxed);
    do {
      if (head == Seal()) {
        task->posted_.store(false, std::memory_order_relaxed);
        return false;
      }
      task->next_ = head;
    } while (!head_.compare_exchange_weak(head, task, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
    return true;
  }

  bool empty() const { return head_.load(std::memory_order_seq_cst) == nullptr; }

  // Runs what is there now; tasks pushed meanwhile wait for the next call. The number run.
  size_t RunAll() {
    if (head_.load(std::memory_order_relaxed) == nullptr) return 0;
    LoopTask* newest = head_.exchange(nullptr, std::memory_order_acquire);
    LoopTask* oldest = nullptr;
    while (newest != nullptr) {
      LoopTask* next = newest->next_;
      newest->next_ = oldest;
      oldest = newest;
      newest = next;
    }
    size_t n = 0;
    while (oldest != nullptr) {
      LoopTask* task = oldest;
      oldest = task->next_;
      task->posted_.store(false, std::memory_order_relaxed);
      task->RunOnLoop();  // from here on the task is not ours
      ++n;
    }
    return n;
  }

  // True when it was empty: from then on every Push fails.
  bool SealIfEmpty() {
    LoopTask* expected = nullptr;
    return head_.compare_exchange_strong(expected, Seal(), std::memory_order_acq_rel);
  }

 private:
  // An address that no task has.
  LoopTask* Seal() const { return reinterpret_cast<LoopTask*>(const_cast<TaskStack*>(this)); }

  std::atomic<LoopTask*> head_{nullptr};
};

}  // namespace kiwi::net
