// What priorities cost: a push and a pop through the priority channel, against one plain queue of
// the same kind; by one thread (a net loop that helps), and handed from one thread to another.
#include <benchmark/benchmark.h>
#include <concurrentqueue/concurrentqueue.h>

#include <array>
#include <atomic>
#include <thread>

#include "runtime/priority_channel.h"

namespace kiwi::runtime {
namespace {

class Nothing final : public Task {
 public:
  void Run() override {}
};

constexpr int kBatch = 50;  // connections of one iteration

void BM_PlainQueue(benchmark::State& state) {
  moodycamel::ConcurrentQueue<Task*> queue;
  Nothing task;
  for (auto _ : state) {
    for (int i = 0; i < kBatch; ++i) queue.enqueue(&task);
    Task* popped = nullptr;
    while (queue.try_dequeue(popped)) popped->Run();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void Helped(benchmark::State& state, const ChannelOptions& options, int levels) {
  PriorityChannel channel(options);
  Nothing task;
  for (auto _ : state) {
    for (int i = 0; i < kBatch; ++i) {
      const auto level = static_cast<Priority>(levels == 1 ? 2 : 1 + i % levels);
      benchmark::DoNotOptimize(channel.TryPush(&task, level, Affinity::kAny));
    }
    while (Task* popped = channel.TryPopForHelper()) popped->Run();
  }
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void BM_ChannelOneLevel(benchmark::State& state) { Helped(state, {}, 1); }
void BM_ChannelThreeLevels(benchmark::State& state) { Helped(state, {}, 3); }
void BM_ChannelWeighted(benchmark::State& state) {
  ChannelOptions options;
  options.weighted = true;
  Helped(state, options, 3);
}

// One producer, one consumer thread; the time is a task's, in steady flow.
template <typename Push, typename Pop>
void HandOver(benchmark::State& state, Push push, Pop pop) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> popped{0};
  std::thread consumer([&] {
    uint64_t n = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      if (pop()) popped.store(++n, std::memory_order_release);
    }
  });
  uint64_t pushed = 0;
  for (auto _ : state) {
    for (int i = 0; i < kBatch; ++i) pushed += push() ? 1 : 0;
    while (pushed - popped.load(std::memory_order_acquire) > 1000) {
    }
  }
  stop = true;
  consumer.join();
  state.SetItemsProcessed(state.iterations() * kBatch);
}

void BM_PlainQueueHandOver(benchmark::State& state) {
  moodycamel::ConcurrentQueue<Task*> queue;
  Nothing task;
  HandOver(
      state, [&] { return queue.enqueue(&task); },
      [&] {
        Task* popped = nullptr;
        return queue.try_dequeue(popped);
      });
}

void BM_ChannelHandOver(benchmark::State& state) {
  PriorityChannel channel{{}};
  Nothing task;
  HandOver(
      state, [&] { return channel.TryPush(&task, Priority::kNormal, Affinity::kWorkerOnly); },
      [&] { return channel.TryPopForWorker() != nullptr; });
}

void BM_PopOfAnEmptyChannel(benchmark::State& state) {
  PriorityChannel channel{{}};
  for (auto _ : state) benchmark::DoNotOptimize(channel.TryPopForHelper());
}

BENCHMARK(BM_PlainQueue);
BENCHMARK(BM_ChannelOneLevel);
BENCHMARK(BM_ChannelThreeLevels);
BENCHMARK(BM_ChannelWeighted);
BENCHMARK(BM_PopOfAnEmptyChannel);
BENCHMARK(BM_PlainQueueHandOver)->UseRealTime();
BENCHMARK(BM_ChannelHandOver)->UseRealTime();

}  // namespace
}  // namespace kiwi::runtime
