#include "server/stats.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace kiwi::server {
namespace {

constexpr int kGet = 0;
constexpr int kSet = 1;

TEST(StatsTest, SumsWhatManyThreadsRecordEvenAfterTheyEnd) {
  Stats stats(2);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        StatsBlock& local = stats.Local();
        local.Record(kSet, 2000);
        local.Add(Counter::kCommandsProcessed);
        if (i % 10 == 0) local.RecordFailed(kSet);
      }
      stats.Local().RecordError("WRONGTYPE Operation against a key");
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(stats.Total(Counter::kCommandsProcessed), 4000u);
  const auto commands = stats.Commands();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands[0].command_id, kSet);
  EXPECT_EQ(commands[0].calls, 4000u);
  EXPECT_EQ(commands[0].nanoseconds, 8'000'000u);
  EXPECT_EQ(commands[0].failed, 400u);
  const auto errors = stats.Errors();
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].code, "WRONGTYPE");
  EXPECT_EQ(errors[0].count, 4u);
  EXPECT_EQ(stats.Total(Counter::kErrorReplies), 4u);
}

TEST(StatsTest, ACallThatEndsAfterAResetCountsFromThere) {
  Stats stats(2);
  stats.Local().Record(kGet, 100);
  stats.Local().RecordError("-ERR unknown command");
  stats.Reset();
  EXPECT_TRUE(stats.Commands().empty());
  EXPECT_TRUE(stats.Errors().empty());
  EXPECT_TRUE(stats.Histograms().empty());

  stats.Local().Record(kSet, 5000);
  const auto commands = stats.Commands();
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_EQ(commands[0].command_id, kSet);
  ASSERT_EQ(stats.Histograms().size(), 1u);
  EXPECT_EQ(stats.Histograms()[0].calls, 1u);
}

TEST(StatsTest, HistogramsAreCumulativeAtPowersOfTwo) {
  Stats stats(2);
  StatsBlock& local = stats.Local();
  local.Record(kGet, 100);                // up to 1 us
  local.Record(kGet, 1500);               // up to 2 us
  local.Record(kGet, 3'000'000);          // up to 4 ms
  local.Record(kGet, uint64_t{1} << 40);  // longer than all buckets
  const auto histogram = stats.Histograms().at(0);
  EXPECT_EQ(histogram.calls, 4u);
  ASSERT_GE(histogram.buckets.size(), 3u);
  EXPECT_EQ(histogram.buckets[0].le_us, 1u);
  EXPECT_EQ(histogram.buckets[0].cumulative_calls, 1u);
  EXPECT_EQ(histogram.buckets[1].le_us, 2u);
  EXPECT_EQ(histogram.buckets[1].cumulative_calls, 2u);
  EXPECT_EQ(histogram.buckets[2].le_us, 4194u);
  EXPECT_EQ(histogram.buckets[2].cumulative_calls, 3u);
  EXPECT_EQ(histogram.buckets.back().cumulative_calls, 4u);
}

TEST(StatsTest, PercentilesAreWithinSixPercent) {
  Stats stats(1);
  for (uint64_t us = 1; us <= 1000; ++us) stats.Local().Record(kGet, us * 1000);
  stats.SetLatencyPercentiles({50, 99});
  stats.SetLatencyTracking(false);
  stats.Local().Record(kGet, 1'000'000'000);
  const auto latencies = stats.LatencyPercentiles();
  ASSERT_EQ(latencies.size(), 1u);
  EXPECT_NEAR(latencies[0].us[0].second, 500, 35);
  EXPECT_NEAR(latencies[0].us[1].second, 990, 70);
}

TEST(StatsTest, SinceTheStartAResetIsNotSeen) {
  Stats stats(kGet + 1);
  stats.Local().Record(kGet, 10);
  stats.Local().Add(Counter::kCommandsProcessed, 1);
  stats.Reset();
  EXPECT_EQ(stats.Total(Counter::kCommandsProcessed), 0u);
  EXPECT_EQ(stats.SinceStart(Counter::kCommandsProcessed), 1u);
  EXPECT_TRUE(stats.Commands().empty());
  EXPECT_EQ(stats.CommandsSinceStart().at(0).calls, 1u);
}

TEST(StatsTest, DifferentErrorsAreBounded) {
  Stats stats(1);
  for (int i = 0; i < 1000; ++i) stats.Local().RecordError("E" + std::to_string(i) + " text");
  EXPECT_EQ(stats.Errors().size(), StatsBlock::kErrorCodesMax);
  EXPECT_EQ(stats.Total(Counter::kErrorReplies), 1000u);
}

TEST(StatsTest, RatesAreMeansOverSamples) {
  Stats stats(1);
  int64_t now_ns = 1;
  stats.Sample(now_ns);
  for (int i = 0; i < 16; ++i) {
    stats.Local().Add(Counter::kCommandsProcessed, 100);
    stats.Sample(now_ns += 100'000'000);
  }
  EXPECT_EQ(stats.OperationsPerSecond(), 1000);
}

TEST(StatsTest, TwoInstancesOnOneThreadDoNotMix) {
  Stats first(1);
  Stats second(1);
  first.Local().Record(kGet, 10);
  second.Local().Record(kGet, 10);
  second.Local().Record(kGet, 10);
  first.Local().Record(kGet, 10);
  EXPECT_EQ(first.Commands().at(0).calls, 2u);
  EXPECT_EQ(second.Commands().at(0).calls, 2u);
}

}  // namespace
}  // namespace kiwi::server
