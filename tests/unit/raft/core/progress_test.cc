// What a leader knows of one follower.
#include "raft/core/progress.h"

#include <gtest/gtest.h>

namespace kiwi::raft {
namespace {

TEST(ProgressTest, EachStateHasItsOwnPace) {
  Progress pr(2, 5, 2, 100);
  EXPECT_STREQ(ProgressStateName(pr.state), "probe");
  EXPECT_FALSE(pr.Paused());
  pr.OnSend(6, 10);
  EXPECT_TRUE(pr.Paused()) << "one probe at a time";
  EXPECT_EQ(pr.next, 5u) << "a probe moves nothing";

  ASSERT_TRUE(pr.OnAck(6));
  pr.BecomeReplicate();
  EXPECT_STREQ(ProgressStateName(pr.state), "replicate");
  pr.OnSend(7, 10);
  EXPECT_FALSE(pr.Paused());
  pr.OnSend(8, 10);
  EXPECT_TRUE(pr.Paused()) << "the window is full";
  EXPECT_EQ(pr.inflights.bytes(), 20u);
  pr.inflights.FreeUpTo(7);
  EXPECT_FALSE(pr.Paused());

  pr.BecomeSnapshot(20);
  EXPECT_STREQ(ProgressStateName(pr.state), "snapshot");
  EXPECT_TRUE(pr.Paused());
  EXPECT_EQ(pr.inflights.count(), 0u);
  EXPECT_FALSE(pr.OnReject(6, 0)) << "an old probe's answer";
  pr.BecomeProbe();
  EXPECT_EQ(pr.next, 21u);
}

TEST(ProgressTest, NextNeverFallsToMatch) {
  Progress pr(2, 10, 2, 100);
  ASSERT_TRUE(pr.OnAck(7));
  EXPECT_FALSE(pr.OnAck(7));
  EXPECT_FALSE(pr.OnAck(6));
  EXPECT_FALSE(pr.OnReject(5, 3)) << "not the last probe";
  ASSERT_TRUE(pr.OnReject(9, 2));
  EXPECT_EQ(pr.next, 8u);
  pr.BecomeReplicate();
  EXPECT_FALSE(pr.OnReject(7, 2));
  EXPECT_EQ(pr.state, ProgressState::kReplicate);
}

}  // namespace
}  // namespace kiwi::raft
