#include "fault/link_faults.h"

#include <gtest/gtest.h>

namespace kiwi::fault {
namespace {

TEST(LinkFaults, WithoutRulesNothingHappens) {
  LinkFaults faults;
  const LinkVerdict verdict = faults.Judge(1, 2, "append");
  EXPECT_FALSE(verdict.drop || verdict.duplicate || verdict.reorder);
  EXPECT_EQ(verdict.delay_ms, 0);
  EXPECT_FALSE(faults.active());
  EXPECT_TRUE(faults.Events().empty());
}

TEST(LinkFaults, RulesMeetTheirDirectionOnly) {
  LinkFaults faults;
  faults.Inject({1, 2, LinkFaultKind::kDrop});
  EXPECT_TRUE(faults.Judge(1, 2, "append").drop);
  EXPECT_FALSE(faults.Judge(2, 1, "append").drop);
  EXPECT_FALSE(faults.Judge(1, 3, "append").drop);
  faults.Inject({0, 3, LinkFaultKind::kPartition});
  EXPECT_TRUE(faults.Partitioned(9, 3));
  EXPECT_FALSE(faults.Partitioned(1, 2));  // a loss, not a cut
}

TEST(LinkFaults, RulesAddUpAndAreClearedOneByOne) {
  LinkFaults faults;
  const uint64_t one = faults.Inject({1, 2, LinkFaultKind::kDelay, 1.0, 30});
  const uint64_t two = faults.Inject({0, 0, LinkFaultKind::kDelay, 1.0, 5});
  EXPECT_EQ(faults.Judge(1, 2, "append").delay_ms, 35);
  EXPECT_EQ(faults.ServiceDelayMs(1, 2), 35);
  EXPECT_EQ(faults.List().size(), 2u);
  EXPECT_EQ(faults.List()[0].hits, 2u);
  EXPECT_TRUE(faults.Clear(one));
  EXPECT_FALSE(faults.Clear(one));
  EXPECT_EQ(faults.Judge(1, 2, "append").delay_ms, 5);
  EXPECT_GT(faults.Inject({1, 2, LinkFaultKind::kDrop}), two);  // ids are not used again
  EXPECT_EQ(faults.ClearAll(), 2u);
  EXPECT_FALSE(faults.active());
}

TEST(LinkFaults, TheSameSeedGivesTheSameLosses) {
  const auto run = [](uint64_t seed) {
    LinkFaults faults(seed);
    faults.Inject({0, 0, LinkFaultKind::kDrop, 0.5});
    std::string losses;
    for (int i = 0; i < 100; ++i) losses += faults.Judge(1, 2, "x").drop ? '1' : '0';
    return losses;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(LinkFaults, TheLogTellsTheStoryAndIsBounded) {
  ManualClock clock(5000);
  LinkFaults faults(1, &clock);
  const uint64_t id = faults.Inject({1, 2, LinkFaultKind::kDrop});
  clock.AdvanceMs(3);
  (void)faults.Judge(1, 2, "vote");
  faults.Clear(id);
  const auto events = faults.Events();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].what, "inject drop id=1");
  EXPECT_EQ(events[0].wall_ms, 5000);
  EXPECT_EQ(events[1].what, "drop vote");
  EXPECT_EQ(events[1].wall_ms, 5003);
  EXPECT_EQ(events[2].what, "clear drop id=1");
  for (size_t i = 0; i < 2 * LinkFaults::kEventsKept; ++i) faults.Record("pause", 1, 0);
  EXPECT_EQ(faults.Events().size(), LinkFaults::kEventsKept + 1);
  EXPECT_EQ(faults.Events().front().what, "drop vote") << "what was met is bounded by itself";
}

TEST(LinkFaults, ManyMessagesMetLeaveTheOrdersKnown) {
  LinkFaults faults;
  const uint64_t id = faults.Inject({1, 2, LinkFaultKind::kDrop});
  for (size_t i = 0; i < 2 * LinkFaults::kEventsKept; ++i) (void)faults.Judge(1, 2, "vote");
  faults.Clear(id);
  const auto events = faults.Events();
  EXPECT_EQ(events.size(), LinkFaults::kEventsKept + 2);
  EXPECT_EQ(events.front().what, "inject drop id=1");
  EXPECT_EQ(events.back().what, "clear drop id=1");
}

TEST(LinkFaults, RulesAreBounded) {
  LinkFaults faults;
  for (size_t i = 0; i < LinkFaults::kRulesMax; ++i) {
    EXPECT_NE(faults.Inject({1, 2, LinkFaultKind::kDrop}), 0u);
  }
  EXPECT_EQ(faults.Inject({1, 2, LinkFaultKind::kDrop}), 0u);
}

TEST(LinkFaults, KindsHaveNames) {
  LinkFaultKind kind{};
  EXPECT_TRUE(ParseLinkFaultKind("reorder", &kind));
  EXPECT_EQ(LinkFaultKindName(kind), "reorder");
  EXPECT_FALSE(ParseLinkFaultKind("earthquake", &kind));
}

}  // namespace
}  // namespace kiwi::fault
