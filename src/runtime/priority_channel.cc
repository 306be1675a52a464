#if defined(__SANITIZE_THREAD__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wtsan"  // the queue's fences; has to stand before the headers
#endif

#include "runtime/priority_channel.h"

#include <concurrentqueue/concurrentqueue.h>

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "runtime/sleep_gate.h"
#include "runtime/smooth_weights.h"
#include "runtime/task_lane.h"

// concurrentqueue 1.0.3 counts a block's consumed slots with release increments only, so in the
// language's terms the reads of all but the last consumer do not happen before the block is written
// again, and ThreadSanitizer says so. On the hardware they do: the increments of one counter, then
// the hand-over of the block by a release and an acquire, follow each other. Only reports from inside
// the queue's own header are silenced; the tasks it carries are not touched there.
#if defined(__SANITIZE_THREAD__)
#define KIWI_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KIWI_THREAD_SANITIZER 1
#endif
#endif
#ifdef KIWI_THREAD_SANITIZER
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __tsan_default_suppressions() {
  return "race:concurrentqueue/concurrentqueue.h\n";
}
#endif

namespace kiwi::runtime {
namespace {

struct Level {
  std::array<TaskLane, 2> lanes;  // by Affinity
  std::atomic<size_t> capacity{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<bool> starved{false};  // a push was refused and nobody was told of room since
  std::atomic<int> weight{0};

  size_t depth() const { return lanes[0].depth() + lanes[1].depth(); }
};

constexpr size_t kAnyLane = static_cast<size_t>(Affinity::kAny);
constexpr size_t kWorkerLane = static_cast<size_t>(Affinity::kWorkerOnly);

std::atomic<uint64_t> next_channel_id{1};

// What a draining thread remembers between pops: its place in each queue, whose turn it is. Belongs
// to the channel that the thread drained last; threads drain one channel, so it rarely changes.
struct Drainer {
  uint64_t channel_id = 0;
  std::array<std::array<std::optional<moodycamel::ConsumerToken>, 2>, kPriorityCount> tokens;
  SmoothWeights<kPriorityCount> turns;
  std::array<bool, kPriorityCount> worker_lane_first = {};
};

thread_local Drainer drainer;

}  // namespace

struct PriorityChannel::Impl {
  const uint64_t id = next_channel_id.fetch_add(1);
  std::array<Level, kPriorityCount> levels;
  std::atomic<bool> weighted{false};
  std::atomic<uint64_t> space_events{0};
  std::function<void(Priority)> space_listener;
  SleepGate gate;
  SleepGate reserve_gate;

  Drainer& BindDrainer() {
    if (drainer.channel_id != id) [[unlikely]] {
      drainer = Drainer{};
      drainer.channel_id = id;
      for (size_t l = 0; l < kPriorityCount; ++l) {
        for (size_t a = 0; a < 2; ++a) drainer.tokens[l][a].emplace(levels[l].lanes[a].queue);
      }
    }
    return drainer;
  }

  Task* PopLane(Drainer& d, size_t level, size_t affinity) {
    TaskLane& lane = levels[level].lanes[affinity];
    if (lane.depth() == 0) return nullptr;
    Task* task = nullptr;
    if (!lane.queue.try_dequeue(*d.tokens[level][affinity], task)) return nullptr;
    lane.popped.fetch_add(1, std::memory_order_seq_cst);
    if (levels[level].starved.load(std::memory_order_seq_cst)) [[unlikely]]
      TellOfSpace(level);
    return task;
  }

  // Workers alternate between the lanes of a level, so that neither kind of work starves the other.
  Task* PopLevel(Drainer& d, size_t level, bool helper) {
    if (helper) return PopLane(d, level, kAnyLane);
    const size_t first = d.worker_lane_first[level] ? kWorkerLane : kAnyLane;
    Task* task = PopLane(d, level, first);
    if (task == nullptr) task = PopLane(d, level, 1 - first);
    if (task != nullptr) d.worker_lane_first[level] = !d.worker_lane_first[level];
    return task;
  }

  // By weight everybody gets a share, and a thread for High alone would be more than its own.
  bool IsUrgent(size_t level) const {
    const Priority least =
        weighted.load(std::memory_order_relaxed) ? Priority::kCritical : Priority::kHigh;
    return level <= static_cast<size_t>(least);
  }

  Task* PopUrgent() {
    Drainer& d = BindDrainer();
    for (size_t l = 0; IsUrgent(l); ++l) {
      if (Task* task = PopLane(d, l, kWorkerLane)) return task;
    }
    return nullptr;
  }

  bool UrgentWaits() const {
    for (size_t l = 0; IsUrgent(l); ++l) {
      if (levels[l].lanes[kWorkerLane].depth() > 0) return true;
    }
    return false;
  }

  Task* Pop(bool helper) {
    Drainer& d = BindDrainer();
    if (Task* task = PopLevel(d, 0, helper)) return task;
    if (weighted.load(std::memory_order_relaxed)) {
      std::array<int, kPriorityCount> weights{};
      for (size_t l = 1; l < kPriorityCount; ++l) {
        weights[l] = levels[l].weight.load(std::memory_order_relaxed);
      }
      const size_t level = d.turns.Pick(weights, [&](size_t l) {
        return (helper ? levels[l].lanes[kAnyLane].depth() : levels[l].depth()) > 0;
      });
      if (level != kPriorityCount) {
        if (Task* task = PopLevel(d, level, helper)) return task;
      }
    }
    for (size_t l = 1; l < kPriorityCount; ++l) {
      if (Task* task = PopLevel(d, l, helper)) return task;
    }
    return nullptr;
  }

  void TellOfSpace(size_t level) {
    Level& l = levels[level];
    if (l.depth() > l.capacity.load(std::memory_order_relaxed) / 2) return;
    if (!l.starved.exchange(false, std::memory_order_seq_cst)) return;
    space_events.fetch_add(1, std::memory_order_relaxed);
    if (space_listener) space_listener(static_cast<Priority>(level));
  }

  size_t WorkerOnlyDepth() const {
    size_t n = 0;
    for (const Level& level : levels) n += level.lanes[kWorkerLane].depth();
    return n;
  }
};

PriorityChannel::PriorityChannel(const ChannelOptions& options) : impl_(std::make_unique<Impl>()) {
  for (size_t l = 0; l < kPriorityCount; ++l) {
    impl_->levels[l].capacity = options.capacity[l];
  }
  SetScheduling(options.weighted, options.weights);
}

PriorityChannel::~PriorityChannel() = default;

bool PriorityChannel::TryPush(Task* task, Priority priority, Affinity affinity) {
  const auto l = static_cast<size_t>(priority);
  Level& level = impl_->levels[l];
  TaskLane& lane = level.lanes[static_cast<size_t>(affinity)];
  const TaskLane& other = level.lanes[1 - static_cast<size_t>(affinity)];
  lane.pushed.fetch_add(1, std::memory_order_seq_cst);
  if (priority != Priority::kCritical) {
    for (;;) {
      const size_t capacity = level.capacity.load(std::memory_order_relaxed);
      if (lane.depth() + other.depth() <= capacity) break;
      level.refused.fetch_add(1, std::memory_order_relaxed);
      lane.pushed.fetch_sub(1, std::memory_order_seq_cst);
      level.starved.store(true, std::memory_order_seq_cst);
      // Drainers that emptied the level before they could see the flag will not come back for it.
      // The flag stays up: the pop of what is pushed now reports the room to those refused before.
      if (level.depth() > capacity / 2 || capacity == 0) return false;
      lane.pushed.fetch_add(1, std::memory_order_seq_cst);
    }
  }
  KIWI_CHECK(lane.queue.enqueue(task), "out of memory");
  if (affinity == Affinity::kWorkerOnly) {
    // Nobody sleeps: all may be busy for long. A worker that is about to look for work anyway sees
    // this task, or wakes the reserve for it (TryPopForWorker).
    if (impl_->IsUrgent(l) && impl_->gate.waiting() == 0) impl_->reserve_gate.Wake(1);
    impl_->gate.Wake(1);
  }
  return true;
}

Task* PriorityChannel::TryPopForWorker() {
  Task* const task = impl_->Pop(/*helper=*/false);
  // What is popped may take long, and the wake-up for something urgent may have gone to this thread.
  if (task != nullptr && impl_->UrgentWaits()) impl_->reserve_gate.Wake(1);
  return task;
}

Task* PriorityChannel::TryPopUrgent() { return impl_->PopUrgent(); }
Task* PriorityChannel::TryPopForHelper() { return impl_->Pop(/*helper=*/true); }

Task* PriorityChannel::TryPopAbove(Priority level) {
  // By weight, only Critical overtakes: each level has its share already.
  const size_t end = impl_->weighted.load(std::memory_order_relaxed)
                         ? std::min<size_t>(static_cast<size_t>(level), 1)
                         : static_cast<size_t>(level);
  for (size_t l = 0; l < end; ++l) {
    if (impl_->levels[l].depth() == 0) continue;  // most often: no queue is bound for that
    if (Task* task = impl_->PopLevel(impl_->BindDrainer(), l, /*helper=*/false)) return task;
  }
  return nullptr;
}

void PriorityChannel::SetSpaceListener(std::function<void(Priority)> listener) {
  impl_->space_listener = std::move(listener);
}

void PriorityChannel::WaitForWork(int timeout_ms) {
  impl_->gate.Sleep(timeout_ms, [this] { return impl_->WorkerOnlyDepth() > 0; });
}

void PriorityChannel::WaitForUrgentWork(int timeout_ms) {
  impl_->reserve_gate.Sleep(timeout_ms, [this] { return impl_->UrgentWaits(); });
}

void PriorityChannel::WakeWorkers(int n) { impl_->gate.Wake(n); }
void PriorityChannel::WakeReserve() { impl_->reserve_gate.Wake(1); }

void PriorityChannel::SetScheduling(bool weighted, const std::array<int, kPriorityCount>& weights) {
  for (size_t l = 0; l < kPriorityCount; ++l) impl_->levels[l].weight = weights[l];
  impl_->weighted = weighted;
}

void PriorityChannel::SetCapacity(Priority priority, size_t tasks) {
  const auto l = static_cast<size_t>(priority);
  impl_->levels[l].capacity = tasks;
  if (impl_->levels[l].starved) impl_->TellOfSpace(l);
}

size_t PriorityChannel::depth(Priority priority) const {
  return impl_->levels[static_cast<size_t>(priority)].depth();
}

size_t PriorityChannel::worker_only_depth() const { return impl_->WorkerOnlyDepth(); }

size_t PriorityChannel::total_depth() const {
  size_t n = 0;
  for (const Level& level : impl_->levels) n += level.depth();
  return n;
}

uint64_t PriorityChannel::refused(Priority priority) const {
  return impl_->levels[static_cast<size_t>(priority)].refused.load(std::memory_order_relaxed);
}

ChannelStats PriorityChannel::stats() const {
  ChannelStats s;
  for (size_t l = 0; l < kPriorityCount; ++l) {
    for (const TaskLane& lane : impl_->levels[l].lanes) {
      s.popped[l] += lane.popped.load(std::memory_order_relaxed);
      s.pushed[l] += lane.pushed.load(std::memory_order_relaxed);
    }
    s.refused[l] = impl_->levels[l].refused.load(std::memory_order_relaxed);
  }
  s.space_events = impl_->space_events.load(std::memory_order_relaxed);
  s.waiting_workers = impl_->gate.waiting();
  return s;
}

}  // namespace kiwi::runtime
