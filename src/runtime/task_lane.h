// A lock-free queue of tasks that knows its depth.
#pragma once

#include <concurrentqueue/concurrentqueue.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "runtime/priority_channel.h"

namespace kiwi::runtime {

struct TaskQueueTraits : moodycamel::ConcurrentQueueDefaultTraits {
  // A drainer stays with one producer for so many tasks before it turns to the next: short enough
  // that one busy loop does not make the connections of another wait.
  static const std::uint32_t EXPLICIT_CONSUMER_CONSUMPTION_QUOTA_BEFORE_ROTATE = 16;
};

// Depth is pushed - popped: two counters that each grow only, on cache lines of their own, so that
// producers and drainers share no line that both write, and the totals come for free.
struct TaskLane {
  alignas(64) std::atomic<uint64_t> pushed{0};
  alignas(64) std::atomic<uint64_t> popped{0};
  alignas(64) moodycamel::ConcurrentQueue<Task*, TaskQueueTraits> queue;

  size_t depth() const {
    const uint64_t out = popped.load(std::memory_order_seq_cst);
    const uint64_t in = pushed.load(std::memory_order_seq_cst);
    return in > out ? in - out : 0;
  }
};

}  // namespace kiwi::runtime
