#include "server/backpressure.h"

#include <gtest/gtest.h>

namespace kiwi::server {
namespace {

constexpr int64_t kMs = 1'000'000;

TEST(Pauses, TellWhatEndedAndWhatWaitsNow) {
  Pauses pauses;
  pauses.Begin(1000 * kMs);
  pauses.Begin(1010 * kMs);
  EXPECT_EQ(pauses.events(), 2U);
  EXPECT_EQ(pauses.now(), 2U);
  EXPECT_EQ(pauses.current_us(1020 * kMs), 30'000) << "of both together";
  EXPECT_EQ(pauses.ended_us(), 0);

  pauses.End(1000 * kMs, 1025 * kMs);
  EXPECT_EQ(pauses.now(), 1U);
  EXPECT_EQ(pauses.current_us(1025 * kMs), 15'000);
  EXPECT_EQ(pauses.ended_us(), 25'000);
  pauses.End(1010 * kMs, 1026 * kMs);
  EXPECT_EQ(pauses.current_us(9000 * kMs), 0);
  EXPECT_EQ(pauses.ended_us(), 41'000);
  EXPECT_EQ(pauses.longest_us(), 25'000);
  EXPECT_EQ(pauses.events(), 2U);
}

TEST(Pauses, AreSortedByDuration) {
  Pauses pauses;
  for (const int64_t us : {0, 999, 1000, 1001, 10'000, 99'000, 10'000'000, 10'000'001}) {
    pauses.Begin(0);
    pauses.End(0, us * 1000);
  }
  const auto counts = pauses.histogram();
  EXPECT_EQ(counts, (std::array<uint64_t, kPauseBuckets>{3, 2, 1, 0, 1, 1}));
}

TEST(LatencySum, IsAMean) {
  LatencySum loop;
  EXPECT_EQ(loop.mean_us(), 0);
  loop.Add(1 * kMs);
  loop.Add(3 * kMs);
  LatencySum all;
  all.Add(loop);
  all.Add(loop);
  EXPECT_EQ(all.count(), 4U);
  EXPECT_EQ(all.mean_us(), 2000);
}

}  // namespace
}  // namespace kiwi::server
