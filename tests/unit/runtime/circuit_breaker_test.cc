#include "runtime/circuit_breaker.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace kiwi::runtime {
namespace {

using Verdict = CircuitBreaker::Verdict;
using ProbeResult = CircuitBreaker::ProbeResult;
constexpr auto kClosed = BreakerState::kClosed;
constexpr auto kOpen = BreakerState::kOpen;
constexpr auto kHalfOpen = BreakerState::kHalfOpen;
constexpr auto kCritical = Priority::kCritical;
constexpr auto kHigh = Priority::kHigh;
constexpr auto kNormal = Priority::kNormal;
constexpr auto kLow = Priority::kLow;

BreakerOptions Options() {
  return {.window_ms = 1000,
          .min_failures = 10,
          .failure_percent = 50,
          .open_ms = 500,
          .probe_count = 3};
}

BreakerCounts Counts(uint64_t succeeded, uint64_t failed) {
  BreakerCounts counts{.succeeded = succeeded};
  counts.failures[static_cast<size_t>(FailureKind::kTimeout)] = failed;
  return counts;
}

// The states of high, normal and low: "c", "o" or "h" each.
std::string States(const CircuitBreaker& breaker) {
  std::string states;
  for (const Priority level : {kHigh, kNormal, kLow}) {
    states += BreakerStateName(breaker.state(level))[0];
  }
  return states;
}

Verdict Ask(CircuitBreaker& breaker, Priority level, int64_t now_ms) {
  return breaker.Admit(level, true, now_ms).verdict;
}

void OpenLow(CircuitBreaker& breaker, int64_t now_ms) {
  breaker.Record(kLow, Counts(0, 10), now_ms);
  ASSERT_EQ(States(breaker), "cco");
}

TEST(CircuitBreaker, OpensByTable) {
  struct Row {
    std::string what;
    struct {
      BreakerCounts high, normal, low;
    } counts;
    std::string states;
  };
  const std::vector<Row> table = {
      {"nothing happened", {}, "ccc"},
      {"all succeed", {Counts(99, 0), Counts(99, 0), Counts(99, 0)}, "ccc"},
      {"failures of low open low alone", {{}, {}, Counts(0, 10)}, "cco"},
      {"failures of normal open normal and low", {{}, Counts(0, 10), {}}, "coo"},
      {"failures of high open all three", {Counts(0, 10), {}, {}}, "ooo"},
      {"one failure too few", {Counts(0, 9), {}, {}}, "ccc"},
      {"enough failures, but too small a part", {{}, {}, Counts(11, 10)}, "ccc"},
      {"half of them is enough", {{}, {}, Counts(10, 10)}, "cco"},
      {"a well level below is opened as well", {{}, Counts(0, 10), Counts(999, 0)}, "coo"},
      {"a well level above stays closed", {{}, Counts(999, 0), Counts(0, 10)}, "cco"},
      {"failures of the level above count for low", {{}, Counts(0, 5), Counts(0, 5)}, "cco"},
      {"so do those of all above", {Counts(0, 4), Counts(0, 3), Counts(0, 3)}, "cco"},
      {"of high for normal", {Counts(0, 5), Counts(0, 5), {}}, "coo"},
      {"with their successes", {{}, Counts(999, 9), Counts(0, 9)}, "ccc"},
      {"failures below do not count above", {Counts(0, 1), {}, Counts(0, 999)}, "cco"},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.what);
    CircuitBreaker breaker(Options());
    breaker.Record(kLow, row.counts.low, 100);
    breaker.Record(kNormal, row.counts.normal, 100);
    breaker.Record(kHigh, row.counts.high, 100);
    breaker.Tick(100);
    EXPECT_EQ(States(breaker), row.states);
  }
}

TEST(CircuitBreaker, CriticalNeverOpens) {
  CircuitBreaker breaker(Options());
  breaker.Record(kCritical, Counts(0, 1000), 100);
  breaker.Record(kHigh, Counts(0, 1000), 100);
  EXPECT_EQ(States(breaker), "ooo");
  EXPECT_EQ(breaker.state(kCritical), kClosed);
  EXPECT_EQ(Ask(breaker, kCritical, 101), Verdict::kAdmitted);
  EXPECT_EQ(breaker.totals(kCritical).failed(), 1000U);
}

TEST(CircuitBreaker, EveryKindOfFailureCounts) {
  CircuitBreaker breaker(Options());
  BreakerCounts counts;
  for (int i = 0; i < 4; ++i) counts.Fail(FailureKind::kStorage);
  for (int i = 0; i < 3; ++i) counts.Fail(FailureKind::kTimeout);
  for (int i = 0; i < 3; ++i) counts.Fail(FailureKind::kQueue);
  breaker.Record(kLow, counts, 100);
  EXPECT_EQ(breaker.state(kLow), kOpen);
}

TEST(CircuitBreaker, FailuresOutsideTheWindowAreForgotten) {
  CircuitBreaker breaker(Options());
  breaker.Record(kLow, Counts(0, 9), 100);
  breaker.Record(kLow, Counts(0, 0), 1000);
  EXPECT_EQ(breaker.InWindow(kLow).failed(), 9U) << "just inside";
  breaker.Record(kLow, Counts(0, 1), 1100);
  EXPECT_EQ(breaker.InWindow(kLow).failed(), 1U);
  EXPECT_EQ(breaker.state(kLow), kClosed);
  breaker.Tick(9000);
  EXPECT_EQ(breaker.InWindow(kLow).requests(), 0U) << "a window without requests is empty";
}

TEST(CircuitBreaker, AnOpenLevelRefusesAndTheOthersDoNot) {
  CircuitBreaker breaker(Options());
  OpenLow(breaker, 100);
  EXPECT_EQ(Ask(breaker, kLow, 599), Verdict::kRefused);
  EXPECT_EQ(Ask(breaker, kNormal, 599), Verdict::kAdmitted);
  EXPECT_EQ(Ask(breaker, kHigh, 599), Verdict::kAdmitted);
}

TEST(CircuitBreaker, HalfOpenLetsProbesThroughAndClosesWhenAllSucceed) {
  CircuitBreaker breaker(Options());
  OpenLow(breaker, 100);
  std::vector<CircuitBreaker::Admission> probes;
  for (int i = 0; i < 3; ++i) {
    probes.push_back(breaker.Admit(kLow, true, 600));
    EXPECT_EQ(probes.back().verdict, Verdict::kProbe);
    EXPECT_EQ(breaker.state(kLow), kHalfOpen);
  }
  EXPECT_EQ(Ask(breaker, kLow, 601), Verdict::kRefused) << "probes are counted";
  breaker.EndProbe(kLow, probes[0].probe, ProbeResult::kSucceeded, 610);
  EXPECT_EQ(Ask(breaker, kLow, 610), Verdict::kRefused) << "no more than asked for";
  breaker.EndProbe(kLow, probes[1].probe, ProbeResult::kSucceeded, 620);
  EXPECT_EQ(breaker.state(kLow), kHalfOpen);
  breaker.EndProbe(kLow, probes[2].probe, ProbeResult::kSucceeded, 630);
  EXPECT_EQ(breaker.state(kLow), kClosed);
  EXPECT_EQ(Ask(breaker, kLow, 630), Verdict::kAdmitted);
  breaker.Tick(700);
  EXPECT_EQ(breaker.state(kLow), kClosed) << "it counts anew: the old failures are still young";
  OpenLow(breaker, 800);
}

TEST(CircuitBreaker, AFailedProbeOpensAgain) {
  CircuitBreaker breaker(Options());
  OpenLow(breaker, 100);
  const auto good = breaker.Admit(kLow, true, 600);
  const auto bad = breaker.Admit(kLow, true, 600);
  const auto late = breaker.Admit(kLow, true, 600);
  breaker.EndProbe(kLow, good.probe, ProbeResult::kSucceeded, 610);
  breaker.EndProbe(kLow, bad.probe, ProbeResult::kFailed, 700);
  EXPECT_EQ(States(breaker), "cco");
  EXPECT_EQ(Ask(breaker, kLow, 1199), Verdict::kRefused) << "for the whole time";
  EXPECT_EQ(Ask(breaker, kLow, 1200), Verdict::kProbe);
  breaker.EndProbe(kLow, late.probe, ProbeResult::kFailed, 1210);
  EXPECT_EQ(breaker.state(kLow), kHalfOpen) << "a probe of the time before says nothing";
}

TEST(CircuitBreaker, AFailedProbeOpensWhatIsBelow) {
  CircuitBreaker breaker(Options());
  breaker.Record(kNormal, Counts(0, 10), 100);
  ASSERT_EQ(States(breaker), "coo");
  const auto probe = breaker.Admit(kNormal, true, 600);
  for (int i = 0; i < 3; ++i) {
    const auto low = breaker.Admit(kLow, true, 600);
    breaker.EndProbe(kLow, low.probe, ProbeResult::kSucceeded, 610);
  }
  EXPECT_EQ(States(breaker), "chc");
  breaker.EndProbe(kNormal, probe.probe, ProbeResult::kFailed, 620);
  EXPECT_EQ(States(breaker), "coo");
  EXPECT_EQ(Ask(breaker, kLow, 1119), Verdict::kRefused);
}

TEST(CircuitBreaker, AProbeThatProvedNothingGivesItsPlaceBack) {
  BreakerOptions options = Options();
  options.probe_count = 1;
  CircuitBreaker breaker(options);
  OpenLow(breaker, 100);
  const auto probe = breaker.Admit(kLow, true, 600);
  EXPECT_EQ(Ask(breaker, kLow, 600), Verdict::kRefused);
  breaker.EndProbe(kLow, probe.probe, ProbeResult::kProvedNothing, 610);
  EXPECT_EQ(breaker.Admit(kLow, false, 610).verdict, Verdict::kRefused) << "it cannot probe";
  EXPECT_EQ(Ask(breaker, kLow, 610), Verdict::kProbe);
}

TEST(CircuitBreaker, WhatEndsWhileItIsOpenDoesNotKeepItOpen) {
  CircuitBreaker breaker(Options());
  OpenLow(breaker, 100);
  breaker.Record(kLow, Counts(0, 100), 590);
  EXPECT_EQ(Ask(breaker, kLow, 600), Verdict::kProbe);
  breaker.Record(kLow, Counts(0, 100), 610);
  EXPECT_EQ(breaker.state(kLow), kHalfOpen);
}

TEST(CircuitBreaker, ALevelAboveThatOpensProlongsTheOneBelow) {
  CircuitBreaker breaker(Options());
  OpenLow(breaker, 100);
  breaker.Record(kNormal, Counts(0, 10), 400);
  EXPECT_EQ(States(breaker), "coo");
  EXPECT_EQ(Ask(breaker, kLow, 700), Verdict::kRefused);
  breaker.Tick(900);
  EXPECT_EQ(States(breaker), "chh");
}

TEST(CircuitBreaker, SwitchedOffEverythingIsClosed) {
  CircuitBreaker breaker(Options());
  breaker.Record(kHigh, Counts(0, 10), 100);
  ASSERT_EQ(States(breaker), "ooo");
  BreakerOptions off = Options();
  off.enabled = false;
  breaker.SetOptions(off, 110);
  EXPECT_EQ(States(breaker), "ccc");
  breaker.Record(kHigh, Counts(0, 100), 120);
  EXPECT_EQ(States(breaker), "ccc");
  EXPECT_EQ(Ask(breaker, kHigh, 120), Verdict::kAdmitted);
}

TEST(CircuitBreaker, TellsItsStory) {
  CircuitBreaker breaker(Options());
  breaker.Record(kNormal, Counts(2, 10), 100);
  breaker.Tick(600);
  const auto probe = breaker.Admit(kNormal, true, 600);
  breaker.EndProbe(kNormal, probe.probe, ProbeResult::kFailed, 650);
  std::vector<std::string> story;
  for (const BreakerTransition& t : breaker.transitions()) {
    story.push_back(std::to_string(t.at_ms) + " " + std::string(PriorityName(t.level)) + " " +
                    std::string(BreakerStateName(t.from)) + " > " +
                    std::string(BreakerStateName(t.to)) + " " +
                    std::string(BreakerCauseName(t.cause)) + " " + std::to_string(t.failures) +
                    "/" + std::to_string(t.requests));
  }
  EXPECT_EQ(story, (std::vector<std::string>{
                       "100 normal closed > open failures 10/12",
                       "100 low closed > open level-above 10/12",
                       "600 normal open > half-open open-time-over 0/0",
                       "600 low open > half-open open-time-over 0/0",
                       "650 normal half-open > open probe-failed 0/0",
                       "650 low half-open > open level-above 0/0",
                   }));
  EXPECT_EQ(breaker.opened(kNormal), 2U);
  EXPECT_EQ(breaker.opened(kHigh), 0U);
}

TEST(CircuitBreaker, OfTwoLevelsThatFailTogetherTheLowerOpensFirst) {
  CircuitBreaker breaker(Options());
  breaker.Record(kLow, Counts(30, 10), 100);
  breaker.Record(kNormal, Counts(30, 10), 100);
  breaker.Record(kLow, Counts(0, 10), 500);
  breaker.Record(kNormal, Counts(0, 10), 500);
  ASSERT_EQ(States(breaker), "ccc");
  breaker.Tick(1100);  // the successes have left the window
  ASSERT_EQ(States(breaker), "coo");
  EXPECT_EQ(breaker.transitions().front().level, kLow);
  EXPECT_EQ(breaker.transitions().front().cause, BreakerCause::kFailures);
}

TEST(CircuitBreaker, RemembersABoundedNumberOfTransitions) {
  CircuitBreaker breaker(Options());
  int64_t now_ms = 0;
  for (int i = 0; i < 100; ++i) {
    breaker.Record(kLow, Counts(0, 10), now_ms);
    now_ms += 500;
    const auto probe = breaker.Admit(kLow, true, now_ms);
    breaker.EndProbe(kLow, probe.probe, ProbeResult::kFailed, now_ms);
  }
  EXPECT_EQ(breaker.transitions().size(), CircuitBreaker::kHistory);
  EXPECT_EQ(breaker.transitions().back().at_ms, now_ms);
}

TEST(CircuitBreaker, TimeThatRunsBackwardsIsStandingStill) {
  CircuitBreaker breaker(Options());
  breaker.Record(kLow, Counts(0, 5), 5000);
  breaker.Record(kLow, Counts(0, 5), 100);
  EXPECT_EQ(breaker.state(kLow), kOpen);
  EXPECT_EQ(Ask(breaker, kLow, 600), Verdict::kRefused);
  EXPECT_EQ(Ask(breaker, kLow, 5500), Verdict::kProbe);
}

}  // namespace
}  // namespace kiwi::runtime
