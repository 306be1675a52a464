// A node whose machine has crashed under unsynced writes (trust.cc), one message at a time. What that is
// good for, the simulator shows.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "unit/raft/core/test_log.h"

namespace kiwi::raft {
namespace {

constexpr Term kTerm = 3;

std::vector<Entry> EntriesOf(Term term, LogIndex from, LogIndex to) {
  std::vector<Entry> entries;
  for (LogIndex i = from; i <= to; ++i) entries.push_back({.term = term, .index = i});
  return entries;
}

// Node 2 of three, whose log ends at 5.
class TrustTest : public ::testing::Test {
 protected:
  TrustTest() : log_({1, 2, 3}) {
    log_.SetHardState({.term = kTerm, .vote = 1, .commit = 2});
    log_.Append(EntriesOf(kTerm, 1, 5));
    CoreOptions options;
    options.id = 2;
    options.distrusted = true;
    node_ = std::move(*RawNode::Create(options, &log_));
    (void)Take();
  }

  // All that it wants to say, with everything persisted.
  std::vector<Message> Take() {
    std::vector<Message> said;
    while (node_->HasReady()) {
      Ready ready = node_->TakeReady();
      node_->Advance(ready.number);
      log_.Persist(ready);
      node_->OnPersisted(ready.number);
      for (auto* list : {&ready.messages, &ready.messages_after_persist}) {
        said.insert(said.end(), list->begin(), list->end());
      }
    }
    return said;
  }
  std::vector<Message> Hear(Message m, NodeId from = 1, Term term = kTerm) {
    m.from = from;
    m.to = 2;
    m.term = term;
    EXPECT_TRUE(node_->Step(std::move(m)).ok());
    return Take();
  }
  static const Message* Find(const std::vector<Message>& said, MessageType type) {
    for (const Message& m : said) {
      if (m.type == type) return &m;
    }
    return nullptr;
  }
  bool Votes() {
    for (int i = 0; i < 30; ++i) node_->Tick();  // no leader holds a lease any more
    (void)Take();
    const auto said =
        Hear({.type = MessageType::kVote, .index = 100, .log_term = 50}, 3, node_->term() + 1);
    const Message* const answer = Find(said, MessageType::kVoteResponse);
    EXPECT_NE(answer, nullptr);
    return answer != nullptr && !answer->reject;
  }
  uint64_t AskedAfterHeartbeat() {
    const auto said = Hear({.type = MessageType::kHeartbeat, .commit = 5});
    const Message* const question = Find(said, MessageType::kLogEnd);
    return question != nullptr ? question->context : 0;
  }

  TestLog log_;
  std::unique_ptr<RawNode> node_;
};

TEST_F(TrustTest, ItNeitherCampaignsNorVotes) {
  for (int i = 0; i < 100; ++i) node_->Tick();
  EXPECT_EQ(node_->role(), Role::kFollower);
  EXPECT_FALSE(node_->Campaign().ok());
  EXPECT_FALSE(Votes());
  node_->Trust();
  EXPECT_TRUE(Votes()) << "an operator has decided";
}

TEST_F(TrustTest, AHeartbeatDoesNotCommitWhatOnlyTheLeaderTakesForAcknowledged) {
  EXPECT_NE(AskedAfterHeartbeat(), 0u);
  EXPECT_EQ(node_->commit_index(), 2u);
}

TEST_F(TrustTest, ItIsTrustedOnceItHasWhatTheLeaderHadWhenAsked) {
  const uint64_t question = AskedAfterHeartbeat();
  (void)Hear({.type = MessageType::kLogEndResponse, .index = 7, .context = question});
  EXPECT_EQ(AskedAfterHeartbeat(), 0u) << "it was told";
  (void)Hear({.type = MessageType::kAppend,
              .index = 5,
              .log_term = kTerm,
              .entries = EntriesOf(kTerm, 6, 6)});
  EXPECT_TRUE(node_->distrusted()) << "one entry short";
  (void)Hear({.type = MessageType::kAppend,
              .index = 6,
              .log_term = kTerm,
              .entries = EntriesOf(kTerm, 7, 7)});
  EXPECT_FALSE(node_->distrusted());
  EXPECT_TRUE(Votes());
}

TEST_F(TrustTest, AnswersToOthersOrFromOthersDoNotCount) {
  const uint64_t question = AskedAfterHeartbeat();
  (void)Hear({.type = MessageType::kLogEndResponse, .index = 1, .context = question + 1});
  (void)Hear({.type = MessageType::kLogEndResponse, .index = 1, .context = question}, 3);
  (void)Hear({.type = MessageType::kAppend, .index = 5, .log_term = kTerm});
  EXPECT_TRUE(node_->distrusted());
}

TEST_F(TrustTest, AnotherLeaderIsAskedAnew) {
  const uint64_t question = AskedAfterHeartbeat();
  (void)Hear({.type = MessageType::kLogEndResponse, .index = 6, .context = question});
  const auto said = Hear({.type = MessageType::kHeartbeat}, 3, kTerm + 1);
  EXPECT_NE(Find(said, MessageType::kLogEnd), nullptr);
  (void)Hear({.type = MessageType::kAppend,
              .index = 5,
              .log_term = kTerm,
              .entries = EntriesOf(kTerm + 1, 6, 6)},
             3, kTerm + 1);
  EXPECT_TRUE(node_->distrusted()) << "where the old leader's log ended says nothing of this one's";
}

TEST(TrustOfALeader, ItSendsAgainWhatWasAcknowledged) {
  TestLog log({1, 2, 3});
  CoreOptions options;
  options.id = 1;
  auto node = std::move(*RawNode::Create(options, &log));
  std::vector<Message> said;
  const auto take = [&] {
    said.clear();
    while (node->HasReady()) {
      Ready ready = node->TakeReady();
      node->Advance(ready.number);
      log.Persist(ready);
      node->OnPersisted(ready.number);
      said.insert(said.end(), ready.messages.begin(), ready.messages.end());
    }
  };
  const auto hear = [&](Message m) {
    m.from = 2;
    m.to = 1;
    m.term = std::max<Term>(m.term, node->term());
    ASSERT_TRUE(node->Step(std::move(m)).ok());
    take();
  };
  ASSERT_TRUE(node->Campaign().ok());
  take();
  hear({.type = MessageType::kPreVoteResponse, .term = 1});
  hear({.type = MessageType::kVoteResponse});
  ASSERT_EQ(node->role(), Role::kLeader);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(node->Propose(nullptr).ok());
  take();
  hear({.type = MessageType::kAppendResponse, .index = 1});
  hear({.type = MessageType::kAppendResponse, .index = 5});
  ASSERT_EQ(node->commit_index(), 5u);

  hear({.type = MessageType::kLogEnd, .index = 2, .context = 77});
  bool answered = false;
  bool sent = false;
  for (const Message& m : said) {
    answered |= m.type == MessageType::kLogEndResponse && m.index == 5 && m.context == 77;
    sent |= m.type == MessageType::kAppend && m.to == 2 && m.index == 2 && m.entries.size() == 3;
  }
  EXPECT_TRUE(answered);
  EXPECT_TRUE(sent);
}

}  // namespace
}  // namespace kiwi::raft
