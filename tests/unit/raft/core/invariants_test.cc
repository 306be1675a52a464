// The checkers of the simulator notice what they are for.
#include "raft/core/invariants.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "raft/core/raw_node.h"
#include "unit/raft/core/test_log.h"

namespace kiwi::raft {
namespace {

Entry At(LogIndex index, Term term, std::string text) {
  return {
      .term = term, .index = index, .data = std::make_shared<const std::string>(std::move(text))};
}

// A group of one that leads term `term`, with what `log` holds.
struct Leader {
  Leader(NodeId id, Term term, const std::vector<Entry>& entries) : log({id}) {
    if (!entries.empty()) log.Append(entries);
    log.SetHardState({.term = term - 1, .vote = id, .commit = 0});
    CoreOptions options;
    options.id = id;
    node = std::move(*RawNode::Create(options, &log));
    EXPECT_TRUE(node->Campaign().ok());
    const Ready ready = node->TakeReady();
    node->Advance(ready.number);
    log.Persist(ready);
    node->OnPersisted(ready.number);
    EXPECT_EQ(node->role(), Role::kLeader);
    EXPECT_EQ(node->term(), term);
  }
  TestLog log;
  std::unique_ptr<RawNode> node;
};

bool Says(const std::string& violation, const std::string& what) {
  return violation.starts_with(what);
}

TEST(ClusterInvariantsTest, TwoLeadersOfOneTermAreNoticed) {
  ClusterInvariants cluster;
  const Leader one(1, 2, {});
  const Leader two(2, 2, {});
  EXPECT_EQ(cluster.OnLeader(one.node->core()), "");
  EXPECT_EQ(cluster.OnLeader(one.node->core()), "") << "it still leads";
  EXPECT_TRUE(Says(cluster.OnLeader(two.node->core()), "election safety"));
}

TEST(ClusterInvariantsTest, ALeaderWithoutACommittedEntryIsNoticed) {
  ClusterInvariants cluster;
  const Entry committed = At(1, 1, "a");
  ASSERT_EQ(cluster.OnApplied(9, 2, committed, 0), "");
  EXPECT_EQ(cluster.CommittedIndex(), 1u);
  const Leader whole(1, 3, {committed});
  EXPECT_EQ(cluster.OnLeader(whole.node->core()), "");
  const Leader other(2, 4, {At(1, 2, "b")});
  EXPECT_TRUE(Says(cluster.OnLeader(other.node->core()), "leader completeness"));
  // Who led before it was committed owes nothing.
  const Leader earlier(3, 2, {});
  EXPECT_EQ(cluster.OnLeader(earlier.node->core()), "");
}

TEST(ClusterInvariantsTest, AnEntryMadeTwiceIsNoticed) {
  ClusterInvariants cluster;
  EXPECT_EQ(cluster.OnAppended(At(2, 3, "a"), 1), "");
  EXPECT_EQ(cluster.OnAppended(At(2, 3, "a"), 1), "") << "in another log";
  EXPECT_EQ(cluster.OnAppended(At(2, 4, "b"), 1), "") << "of another term";
  EXPECT_TRUE(Says(cluster.OnAppended(At(2, 3, "b"), 1), "log matching"));
  EXPECT_TRUE(Says(cluster.OnAppended(At(2, 3, "a"), 2), "log matching"));
}

TEST(ClusterInvariantsTest, ApplicationsOutOfOrderOrOfAnotherEntryAreNoticed) {
  ClusterInvariants cluster;
  ASSERT_EQ(cluster.OnApplied(1, 1, At(1, 1, "a"), 0), "");
  EXPECT_EQ(cluster.OnApplied(2, 1, At(1, 1, "a"), 0), "");
  EXPECT_TRUE(Says(cluster.OnApplied(1, 1, At(3, 1, "c"), 1), "application in order"));
  EXPECT_TRUE(Says(cluster.OnApplied(3, 1, At(1, 1, "b"), 0), "state-machine safety"));
  EXPECT_TRUE(Says(cluster.OnApplied(3, 2, At(1, 2, "a"), 0), "state-machine safety"));
  EXPECT_TRUE(Says(cluster.OnApplied(3, 2, At(4, 2, "a"), 3), "state-machine safety"))
      << "nobody applied what stands before";
}

// A log that shrinks behind the core's back.
class ShrinkingLog final : public LogReader {
 public:
  Result<InitialState> GetInitialState() const override {
    InitialState state;
    state.conf_state.voters = {1, 2, 3};
    return state;
  }
  Result<std::vector<Entry>> Entries(LogIndex, LogIndex, uint64_t) const override {
    return std::vector<Entry>();
  }
  Result<Term> TermAt(LogIndex) const override { return Term{0}; }
  LogIndex FirstIndex() const override { return first; }
  LogIndex LastIndex() const override { return 0; }
  Result<SnapshotMeta> GetSnapshot() const override { return SnapshotMeta{}; }

  LogIndex first = 1;
};

TEST(NodeInvariantsTest, AViolationGoesToTheHandlerElseItEndsTheProcess) {
  ShrinkingLog log;
  CoreOptions options;
  options.id = 1;
  auto node = std::move(*RawNode::Create(options, &log));
  NodeInvariants::Check(node->core());
  log.first = 5;
  NodeInvariants::SetHandler([](const char* violated) { throw std::runtime_error(violated); });
  EXPECT_THROW(NodeInvariants::Check(node->core()), std::runtime_error);
  NodeInvariants::SetHandler(nullptr);
  EXPECT_DEATH(NodeInvariants::Check(node->core()), "first index <= last index");
}

}  // namespace
}  // namespace kiwi::raft
