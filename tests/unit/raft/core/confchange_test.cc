// From one configuration to the next.
#include "raft/core/confchange.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace kiwi::raft {
namespace {

using Nodes = std::vector<NodeId>;
constexpr auto kAuto = ConfChangeTransition::kAuto;

ConfChange Change(ConfChangeTransition transition, std::vector<ConfChangeStep> steps) {
  ConfChange change;
  change.transition = transition;
  change.steps = std::move(steps);
  return change;
}

ConfState Voters(Nodes voters) {
  ConfState conf;
  conf.voters = std::move(voters);
  return conf;
}

TEST(ConfChangeTest, OneVoterChangesAtOnce) {
  const auto next = NextConfState(
      Voters({1, 2}),
      Change(kAuto, {{ConfChangeType::kAddVoter, 3}, {ConfChangeType::kAddLearner, 4}}));
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next->voters, (Nodes{1, 2, 3}));
  EXPECT_EQ(next->learners, (Nodes{4}));
  EXPECT_TRUE(next->voters_outgoing.empty());
}

TEST(ConfChangeTest, TwoVotersChangeThroughAJointConfiguration) {
  const auto joint = NextConfState(
      Voters({1, 2}),
      Change(kAuto, {{ConfChangeType::kAddVoter, 3}, {ConfChangeType::kAddLearner, 2}}));
  ASSERT_TRUE(joint.ok());
  EXPECT_EQ(joint->voters, (Nodes{1, 3}));
  EXPECT_EQ(joint->voters_outgoing, (Nodes{1, 2}));
  EXPECT_EQ(joint->learners_next, (Nodes{2})) << "it votes in the old half until that is left";
  EXPECT_TRUE(joint->auto_leave);
  const auto left = NextConfState(*joint, {});
  ASSERT_TRUE(left.ok());
  EXPECT_EQ(left->voters, (Nodes{1, 3}));
  EXPECT_EQ(left->learners, (Nodes{2}));
  EXPECT_FALSE(left->auto_leave);
}

TEST(ConfChangeTest, WhatLeadsNowhereIsRefused) {
  const auto refused = [](const ConfState& conf, const ConfChange& change) {
    return NextConfState(conf, change).status().code() == StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(Voters({1}), Change(kAuto, {{ConfChangeType::kRemove, 1}})));
  EXPECT_TRUE(refused(Voters({1}), Change(kAuto, {{ConfChangeType::kAddVoter, kNoNode}})));
  EXPECT_TRUE(refused(Voters({1}), {}));
  ConfState joint = Voters({1});
  joint.voters_outgoing = {1, 2};
  EXPECT_TRUE(refused(joint, Change(kAuto, {{ConfChangeType::kAddVoter, 3}})));
}

TEST(ConfChangeTest, WhateverIsAllowedLeadsToAWellFormedConfiguration) {
  Random random(5);
  ConfState conf = Voters({1, 2, 3});
  for (int round = 0; round < 20000; ++round) {
    ConfChange change;
    change.transition = static_cast<ConfChangeTransition>(random.Below(3));
    for (uint64_t n = random.Below(4); n > 0; --n) {
      change.steps.push_back({static_cast<ConfChangeType>(random.Below(3)), 1 + random.Below(7)});
    }
    auto next = NextConfState(conf, change);
    if (!next.ok()) continue;
    conf = *next;
    ASSERT_TRUE(CheckConfState(conf).ok()) << CheckConfState(conf).ToString();
  }
}

}  // namespace
}  // namespace kiwi::raft
