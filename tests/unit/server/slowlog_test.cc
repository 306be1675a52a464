#include "server/slowlog.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/latency.h"

namespace kiwi::server {
namespace {

constexpr int64_t kMs = 1'000'000;
constexpr int64_t kNowS = 1'700'000'000;

void Log(Slowlog& log, std::vector<std::string_view> args, int64_t ns = 20 * kMs) {
  log.Record(args, ns, kNowS, "127.0.0.1:1", "me");
}

TEST(SlowlogTest, LogsWhatTookAtLeastTheThreshold) {
  Slowlog log;
  log.SetThresholdUs(10'000);
  EXPECT_FALSE(log.Wants(10 * kMs - 1));
  EXPECT_TRUE(log.Wants(10 * kMs));
  log.SetThresholdUs(0);
  EXPECT_TRUE(log.Wants(0));
  log.SetThresholdUs(-1);
  EXPECT_FALSE(log.Wants(1000 * kMs));
}

TEST(SlowlogTest, KeepsTheNewestAndNumbersThemThroughout) {
  Slowlog log;
  log.SetMaxLength(2);
  Log(log, {"a"});
  Log(log, {"b"});
  Log(log, {"c"});
  auto entries = log.Newest(10);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].id, 2);
  EXPECT_EQ(entries[0].args[0], "c");
  EXPECT_EQ(entries[0].duration_us, 20'000);
  EXPECT_EQ(entries[0].client_name, "me");
  EXPECT_EQ(log.Newest(1).size(), 1u);
  log.Reset();
  EXPECT_EQ(log.length(), 0u);
  Log(log, {"d"});
  EXPECT_EQ(log.Newest(1)[0].id, 3);
  log.SetMaxLength(0);
  Log(log, {"e"});
  EXPECT_EQ(log.length(), 0u);
}

TEST(SlowlogTest, LongCommandsAreCutAndSaySo) {
  Slowlog log;
  const std::string big(130, 'x');
  std::vector<std::string_view> args(33, "arg");
  args[1] = big;
  Log(log, args);
  const auto entry = log.Newest(1).at(0);
  ASSERT_EQ(entry.args.size(), 32u);
  EXPECT_EQ(entry.args[1], std::string(128, 'x') + "... (2 more bytes)");
  EXPECT_EQ(entry.args[31], "... (2 more arguments)");
  Log(log, std::vector<std::string_view>(32, "arg"));
  EXPECT_EQ(log.Newest(1).at(0).args.back(), "arg");
}

TEST(LatencyMonitorTest, OneSampleASecondTheWorst) {
  LatencyMonitor monitor;
  monitor.SetThresholdMs(10);
  EXPECT_FALSE(monitor.Wants(10 * kMs - 1));
  EXPECT_TRUE(monitor.Wants(10 * kMs));
  monitor.Record("command", 20 * kMs, kNowS);
  monitor.Record("command", 50 * kMs, kNowS);
  monitor.Record("command", 30 * kMs, kNowS);
  monitor.Record("command", 15 * kMs, kNowS + 1);
  const auto events = monitor.Events();
  ASSERT_EQ(events.size(), 1u);
  ASSERT_EQ(events[0].samples.size(), 2u);
  EXPECT_EQ(events[0].samples[0].latency_ms, 50);
  EXPECT_EQ(events[0].samples[1].latency_ms, 15);
  EXPECT_EQ(events[0].all_time_max_ms, 50);
}

TEST(LatencyMonitorTest, HistoriesAreBoundedAndCanBeForgotten) {
  LatencyMonitor monitor;
  for (int i = 0; i < 500; ++i) monitor.Record("fast-command", 20 * kMs, kNowS + i);
  monitor.Record("command", 20 * kMs, kNowS);
  EXPECT_EQ(monitor.Events()[1].samples.size(), LatencyMonitor::kHistoryMax);
  EXPECT_EQ(monitor.Events()[1].samples.back().unix_s, kNowS + 499);
  const std::vector<std::string_view> names = {"fast-command", "no-such-event"};
  EXPECT_EQ(monitor.Reset(names), 1u);
  EXPECT_EQ(monitor.Events().size(), 1u);
  EXPECT_EQ(monitor.Reset({}), 1u);
  EXPECT_TRUE(monitor.Events().empty());
}

TEST(LatencyMonitorTest, OffByDefault) {
  LatencyMonitor monitor;
  EXPECT_FALSE(monitor.Wants(3600 * 1000 * kMs));
}

}  // namespace
}  // namespace kiwi::server
