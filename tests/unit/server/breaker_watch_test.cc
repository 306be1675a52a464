#include "server/breaker_watch.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace kiwi::server {
namespace {

using runtime::BreakerState;
using runtime::FailureKind;
using runtime::Priority;
constexpr int64_t kMs = 1'000'000;

BreakerSettings Settings() {
  BreakerSettings settings;
  settings.circuit = {.window_ms = 1000,
                      .min_failures = 3,
                      .failure_percent = 50,
                      .open_ms = 500,
                      .probe_count = 1};
  settings.timeout_ms = {0, 400, 200, 100};
  return settings;
}

class BreakerWatchTest : public testing::Test {
 protected:
  void Begin(WatchedBatch& batch, Priority level, int64_t at_ms) {
    batch.since_ns = at_ms * kMs;
    batch.level = level;
    watch_.Begin(batch);
  }
  void End(WatchedBatch& batch, BatchEnd end, int64_t at_ms) {
    watch_.End(batch, end, at_ms * kMs);
  }
  runtime::BreakerCounts Totals(Priority level, int64_t at_ms) {
    watch_.Sweep(at_ms * kMs);
    return breaker_.Status(at_ms * kMs).levels[static_cast<size_t>(level)].totals;
  }
  BreakerState State(Priority level) {
    return breaker_.Status(0).levels[static_cast<size_t>(level)].state;
  }

  Breaker breaker_{Settings()};
  BreakerWatch watch_{&breaker_};
};

TEST_F(BreakerWatchTest, EndsAreCountedByTheirKind) {
  struct Row {
    BatchEnd end;
    int64_t after_ms;
    uint64_t succeeded;
    std::array<uint64_t, runtime::kFailureKinds> failures;  // storage, timeout, queue
  };
  const std::vector<Row> table = {
      {BatchEnd::kDone, 100, 1, {0, 0, 0}},          {BatchEnd::kDone, 101, 0, {0, 1, 0}},
      {BatchEnd::kStorageError, 1, 0, {1, 0, 0}},    {BatchEnd::kStorageError, 101, 0, {1, 0, 0}},
      {BatchEnd::kQueuedTooLong, 50, 0, {0, 0, 1}},  {BatchEnd::kQueuedTooLong, 101, 0, {0, 1, 0}},
      {BatchEnd::kProvedNothing, 101, 0, {0, 0, 0}},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(static_cast<int>(row.end) * 1000 + row.after_ms);
    Breaker breaker(Settings());
    BreakerWatch watch(&breaker);
    WatchedBatch batch{.since_ns = 1000 * kMs, .level = Priority::kLow};
    watch.Begin(batch);
    watch.End(batch, row.end, (1000 + row.after_ms) * kMs);
    EXPECT_FALSE(batch.watched());
    watch.Sweep(1200 * kMs);
    const auto totals = breaker.Status(0).levels[static_cast<size_t>(Priority::kLow)].totals;
    EXPECT_EQ(totals.succeeded, row.succeeded);
    EXPECT_EQ(totals.failures, row.failures);
  }
}

TEST_F(BreakerWatchTest, WhatHangsFailsWhenItPassesItsTimeOutAndOnceOnly) {
  std::vector<WatchedBatch> batches(4);
  for (size_t i = 0; i < 3; ++i) Begin(batches[i], Priority::kLow, 1000);
  Begin(batches[3], Priority::kNormal, 1000);
  EXPECT_EQ(Totals(Priority::kLow, 1100).requests(), 0U);
  EXPECT_EQ(State(Priority::kLow), BreakerState::kClosed);
  EXPECT_EQ(Totals(Priority::kLow, 1101).failed(), 3U);
  EXPECT_EQ(State(Priority::kLow), BreakerState::kOpen) << "although nothing has ended";
  EXPECT_EQ(Totals(Priority::kNormal, 1101).requests(), 0U) << "its time-out is longer";
  for (auto& batch : batches) End(batch, BatchEnd::kDone, 1150);
  EXPECT_EQ(Totals(Priority::kLow, 1200).requests(), 3U) << "its end is not counted again";
  EXPECT_EQ(Totals(Priority::kNormal, 1200).succeeded, 1U);
}

TEST_F(BreakerWatchTest, EndsComeInAnyOrder) {
  std::vector<WatchedBatch> batches(5);
  for (size_t i = 0; i < 5; ++i) Begin(batches[i], Priority::kLow, 1000 + static_cast<int64_t>(i));
  End(batches[2], BatchEnd::kDone, 1010);
  End(batches[0], BatchEnd::kDone, 1010);
  End(batches[4], BatchEnd::kDone, 1010);
  EXPECT_EQ(Totals(Priority::kLow, 1102).failed(), 1U) << "the second alone is over its time";
  End(batches[3], BatchEnd::kDone, 1102);
  EXPECT_EQ(Totals(Priority::kLow, 1102).succeeded, 4U);
}

TEST_F(BreakerWatchTest, AProbeThatHangsOpensAgainAndOneThatEndsCloses) {
  std::vector<WatchedBatch> batches(3);
  for (auto& batch : batches) Begin(batch, Priority::kLow, 1000);
  watch_.Sweep(1101 * kMs);
  ASSERT_TRUE(breaker_.IsOpen(Priority::kLow));
  watch_.Sweep(1601 * kMs);
  ASSERT_EQ(State(Priority::kLow), BreakerState::kHalfOpen);
  ASSERT_FALSE(breaker_.IsOpen(Priority::kLow));
  WatchedBatch probe;
  Begin(probe, Priority::kLow, 1601);
  probe.probe = breaker_.Admit(Priority::kLow, true, 1601 * kMs).probe;
  ASSERT_NE(probe.probe, 0U);
  watch_.Sweep(1702 * kMs);
  EXPECT_EQ(State(Priority::kLow), BreakerState::kOpen);

  watch_.Sweep(2300 * kMs);
  Begin(probe, Priority::kLow, 2300);
  probe.probe = breaker_.Admit(Priority::kLow, true, 2300 * kMs).probe;
  End(probe, BatchEnd::kDone, 2310);
  EXPECT_EQ(State(Priority::kLow), BreakerState::kClosed);
  EXPECT_TRUE(breaker_.all_closed());
}

TEST_F(BreakerWatchTest, WhatIsNotWatchedCannotEnd) {
  WatchedBatch batch;
  End(batch, BatchEnd::kStorageError, 1000);
  EXPECT_EQ(Totals(Priority::kNormal, 1000).requests(), 0U);
}

}  // namespace
}  // namespace kiwi::server
