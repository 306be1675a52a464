// A net loop: one thread, one libuv loop, and the connections that live on it.
//
// One iteration: all readable sockets (each handler gets what one read brought), then completions
// from other threads, then the end-of-iteration hook (where the server drains the priority
// channel), then one write per connection that has output. So replies of an iteration leave
// together.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"

namespace kiwi::net {

class Connection;

// Work handed to a loop by another thread. Intrusive and owned by whoever posted it, so that a
// completion allocates nothing. RunOnLoop() is called exactly once per Post, on the loop's thread;
// from its first moment on the task may be posted again, or destroyed, but not before.
class LoopTask {
 public:
  LoopTask() = default;
  LoopTask(const LoopTask&) = delete;
  LoopTask& operator=(const LoopTask&) = delete;
  virtual ~LoopTask() = default;
  virtual void RunOnLoop() = 0;

 private:
  friend class TaskStack;
  LoopTask* next_ = nullptr;
  std::atomic<bool> posted_{false};
};

struct LoopOptions {
  std::string name = "kiwi-net-0";
  size_t read_chunk_bytes = 64 << 10;  // what one read may bring
  // So long after the last event the loop looks for the next one instead of sleeping: waking a
  // thread costs more than a short wait. 0: sleeps at once. See docs/decisions/001.
  int64_t spin_us = 0;
  // A connection that is to close once its output is written gets so long for it.
  int64_t close_linger_ms = 10'000;
};

// Totals since the start, written by the loop alone.
struct LoopStats {
  uint64_t iterations = 0;
  uint64_t polls_blocking = 0;  // of them, those that could sleep
  uint64_t wake_ups = 0;        // system calls that other threads spent on waking this loop
  uint64_t tasks = 0;
  uint64_t reads = 0;
  uint64_t bytes_in = 0;
  uint64_t flushes = 0;  // a connection's output brought to its socket
  uint64_t bytes_out = 0;
};

class Loop {
 public:
  explicit Loop(const LoopOptions& options);
  ~Loop();  // Stop()
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs at the end of each iteration, before output is written, and again when tasks came while
  // it ran. Returns true when work is left: the next poll then does not block. Set before Start.
  void SetEndOfIteration(std::function<bool()> hook);
  // What the owner keeps with the loop. Set before Start; lives as long as the loop.
  void SetContext(std::shared_ptr<void> context);
  void* context() const;
  Status Start();
  // Closes all connections and ends the thread. Tasks posted before are run. Idempotent. Not from
  // the loop's own thread.
  void Stop();

  // --- any thread ---
  // One wake-up however many tasks are posted before the loop gets to them, and none while it is
  // awake. FIFO over all posters. False after Stop: the task is not run.
  bool Post(LoopTask* task);
  bool PostFunction(std::function<void()> function);  // for rare things
  void Wake();                                        // an iteration, soon
  bool InLoopThread() const;
  bool running() const;             // between Start and the end of Stop
  size_t connection_count() const;  // those that MoveTo has promised it included
  // Smoothed time an iteration spends outside poll, microseconds.
  int64_t iteration_us() const;
  // How long the iteration under way has taken; 0: the loop polls.
  int64_t busy_us() const;
  int64_t woke_ns() const;  // when it began, monotonic; 0: the loop polls
  // While it is held, a pool does not take the loop away, although no connection is left on it:
  // work of one that has closed is still to come back.
  void Hold();
  void Release();
  size_t holds() const;
  LoopStats stats() const;
  const std::string& name() const;

  // --- the loop's thread, or before Start ---
  // fn every period_ms until the loop stops.
  void AddTimer(int64_t period_ms, std::function<void()> fn);
  // Once, after the hook has run and this iteration's output is written: when least is under way.
  void AfterOutput(std::function<void()> fn);
  // Each open connection; fn may close or move them.
  void ForEachConnection(const std::function<void(Connection&)>& fn);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::net
