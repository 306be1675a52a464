// The storage pool: threads that drain the channel. Can be resized while it works. One more thread may
// stand in reserve for what is Critical or High (TryPopUrgent), so that it never waits for a worker that is busy with
// something long.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "runtime/priority_channel.h"

namespace kiwi::runtime {

struct WorkerPoolStats {
  int wanted = 0;
  int alive = 0;
  int busy = 0;
  uint64_t tasks_run = 0;
  uint64_t threads_started = 0;
  uint64_t reserve_tasks = 0;  // those of tasks_run that the reserve ran
  // Sum over all threads, those that left and the reserve included: what the pool cost so far.
  int64_t alive_thread_ns = 0;
};

// Thread-safe.
class WorkerPool {
 public:
  // The channel outlives the pool. Threads are named "<name>-<n>", n counting up from 0.
  WorkerPool(PriorityChannel* channel, std::string name);
  ~WorkerPool();  // Stop()
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Sets the number of threads (>= 0). Growing returns when the new threads run; shrinking lets
  // each leaving thread finish the task it runs, and returns without waiting for it. When the
  // operating system refuses a thread, the pool stays at what it got (see size()). After Stop() it
  // does nothing.
  void Resize(int threads);
  // Whether there is a reserve; none at first. Any thread may ask, the reserve too: one that is to go
  // finishes its task first, and nobody waits for it.
  void SetReserve(bool on);
  // Drains nothing: threads finish their current task and end. Not from a worker. Idempotent.
  void Stop();

  int size() const;   // wanted; the reserve is not counted
  int alive() const;  // running now
  int busy() const;   // inside a task
  uint64_t tasks_run() const;
  WorkerPoolStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::runtime
