#include "server/stage_stats.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/ticks.h"

namespace kiwi::server {
namespace {

constexpr int kGet = 1;
constexpr int kSet = 2;
constexpr int kCommands = 3;

// Of ticks that lie so far apart that no rounding matters.
constexpr uint64_t At(uint64_t n) { return n * 1'000'000; }
int64_t Ns(uint64_t from, uint64_t to) {
  return static_cast<int64_t>(Ticks::ToNs(At(from), At(to)));
}
int64_t Of(const StageDurations& stages, Stage stage) {
  return stages.ns[static_cast<size_t>(stage)];
}

TEST(MeasureStages, AWriteGoesThroughAll) {
  const PassTimes times{.sampled = true,
                        .begun = At(1),
                        .submitted = At(2),
                        .dequeued = At(4),
                        .completed = At(30),
                        .log = {.proposed = At(7), .synced = At(15), .committed = At(20)}};
  const StageDurations stages = MeasureStages(times, At(31));
  EXPECT_EQ(Of(stages, Stage::kParse), Ns(1, 2));
  EXPECT_EQ(Of(stages, Stage::kQueue), Ns(2, 4));
  EXPECT_EQ(Of(stages, Stage::kPropose), Ns(4, 7));
  EXPECT_EQ(Of(stages, Stage::kFsync), Ns(7, 15));
  EXPECT_EQ(Of(stages, Stage::kCommit), Ns(15, 20));
  EXPECT_EQ(Of(stages, Stage::kApply), Ns(20, 30));
  EXPECT_EQ(Of(stages, Stage::kReply), Ns(30, 31));
  uint64_t sum = 0;
  for (const int64_t ns : stages.ns) sum += static_cast<uint64_t>(ns);
  EXPECT_EQ(sum, stages.total_ns);
}

TEST(MeasureStages, AReadHasNoStagesOfTheLog) {
  const StageDurations stages = MeasureStages(
      {.begun = At(1), .submitted = At(2), .dequeued = At(4), .completed = At(9)}, At(10));
  EXPECT_EQ(Of(stages, Stage::kPropose), -1);
  EXPECT_EQ(Of(stages, Stage::kFsync), -1);
  EXPECT_EQ(Of(stages, Stage::kCommit), -1);
  EXPECT_EQ(Of(stages, Stage::kApply), Ns(4, 9));
}

TEST(MeasureStages, ALaterPassWasParsedBefore) {
  const StageDurations stages =
      MeasureStages({.submitted = At(2), .dequeued = At(4), .completed = At(9)}, At(10));
  EXPECT_EQ(Of(stages, Stage::kParse), -1);
  EXPECT_EQ(Of(stages, Stage::kQueue), Ns(2, 4));
}

TEST(MeasureStages, WhatOthersCommittedBeforeTheOwnDiskHasItHasNoFsync) {
  const StageDurations stages = MeasureStages({.submitted = At(2),
                                               .dequeued = At(4),
                                               .completed = At(9),
                                               .log = {.proposed = At(5), .committed = At(8)}},
                                              At(10));
  EXPECT_EQ(Of(stages, Stage::kFsync), -1);
  EXPECT_EQ(Of(stages, Stage::kCommit), Ns(5, 8));
}

TEST(MeasureStages, CountersOfTwoCoresMayDiffer) {
  const StageDurations stages = MeasureStages(
      {.begun = At(5), .submitted = At(4), .dequeued = At(6), .completed = At(3)}, At(7));
  EXPECT_EQ(Of(stages, Stage::kParse), 0);
  EXPECT_EQ(Of(stages, Stage::kQueue), Ns(5, 6));
  EXPECT_EQ(Of(stages, Stage::kApply), 0);
  EXPECT_EQ(stages.total_ns, static_cast<uint64_t>(Ns(5, 6) + Ns(6, 7)));
}

TEST(StageStatsTest, CountsByPriorityAndByCommand) {
  StageStats stats(kCommands);
  const StageDurations stages = MeasureStages(
      {.begun = At(1), .submitted = At(2), .dequeued = At(4), .completed = At(9)}, At(10));
  const StageBlock::CommandCount batch[] = {{.command_id = kGet, .count = 15}};
  stats.Local().AddRequests(runtime::Priority::kHigh, 15);
  stats.Local().Record(runtime::Priority::kHigh, stages, batch);
  std::thread([&] {
    const StageBlock::CommandCount mixed[] = {{.command_id = kGet, .count = 1},
                                              {.command_id = kSet, .count = 2}};
    stats.Local().AddRequests(runtime::Priority::kLow, 3);
    stats.Local().Record(runtime::Priority::kLow, stages, mixed);
  }).join();

  const StageStats::Totals totals = stats.Sum();
  constexpr auto kHigh = static_cast<size_t>(runtime::Priority::kHigh);
  constexpr auto kLow = static_cast<size_t>(runtime::Priority::kLow);
  constexpr auto kQueue = static_cast<size_t>(Stage::kQueue);
  constexpr auto kFsync = static_cast<size_t>(Stage::kFsync);
  EXPECT_EQ(totals.requests[kHigh], 15U);
  EXPECT_EQ(totals.requests[kLow], 3U);
  EXPECT_EQ(totals.batches[kHigh][kQueue].count(), 1U);
  EXPECT_EQ(totals.batches[kHigh][kFsync].count(), 0U);
  EXPECT_EQ(totals.totals[kLow].count(), 1U);
  EXPECT_EQ(totals.commands[kGet][kQueue].count(), 16U);
  EXPECT_EQ(totals.commands[kSet][kQueue].count(), 2U);
  EXPECT_EQ(totals.commands[0][kQueue].count(), 0U);
}

}  // namespace
}  // namespace kiwi::server
