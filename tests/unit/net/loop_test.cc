#include "net/loop.h"

#include <gtest/gtest.h>

#include <atomic>

#include "unit/net/net_test_util.h"

namespace kiwi::net {
namespace {

// A completion that comes while the hook runs may make new work: the hook sees it before the loop
// sleeps, not at the next event.
TEST(Loop, TheHookRunsAgainAfterTasksThatCameWhileItRan) {
  Loop loop{LoopOptions{}};
  uint64_t task_ran_in = 0;
  uint64_t hook_saw_it_in = 0;
  bool posted = false;
  std::atomic<bool> done{false};
  std::atomic<bool> go{false};
  loop.SetEndOfIteration([&] {
    if (go && !posted) {
      posted = true;
      loop.PostFunction([&] { task_ran_in = loop.stats().iterations; });
    } else if (task_ran_in != 0 && hook_saw_it_in == 0) {
      hook_saw_it_in = loop.stats().iterations;
      done = true;
    }
    return false;
  });
  ASSERT_TRUE(loop.Start().ok());
  go = true;
  loop.Wake();
  ASSERT_TRUE(Eventually([&] { return done.load(); }));
  loop.Stop();
  EXPECT_EQ(hook_saw_it_in, task_ran_in);
}

TEST(Loop, ItsContextLivesAsLongAsItself) {
  auto context = std::make_shared<int>(7);
  const std::weak_ptr<int> seen = context;
  {
    Loop loop{LoopOptions{}};
    loop.SetContext(std::move(context));
    EXPECT_EQ(*static_cast<int*>(loop.context()), 7);
  }
  EXPECT_TRUE(seen.expired());
}

}  // namespace
}  // namespace kiwi::net
