// What the sessions of one net loop share: who lives there, who waits until the channel takes its
// batch, and how long batches took. Lives as long as its loop, whose context it is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string_view>
#include <unordered_map>

#include "net/loop.h"

namespace kiwi::server {

class Session;

// Batches that the channel refused, over all loops. Any thread.
struct Backpressure {
  std::atomic<uint64_t> events{0};
  std::atomic<uint64_t> waited_ns{0};  // of those that wait no more
  std::atomic<size_t> waiting_batches{0};
  std::atomic<size_t> waiting_requests{0};
};

// Of the loop's thread, except where said.
class LoopState {
 public:
  struct Waiter {
    Session* session = nullptr;
    size_t requests = 0;
    bool refused = false;  // by a full level; else a pause of the clients holds it up
    int64_t since_ns = 0;
  };
  using WaitTicket = std::list<Waiter>::iterator;

  // backpressure outlives it.
  LoopState(net::Loop* loop, Backpressure* backpressure)
      : loop_(loop), backpressure_(backpressure) {}
  // Any thread. Of a loop of the server's pool.
  static LoopState& Of(net::Loop& loop) { return *static_cast<LoopState*>(loop.context()); }
  net::Loop& loop() const { return *loop_; }

  void Add(Session* session);
  void Remove(const Session& session);
  // Closes the session if it lives here.
  void CloseSession(uint64_t id, std::string_view reason);
  void Tick(int64_t now_ms);

  // The session waits, in order of arrival, until it is told to submit again (or stops waiting).
  WaitTicket Wait(const Waiter& waiter);
  void StopWaiting(WaitTicket ticket);
  void ResubmitWaiting();

  // A batch took so long from being dequeued until its replies were there.
  void CountResponse(uint64_t ns);

  // Any one thread: the mean since it asked last; -1: no batch was done.
  int64_t TakeResponseUs();
  // The same thread: how long the loop keeps clients waiting; 0: it has had nothing to do.
  int64_t TakeDelayUs();

 private:
  net::Loop* const loop_;
  Backpressure* const backpressure_;
  std::unordered_map<uint64_t, Session*> sessions_;
  std::list<Waiter> waiting_;

  std::atomic<uint64_t> response_ns_{0};
  std::atomic<uint64_t> responses_{0};

  // Of the thread that takes figures.
  uint64_t seen_response_ns_ = 0;
  uint64_t seen_responses_ = 0;
  uint64_t seen_events_ = 0;
};

}  // namespace kiwi::server
