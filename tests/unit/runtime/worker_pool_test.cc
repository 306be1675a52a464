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
