// Which reads may run when, and how fresh the state is known to be. Time is what the test says.
#include "raft/node/read_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kiwi::raft {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Reader final : public ReadWaiter {
 public:
  void ReadReady(ReadProof) override {}
  void ReadRefused() override {}
};

class ReadQueueTest : public ::testing::Test {
 protected:
  // Who may read once so much is applied.
  std::vector<ReadWaiter*> Ready(LogIndex applied) {
    std::vector<ReadQueue::Ready> ready;
    queue_.TakeReady(applied, &ready);
    std::vector<ReadWaiter*> waiters;
    for (const ReadQueue::Ready& r : ready) {
      waiters.push_back(r.waiter);
      proof_ = r.proof;
    }
    return waiters;
  }

  ReadQueue queue_;
  Reader first_, second_;
  ReadProof proof_ = ReadProof::kLease;
};

TEST_F(ReadQueueTest, AReadWaitsForTheAnswerAndThenForItsIndex) {
  queue_.Add(&first_, 10);
  ASSERT_TRUE(queue_.WantsToAsk());
  queue_.Asked(1, 20);
  queue_.Add(&second_, 30);  // behind the question: its answer says nothing about this one
  queue_.Answered(1, 100);
  EXPECT_THAT(Ready(99), IsEmpty());
  EXPECT_THAT(Ready(100), ElementsAre(&first_));
  EXPECT_EQ(proof_, ReadProof::kQuorum);
  queue_.Asked(2, 40);
  queue_.Answered(2, 100);
  EXPECT_THAT(Ready(100), ElementsAre(&second_));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(ReadQueueTest, TheStateIsAsFreshAsTheQuestionNotAsTheAnswer) {
  EXPECT_EQ(queue_.fresh_ns(), ReadQueue::kNever);
  queue_.Add(&first_, 10);
  queue_.Asked(1, 20);
  EXPECT_THAT(Ready(100), IsEmpty());
  EXPECT_EQ(queue_.fresh_ns(), ReadQueue::kNever) << "asking proves nothing";
  queue_.Answered(1, 100);
  Ready(99);
  EXPECT_EQ(queue_.fresh_ns(), ReadQueue::kNever) << "the answer is not applied";
  Ready(100);
  EXPECT_EQ(queue_.fresh_ns(), 20);
}

TEST_F(ReadQueueTest, AnOlderAnswerThatComesLateTakesNothingBack) {
  queue_.Add(&first_, 10);
  queue_.Asked(1, 10);
  queue_.Add(&second_, 20);
  queue_.Asked(2, 20);
  queue_.Answered(2, 50);
  Ready(50);
  EXPECT_EQ(queue_.fresh_ns(), 20);
  queue_.Answered(1, 40);
  EXPECT_THAT(Ready(50), ElementsAre(&first_));
  EXPECT_EQ(queue_.fresh_ns(), 20);
}

TEST_F(ReadQueueTest, AnUnansweredQuestionProvesNothing) {
  queue_.Add(&first_, 10);
  queue_.Asked(1, 10);
  queue_.Dropped(1);
  queue_.Answered(1, 5);  // of a leader that is none any more
  EXPECT_THAT(Ready(1000), IsEmpty());
  EXPECT_EQ(queue_.fresh_ns(), ReadQueue::kNever);
  EXPECT_TRUE(queue_.WantsToAsk()) << "the read waits for another question";
}

TEST_F(ReadQueueTest, ARefreshIsOneQuestionThatNobodyWaitsFor) {
  EXPECT_FALSE(queue_.WantsToAsk());
  queue_.Refresh();
  ASSERT_TRUE(queue_.WantsToAsk());
  queue_.Asked(1, 70);
  EXPECT_FALSE(queue_.WantsToAsk());
  queue_.Refresh();
  EXPECT_FALSE(queue_.WantsToAsk()) << "the one under way is as good";
  queue_.Answered(1, 100);
  // Nobody waits, and yet it is kept while it is young: the state machine may get there.
  std::vector<ReadWaiter*> late;
  queue_.TakeBehind(60, &late);
  EXPECT_THAT(Ready(100), IsEmpty());
  EXPECT_EQ(queue_.fresh_ns(), 70);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(ReadQueueTest, WhatIsNeverAppliedDoesNotGather) {
  for (uint64_t token = 1; token <= 3; ++token) {
    queue_.Refresh();
    queue_.Asked(token, static_cast<int64_t>(token));
    queue_.Answered(token, 100);
  }
  std::vector<ReadWaiter*> late;
  queue_.TakeBehind(4, &late);
  EXPECT_TRUE(queue_.empty());
  EXPECT_THAT(late, IsEmpty());
}

TEST_F(ReadQueueTest, ALeaseVouchesForTheMomentAtWhichItHeld) {
  queue_.Add(&first_, 10);
  queue_.ConfirmNew(7, 30);
  EXPECT_THAT(Ready(7), ElementsAre(&first_));
  EXPECT_EQ(proof_, ReadProof::kLease);
  EXPECT_EQ(queue_.fresh_ns(), 30);
}

TEST_F(ReadQueueTest, GivingUpIsNoProof) {
  queue_.Add(&first_, 10);
  queue_.Asked(1, 20);
  queue_.Answered(1, 100);
  queue_.Add(&second_, 30);
  std::vector<ReadWaiter*> all;
  queue_.TakeAll(&all);
  EXPECT_THAT(all, ElementsAre(&second_, &first_));
  EXPECT_EQ(queue_.fresh_ns(), ReadQueue::kNever);
  EXPECT_TRUE(queue_.empty());
}

}  // namespace
}  // namespace kiwi::raft
