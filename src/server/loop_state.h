// What the sessions of one net loop share: who lives there, who waits until the channel takes its
// batch, how long batches took, and which ones the circuit breaker watches. Lives as long as its
// loop, whose context it is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string_view>
#include <unordered_map>

#include "net/loop.h"
#include "server/backpressure.h"
#include "server/breaker_watch.h"

namespace kiwi::server {

class Session;

// Of the loop's thread, except where said.
class LoopState {
 public:
  struct Waiter {
    Session* session = nullptr;
    size_t requests = 0;
    bool refused = false;  // by a full level; else a pause of the clients holds it up
  };
  using WaitTicket = std::list<Waiter>::iterator;

  // backpressure and breaker outlive it.
  LoopState(net::Loop* loop, Backpressure* backpressure, Breaker* breaker)
      : loop_(loop), backpressure_(backpressure), watch_(breaker) {}
  ~LoopState();
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
  // And so long from being parsed; held_up: the channel had refused it.
  void CountLatency(int64_t ns, bool held_up) { (held_up ? held_up_ : others_).Add(ns); }
  BreakerWatch& watch() { return watch_; }

  // Any thread.
  const LatencySum& latency_held_up() const { return held_up_; }
  const LatencySum& latency_of_others() const { return others_; }

  // Any one thread: the mean since it asked last; -1: no batch was done.
  int64_t TakeResponseUs();
  // The same thread: how long the loop keeps clients waiting; 0: it has had nothing to do.
  int64_t TakeDelayUs();

 private:
  net::Loop* const loop_;
  Backpressure* const backpressure_;
  std::unordered_map<uint64_t, Session*> sessions_;
  std::list<Waiter> waiting_;
  BreakerWatch watch_;
  LatencySum held_up_;
  LatencySum others_;

  std::atomic<uint64_t> response_ns_{0};
  std::atomic<uint64_t> responses_{0};

  // Of the thread that takes figures.
  uint64_t seen_response_ns_ = 0;
  uint64_t seen_responses_ = 0;
  uint64_t seen_events_ = 0;
};

}  // namespace kiwi::server
