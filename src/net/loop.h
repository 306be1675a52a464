// A net loop: one thread, one libuv loop, and the connections that live on it.
//
// One iteration: completions from other threads, then all readable sockets (each handler gets what
// one read brought), then the end-of-iteration hook (where the server drains the priority channel),
// then one write per connection that has output. So replies of an iteration leave together.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"

namespace kiwi::net {

class Connection;

// Work handed to a loop by another thread. Intrusive and owned by whoever posted it, so that a
// completion allocates nothing. Run() is called exactly once per Post, on the loop's thread.
class LoopTask {
 public:
  virtual ~LoopTask() = default;
  virtual void RunOnLoop() = 0;
};

struct LoopOptions {
  std::string name = "kiwi-net-0";
  size_t read_chunk_bytes = 64 << 10;  // what one read may bring
};

class Loop {
 public:
  explicit Loop(const LoopOptions& options);
  ~Loop();  // Stop()
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs at the end of each iteration, before output is written. Returns true when work is left: the
  // next poll then does not block. Set before Start.
  void SetEndOfIteration(std::function<bool()> hook);
  Status Start();
  // Closes all connections and ends the thread. Tasks posted before are run. Idempotent.
  void Stop();

  // --- any thread ---
  // One wake-up however many tasks are posted before the loop gets to them.
  void Post(LoopTask* task);
  void PostFunction(std::function<void()> function);  // for rare things
  void Wake();                                        // an iteration, soon
  bool InLoopThread() const;
  size_t connection_count() const;
  // Smoothed time an iteration spends outside poll, microseconds.
  int64_t iteration_us() const;

  // --- the loop's thread ---
  // fn every period_ms until the loop stops.
  void AddTimer(int64_t period_ms, std::function<void()> fn);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::net
