// The four-level, bounded, lock-free channel that everything executed goes through, and the two
// kinds of threads that drain it: workers, which take anything, and helpers (net loops at the end
// of their iteration), which take only what is fast.
//
// FIFO per level, affinity and producer thread; higher levels first (strict) or by weight.
// Producers of one level are served in turn, a few tasks each, so that none starves the others.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "runtime/priority.h"

namespace kiwi::runtime {

// A piece of work, e.g. one connection's batch of requests. Owned by whoever pushed it; the channel
// only carries the pointer, and Run() is called exactly once per push, on the draining thread.
class Task {
 public:
  virtual ~Task() = default;
  virtual void Run() = 0;
};

enum class Affinity : uint8_t {
  kAny,         // fast: a net loop may help with it
  kWorkerOnly,  // may block or be O(N): workers only
};

struct ChannelOptions {
  // Tasks per level (both affinities together); Critical is never refused.
  std::array<size_t, kPriorityCount> capacity = {1 << 20, 1 << 14, 1 << 14, 1 << 14};
  bool weighted = false;                                   // default: strict
  std::array<int, kPriorityCount> weights = {0, 3, 2, 1};  // Critical is always first
};

// Totals since the start; each grows only.
struct ChannelStats {
  std::array<uint64_t, kPriorityCount> pushed = {};
  std::array<uint64_t, kPriorityCount> popped = {};
  std::array<uint64_t, kPriorityCount> refused = {};
  uint64_t space_events = 0;  // times that a level with refusals had room again
  int waiting_workers = 0;    // now
};

// Thread-safe.
class PriorityChannel {
 public:
  explicit PriorityChannel(const ChannelOptions& options);
  ~PriorityChannel();  // what is queued is dropped, not run: its owners still own it
  PriorityChannel(const PriorityChannel&) = delete;
  PriorityChannel& operator=(const PriorityChannel&) = delete;

  // False: the level is full; nothing was taken. The producer stops reading its sockets and is
  // called back through the space listener.
  bool TryPush(Task* task, Priority priority, Affinity affinity);

  // The next task, or null. A helper gets kAny tasks only. Null may also mean that a push is half
  // done: whoever pushes wakes a worker after it (kWorkerOnly), or drains by itself (a net loop).
  Task* TryPopForWorker();
  Task* TryPopForHelper();
  // For a worker that is within a task of this level: the next of a higher one (by weight: of
  // Critical alone), or null.
  Task* TryPopAbove(Priority level);

  // Only Critical and (strict) High, and of them only what workers alone may run: for a thread that is
  // held in reserve for it.
  Task* TryPopUrgent();

  // Called (on the popping thread) when a level that had refused a push has fallen to half.
  void SetSpaceListener(std::function<void(Priority)> listener);  // before the first push

  // Blocks a worker until a wake-up, at most timeout_ms. Wake-ups are never lost; it also returns
  // at once while kWorkerOnly tasks are queued.
  void WaitForWork(int timeout_ms);
  // The same for what TryPopUrgent takes. It is woken when no other worker sleeps.
  void WaitForUrgentWork(int timeout_ms);
  // Wakes up to n waiting workers. Producers call it for kWorkerOnly tasks (TryPush does so) and
  // for kAny tasks when helping is off or helpers fall behind. One load when nobody waits.
  void WakeWorkers(int n);
  void WakeReserve();

  // Take effect for the next push or pop.
  void SetScheduling(bool weighted, const std::array<int, kPriorityCount>& weights);
  void SetCapacity(Priority priority, size_t tasks);  // Critical's is ignored

  size_t depth(Priority priority) const;  // queued now
  size_t worker_only_depth() const;
  size_t total_depth() const;
  uint64_t refused(Priority priority) const;  // pushes refused since the start
  ChannelStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::runtime
