#include "runtime/scaler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

namespace kiwi::runtime {
namespace {

ScalerOptions Options() {
  ScalerOptions o;
  o.network.min = o.storage.min = 1;
  o.network.max = 4;
  o.storage.max = 8;
  o.network.shrink_sustain_ms = o.storage.shrink_sustain_ms = 1000;
  return o;
}

// Everything calm, sizes 2 and 2: each row of the table changes one thing.
Observation Calm() {
  Observation o;
  o.now_ms = 1000;
  o.network_threads = o.storage_threads = 2;
  o.network_queued = 20;  // between low (16) and high (256)
  o.storage_queued = 10;  // between low (4) and high (64)
  o.loop_delay_us = 1000;
  o.response_us = 10'000;
  return o;
}

TEST(Scaler, DecidesByTable) {
  struct Row {
    std::string what;
    std::function<void(Observation&)> change;
    int network, storage;
  };
  const std::vector<Row> table = {
      {"between the thresholds nothing moves", [](Observation&) {}, 2, 2},
      {"a long storage queue", [](Observation& o) { o.storage_queued = 64; }, 2, 3},
      {"just under the threshold", [](Observation& o) { o.storage_queued = 63; }, 2, 2},
      {"a slow storage response", [](Observation& o) { o.response_us = 20'000; }, 2, 3},
      {"commands that the channel does not take", [](Observation& o) { o.network_queued = 256; }, 3,
       2},
      {"a long loop iteration", [](Observation& o) { o.loop_delay_us = 2000; }, 3, 2},
      {"both high: storage first",
       [](Observation& o) { o.network_queued = 1000, o.storage_queued = 1000; }, 2, 3},
      {"storage slow: the network waits",
       [](Observation& o) { o.network_queued = 1000, o.response_us = 50'000; }, 2, 3},
      {"storage slow and at its maximum: the network still waits",
       [](Observation& o) {
         o.network_queued = 1000, o.response_us = 50'000, o.storage_threads = 8;
       },
       2, 8},
      {"storage full and at its maximum, but fast: the network may",
       [](Observation& o) {
         o.network_queued = 1000, o.storage_queued = 900, o.storage_threads = 8;
       },
       3, 8},
      {"at the maximum", [](Observation& o) { o.network_queued = 9999, o.network_threads = 4; }, 4,
       2},
      {"over the maximum", [](Observation& o) { o.network_threads = 6; }, 4, 2},
      {"under the minimum", [](Observation& o) { o.storage_threads = 0; }, 2, 1},
      {"low, but not for long", [](Observation& o) { o.storage_queued = 0, o.response_us = 0; }, 2,
       2},
  };
  for (const Row& row : table) {
    Scaler scaler(Options());
    Observation o = Calm();
    row.change(o);
    scaler.Evaluate(o);
    o.now_ms += 50;  // it lasts
    const ScalerDecision d = scaler.Evaluate(o);
    EXPECT_EQ(d.network_threads, row.network) << row.what;
    EXPECT_EQ(d.storage_threads, row.storage) << row.what;
  }
}

TEST(Scaler, IncrementsAndDecrementsAreOptions) {
  ScalerOptions options = Options();
  options.storage.grow_by = 3;
  options.storage.shrink_by = 2;
  Scaler scaler(options);
  Observation o = Calm();
  o.storage_queued = 1000;
  scaler.Evaluate(o);
  o.now_ms += 50;
  EXPECT_EQ(scaler.Evaluate(o).storage_threads, 5);
  o = Calm();
  o.storage_threads = 6;
  o.storage_queued = 0;
  o.response_us = 0;
  Scaler other(options);
  EXPECT_EQ(other.Evaluate(o).storage_threads, 6);
  o.now_ms += 1000;
  EXPECT_EQ(other.Evaluate(o).storage_threads, 4);
}

TEST(Scaler, AShortDipDoesNotShrink) {
  Scaler scaler(Options());
  Observation o = Calm();
  for (int i = 0; i < 100; ++i) {
    o.now_ms += 50;
    const bool busy = i % 19 == 0;  // every 950 ms
    o.storage_queued = busy ? 10 : 0;
    o.response_us = 0;
    EXPECT_EQ(scaler.Evaluate(o).storage_threads, 2) << "at " << o.now_ms;
  }
}

TEST(Scaler, HighHasToLastWhenToldSo) {
  ScalerOptions options = Options();
  options.storage.grow_sustain_ms = 150;
  Scaler scaler(options);
  Observation o = Calm();
  o.storage_queued = 1000;
  EXPECT_EQ(scaler.Evaluate(o).storage_threads, 2);
  o.now_ms += 100;
  EXPECT_EQ(scaler.Evaluate(o).storage_threads, 2);
  o.now_ms += 50;
  EXPECT_EQ(scaler.Evaluate(o).storage_threads, 3);
}

TEST(Scaler, AGrowthTellsHowLongItTookToReact) {
  Scaler scaler(Options());
  Observation o = Calm();
  scaler.Evaluate(o);  // the threshold is crossed after this look
  o.storage_queued = 1000;
  for (int looks = 0; looks < 3; ++looks) {
    o.now_ms += 25;
    o.storage_threads = scaler.Evaluate(o).storage_threads;
  }
  ASSERT_EQ(o.storage_threads, 3);
  EXPECT_EQ(scaler.storage().history().back().reaction_ms, 75);
  // A growth that helps: the time until it is judged is no slowness of the next one's.
  while (o.storage_threads == 3) {
    o.now_ms += 25;
    o.commands_done += 1000 + static_cast<uint64_t>(o.now_ms);
    o.storage_threads = scaler.Evaluate(o).storage_threads;
  }
  EXPECT_EQ(o.storage_threads, 4);
  EXPECT_LE(scaler.storage().history().back().reaction_ms, 50);
}

TEST(Scaler, BackpressurePausesTheNetworkPoolAndEnds) {
  Scaler scaler(Options());
  Observation o = Calm();
  scaler.Evaluate(o);
  o.now_ms += 50;
  o.backpressure_events += 11;  // over 10 a second
  o.network_queued = 1000;
  ScalerDecision d = scaler.Evaluate(o);
  EXPECT_TRUE(d.backpressure_pause);
  EXPECT_EQ(d.network_threads, 2);
  // The events stop: it goes on when none were too many for the pause.
  const int64_t begin = o.now_ms;
  while (d.network_threads == 2 && o.now_ms < begin + 10'000) {
    o.now_ms += 50;
    d = scaler.Evaluate(o);
  }
  EXPECT_EQ(d.network_threads, 3);
  EXPECT_GE(o.now_ms - begin, 2000);
  EXPECT_LE(o.now_ms - begin, 3100);  // a second until the rate has fallen, then the pause
}

// --- simulated traces ---

// Workers that serve the offered load, `per_worker` commands a second each but together no more than
// `ceiling` (a disk); the rest waits in the queue. The executor does what the scaler says.
struct Simulation {
  ScalerOptions options = Options();
  double per_worker = 10'000;
  double ceiling = 1e9;

  struct Point {
    int64_t ms;
    int threads;
    double queue;
  };
  std::vector<Point> trace;
  int64_t thread_ms = 0;
  double done = 0;

  void Run(Scaler& scaler, int64_t ms, const std::function<double(int64_t)>& offered) {
    for (int64_t end = now_ + ms; now_ < end; now_ += options.interval_ms) {
      const double seconds = static_cast<double>(options.interval_ms) / 1000;
      queue_ += offered(now_) * seconds;
      const double served = std::min(queue_, std::min(threads_ * per_worker, ceiling) * seconds);
      queue_ -= served;
      done += served;
      thread_ms += threads_ * options.interval_ms;
      Observation o;
      o.now_ms = now_;
      o.network_threads = 1;
      o.storage_threads = threads_;
      o.storage_queued = static_cast<size_t>(queue_);
      o.response_us = 1000;
      o.commands_done = static_cast<uint64_t>(done);
      threads_ = scaler.Evaluate(o).storage_threads;
      trace.push_back({now_, threads_, queue_});
    }
  }
  int MaxThreads(int64_t from, int64_t to) const {
    int most = 0;
    for (const Point& p : trace) {
      if (p.ms >= from && p.ms < to) most = std::max(most, p.threads);
    }
    return most;
  }

 private:
  int64_t now_ = 0;
  int threads_ = 1;
  double queue_ = 0;
};

TEST(ScalerTrace, FollowsStepsOfLoadUpAndDown) {
  Simulation sim;
  Scaler scaler(sim.options);
  const auto offered = [](int64_t ms) {
    return ms < 5000 ? 5000.0 : ms < 20'000 ? 55'000.0 : 5000.0;
  };
  sim.Run(scaler, 60'000, offered);
  EXPECT_EQ(sim.MaxThreads(0, 5000), 1);
  EXPECT_EQ(sim.MaxThreads(5000, 5100), 2) << "reacts within 100 ms";
  EXPECT_GE(sim.MaxThreads(5000, 20'000), 6);
  EXPECT_EQ(sim.trace.back().threads, 1) << "back at the minimum";
  EXPECT_LT(sim.trace.back().queue, 1000);
  // Against a pool of the maximum size at the same throughput.
  EXPECT_LT(static_cast<double>(sim.thread_ms), 0.7 * 8 * 60'000);
  // No thrash: a shrinking that proved wrong is not tried again soon.
  int turns = 0;
  for (size_t i = 2; i < scaler.storage().history().size(); ++i) {
    const auto& h = scaler.storage().history();
    if ((h[i].to > h[i].from) != (h[i - 1].to > h[i - 1].from)) ++turns;
  }
  EXPECT_LE(turns, 7);
}

TEST(ScalerTrace, AGrowthThatDoesNotHelpIsTakenBackAndNotRetriedSoon) {
  Simulation sim;
  sim.ceiling = 10'000;  // one worker saturates the disk
  Scaler scaler(sim.options);
  sim.Run(scaler, 60'000, [](int64_t) { return 20'000.0; });
  const auto& history = scaler.storage().history();
  ASSERT_GE(history.size(), 2u);
  EXPECT_NEAR(history[0].throughput_before, 10'000, 500);
  EXPECT_EQ(history[0].cause, ResizeCause::kHighPressure);
  EXPECT_NEAR(history[0].throughput_after, 10'000, 500);
  EXPECT_EQ(history[1].cause, ResizeCause::kGrowthInVain);
  EXPECT_EQ(history[1].to, 1);
  // In a minute: tries after 10, 20, 40 seconds; each lasts some 300 ms.
  EXPECT_LE(history.size(), 8u);
  EXPECT_EQ(sim.MaxThreads(0, 60'000), 2);
  EXPECT_LT(sim.thread_ms, 62'000);
}

// Two loops each have half of the work of one, and so half of its delay: that alone is no gain.
TEST(ScalerTrace, ALoopThatOnlyTakesHalfOfTheSameWorkIsTakenBack) {
  ScalerOptions options = Options();
  Scaler scaler(options);
  Observation o = Calm();
  o.network_threads = o.storage_threads = 1;
  o.network_queued = 0;
  o.storage_queued = 0;
  o.response_us = 0;
  for (o.now_ms = 0; o.now_ms < 5000; o.now_ms += options.interval_ms) {
    o.loop_delay_sum_us = 2400;
    o.loop_delay_us = 2400 / o.network_threads;
    o.commands_done += o.network_threads == 1 ? 10'000 : 9500;
    o.network_threads = scaler.Evaluate(o).network_threads;
  }
  EXPECT_EQ(o.network_threads, 1);
  EXPECT_EQ(scaler.network().totals().grown, 1u);
  EXPECT_EQ(scaler.network().totals().grown_in_vain, 1u);
  ASSERT_EQ(scaler.network().history().size(), 2u);
  EXPECT_EQ(scaler.network().history()[1].cause, ResizeCause::kGrowthInVain);
}

// The load ended before the growth was judged: that does not speak against it.
TEST(ScalerTrace, AGrowthWhoseLoadHasGoneIsNotHeldAgainstIt) {
  ScalerOptions options = Options();
  Scaler scaler(options);
  Observation o = Calm();
  o.network_threads = o.storage_threads = 1;
  for (o.now_ms = 0; o.now_ms < 1000; o.now_ms += options.interval_ms) {
    const bool loaded = o.now_ms < 100;
    o.storage_queued = loaded ? 100 : 0;
    o.response_us = loaded ? 10'000 : 0;
    o.commands_done += loaded ? 1000 : 0;
    o.storage_threads = scaler.Evaluate(o).storage_threads;
  }
  EXPECT_EQ(scaler.storage().totals().grown, 1u);
  EXPECT_EQ(scaler.storage().totals().grown_in_vain, 0u);
  EXPECT_EQ(o.storage_threads, 2);
}

TEST(ScalerTrace, WhenTheDiskRecoversGrowingHelpsAgain) {
  Simulation sim;
  sim.ceiling = 10'000;
  Scaler scaler(sim.options);
  // Not so much that the queue of the bad time outlasts the test.
  sim.Run(scaler, 5000, [](int64_t) { return 25'000.0; });
  EXPECT_EQ(sim.trace.back().threads, 1);
  sim.ceiling = 1e9;
  sim.Run(scaler, 60'000, [](int64_t) { return 25'000.0; });
  EXPECT_GE(sim.MaxThreads(5000, 65'000), 3);
  EXPECT_LT(sim.trace.back().queue, 2000);
}

TEST(ScalerTrace, ALoadThatFlickersAroundTheThresholdDoesNotThrash) {
  Simulation sim;
  Scaler scaler(sim.options);
  sim.Run(scaler, 60'000, [](int64_t ms) { return ms / 200 % 2 == 0 ? 14'000.0 : 7000.0; });
  EXPECT_LE(scaler.storage().history().size(), 14u);
}

}  // namespace
}  // namespace kiwi::runtime
