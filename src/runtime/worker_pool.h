// The storage pool: threads that drain the channel. Can be resized while it works.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "runtime/priority_channel.h"

namespace kiwi::runtime {

class WorkerPool {
 public:
  // The channel outlives the pool. Threads are named "<name>-<n>".
  WorkerPool(PriorityChannel* channel, std::string name);
  ~WorkerPool();  // Stop()

  // Sets the number of threads (>= 0). Growing returns when the new threads run; shrinking lets
  // each leaving thread finish the task it runs, and returns without waiting for it.
  void Resize(int threads);
  // Drains nothing: threads finish their current task and end. Idempotent.
  void Stop();

  int size() const;    // wanted
  int alive() const;   // running now
  int busy() const;    // inside a task
  uint64_t tasks_run() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::runtime
