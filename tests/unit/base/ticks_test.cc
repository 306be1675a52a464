#include "base/ticks.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace kiwi {
namespace {

TEST(TicksTest, AgreesWithTheClock) {
  constexpr int64_t kSpanNs = 20'000'000;
  const uint64_t inner_start = Ticks::Now();
  const int64_t outer_start_ns = SystemClock().MonotonicNs();
  while (SystemClock().MonotonicNs() - outer_start_ns < kSpanNs) {
  }
  const double ns = static_cast<double>(Ticks::ToNs(inner_start, Ticks::Now()));
  const auto outer_ns = static_cast<double>(SystemClock().MonotonicNs() - outer_start_ns);
  EXPECT_GT(ns, 0.98 * kSpanNs);
  // Measured inside of the other span, but for what a preemption between two lines adds.
  EXPECT_LT(ns, 2 * outer_ns + 1e9);
}

TEST(TicksTest, NeverNegative) {
  EXPECT_EQ(Ticks::ToNs(10, 10), 0u);
  EXPECT_EQ(Ticks::ToNs(11, 10), 0u);
}

TEST(TicksTest, LapsAddUp) {
  LapTimer timer;
  const uint64_t start = Ticks::Now();
  uint64_t sum_ns = 0;
  for (int i = 0; i < 1000; ++i) sum_ns += timer.LapNs();
  EXPECT_GE(sum_ns + 1000, Ticks::ToNs(start, Ticks::Now()) / 2);
}

}  // namespace
}  // namespace kiwi
