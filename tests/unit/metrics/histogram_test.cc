#include "metrics/histogram.h"

#include <gtest/gtest.h>

namespace kiwi::metrics {
namespace {

template <typename Layout>
void EveryDurationLiesInItsBucket() {
  uint64_t lower = 0;
  for (size_t i = 0; i + 1 < Layout::kBuckets; ++i) {
    const uint64_t upper = Layout::UpperNs(i);
    ASSERT_GT(upper, lower);
    EXPECT_EQ(Layout::BucketOf(lower), i);
    EXPECT_EQ(Layout::BucketOf(upper - 1), i);
    EXPECT_EQ(Layout::BucketOf(upper), i + 1);
    lower = upper;
  }
  EXPECT_EQ(Layout::BucketOf(UINT64_MAX), Layout::kBuckets - 1);
}

TEST(LogLinear, EveryDurationLiesInItsBucket) {
  EveryDurationLiesInItsBucket<FineBuckets>();
  EveryDurationLiesInItsBucket<CoarseBuckets>();
}

TEST(LogLinear, ABucketIsNarrowInProportion) {
  for (size_t i = 1; i + 1 < FineBuckets::kBuckets; ++i) {
    const auto lower = static_cast<double>(FineBuckets::UpperNs(i - 1));
    EXPECT_LE(static_cast<double>(FineBuckets::UpperNs(i)) / lower, 1.0 + 1.0 / 16);
  }
}

TEST(Histogram, SumsCellsOfManyWriters) {
  HistogramCell<FineBuckets> first;
  HistogramCell<FineBuckets> second;
  first.Record(2'000, 3);
  second.Record(1'000'000);
  HistogramSum sum;
  sum.Add(first);
  sum.Add(second);
  EXPECT_EQ(sum.count(), 4U);
  EXPECT_EQ(sum.sum_ns(), 1'006'000U);
  HistogramSum twice;
  twice.Add(sum);
  twice.Add(sum);
  twice.Add(HistogramSum());
  EXPECT_EQ(twice.count(), 8U);
}

TEST(Histogram, QuantilesAreUpperBoundsOfTheirBuckets) {
  HistogramCell<FineBuckets> cell;
  for (uint64_t us = 1; us <= 1000; ++us) cell.Record(us * 1000);
  HistogramSum sum;
  sum.Add(cell);
  EXPECT_NEAR(static_cast<double>(sum.QuantileNs(0.5)), 500e3, 500e3 * 0.07);
  EXPECT_NEAR(static_cast<double>(sum.QuantileNs(0.99)), 990e3, 990e3 * 0.07);
  EXPECT_EQ(HistogramSum().QuantileNs(0.5), 0U);
}

TEST(Histogram, BoundsArePowersOfTwoAndCumulative) {
  HistogramCell<CoarseBuckets> cell;
  cell.Record(500);
  cell.Record(1500);
  cell.Record(3000);
  cell.Record(uint64_t{1} << 40);  // beyond the last bound: only the total knows it
  HistogramSum sum;
  sum.Add(cell);
  const auto bounds = sum.PowersOfTwo();
  ASSERT_EQ(bounds.size(), 25U);
  EXPECT_EQ(bounds[0].upper_ns, 1024U);
  EXPECT_EQ(bounds[0].cumulative, 1U);
  EXPECT_EQ(bounds[1].cumulative, 2U);
  EXPECT_EQ(bounds[2].cumulative, 3U);
  EXPECT_EQ(bounds.back().cumulative, 3U);
  EXPECT_EQ(sum.count(), 4U);
}

}  // namespace
}  // namespace kiwi::metrics
