// Long reads give way: a worker that runs one in steps (commands/rest.h) runs, between two steps, tasks
// of higher levels in its midst. So what is urgent waits for a step, though all workers are busy with
// such reads; and a read that has begun, and holds half of its reply, is never put off behind others.
#pragma once

#include "runtime/priority.h"
#include "runtime/priority_channel.h"

namespace kiwi::server {

// The level of what this thread runs, while in scope. They nest, each at a higher level than the one
// around it.
class RunningAt {
 public:
  explicit RunningAt(runtime::Priority level);
  ~RunningAt();
  RunningAt(const RunningAt&) = delete;
  RunningAt& operator=(const RunningAt&) = delete;

 private:
  const runtime::Priority before_;
};

// Between two steps, no lock held: runs a few tasks of levels above the thread's, if any are queued.
void RunMoreUrgent(runtime::PriorityChannel& channel);

}  // namespace kiwi::server
