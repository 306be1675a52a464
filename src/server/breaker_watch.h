// What one loop tells the circuit breaker: how the batches of its connections end, and which of them
// have been under way for too long. Under a stalled disk nothing ends, so a batch fails at the moment
// it passes its level's time-out, and its end is not counted any more.
//
// A batch costs a place in a list, in order of arrival, and one plain addition; what was counted goes
// to the breaker some times a second.
#pragma once

#include <array>
#include <cstdint>

#include "server/breaker.h"

namespace kiwi::server {

// The loop's part of a batch.
struct WatchedBatch {
  WatchedBatch* older = nullptr;  // null: it is not watched
  WatchedBatch* newer = nullptr;
  int64_t since_ns = 0;
  runtime::Priority level = runtime::Priority::kNormal;
  uint64_t probe = 0;  // of a half-open breaker; 0: it is none

  bool watched() const { return older != nullptr; }
};

// How a batch, or a pass of it, has ended.
enum class BatchEnd : uint8_t {
  kDone,  // a success, if it was in time
  kStorageError,
  kQueuedTooLong,  // and executed nevertheless
  kProvedNothing,  // refused, held up by CLIENT PAUSE, without a leader …: not counted
};

// Of the loop's thread.
class BreakerWatch {
 public:
  explicit BreakerWatch(Breaker* breaker);  // outlives it
  BreakerWatch(const BreakerWatch&) = delete;
  BreakerWatch& operator=(const BreakerWatch&) = delete;

  // It is watched from its since_ns on, which is not before that of an earlier one, until End, or
  // until it has taken too long. It keeps its address.
  void Begin(WatchedBatch& batch);
  // Nothing if it is not watched.
  void End(WatchedBatch& batch, BatchEnd end, int64_t now_ns);
  // Some times a second.
  void Sweep(int64_t now_ns);

 private:
  void Fail(WatchedBatch& batch, runtime::FailureKind kind, int64_t now_ns);
  void EndProbe(WatchedBatch& batch, Breaker::ProbeResult result, int64_t now_ns);

  Breaker* const breaker_;
  // Rings, each closed by its own element: newer of that is the oldest of the level.
  std::array<WatchedBatch, runtime::kPriorityCount> levels_;
  std::array<runtime::BreakerCounts, runtime::kPriorityCount> counts_;  // not yet told
};

}  // namespace kiwi::server
