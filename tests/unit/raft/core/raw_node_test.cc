// The contract of RawNode with its host: Readys, numbered persistence, and what waits for it.
#include "raft/core/raw_node.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "unit/raft/core/test_log.h"

namespace kiwi::raft {
namespace {

Payload Bytes(std::string s) { return std::make_shared<const std::string>(std::move(s)); }

ConfChange One(ConfChangeType type, NodeId node) {
  ConfChange change;
  change.steps.push_back({type, node});
  return change;
}

std::unique_ptr<RawNode> Start(NodeId id, const TestLog* log, LogIndex applied = 0) {
  CoreOptions options;
  options.id = id;
  options.applied = applied;
  auto node = RawNode::Create(options, log);
  EXPECT_TRUE(node.ok()) << node.status().ToString();
  return std::move(*node);
}

Ready Next(RawNode* node) {
  EXPECT_TRUE(node->HasReady());
  Ready ready = node->TakeReady();
  node->Advance(ready.number);
  return ready;
}

void Persist(RawNode* node, TestLog* log, const Ready& ready) {
  log->Persist(ready);
  node->OnPersisted(ready.number);
}

// Until nothing is left to do: persists all, applies all.
void Settle(RawNode* node, TestLog* log) {
  while (node->HasReady()) {
    Ready ready = Next(node);
    Persist(node, log, ready);
    for (const Entry& e : ready.committed_entries) {
      if (e.type == EntryType::kConfChange) {
        ASSERT_TRUE(node->ApplyConfChange(*DecodeConfChange(e.bytes())).ok());
      }
      node->OnApplied(e.index);
    }
  }
}

TEST(RawNodeTest, AGroupOfOneLeadsOnlyAfterItsVoteIsDurable) {
  TestLog log({1});
  auto node = Start(1, &log);
  ASSERT_TRUE(node->Campaign().ok());
  EXPECT_EQ(node->role(), Role::kCandidate);
  const Ready vote = Next(node.get());
  ASSERT_TRUE(vote.hard_state);
  EXPECT_EQ(vote.hard_state->term, 1u);
  EXPECT_EQ(vote.hard_state->vote, 1u);
  EXPECT_EQ(node->role(), Role::kCandidate);
  Persist(node.get(), &log, vote);
  EXPECT_EQ(node->role(), Role::kLeader);
  EXPECT_EQ(node->leader(), node->id());
}

TEST(RawNodeTest, AGroupOfOneCommitsOnlyWhatIsDurable) {
  TestLog log({1});
  auto node = Start(1, &log);
  ASSERT_TRUE(node->Campaign().ok());
  Settle(node.get(), &log);
  EXPECT_EQ(node->commit_index(), 1u);  // the entry that opens the term
  EXPECT_TRUE(node->LeaseReadAllowed());

  auto at = node->Propose(Bytes("x"));
  ASSERT_TRUE(at.ok());
  EXPECT_EQ(at->index, 2u);
  const Ready append = Next(node.get());
  ASSERT_EQ(append.entries.size(), 1u);
  EXPECT_TRUE(append.committed_entries.empty());
  EXPECT_EQ(node->commit_index(), 1u);
  EXPECT_FALSE(node->HasReady());
  Persist(node.get(), &log, append);
  EXPECT_EQ(node->commit_index(), 2u);
  const Ready apply = Next(node.get());
  ASSERT_EQ(apply.committed_entries.size(), 1u);
  EXPECT_EQ(apply.committed_entries[0].bytes(), "x");
  EXPECT_FALSE(apply.hard_state) << "a commit index alone is not worth a write";
  node->OnApplied(2);
  EXPECT_FALSE(node->HasReady());
}

TEST(RawNodeTest, SeveralReadysMayBeUnderWayAtOnce) {
  TestLog log({1});
  auto node = Start(1, &log);
  ASSERT_TRUE(node->Campaign().ok());
  Settle(node.get(), &log);
  ASSERT_TRUE(node->Propose(Bytes("a")).ok());
  const Ready first = Next(node.get());
  ASSERT_TRUE(node->Propose(Bytes("b")).ok());
  const Ready second = Next(node.get());
  ASSERT_EQ(second.entries.size(), 1u);
  EXPECT_EQ(second.entries[0].bytes(), "b");
  log.Persist(first);
  log.Persist(second);
  node->OnPersisted(second.number);  // one answer for both
  EXPECT_EQ(node->commit_index(), 3u);
  node->OnPersisted(first.number);  // late, repeated: harmless
  EXPECT_EQ(Next(node.get()).committed_entries.size(), 2u);
}

TEST(RawNodeTest, ARestartedNodeHandsOutWhatIsNotApplied) {
  TestLog log({1});
  {
    auto node = Start(1, &log);
    ASSERT_TRUE(node->Campaign().ok());
    Settle(node.get(), &log);
    ASSERT_TRUE(node->Propose(Bytes("a")).ok());
    ASSERT_TRUE(node->Propose(Bytes("b")).ok());
    Settle(node.get(), &log);
  }
  auto node = Start(1, &log, 2);
  ASSERT_TRUE(node->Campaign().ok());
  EXPECT_EQ(node->term(), 2u);
  std::vector<std::string> applied;
  while (node->HasReady()) {
    const Ready ready = Next(node.get());
    Persist(node.get(), &log, ready);
    for (const Entry& e : ready.committed_entries) {
      applied.emplace_back(e.bytes());
      node->OnApplied(e.index);
    }
  }
  EXPECT_EQ(applied, (std::vector<std::string>{"b", ""}));
}

TEST(RawNodeTest, StoredStateThatContradictsItselfIsRefused) {
  TestLog log({1});
  log.SetHardState({.term = 1, .vote = 1, .commit = 5});
  CoreOptions options;
  options.id = 1;
  EXPECT_EQ(RawNode::Create(options, &log).status().code(), StatusCode::kCorruption);
  log.SetHardState({});
  options.applied = 3;
  EXPECT_EQ(RawNode::Create(options, &log).status().code(), StatusCode::kCorruption);
  options.applied = 0;
  options.id = 0;
  EXPECT_EQ(RawNode::Create(options, &log).status().code(), StatusCode::kConfig);
}

TEST(RawNodeTest, AProposalBeyondTheUncommittedBytesIsRefusedAndNothingIsAppended) {
  TestLog log({1});
  CoreOptions options;
  options.id = 1;
  options.max_uncommitted_bytes = 10;
  auto node = std::move(*RawNode::Create(options, &log));
  ASSERT_TRUE(node->Campaign().ok());
  Settle(node.get(), &log);
  ASSERT_TRUE(node->Propose(Bytes(std::string(100, 'x'))).ok()) << "one of any size passes";
  EXPECT_EQ(node->Propose(Bytes("y")).status().code(), StatusCode::kBusy);
  EXPECT_EQ(node->last_index(), 2u);
  Settle(node.get(), &log);
  EXPECT_TRUE(node->Propose(Bytes("y")).ok());
}

TEST(RawNodeTest, MembershipChangesApplyOneAtATime) {
  TestLog log({1});
  auto node = Start(1, &log);
  ASSERT_TRUE(node->Campaign().ok());
  Settle(node.get(), &log);
  const ConfChange learner = One(ConfChangeType::kAddLearner, 2);
  ASSERT_TRUE(node->ProposeConfChange(learner).ok());
  EXPECT_EQ(node->ProposeConfChange(learner).status().code(), StatusCode::kBusy);
  Settle(node.get(), &log);
  EXPECT_EQ(node->conf_state().learners, (std::vector<NodeId>{2}));
  EXPECT_EQ(node->conf_state().index, 2u);
  EXPECT_EQ(node->ProposeConfChange(One(ConfChangeType::kRemove, 1)).status().code(),
            StatusCode::kInvalidArgument)
      << "the last voter stays";
}

TEST(RawNodeTest, AReplayedMembershipChangeIsNotAppliedTwice) {
  TestLog log({1});
  ConfState conf;
  {
    auto node = Start(1, &log);
    ASSERT_TRUE(node->Campaign().ok());
    Settle(node.get(), &log);
    ASSERT_TRUE(node->ProposeConfChange(One(ConfChangeType::kAddLearner, 2)).ok());
    Settle(node.get(), &log);
    ASSERT_TRUE(node->ProposeConfChange(One(ConfChangeType::kRemove, 2)).ok());
    Settle(node.get(), &log);
    conf = node->conf_state();
  }
  log.SetConfState(conf);
  auto node = Start(1, &log, 0);  // the state machine lost everything
  EXPECT_EQ(node->Campaign().code(), StatusCode::kBusy)
      << "as far as it knows another leader made the last change, and has a lease";
  for (int i = 0; i < 11; ++i) node->Tick();
  ASSERT_TRUE(node->Campaign().ok());
  Settle(node.get(), &log);
  EXPECT_EQ(node->conf_state(), conf);
  EXPECT_EQ(node->applied_index(), node->last_index());
}

TEST(RawNodeTest, AMembershipThatWasNotStoredIsMadeUpForFromTheLog) {
  TestLog log({1});
  ConfState conf;
  LogIndex applied = 0;
  {
    auto node = Start(1, &log);
    ASSERT_TRUE(node->Campaign().ok());
    Settle(node.get(), &log);
    ASSERT_TRUE(node->ProposeConfChange(One(ConfChangeType::kAddLearner, 2)).ok());
    Settle(node.get(), &log);
    conf = node->conf_state();
    applied = node->applied_index();
  }
  auto node = Start(1, &log, applied);
  EXPECT_EQ(node->conf_state(), conf);
}

}  // namespace
}  // namespace kiwi::raft
