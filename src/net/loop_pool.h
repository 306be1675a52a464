// The network pool: loops that can become more and fewer while clients are connected. None is
// dropped by it: growing moves connections to the new loops, shrinking moves them off a loop before
// it ends.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "net/connection.h"
#include "net/loop.h"

namespace kiwi::net {

struct LoopPoolStats {
  int wanted = 0;
  int alive = 0;  // those that are being emptied included
  uint64_t loops_started = 0;
  uint64_t moves_asked = 0;
  // Sums over all loops, those that ended included.
  int64_t alive_loop_ns = 0;
  LoopStats totals;
};

// Thread-safe, except that Start, Resize, Maintain and Stop are for threads that may block: not for
// loops.
class LoopPool {
 public:
  // setup(loop) runs for each new loop before its thread starts: its hook and timers. Loops are
  // named "<options.name>-<n>"; loop 0 is never taken away (listeners live there).
  LoopPool(const LoopOptions& options, std::function<void(Loop&)> setup);
  ~LoopPool();  // Stop()
  LoopPool(const LoopPool&) = delete;
  LoopPool& operator=(const LoopPool&) = delete;

  // Makes loop 0 without starting it, so that a listener can bind before clients are served. Before
  // Start; optional.
  Loop& Prepare();
  Status Start(int loops);
  // Sets the number of loops (>= 1). Growing returns when the new loops run and have been promised
  // their share of the connections; shrinking returns at once, and Maintain ends the loops that have
  // become empty.
  Status Resize(int loops);
  // Asks connections that are still on a loop to be emptied to leave, and ends empty ones. To be
  // called a few times a second while size() and alive() differ.
  void Maintain();
  void Stop();  // all loops, closing what is open. Idempotent.

  // Gives a connected, non-blocking descriptor to the loop with the fewest connections: adopt(loop,
  // fd) runs there and owns the descriptor (AdoptDescriptor).
  void Place(int fd, std::function<void(Loop&, int fd)> adopt);
  // On the thread of the connection's loop: moves it where it should be, if that is elsewhere (its
  // loop is to be emptied, or has at least two connections more than another one). See
  // Handler::OnMoveWanted. done as in Connection::MoveTo. False: it stays.
  bool MoveAway(Connection& connection, std::function<void(Connection&)> done);

  Loop& first();
  // Each call wakes the next loop.
  void WakeOne();
  int size() const;   // wanted
  int alive() const;  // running now
  size_t connection_count() const;
  void ForEachLoop(const std::function<void(Loop&)>& fn) const;
  LoopPoolStats stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::net
