// How many threads the network and the storage pool should have: observations in, sizes out. Pure:
// time is in the observation, and who resizes the pools is the caller.
//
// Beyond each pool's own rules (pool_scaler.h): storage goes first (while its response time is over
// the threshold, or it wants to grow, or a growth of it is being judged, the network pool does not
// grow: more loops would only feed a queue that is too long), and a rate of backpressure events over
// the limit pauses the growth of the network pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "runtime/pool_scaler.h"

namespace kiwi::runtime {

struct ScalerOptions {
  // The caller evaluates so often. With grow_sustain_ms of 50, a pool reacts within 100 ms.
  int64_t interval_ms = 25;
  PoolScalerOptions network = {.min = 1, .max = 4};
  PoolScalerOptions storage = {.min = 1, .max = 8};

  // Network: parsed commands that the channel has not taken yet, and the time that an iteration
  // keeps a client waiting. One is enough to be high; both must be low. Queues are those of the
  // whole pool, not per thread, and a growth is judged by the sum of the loops' delays: else each
  // growth would look like a relief.
  double network_queue_high = 256;
  double network_queue_low = 16;
  int64_t loop_delay_high_us = 2000;
  int64_t loop_delay_low_us = 500;

  // Storage: tasks queued, and the time from dequeue to applied.
  double storage_queue_high = 64;
  double storage_queue_low = 4;
  int64_t response_high_us = 20'000;
  int64_t response_low_us = 5000;

  // More backpressure events a second than this pause the growth of the network pool, until they
  // have been fewer for so long.
  double backpressure_rate_max = 10;
  int64_t backpressure_pause_ms = 2000;
};

struct Observation {
  int64_t now_ms = 0;  // monotonic
  int network_threads = 0;
  size_t network_queued = 0;
  int64_t loop_delay_us = 0;      // of the slowest loop
  int64_t loop_delay_sum_us = 0;  // over all loops
  int storage_threads = 0;
  size_t storage_queued = 0;
  int64_t response_us = 0;
  // Totals since the start.
  uint64_t backpressure_events = 0;
  uint64_t commands_done = 0;
};

struct ScalerDecision {
  int network_threads = 0;
  int storage_threads = 0;
  bool backpressure_pause = false;  // why the network pool does not grow
  bool storage_first = false;
};

// Not thread-safe.
class Scaler {
 public:
  explicit Scaler(const ScalerOptions& options);

  ScalerDecision Evaluate(const Observation& o);

  const PoolScaler& network() const { return network_; }
  const PoolScaler& storage() const { return storage_; }
  void SetOptions(const ScalerOptions& options);

 private:
  struct Sample {
    int64_t at_ms;
    uint64_t events;
  };
  bool BackpressurePauses(const Observation& o);
  PoolInput NetworkInput(const Observation& o) const;
  PoolInput StorageInput(const Observation& o) const;

  ScalerOptions options_;
  PoolScaler network_;
  PoolScaler storage_;
  std::deque<Sample> backpressure_;  // of the last second
  int64_t pause_until_ms_ = 0;
};

}  // namespace kiwi::runtime
