#include "fault/skewed_clock.h"

#include <gtest/gtest.h>

namespace kiwi::fault {
namespace {

TEST(SkewedClock, UntouchedItShowsTheTruth) {
  ManualClock truth(1'000'000);
  SkewedClock clock(&truth);
  EXPECT_EQ(clock.WallMs(), truth.WallMs());
  EXPECT_EQ(clock.MonotonicNs(), truth.MonotonicNs());
}

TEST(SkewedClock, TheWallClockJumpsForwardAndNeverBack) {
  ManualClock truth(1'000'000);
  SkewedClock clock(&truth);
  clock.SetSkewMs(5000);
  EXPECT_EQ(clock.WallMs(), 1'005'000);
  clock.SetSkewMs(-2000);
  EXPECT_EQ(clock.WallMs(), 1'005'000) << "stands still until the skewed time has come there";
  truth.AdvanceMs(6000);
  EXPECT_EQ(clock.WallMs(), 1'005'000);
  truth.AdvanceMs(2000);
  EXPECT_EQ(clock.WallMs(), 1'006'000);
  clock.SetSkewMs(0);
  EXPECT_EQ(clock.WallMs(), truth.WallMs());
}

TEST(SkewedClock, TheMonotonicClockDriftsWithoutAJump) {
  ManualClock truth(1'000'000);
  SkewedClock clock(&truth);
  const int64_t begin_ns = clock.MonotonicNs();
  clock.SetDriftPercent(10);
  EXPECT_EQ(clock.MonotonicNs(), begin_ns);
  truth.AdvanceMs(1000);
  EXPECT_EQ(clock.MonotonicNs() - begin_ns, 1'100'000'000);
  clock.SetDriftPercent(-50);
  truth.AdvanceMs(1000);
  EXPECT_EQ(clock.MonotonicNs() - begin_ns, 1'600'000'000);
  clock.SetDriftPercent(0);
  truth.AdvanceMs(1000);
  EXPECT_EQ(clock.MonotonicNs() - begin_ns, 2'600'000'000) << "what was lost stays lost";
}

}  // namespace
}  // namespace kiwi::fault
