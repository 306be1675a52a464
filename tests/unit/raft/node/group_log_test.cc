// The logs of a group: how long they keep entries, and disks that are full or slow.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <thread>

#include "group_fakes.h"

namespace kiwi::raft {
namespace {

TEST(GroupLogTest, TheLogKeepsWhatAJoinerNeedsBehindItsSnapshotAndNoLonger) {
  Group group(3);
  const NodeId leader = group.WaitForLeader();
  for (int i = 0; i < 20; ++i) {
    Write write(std::to_string(i));
    Propose(group.node(leader), write);
    WaitUntil([&] { return write.applied.load(); }, "a write");
  }
  group.host(leader).wanted_log_end = 7;
  ASSERT_TRUE(group.node(leader).WaitCheckpoint().ok());
  const auto first_index = [&] { return group.node(leader).GetStatus().first_index; };
  WaitUntil([&] { return first_index() == 8; }, "no more than that is compacted");
  ASSERT_TRUE(group.node(leader).WaitCheckpoint().ok());
  EXPECT_EQ(first_index(), 8u);

  // It has joined. Nothing was written since, and yet the next checkpoint drops what was kept for it.
  group.host(leader).wanted_log_end = kNoLimit;
  WaitUntil(
      [&] {
        EXPECT_TRUE(group.node(leader).WaitCheckpoint().ok());
        return first_index() > 20;
      },
      "all of it is compacted");
}

TEST(GroupLogTest, ALeaderWithAFullDiskGoesOnTryingToHandOver) {
  Group group(3);
  const NodeId leader = group.WaitForLeader();
  Host& host = group.host(leader);
  host.loses_handovers = true;
  host.log().full = true;
  Write caught("caught");
  Propose(group.node(leader), caught);
  WaitUntil([&] { return caught.failed.load(); }, "the write in flight is answered");
  EXPECT_EQ(caught.error(), ProposalError::kUnknown);
  // The one attempt that the failure itself makes sends two at most.
  WaitUntil([&] { return host.lost_handovers >= 5; }, "it tries again and again");
  EXPECT_TRUE(group.node(leader).is_leader());
  host.loses_handovers = false;
  const NodeId next = group.WaitForLeader(leader);
  Write after("after");
  Propose(group.node(next), after);
  WaitUntil([&] { return after.applied.load(); }, "a write elsewhere");

  host.log().full = false;
  WaitUntil([&] { return host.machine().names() == group.host(next).machine().names(); },
            "the old leader has all");
}

// Its thread may be a net loop's: with a disk that became slow, its other clients would wait for ever.
TEST(GroupLogTest, AProposerIsNotKeptWritingWhatTheLeaderSends) {
  constexpr int kMost = 50;
  const std::thread::id proposer = std::this_thread::get_id();
  int in_a_row = 0;  // the proposer's alone
  std::function<void()> bring_more;
  Group group(3, [&](NodeId) {
    if (std::this_thread::get_id() == proposer && ++in_a_row < kMost) bring_more();
  });
  const NodeId leader = group.WaitForLeader();
  const NodeId follower = group.Follower(leader);
  std::deque<Write> brought;
  bring_more = [&] {
    const LogIndex last = group.node(follower).GetStatus().last_index;
    Write& write = brought.emplace_back("brought");
    group.node(leader).Propose(&write);
    // On another thread: the leader's log is written by who kicks it.
    std::thread([&] { group.node(leader).Kick(false); }).join();
    WaitUntil([&] { return group.node(follower).GetStatus().last_index > last; },
              "the follower has one more to write");
  };

  std::atomic<bool> stop{false};
  std::thread client([&] {
    while (!stop) {
      Write write("steady");
      Propose(group.node(leader), write);
      WaitUntil([&write] { return write.done(); }, "a write is answered");
    }
  });
  std::deque<Write> writes;
  WaitUntil(
      [&] {
        Propose(group.node(follower), writes.emplace_back("own"));
        return in_a_row > 0;
      },
      "a proposer finds the log free and something to write");
  EXPECT_LE(in_a_row, 4) << "the rest is the log thread's";
  stop = true;
  client.join();
  WaitUntil([&] { return writes.back().done(); }, "the proposer is answered");
}

}  // namespace
}  // namespace kiwi::raft
