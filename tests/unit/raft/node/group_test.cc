// Three nodes: what clients of any of them may rely on.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <deque>
#include <thread>

#include "group_fakes.h"

namespace kiwi::raft {
namespace {

TEST(GroupTest, WritesToAnyNodeAreAnsweredThereAndAppliedEverywhereAlike) {
  Group group(3);
  group.WaitForLeader();
  std::vector<std::thread> clients;
  std::atomic<int> applied{0};
  for (NodeId id = 1; id <= 3; ++id) {
    clients.emplace_back([&group, &applied, id] {
      for (int i = 0; i < 200; ++i) {
        Write write(std::to_string(id) + ":" + std::to_string(i));
        Propose(group.node(id), write);
        WaitUntil([&write] { return write.done(); }, "a write is answered");
        applied += write.applied;
        EXPECT_GT(write.times.proposed, 0U) << "composed, or sent to the leader";
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(applied, 600) << "with a steady leader nothing is left unknown";
  WaitUntil(
      [&] {
        for (NodeId id = 1; id <= 3; ++id) {
          if (group.host(id).machine().names().size() < 600) return false;
        }
        return true;
      },
      "all nodes have applied all");
  EXPECT_EQ(group.host(1).machine().names(), group.host(2).machine().names());
  EXPECT_EQ(group.host(1).machine().names(), group.host(3).machine().names());

  uint64_t won = 0;
  uint64_t granted = 0;
  constexpr auto kPreVote = static_cast<size_t>(MessageType::kPreVote);
  for (NodeId id = 1; id <= 3; ++id) {
    const GroupFigures figures = group.node(id).GetFigures();
    EXPECT_LE(figures.elections_won, figures.elections_begun);
    EXPECT_GE(figures.leader_changes, 1U);
    EXPECT_GE(figures.leaderless.count(), 1U) << "it began without a leader";
    EXPECT_EQ(figures.elections_begun == 0, figures.sent[kPreVote] == 0) << "node " << id;
    won += figures.elections_won;
    granted += figures.votes_granted;
  }
  EXPECT_GE(won, 1U);
  EXPECT_GE(granted, 2U) << "a pre-vote and a vote of at least one other";
}

TEST(GroupTest, AReadOnAnyNodeSeesWhatWasAcknowledgedOnAnother) {
  Group group(3);
  group.WaitForLeader();
  for (int i = 0; i < 60; ++i) {
    const NodeId writer = static_cast<NodeId>(i) % 3 + 1;
    const NodeId reader = static_cast<NodeId>(i / 3) % 3 + 1;
    Write write("w" + std::to_string(i));
    Propose(group.node(writer), write);
    WaitUntil([&] { return write.done(); }, "the write is answered");
    ASSERT_TRUE(write.applied);
    if (!group.node(reader).ReadAllowed()) {
      Read read;
      group.node(reader).AwaitRead(&read);
      WaitUntil([&] { return read.ready || read.refused; }, "the read is answered");
      ASSERT_TRUE(read.ready);
    }
    const std::vector<std::string> names = group.host(reader).machine().names();
    ASSERT_EQ(std::count(names.begin(), names.end(), "w" + std::to_string(i)), 1);
  }
}

int64_t Now() { return SystemClock().MonotonicNs(); }

TEST(GroupTest, AFollowerKnowsHowFreshItsStateIsUntilItIsCutOff) {
  constexpr int64_t kMinute = 60'000'000'000;
  Group group(3);
  const NodeId follower = group.Follower(group.WaitForLeader());
  Node& node = group.node(follower);
  EXPECT_FALSE(node.FreshWithin(kMinute)) << "nobody was asked";
  const int64_t before_ns = Now();
  Read read;
  node.AwaitRead(&read);
  WaitUntil([&] { return read.ready.load(); }, "the read is answered");
  const int64_t after_ns = Now();
  EXPECT_TRUE(node.FreshWithin(kMinute));

  // Who asks for a bound that is soon passed has the proof renewed in the background.
  WaitUntil(
      [&] {
        (void)node.FreshWithin((Now() - before_ns) * 3 / 2);
        return node.FreshWithin((Now() - after_ns) / 2);
      },
      "the proof is renewed without a read that waits");

  group.Isolate(follower);
  const int64_t cut_ns = Now();
  WaitUntil(
      [&] {
        (void)node.FreshWithin((Now() - before_ns) * 3 / 2);
        EXPECT_FALSE(node.FreshWithin(Now() - cut_ns)) << "it cannot know of what came since";
        return Now() - cut_ns > 300'000'000;
      },
      "some elections");
  EXPECT_TRUE(node.FreshWithin(kMinute)) << "of what came before it does";
  group.Heal();
  Read late;
  node.AwaitRead(&late);
  WaitUntil([&] { return late.ready.load(); }, "it is answered again");
  EXPECT_TRUE(node.FreshWithin(Now() - cut_ns));
}

TEST(GroupTest, ALeaderOfOldDoesNotVouchForItsState) {
  Group group(3);
  const NodeId old = group.WaitForLeader();
  Read read;
  group.node(old).AwaitRead(&read);
  WaitUntil([&] { return read.ready.load(); }, "the leader answers itself");
  const int64_t read_ns = Now();
  group.Isolate(old);
  Write write("missed");
  Propose(group.node(group.WaitForLeader(old)), write);
  WaitUntil([&] { return write.done(); }, "the majority takes writes");
  ASSERT_TRUE(write.applied);
  const int64_t acknowledged_ns = Now();
  WaitUntil(
      [&] {
        (void)group.node(old).FreshWithin((Now() - read_ns) * 3 / 2);  // it asks, in vain
        EXPECT_FALSE(group.node(old).FreshWithin(Now() - acknowledged_ns));
        return Now() - acknowledged_ns > 200'000'000;
      },
      "some ticks");
}

TEST(GroupTest, AnIsolatedLeaderServesNoReadsAndItsWritesAreUnknown) {
  Group group(3);
  const NodeId old = group.WaitForLeader();
  group.Isolate(old);
  Write lost("lost");
  Propose(group.node(old), lost);
  const NodeId fresh = group.WaitForLeader(old);
  EXPECT_FALSE(group.node(old).ReadAllowed()) << "its lease ended before another could be elected";
  WaitUntil([&] { return lost.done(); }, "the write in flight is given up");
  EXPECT_TRUE(lost.failed);
  EXPECT_EQ(lost.error(), ProposalError::kUnknown);

  Write kept("kept");
  Propose(group.node(fresh), kept);
  WaitUntil([&] { return kept.done(); }, "the majority takes writes");
  EXPECT_TRUE(kept.applied);
  group.Heal();
  WaitUntil(
      [&] {
        const auto names = group.host(old).machine().names();
        return std::count(names.begin(), names.end(), "kept") == 1;
      },
      "the old leader follows");
  const auto names = group.host(old).machine().names();
  EXPECT_EQ(std::count(names.begin(), names.end(), "lost"), 0);
}

TEST(GroupTest, WritesWaitForALeaderAndAreNotRefusedInBetween) {
  Group group(3);
  const NodeId old = group.WaitForLeader();
  const NodeId follower = group.Follower(old);
  group.Isolate(old);
  WaitUntil([&] { return group.node(follower).leader() != old; }, "the leader is missed");
  Write write("patient");
  Propose(group.node(follower), write);
  WaitUntil([&] { return write.done(); }, "the write is answered");
  EXPECT_TRUE(write.applied) << "it was not proposed before there was a leader, so it could wait";
}

TEST(GroupTest, AJoinerTakesNothingBeforeItsSnapshot) {
  Group group(4);
  Message append;
  append.type = MessageType::kAppend;
  append.from = 1;
  append.to = 4;
  append.term = 9;
  append.entries = {{.term = 9, .index = 1}};
  group.node(4).Step(append);
  EXPECT_EQ(group.node(4).GetStatus().last_index, 0u) << "what came before the log is in no entry";
}

TEST(GroupTest, LeadershipIsHandedOverWithoutALostWrite) {
  Group group(3);
  const NodeId old = group.WaitForLeader();
  std::atomic<bool> stop{false};
  std::atomic<int> applied{0};
  std::thread client([&] {
    for (int i = 0; !stop; ++i) {
      Write write(std::to_string(i));
      Propose(group.node(group.Follower(old)), write);
      WaitUntil([&] { return write.done(); }, "a write is answered");
      if (write.applied) ++applied;
    }
  });
  WaitUntil([&] { return applied > 20; }, "writes are under way");
  group.node(old).StepDown(5000);
  EXPECT_FALSE(group.node(old).is_leader());
  group.WaitForLeader(old);
  const int before = applied;
  WaitUntil([&] { return applied > before + 20; }, "writes go on");
  stop = true;
  client.join();
}

// First the leader, then a follower; their loops go before them, and who is left may find no quorum.
TEST(GroupTest, AtANodeThatStopsEachWriteAndEachReadIsAnsweredOnce) {
  for (int round = 0; round < 3; ++round) {
    Group group(3);
    const NodeId leader = group.WaitForLeader();
    const NodeId follower = group.Follower(leader);
    std::array<std::atomic<int>, 2> answered = {};
    std::array<std::atomic<bool>, 2> stopped = {};
    std::vector<std::thread> clients;
    for (size_t c = 0; c < 4; ++c) {
      clients.emplace_back([&, which = c % 2] {
        Node& node = group.node(which == 0 ? leader : follower);
        for (bool last = false; !last;) {
          last = stopped.at(which);
          Write write("w");
          Read read;
          Propose(node, write);
          node.AwaitRead(&read);
          WaitUntil([&] { return write.done() && (read.ready || read.refused); }, "two answers");
          EXPECT_EQ(write.answers, 1);
          EXPECT_EQ(read.answers, 1);
          ++answered.at(which);
        }
      });
    }
    WaitUntil([&] { return answered[0] > 10 && answered[1] > 10; }, "some answers");
    group.host(leader).Stop();
    stopped[0] = true;
    group.host(follower).Stop();
    stopped[1] = true;
    for (std::thread& client : clients) client.join();
  }
}

}  // namespace
}  // namespace kiwi::raft
