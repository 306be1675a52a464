#include "runtime/priority_channel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace kiwi::runtime {
namespace {

class Numbered final : public Task {
 public:
  explicit Numbered(int n = 0, int p = 0) : number(n), producer(p) {}
  void Run() override { runs.fetch_add(1, std::memory_order_relaxed); }
  int number;
  int producer;
  std::atomic<int> runs{0};
};

int NumberOf(Task* task) { return task == nullptr ? -1 : static_cast<Numbered*>(task)->number; }

TEST(PriorityChannel, HigherLevelsFirstAndFifoInsideALevel) {
  PriorityChannel channel{{}};
  std::deque<Numbered> tasks;
  int n = 0;
  for (Priority p : {Priority::kLow, Priority::kNormal, Priority::kHigh, Priority::kCritical}) {
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(channel.TryPush(&tasks.emplace_back(n++), p, Affinity::kAny));
    }
  }
  EXPECT_EQ(channel.total_depth(), 12u);
  std::vector<int> order;
  while (Task* task = channel.TryPopForWorker()) order.push_back(NumberOf(task));
  EXPECT_EQ(order, (std::vector<int>{9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2}));
  EXPECT_EQ(channel.total_depth(), 0u);
}

TEST(PriorityChannel, HelpersLeaveWhatMayBlockToWorkers) {
  PriorityChannel channel{{}};
  Numbered slow(1), fast(2);
  ASSERT_TRUE(channel.TryPush(&slow, Priority::kHigh, Affinity::kWorkerOnly));
  ASSERT_TRUE(channel.TryPush(&fast, Priority::kLow, Affinity::kAny));
  EXPECT_EQ(NumberOf(channel.TryPopForHelper()), 2);
  EXPECT_EQ(channel.TryPopForHelper(), nullptr);
  EXPECT_EQ(channel.worker_only_depth(), 1u);
  EXPECT_EQ(NumberOf(channel.TryPopForWorker()), 1);
}

TEST(PriorityChannel, WhoIsWithinATaskMayTakeWhatIsAboveIt) {
  PriorityChannel channel{{}};
  Numbered low(1), normal(2), high(3), critical(4);
  ASSERT_TRUE(channel.TryPush(&low, Priority::kLow, Affinity::kAny));
  ASSERT_TRUE(channel.TryPush(&normal, Priority::kNormal, Affinity::kAny));
  EXPECT_EQ(channel.TryPopAbove(Priority::kNormal), nullptr);
  ASSERT_TRUE(channel.TryPush(&high, Priority::kHigh, Affinity::kWorkerOnly));
  ASSERT_TRUE(channel.TryPush(&critical, Priority::kCritical, Affinity::kWorkerOnly));
  EXPECT_EQ(NumberOf(channel.TryPopAbove(Priority::kNormal)), 4);
  EXPECT_EQ(NumberOf(channel.TryPopAbove(Priority::kNormal)), 3);
  EXPECT_EQ(channel.TryPopAbove(Priority::kNormal), nullptr);
  EXPECT_EQ(NumberOf(channel.TryPopAbove(Priority::kLow)), 2);
  EXPECT_EQ(channel.TryPopAbove(Priority::kCritical), nullptr);
}

TEST(PriorityChannel, ByWeightOnlyCriticalOvertakesWhatHasBegun) {
  ChannelOptions options;
  options.weighted = true;
  PriorityChannel channel(options);
  Numbered high(1), critical(2);
  ASSERT_TRUE(channel.TryPush(&high, Priority::kHigh, Affinity::kWorkerOnly));
  ASSERT_TRUE(channel.TryPush(&critical, Priority::kCritical, Affinity::kWorkerOnly));
  EXPECT_EQ(NumberOf(channel.TryPopAbove(Priority::kLow)), 2);
  EXPECT_EQ(channel.TryPopAbove(Priority::kLow), nullptr) << "High has its share already";
  EXPECT_EQ(NumberOf(channel.TryPopForWorker()), 1);
}

TEST(PriorityChannel, AFullLevelRefusesAndTellsOfRoomAtHalf) {
  ChannelOptions options;
  options.capacity[static_cast<size_t>(Priority::kNormal)] = 4;
  PriorityChannel channel(options);
  std::vector<Priority> told;
  channel.SetSpaceListener([&](Priority p) { told.push_back(p); });
  std::deque<Numbered> tasks(6);
  for (int i = 0; i < 4; ++i) {
    const Affinity affinity = i % 2 == 0 ? Affinity::kAny : Affinity::kWorkerOnly;
    ASSERT_TRUE(channel.TryPush(&tasks[i], Priority::kNormal, affinity));
  }
  EXPECT_FALSE(channel.TryPush(&tasks[4], Priority::kNormal, Affinity::kAny));
  EXPECT_TRUE(channel.TryPush(&tasks[5], Priority::kHigh, Affinity::kAny)) << "levels are separate";
  EXPECT_EQ(channel.depth(Priority::kNormal), 4u);
  EXPECT_EQ(channel.refused(Priority::kNormal), 1u);

  channel.TryPopForWorker();  // the High one
  channel.TryPopForWorker();
  EXPECT_TRUE(told.empty()) << "three of four is no room yet";
  channel.TryPopForWorker();
  EXPECT_EQ(told, std::vector<Priority>{Priority::kNormal});
  channel.TryPopForWorker();
  EXPECT_EQ(told.size(), 1u) << "told once per shortage";
}

TEST(PriorityChannel, CriticalIsNeverRefused) {
  ChannelOptions options;
  options.capacity = {1, 1, 1, 1};
  PriorityChannel channel(options);
  std::deque<Numbered> tasks(100);
  for (auto& task : tasks) {
    EXPECT_TRUE(channel.TryPush(&task, Priority::kCritical, Affinity::kWorkerOnly));
  }
}

TEST(PriorityChannel, RaisingTheCapacityTellsTheRefused) {
  ChannelOptions options;
  options.capacity = {1, 1, 1, 1};
  PriorityChannel channel(options);
  int told = 0;
  channel.SetSpaceListener([&](Priority) { ++told; });
  Numbered a, b;
  ASSERT_TRUE(channel.TryPush(&a, Priority::kLow, Affinity::kAny));
  ASSERT_FALSE(channel.TryPush(&b, Priority::kLow, Affinity::kAny));
  channel.SetCapacity(Priority::kLow, 8);
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(channel.TryPush(&b, Priority::kLow, Affinity::kAny));
}

TEST(PriorityChannel, WeightedServesInProportionCriticalFirst) {
  ChannelOptions options;
  options.weighted = true;
  PriorityChannel channel(options);
  std::deque<Numbered> tasks;
  for (int level : {3, 2, 1, 0}) {
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(channel.TryPush(&tasks.emplace_back(level), static_cast<Priority>(level),
                                  Affinity::kAny));
    }
  }
  for (int i = 0; i < 60; ++i) EXPECT_EQ(NumberOf(channel.TryPopForWorker()), 0);
  std::map<int, int> served;
  for (int i = 0; i < 60; ++i) ++served[NumberOf(channel.TryPopForWorker())];
  EXPECT_EQ(served, (std::map<int, int>{{1, 30}, {2, 20}, {3, 10}}));
  // A level that is empty costs the others nothing, and all is served in the end.
  int left = 0;
  while (channel.TryPopForWorker() != nullptr) ++left;
  EXPECT_EQ(left, 120);
}

TEST(PriorityChannel, ALevelWithoutWeightIsServedWhenNothingElseIs) {
  ChannelOptions options;
  options.weighted = true;
  options.weights = {0, 3, 2, 0};
  PriorityChannel channel(options);
  Numbered low(3), normal(2);
  ASSERT_TRUE(channel.TryPush(&low, Priority::kLow, Affinity::kAny));
  ASSERT_TRUE(channel.TryPush(&normal, Priority::kNormal, Affinity::kAny));
  EXPECT_EQ(NumberOf(channel.TryPopForHelper()), 2);
  EXPECT_EQ(NumberOf(channel.TryPopForHelper()), 3);
}

TEST(PriorityChannel, AWakeUpBeforeTheSleepCounts) {
  PriorityChannel channel{{}};
  channel.WakeWorkers(1);
  channel.WaitForWork(/*timeout_ms=*/600'000);  // returns at once, or the test times out
  Numbered task;
  ASSERT_TRUE(channel.TryPush(&task, Priority::kNormal, Affinity::kWorkerOnly));
  channel.WaitForWork(600'000);
  channel.WaitForWork(600'000);  // still work for workers: no sleep
}

// Producers push as fast as the bounds allow, on all levels and affinities; a helper and workers
// drain. Workers sleep without a time-out: a lost wake-up or a lost notice of space hangs the test.
TEST(PriorityChannel, ManyProducersAndDrainersLoseDuplicateAndReorderNothing) {
  constexpr int kProducers = 4;
  constexpr int kWorkers = 3;
  constexpr int kEach = 20'000;
  ChannelOptions options;
  options.capacity = {64, 64, 16, 3};
  PriorityChannel channel(options);
  std::atomic<uint64_t> space_epoch{0};
  channel.SetSpaceListener([&](Priority) {
    space_epoch.fetch_add(1);
    space_epoch.notify_all();
  });

  std::vector<std::deque<Numbered>> tasks(kProducers);
  for (int p = 0; p < kProducers; ++p) {
    for (int i = 0; i < kEach; ++i) tasks[p].emplace_back(i, p);
  }
  std::atomic<int> done{0};
  std::atomic<int> out_of_order{0};
  auto drain = [&](bool helper) {
    // A drainer sees each producer's tasks of one level and affinity in order.
    std::map<std::pair<int, int>, int> last;
    while (done.load() < kProducers * kEach) {
      Task* task = helper ? channel.TryPopForHelper() : channel.TryPopForWorker();
      if (task == nullptr) {
        if (helper) {
          std::this_thread::yield();
        } else {
          channel.WaitForWork(600'000);
        }
        continue;
      }
      auto* numbered = static_cast<Numbered*>(task);
      int& seen = last.try_emplace({numbered->producer, numbered->number % 8}, -1).first->second;
      if (numbered->number <= seen) out_of_order.fetch_add(1);
      seen = numbered->number;
      task->Run();
      if (done.fetch_add(1) + 1 == kProducers * kEach) channel.WakeWorkers(kWorkers);
    }
    channel.WakeWorkers(kWorkers);
  };
  auto produce = [&](int p) {
    for (int i = 0; i < kEach; ++i) {
      const auto priority = static_cast<Priority>(i % 4);
      const Affinity affinity = i % 8 < 4 ? Affinity::kAny : Affinity::kWorkerOnly;
      for (;;) {
        const uint64_t epoch = space_epoch.load();
        if (channel.TryPush(&tasks[p][i], priority, affinity)) break;
        space_epoch.wait(epoch);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int w = 0; w < kWorkers; ++w) threads.emplace_back(drain, false);
  threads.emplace_back(drain, true);
  for (int p = 0; p < kProducers; ++p) threads.emplace_back(produce, p);
  for (auto& t : threads) t.join();

  EXPECT_EQ(out_of_order.load(), 0);
  for (const auto& of_producer : tasks) {
    for (const Numbered& task : of_producer) ASSERT_EQ(task.runs.load(), 1);
  }
  const ChannelStats stats = channel.stats();
  for (size_t l = 0; l < kPriorityCount; ++l) {
    EXPECT_EQ(stats.pushed[l], uint64_t{kProducers * kEach / 4});
    EXPECT_EQ(stats.popped[l], stats.pushed[l]);
  }
  EXPECT_EQ(channel.total_depth(), 0u);
}

}  // namespace
}  // namespace kiwi::runtime
