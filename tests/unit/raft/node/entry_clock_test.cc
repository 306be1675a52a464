// The replicated clock, on nodes whose wall clocks jump, fall and disagree.
#include "raft/node/entry_clock.h"

#include <gtest/gtest.h>

#include <vector>

namespace kiwi::raft {
namespace {

constexpr int64_t kHourMs = 3'600'000;

TEST(EntryClock, StandsAtTheLastAppliedStampWhateverTheWallClockDoes) {
  ManualClock wall(1000);
  EntryClock clock(&wall, 0);
  const int64_t stamp = clock.Stamp();
  EXPECT_EQ(stamp, 1000);
  EXPECT_EQ(clock.now_ms(), 0) << "composed, not applied";
  clock.Observe(stamp);
  wall.AdvanceMs(500);
  EXPECT_EQ(clock.now_ms(), 1000);
}

TEST(EntryClock, StampsNeverFall) {
  ManualClock wall(1000);
  EntryClock clock(&wall, 0);
  EXPECT_EQ(clock.Stamp(), 1000);
  wall.AdvanceMs(-kHourMs);
  EXPECT_EQ(clock.Stamp(), 1000) << "of the entry before, though it is not applied yet";
  clock.Observe(5000);
  EXPECT_EQ(clock.Stamp(), 5000) << "of an entry that another node composed";
}

TEST(EntryClock, AnOlderStampDoesNotTurnItBack) {
  ManualClock wall(1000);
  EntryClock clock(&wall, 0);
  clock.Observe(2000);
  clock.Observe(1500);
  EXPECT_EQ(clock.now_ms(), 2000);
}

TEST(EntryClock, GoesOnFromTheCheckpointWhenTheWallClockWasSetBackMeanwhile) {
  ManualClock wall(kHourMs);
  EntryClock before(&wall, 0);
  before.Observe(before.Stamp());
  wall.AdvanceMs(-kHourMs / 2);
  EntryClock after(&wall, before.now_ms());
  EXPECT_EQ(after.now_ms(), kHourMs);
  EXPECT_EQ(after.Stamp(), kHourMs);
}

// Expiry early is a lost key as well.
TEST(EntryClock, ALeaderWhoseWallClockIsAheadGoesOnFromWhatItWasTold) {
  ManualClock first_wall(kHourMs);
  ManualClock ahead(3 * kHourMs);
  EntryClock first(&first_wall, 0);
  EntryClock second(&ahead, 0);
  first.Heard(first.WallMs());
  second.Heard(first.WallMs());
  first_wall.AdvanceMs(500);
  ahead.AdvanceMs(500);
  EXPECT_EQ(second.Stamp(), first.Stamp()) << "both count the same half second";
}

TEST(EntryClock, AMemberWhoseClockRunsFastDoesNotKeepWhatItGained) {
  ManualClock leader_wall(kHourMs);
  ManualClock fast_wall(kHourMs);
  EntryClock leader(&leader_wall, 0);
  EntryClock fast(&fast_wall, 0);
  for (int i = 0; i < 1000; ++i) {
    leader.Heard(leader.WallMs());
    fast.Heard(leader.WallMs());
    leader_wall.AdvanceMs(100);
    fast_wall.AdvanceMs(109);
  }
  EXPECT_LE(fast.WallMs() - leader.WallMs(), 10) << "what it gained since it last heard";
  fast_wall.AdvanceMs(1000);
  fast.Heard(leader.WallMs());
  EXPECT_GT(fast.WallMs(), leader.WallMs() + 400) << "followed back by half the time at most";
}

// A key set by a leader whose clock is ahead; the next leader's is an hour behind.
TEST(EntryClock, WhatAClientSawExpiredStaysExpiredBehindAFailover) {
  ManualClock ahead(2 * kHourMs);
  ManualClock behind(kHourMs);
  EntryClock first(&ahead, 0);
  EntryClock second(&behind, 0);
  std::vector<int64_t> log;
  const auto replicate = [&](int64_t stamp) {
    log.push_back(stamp);
    first.Observe(stamp);
    second.Observe(stamp);
  };
  replicate(first.Stamp());
  const int64_t expire_at = first.now_ms() + 100;
  ahead.AdvanceMs(150);
  EXPECT_LT(first.now_ms(), expire_at) << "a read would find it due, and goes through the log";
  replicate(first.Stamp());
  ASSERT_GE(first.now_ms(), expire_at) << "the client sees it gone";

  EXPECT_GE(second.now_ms(), expire_at) << "a read of the new leader";
  const int64_t stamp = second.Stamp();
  EXPECT_GE(stamp, expire_at) << "a write of the new leader";
  replicate(stamp);
  EXPECT_EQ(first.now_ms(), second.now_ms());
}

}  // namespace
}  // namespace kiwi::raft
