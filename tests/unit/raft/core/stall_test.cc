// A node that did not get to run for a while: many ticks at once.
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "unit/raft/core/test_log.h"

namespace kiwi::raft {
namespace {

constexpr int kElectionTicks = 40;
constexpr int kHeartbeatTicks = 4;

// Node 1 of three.
class StallTest : public ::testing::Test {
 protected:
  struct Member {
    Member() : log({1, 2, 3}) {
      CoreOptions options;
      options.id = 1;
      options.random_seed = 5;
      options.election_ticks = kElectionTicks;
      options.heartbeat_ticks = kHeartbeatTicks;
      node = std::move(*RawNode::Create(options, &log));
    }
    void Hear(MessageType type, Term term, NodeId from = 2) {
      Message m;
      m.type = type;
      m.from = from;
      m.to = 1;
      m.term = term;
      EXPECT_TRUE(node->Step(std::move(m)).ok());
      Settle();
    }
    void Settle() {
      while (node->HasReady()) {
        const Ready ready = node->TakeReady();
        node->Advance(ready.number);
        log.Persist(ready);
        node->OnPersisted(ready.number);
      }
    }
    int TicksUntilItCampaigns() {
      int ticks = 0;
      for (; node->role() == Role::kFollower; ++ticks) {
        node->Tick();
        Settle();
      }
      return ticks;
    }
    TestLog log;
    std::unique_ptr<RawNode> node;
  };
};

TEST_F(StallTest, AFollowerJudgesItsLeaderByNoMoreThanAHeartbeatInterval) {
  Member awake;
  awake.Hear(MessageType::kHeartbeat, 1);
  const int patience = awake.TicksUntilItCampaigns();
  EXPECT_GT(patience, kElectionTicks);

  Member stalled;  // drawn alike
  stalled.Hear(MessageType::kHeartbeat, 1);
  stalled.node->Tick(1000);
  EXPECT_EQ(stalled.node->role(), Role::kFollower) << "what its leader sent may lie unread";
  EXPECT_EQ(stalled.TicksUntilItCampaigns(), patience - kHeartbeatTicks);
}

TEST_F(StallTest, ALeaderGivesItsFollowersTimeToAnswerAfterAStallOfItsOwn) {
  Member leader;
  ASSERT_TRUE(leader.node->Campaign().ok());
  leader.Settle();
  leader.Hear(MessageType::kPreVoteResponse, 1);
  leader.Hear(MessageType::kVoteResponse, 1);
  ASSERT_EQ(leader.node->role(), Role::kLeader);
  for (int stalls = 0; stalls < 5; ++stalls) leader.node->Tick(1000);
  EXPECT_EQ(leader.node->role(), Role::kLeader);
  EXPECT_FALSE(leader.node->LeaseReadAllowed()) << "all of that time has passed";
  for (int i = 0; i < 2 * kElectionTicks; ++i) leader.node->Tick();
  EXPECT_EQ(leader.node->role(), Role::kFollower) << "nobody has answered since";
}

}  // namespace
}  // namespace kiwi::raft
