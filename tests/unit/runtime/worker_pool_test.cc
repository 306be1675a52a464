#include "runtime/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <thread>

namespace kiwi::runtime {
namespace {

class Call final : public Task {
 public:
  explicit Call(std::function<void()> fn) : fn_(std::move(fn)) {}
  void Run() override { fn_(); }

 private:
  std::function<void()> fn_;
};

bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

TEST(WorkerPool, RunsWhatIsPushedAndNamesItsThreads) {
  PriorityChannel channel{{}};
  WorkerPool pool(&channel, "kiwi-worker");
  pool.Resize(2);
  EXPECT_EQ(pool.size(), 2);
  EXPECT_EQ(pool.alive(), 2);
  std::atomic<int> runs{0};
  Call task([&] { runs.fetch_add(1); });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(channel.TryPush(&task, Priority::kNormal, Affinity::kWorkerOnly));
  }
  EXPECT_TRUE(Eventually([&] { return runs == 1000 && pool.tasks_run() == 1000; }));
  EXPECT_EQ(pool.busy(), 0);
}

TEST(WorkerPool, ALeavingThreadFinishesItsTask) {
  PriorityChannel channel{{}};
  WorkerPool pool(&channel, "pool");
  pool.Resize(1);
  std::atomic<bool> inside{false}, go_on{false}, finished{false};
  Call task([&] {
    inside = true;
    while (!go_on) std::this_thread::yield();
    finished = true;
  });
  ASSERT_TRUE(channel.TryPush(&task, Priority::kLow, Affinity::kWorkerOnly));
  ASSERT_TRUE(Eventually([&] { return inside.load(); }));
  EXPECT_EQ(pool.busy(), 1);
  pool.Resize(0);  // does not wait for it
  EXPECT_EQ(pool.size(), 0);
  EXPECT_EQ(pool.alive(), 1);
  EXPECT_FALSE(finished);
  go_on = true;
  EXPECT_TRUE(Eventually([&] { return pool.alive() == 0; }));
  EXPECT_TRUE(finished);
  EXPECT_EQ(pool.stats().tasks_run, 1u);
}

TEST(WorkerPool, StopLeavesQueuedTasksAlone) {
  PriorityChannel channel{{}};
  Call task([] {});
  {
    WorkerPool pool(&channel, "pool");
    pool.Resize(3);
    pool.Stop();
    pool.Stop();
    EXPECT_EQ(pool.alive(), 0);
    ASSERT_TRUE(channel.TryPush(&task, Priority::kNormal, Affinity::kWorkerOnly));
    pool.Resize(1);
    EXPECT_EQ(pool.alive(), 0) << "a stopped pool stays stopped";
  }
  EXPECT_EQ(channel.total_depth(), 1u);
}

// A task that holds its thread until it is let go.
class Holding {
 public:
  bool Held() const { return held_; }
  void LetGo() { go_on_ = true; }
  Task* task() { return &task_; }

 private:
  std::atomic<bool> held_{false}, go_on_{false};
  Call task_{[this] {
    held_ = true;
    while (!go_on_) std::this_thread::yield();
  }};
};

TEST(WorkerPool, AReserveServesHighWhileAllWorkersAreHeldUp) {
  PriorityChannel channel{{}};
  WorkerPool pool(&channel, "pool");
  pool.Resize(1);
  pool.SetReserve(true);
  Holding low;
  std::atomic<int> served{0};
  Call high([&] { served.fetch_add(1); });
  ASSERT_TRUE(channel.TryPush(low.task(), Priority::kLow, Affinity::kWorkerOnly));
  ASSERT_TRUE(Eventually([&] { return low.Held(); }));
  for (int i = 1; i <= 100; ++i) {
    const Priority priority = i % 2 == 0 ? Priority::kHigh : Priority::kCritical;
    ASSERT_TRUE(channel.TryPush(&high, priority, Affinity::kWorkerOnly));
    ASSERT_TRUE(Eventually([&] { return served == i; })) << i;
  }
  EXPECT_TRUE(Eventually([&] { return pool.stats().reserve_tasks == 100; }));
  EXPECT_EQ(pool.size(), 1) << "it is not one of the pool's threads";
  // Nothing else is its to run.
  ASSERT_TRUE(channel.TryPush(&high, Priority::kNormal, Affinity::kWorkerOnly));
  EXPECT_EQ(channel.TryPopUrgent(), nullptr);
  EXPECT_EQ(served, 100);
  low.LetGo();
  EXPECT_TRUE(Eventually([&] { return served == 101; }));
  pool.SetReserve(false);
  EXPECT_EQ(pool.stats().reserve_tasks, 100u);
}

// As CONFIG SET does, which the reserve may run.
TEST(WorkerPool, TheReserveCanBeSentAwayAndCalledBackByItself) {
  PriorityChannel channel{{}};
  WorkerPool pool(&channel, "pool");
  pool.SetReserve(true);
  std::atomic<int> runs{0};
  Call go([&] {
    pool.SetReserve(false);
    runs.fetch_add(1);
  });
  Call go_and_come([&] {
    pool.SetReserve(false);
    pool.SetReserve(true);
    runs.fetch_add(1);
  });
  for (int i = 1; i <= 20; ++i) {
    ASSERT_TRUE(channel.TryPush(&go_and_come, Priority::kHigh, Affinity::kWorkerOnly));
    ASSERT_TRUE(Eventually([&] { return runs == i; }));
  }
  ASSERT_TRUE(channel.TryPush(&go, Priority::kHigh, Affinity::kWorkerOnly));
  ASSERT_TRUE(Eventually([&] { return runs == 21; }));
  pool.SetReserve(true);
  ASSERT_TRUE(channel.TryPush(&go_and_come, Priority::kHigh, Affinity::kWorkerOnly));
  EXPECT_TRUE(Eventually([&] { return runs == 22; }));
  EXPECT_TRUE(Eventually([&] { return pool.stats().reserve_tasks == 22; }));
}

// The wake-up for a High task went to a worker that was awake and took something long first.
TEST(WorkerPool, AWorkerThatTakesSomethingLongCallsTheReserveForWhatIsUrgent) {
  ChannelOptions options;
  PriorityChannel channel(options);
  Holding first, second;
  std::atomic<int> served{0};
  Call high([&] { served.fetch_add(1); });
  WorkerPool pool(&channel, "pool");
  pool.SetReserve(true);
  ASSERT_TRUE(channel.TryPush(first.task(), Priority::kHigh, Affinity::kWorkerOnly));
  ASSERT_TRUE(Eventually([&] { return first.Held(); })) << "without workers, the reserve takes it";
  ASSERT_TRUE(channel.TryPush(second.task(), Priority::kHigh, Affinity::kWorkerOnly));
  ASSERT_TRUE(channel.TryPush(&high, Priority::kHigh, Affinity::kWorkerOnly));
  pool.Resize(1);  // it takes the second one
  ASSERT_TRUE(Eventually([&] { return second.Held(); }));
  EXPECT_EQ(served, 0);
  first.LetGo();
  EXPECT_TRUE(Eventually([&] { return served == 1; }));
  second.LetGo();
}

TEST(WorkerPool, ByWeightTheReserveIsForCriticalAlone) {
  ChannelOptions options;
  options.weighted = true;
  PriorityChannel channel(options);
  Call task([] {});
  ASSERT_TRUE(channel.TryPush(&task, Priority::kHigh, Affinity::kWorkerOnly));
  EXPECT_EQ(channel.TryPopUrgent(), nullptr);
  ASSERT_TRUE(channel.TryPush(&task, Priority::kCritical, Affinity::kWorkerOnly));
  EXPECT_EQ(channel.TryPopUrgent(), &task);
  EXPECT_EQ(channel.TryPopForWorker(), &task);
}

TEST(WorkerPool, CountsThreadTime) {
  PriorityChannel channel{{}};
  WorkerPool pool(&channel, "pool");
  pool.Resize(2);
  ASSERT_TRUE(Eventually([&] { return pool.stats().alive_thread_ns > 2'000'000; }));
  pool.Resize(0);
  ASSERT_TRUE(Eventually([&] { return pool.alive() == 0; }));
  const int64_t at_rest = pool.stats().alive_thread_ns;
  EXPECT_EQ(pool.stats().alive_thread_ns, at_rest);
}

// The pool breathes between 0 and 4 threads while tasks keep coming; each runs exactly once, and
// the last ones too although nobody pushes behind them: no wake-up goes with a leaving thread.
TEST(WorkerPool, ResizedUnderLoadLosesNothing) {
  constexpr int kTasks = 30'000;
  ChannelOptions options;
  options.capacity = {64, 64, 64, 64};  // keeps the producer going while the pool changes
  PriorityChannel channel(options);
  WorkerPool pool(&channel, "pool");
  std::atomic<int> runs{0};
  std::atomic<bool> pushing{true};
  Call task([&] { runs.fetch_add(1); });
  std::thread producer([&] {
    for (int i = 0; i < kTasks; ++i) {
      const Priority p = i % 2 == 0 ? Priority::kNormal : Priority::kLow;
      const Affinity a = i % 3 == 0 ? Affinity::kAny : Affinity::kWorkerOnly;
      while (!channel.TryPush(&task, p, a)) std::this_thread::yield();
      if (a == Affinity::kAny) channel.WakeWorkers(1);
    }
    pushing = false;
  });
  for (int round = 0; pushing; ++round) pool.Resize(round % 5);
  producer.join();
  pool.Resize(1);
  EXPECT_TRUE(Eventually([&] { return runs == kTasks; })) << runs << " of " << kTasks;
  EXPECT_TRUE(Eventually([&] { return pool.alive() == 1; }));
  EXPECT_TRUE(Eventually([&] { return pool.tasks_run() == kTasks; }));
}

}  // namespace
}  // namespace kiwi::runtime
