// The arithmetic of majorities, against a count of all the ways.
#include "raft/core/quorum.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/random.h"

namespace kiwi::raft {
namespace {

// The largest value that more than half of the voters have reached, by trying all.
uint64_t ByCounting(const std::vector<NodeId>& voters, std::map<NodeId, uint64_t> values) {
  uint64_t best = 0;
  for (NodeId candidate : voters) {
    size_t reached = 0;
    for (NodeId id : voters) reached += values[id] >= values[candidate];
    if (2 * reached > voters.size()) best = std::max(best, values[candidate]);
  }
  return best;
}

std::vector<NodeId> Subset(Random* random, size_t of) {
  std::vector<NodeId> nodes;
  for (NodeId id = 1; id <= of; ++id) {
    if (random->OneIn(2)) nodes.push_back(id);
  }
  if (nodes.empty()) nodes.push_back(1);
  return nodes;
}

TEST(QuorumTest, ValuesAgreeWithCounting) {
  Random random(1);
  for (int round = 0; round < 3000; ++round) {
    ConfState conf;
    conf.voters = Subset(&random, round % 10 == 0 ? 40 : 9);
    if (random.OneIn(2)) conf.voters_outgoing = Subset(&random, 9);
    std::map<NodeId, uint64_t> values;
    for (NodeId id = 1; id <= 40; ++id) values[id] = random.Below(8);
    uint64_t expected = ByCounting(conf.voters, values);
    if (IsJoint(conf)) expected = std::min(expected, ByCounting(conf.voters_outgoing, values));
    EXPECT_EQ(QuorumValue(conf, [&](NodeId id) { return values[id]; }), expected);
  }
}

TEST(QuorumTest, VotesAgreeWithCounting) {
  Random random(2);
  const auto count = [](const std::vector<NodeId>& voters, std::map<NodeId, Vote> votes) {
    size_t granted = 0;
    size_t rejected = 0;
    for (NodeId id : voters) {
      granted += votes[id] == Vote::kGranted;
      rejected += votes[id] == Vote::kRejected;
    }
    if (2 * granted > voters.size()) return VoteResult::kWon;
    return 2 * (voters.size() - rejected) > voters.size() ? VoteResult::kPending
                                                          : VoteResult::kLost;
  };
  for (int round = 0; round < 3000; ++round) {
    ConfState conf;
    conf.voters = Subset(&random, 7);
    if (random.OneIn(2)) conf.voters_outgoing = Subset(&random, 7);
    std::map<NodeId, Vote> votes;
    for (NodeId id = 1; id <= 7; ++id) votes[id] = static_cast<Vote>(random.Below(3));
    VoteResult expected = count(conf.voters, votes);
    if (IsJoint(conf)) {
      const VoteResult other = count(conf.voters_outgoing, votes);
      const bool lost = expected == VoteResult::kLost || other == VoteResult::kLost;
      if (expected != other) expected = lost ? VoteResult::kLost : VoteResult::kPending;
    }
    EXPECT_EQ(QuorumVote(conf, [&](NodeId id) { return votes[id]; }), expected);
  }
}

// The reason why a joint configuration is safe: any two sets that decide have a node in common.
TEST(QuorumTest, TwoQuorumsOfAJointConfigurationMeet) {
  ConfState conf;
  conf.voters = {1, 2, 3};
  conf.voters_outgoing = {3, 4, 5, 6};
  const auto decides = [&](unsigned set) {
    return QuorumVote(conf, [set](NodeId id) {
             return (set >> id & 1) != 0 ? Vote::kGranted : Vote::kRejected;
           }) == VoteResult::kWon;
  };
  for (unsigned a = 0; a < 128; a += 2) {
    for (unsigned b = 0; b < 128; b += 2) {
      EXPECT_TRUE((a & b) != 0 || !decides(a) || !decides(b));
    }
  }
}

TEST(QuorumTest, AnAbsentHalfHoldsNobodyUp) {
  EXPECT_EQ(MajorityVote({}, [](NodeId) { return Vote::kRejected; }), VoteResult::kWon);
  EXPECT_EQ(MajorityValue({}, [](NodeId) { return uint64_t{0}; }), ~uint64_t{0});
}

}  // namespace
}  // namespace kiwi::raft
