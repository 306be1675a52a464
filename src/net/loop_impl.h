// The inside of a loop, for the rest of this folder. Loop thread only, unless said otherwise.
#pragma once

#include <uv.h>

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "net/input_buffer.h"
#include "net/loop.h"
#include "net/output_queue.h"
#include "net/task_stack.h"

namespace kiwi::net {

class ConnectionImpl;

// A libuv poll handle with the life of one stay of a descriptor on one loop. libuv gives a handle
// back only at the end of an iteration, so it is an object of its own that its owner can leave.
class Poller {
 public:
  using OnEvent = void (*)(void* owner, int status, int events);

  // Null when the descriptor cannot be polled. The descriptor stays the caller's.
  static Poller* Open(Loop::Impl& loop, int fd, void* owner, OnEvent on_event);
  // UV_READABLE | UV_WRITABLE, or 0.
  void Watch(int events);
  int watched() const { return watched_; }
  // No event comes after it; the descriptor may be closed or go to another loop.
  void Close();

 private:
  Poller(Loop::Impl& loop, void* owner, OnEvent on_event)
      : loop_(loop), owner_(owner), on_event_(on_event) {}
  static void Dispatch(uv_poll_t* handle, int status, int events);

  Loop::Impl& loop_;
  void* owner_;
  OnEvent on_event_;
  int watched_ = 0;
  uv_poll_t handle_;
};

struct Loop::Impl {
  Impl(Loop* self, const LoopOptions& o);

  // The phases of an iteration.
  void OnPollReturned();  // before anything else that a poll brought; idempotent within it
  void EndIteration();
  void RunTasks();
  void FlushOutput();
  void Leave();  // closings and moves
  bool DecideToBlock(bool work_left);
  void SetPollBlocks(bool blocks);

  void WakeFromOutside();
  void Run();       // the thread
  void Shutdown();  // closes all; afterwards the stack is sealed
  void CloseLingerers();

  Loop* const loop;
  const LoopOptions options;
  uv_loop_t uv;
  uv_async_t async;
  uv_prepare_t prepare;
  uv_check_t check;
  uv_idle_t idle;
  bool poll_blocks = true;
  std::function<bool()> hook;
  std::shared_ptr<void> context;
  std::thread thread;
  std::atomic<bool> running{false};
  bool stopped = false;  // the thread that starts and stops it

  // --- any thread ---
  TaskStack tasks;
  alignas(64) std::atomic<bool> sleeping{false};  // in a poll that blocks, or about to be
  std::atomic<bool> wake_requested{false};
  std::atomic<bool> stop_requested{false};
  std::atomic<size_t> connection_count{0};
  std::atomic<int64_t> iteration_ns{0};  // smoothed
  std::atomic<int64_t> woke_ns{0};       // when the poll returned; 0: it has not
  std::atomic<size_t> holds{0};

  // --- the loop's thread ---
  alignas(64) InputBlock slab;  // what is read into; never empty
  size_t slab_used = 0;
  OutputArena arena;
  std::vector<ConnectionImpl*> connections;
  std::vector<ConnectionImpl*> dirty;    // have output that no flush has seen
  std::vector<ConnectionImpl*> leaving;  // close or move at the end of the iteration
  std::vector<std::function<void()>> after_output;
  size_t lingering = 0;  // close after their backlog is written
  struct Timer {
    uv_timer_t handle;
    std::function<void()> fn;
  };
  std::list<Timer> timers;
  std::map<void*, std::function<void()>> stop_hooks;  // by owner; run once by Shutdown
  int64_t last_event_ns = 0;                          // for spinning
  bool had_event = false;

  struct Counters {
    std::atomic<uint64_t> iterations{0}, polls_blocking{0}, wake_ups{0}, tasks{0}, reads{0},
        bytes_in{0}, flushes{0}, bytes_out{0};
  } counters;
};

// A counter with one writer: no locked instruction.
inline void Count(std::atomic<uint64_t>& counter, uint64_t n = 1) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

}  // namespace kiwi::net
