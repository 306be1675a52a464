// The channel as it would be without priorities: one plain queue for each affinity, with the same
// bound, the same wake-ups and the same promises, but no levels. Linked into kiwi-server-plain-queue
// instead of src/runtime/priority_channel.cc, so that what is measured is the server as it is, and the
// server has no switch for it. A level's depth is everybody's.
#include <concurrentqueue/concurrentqueue.h>

#include <optional>

#include "base/check.h"
#include "runtime/priority_channel.h"
#include "runtime/sleep_gate.h"
#include "runtime/task_lane.h"

namespace kiwi::runtime {
namespace {

constexpr size_t kAnyLane = static_cast<size_t>(Affinity::kAny);
constexpr size_t kWorkerLane = static_cast<size_t>(Affinity::kWorkerOnly);
constexpr auto kOnlyLevel = static_cast<size_t>(Priority::kNormal);

std::atomic<uint64_t> next_channel_id{1};

struct Drainer {
  uint64_t channel_id = 0;
  std::array<std::optional<moodycamel::ConsumerToken>, 2> tokens;
  bool worker_lane_first = false;
};
thread_local Drainer drainer;

}  // namespace

struct PriorityChannel::Impl {
  const uint64_t id = next_channel_id.fetch_add(1);
  std::array<TaskLane, 2> lanes;  // by Affinity
  std::atomic<size_t> capacity{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<bool> starved{false};
  std::atomic<uint64_t> space_events{0};
  std::function<void(Priority)> space_listener;
  SleepGate gate;
  SleepGate reserve_gate;

  size_t depth() const { return lanes[0].depth() + lanes[1].depth(); }

  Drainer& BindDrainer() {
    if (drainer.channel_id != id) [[unlikely]] {
      drainer = Drainer{};
      drainer.channel_id = id;
      for (size_t a = 0; a < 2; ++a) drainer.tokens[a].emplace(lanes[a].queue);
    }
    return drainer;
  }

  Task* PopLane(Drainer& d, size_t affinity) {
    TaskLane& lane = lanes[affinity];
    if (lane.depth() == 0) return nullptr;
    Task* task = nullptr;
    if (!lane.queue.try_dequeue(*d.tokens[affinity], task)) return nullptr;
    lane.popped.fetch_add(1, std::memory_order_seq_cst);
    if (starved.load(std::memory_order_seq_cst)) [[unlikely]]
      TellOfSpace();
    return task;
  }

  void TellOfSpace() {
    if (depth() > capacity.load(std::memory_order_relaxed) / 2) return;
    if (!starved.exchange(false, std::memory_order_seq_cst)) return;
    space_events.fetch_add(1, std::memory_order_relaxed);
    if (space_listener) space_listener(Priority::kNormal);
  }
};

PriorityChannel::PriorityChannel(const ChannelOptions& options) : impl_(std::make_unique<Impl>()) {
  impl_->capacity = options.capacity[kOnlyLevel];
}

PriorityChannel::~PriorityChannel() = default;

bool PriorityChannel::TryPush(Task* task, Priority priority, Affinity affinity) {
  TaskLane& lane = impl_->lanes[static_cast<size_t>(affinity)];
  lane.pushed.fetch_add(1, std::memory_order_seq_cst);
  if (priority != Priority::kCritical) {
    for (;;) {
      const size_t capacity = impl_->capacity.load(std::memory_order_relaxed);
      if (impl_->depth() <= capacity) break;
      impl_->refused.fetch_add(1, std::memory_order_relaxed);
      lane.pushed.fetch_sub(1, std::memory_order_seq_cst);
      impl_->starved.store(true, std::memory_order_seq_cst);
      if (impl_->depth() > capacity / 2 || capacity == 0) return false;
      lane.pushed.fetch_add(1, std::memory_order_seq_cst);
    }
  }
  KIWI_CHECK(lane.queue.enqueue(task), "out of memory");
  if (affinity == Affinity::kWorkerOnly) impl_->gate.Wake(1);
  return true;
}

Task* PriorityChannel::TryPopForWorker() {
  Drainer& d = impl_->BindDrainer();
  const size_t first = d.worker_lane_first ? kWorkerLane : kAnyLane;
  Task* task = impl_->PopLane(d, first);
  if (task == nullptr) task = impl_->PopLane(d, 1 - first);
  if (task != nullptr) d.worker_lane_first = !d.worker_lane_first;
  return task;
}

Task* PriorityChannel::TryPopForHelper() { return impl_->PopLane(impl_->BindDrainer(), kAnyLane); }

Task* PriorityChannel::TryPopAbove(Priority) { return nullptr; }
Task* PriorityChannel::TryPopUrgent() { return nullptr; }

void PriorityChannel::SetSpaceListener(std::function<void(Priority)> listener) {
  impl_->space_listener = std::move(listener);
}

void PriorityChannel::WaitForWork(int timeout_ms) {
  impl_->gate.Sleep(timeout_ms, [this] { return worker_only_depth() > 0; });
}

void PriorityChannel::WaitForUrgentWork(int timeout_ms) {
  impl_->reserve_gate.Sleep(timeout_ms, [] { return false; });
}

void PriorityChannel::WakeWorkers(int n) { impl_->gate.Wake(n); }
void PriorityChannel::WakeReserve() { impl_->reserve_gate.Wake(1); }

void PriorityChannel::SetScheduling(bool, const std::array<int, kPriorityCount>&) {}

void PriorityChannel::SetCapacity(Priority priority, size_t tasks) {
  if (priority == Priority::kNormal) impl_->capacity = tasks;
}

size_t PriorityChannel::depth(Priority) const { return impl_->depth(); }
size_t PriorityChannel::worker_only_depth() const { return impl_->lanes[kWorkerLane].depth(); }
size_t PriorityChannel::total_depth() const { return impl_->depth(); }
uint64_t PriorityChannel::refused(Priority) const {
  return impl_->refused.load(std::memory_order_relaxed);
}

ChannelStats PriorityChannel::stats() const {
  ChannelStats s;
  for (const TaskLane& lane : impl_->lanes) {
    s.popped[kOnlyLevel] += lane.popped.load(std::memory_order_relaxed);
    s.pushed[kOnlyLevel] += lane.pushed.load(std::memory_order_relaxed);
  }
  s.refused[kOnlyLevel] = impl_->refused.load(std::memory_order_relaxed);
  s.space_events = impl_->space_events.load(std::memory_order_relaxed);
  s.waiting_workers = impl_->gate.waiting();
  return s;
}

}  // namespace kiwi::runtime
