// What a node makes of stored state that is wrong, and of a log that fails while it runs.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "raft/core/raw_node.h"
#include "unit/raft/core/test_log.h"

namespace kiwi::raft {
namespace {

// A log whose answers can be bent.
class BentLog final : public LogReader {
 public:
  explicit BentLog(std::vector<NodeId> voters) : log(std::move(voters)) {}

  Result<InitialState> GetInitialState() const override {
    if (!state_fails.ok()) return state_fails;
    return log.GetInitialState();
  }
  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const override {
    if (!entries_fail.ok()) return entries_fail;
    if (loses_entries) return std::vector<Entry>();
    return log.Entries(lo, hi, max_bytes);
  }
  Result<Term> TermAt(LogIndex index) const override {
    if (!term_fails.ok()) return term_fails;
    return log.TermAt(index);
  }
  LogIndex FirstIndex() const override { return first.value_or(log.FirstIndex()); }
  LogIndex LastIndex() const override { return log.LastIndex(); }
  Result<SnapshotMeta> GetSnapshot() const override {
    if (!snapshot_fails.ok()) return snapshot_fails;
    return snapshot ? *snapshot : log.GetSnapshot();
  }

  TestLog log;
  std::optional<LogIndex> first;
  std::optional<SnapshotMeta> snapshot;
  Status state_fails;
  Status entries_fail;
  Status term_fails;
  Status snapshot_fails;
  bool loses_entries = false;
};

Payload Bytes(std::string s) { return std::make_shared<const std::string>(std::move(s)); }

Entry At(LogIndex index, Term term, std::string text = "x") {
  return {.term = term, .index = index, .data = Bytes(std::move(text))};
}

Entry ChangeAt(LogIndex index, std::string bytes) {
  return {
      .term = 1, .index = index, .type = EntryType::kConfChange, .data = Bytes(std::move(bytes))};
}

class LoadTest : public testing::Test {
 protected:
  StatusCode Load(LogIndex applied = 0) {
    CoreOptions options;
    options.id = 1;
    options.applied = applied;
    return RawNode::Create(options, &log_).status().code();
  }
  void Given(const std::vector<Entry>& entries, LogIndex commit = 0) {
    log_.log.Append(entries);
    log_.log.SetHardState({.term = 1, .vote = kNoNode, .commit = commit});
  }

  BentLog log_{{1, 2, 3}};
};

TEST_F(LoadTest, OptionsOutOfRangeAreRefused) {
  const auto refused = [this](auto&& change) {
    CoreOptions options;
    options.id = 1;
    change(&options);
    return RawNode::Create(options, &log_).status().code() == StatusCode::kConfig;
  };
  EXPECT_FALSE(refused([](CoreOptions*) {}));
  EXPECT_TRUE(refused([](CoreOptions* o) { o->id = kNoNode; }));
  EXPECT_TRUE(refused([](CoreOptions* o) { o->heartbeat_ticks = 0; }));
  EXPECT_TRUE(refused([](CoreOptions* o) { o->election_ticks = 2 * o->heartbeat_ticks - 1; }));
  EXPECT_TRUE(refused([](CoreOptions* o) { o->lease_margin_ticks = -1; }));
  EXPECT_TRUE(refused([](CoreOptions* o) { o->lease_margin_ticks = o->election_ticks; }));
  EXPECT_TRUE(refused([](CoreOptions* o) { o->max_inflight_messages = 0; }));
}

TEST_F(LoadTest, AStateThatCannotBeReadIsNoState) {
  log_.state_fails = Status(StatusCode::kIo, "bad sector");
  EXPECT_EQ(Load(), StatusCode::kIo);
}

// With term 0 for its last entry this node would vote for anybody.
TEST_F(LoadTest, ALogWhoseLastTermCannotBeReadIsRefused) {
  Given({At(1, 1)});
  log_.term_fails = Status(StatusCode::kIo, "bad sector");
  EXPECT_EQ(Load(), StatusCode::kIo);
}

TEST_F(LoadTest, ASnapshotThatCannotBeReadIsRefusedButOneBeingMadeIsNone) {
  log_.snapshot_fails = Status(StatusCode::kIo, "bad sector");
  EXPECT_EQ(Load(), StatusCode::kIo);
  log_.snapshot_fails = Status(StatusCode::kSnapshotTemporarilyUnavailable, "being made");
  EXPECT_EQ(Load(), StatusCode::kOk);
}

TEST_F(LoadTest, BoundsThatContradictEachOtherAreRefused) {
  Given({At(1, 1), At(2, 1)});
  ASSERT_EQ(Load(), StatusCode::kOk);
  log_.first = 4;
  EXPECT_EQ(Load(), StatusCode::kCorruption) << "the log begins after its end";
  log_.first = 2;
  EXPECT_EQ(Load(), StatusCode::kCorruption) << "the log begins after what is applied";
  EXPECT_EQ(Load(1), StatusCode::kOk);
  log_.first.reset();
  EXPECT_EQ(Load(3), StatusCode::kCorruption) << "more is applied than there is";
  log_.snapshot = SnapshotMeta{3, 1, {{1}, {}, {}, {}, false, 0}};
  EXPECT_EQ(Load(), StatusCode::kCorruption) << "the snapshot is ahead of the log";
}

TEST_F(LoadTest, ALogOfALaterTermThanTheNodeIsRefused) {
  log_.log.Append({At(1, 5)});
  log_.log.SetHardState({.term = 4, .vote = kNoNode, .commit = 0});
  EXPECT_EQ(Load(), StatusCode::kCorruption);
}

TEST_F(LoadTest, AnImpossibleMembershipIsRefused) {
  log_.log.SetConfState({{3, 1}, {}, {}, {}, false, 0});
  EXPECT_EQ(Load(), StatusCode::kInvalidArgument);
}

TEST_F(LoadTest, EntriesThatAreMissingOrCannotBeReadAreNoticed) {
  Given({At(1, 1), At(2, 1)});
  log_.loses_entries = true;
  EXPECT_EQ(Load(), StatusCode::kCorruption);
  log_.entries_fail = Status(StatusCode::kIo, "bad sector");
  EXPECT_EQ(Load(), StatusCode::kIo);
}

TEST_F(LoadTest, AnAppliedChangeThatDoesNotDecodeOrLeadsNowhereIsNoticed) {
  Given({ChangeAt(1, "nonsense")}, 1);
  EXPECT_EQ(Load(0), StatusCode::kOk) << "not applied yet: that is the host's affair";
  EXPECT_NE(Load(1), StatusCode::kOk);
  log_.log = TestLog({1, 2, 3});
  Given({ChangeAt(1, EncodeConfChange(ConfChange{}))}, 1);
  EXPECT_EQ(Load(1), StatusCode::kInvalidArgument) << "there is no joint configuration to leave";
}

// A node whose log fails while it runs says so and hands out nothing more.
class FailingLogTest : public testing::Test {
 protected:
  void Start(CoreOptions options) {
    node_ = std::move(*RawNode::Create(options, &log_));
    for (int i = 0; i < 11; ++i) node_->Tick();  // a promise from before a restart ends
  }
  Ready Next() {
    Ready ready = node_->TakeReady();
    node_->Advance(ready.number);
    log_.log.Persist(ready);
    node_->OnPersisted(ready.number);
    return ready;
  }
  void Drain() {
    while (node_->HasReady()) (void)Next();
  }
  void Answer(MessageType type, NodeId from, LogIndex index, uint64_t context = 0) {
    Message m;
    m.type = type;
    m.from = from;
    m.to = 1;
    m.term = node_->term();
    m.index = index;
    m.context = context;
    ASSERT_TRUE(node_->Step(std::move(m)).ok());
  }
  // Leader of nodes 1 and 2 with entries that have left its memory; node 2 lacks them.
  void LeadWithStoredEntries() {
    log_.log.Append({At(1, 1), At(2, 1), At(3, 1)});
    log_.log.SetHardState({.term = 1, .vote = kNoNode, .commit = 3});
    CoreOptions options;
    options.id = 1;
    options.pre_vote = false;
    options.applied = 3;
    Start(options);
    ASSERT_TRUE(node_->Campaign().ok());
    Drain();
    Answer(MessageType::kVoteResponse, 2, 0);
    Drain();
    ASSERT_EQ(node_->role(), Role::kLeader);
  }
  void RejectFromTheBeginning() {
    Message m;
    m.type = MessageType::kAppendResponse;
    m.from = 2;
    m.to = 1;
    m.term = node_->term();
    m.index = 3;
    m.reject = true;
    ASSERT_TRUE(node_->Step(std::move(m)).ok());
  }

  BentLog log_{{1, 2}};
  std::unique_ptr<RawNode> node_;
};

TEST_F(FailingLogTest, CommittedEntriesThatCannotBeReadStopTheApplication) {
  log_.log.SetConfState({{1}, {}, {}, {}, false, 0});
  log_.log.Append({At(1, 1), At(2, 1)});
  log_.log.SetHardState({.term = 1, .vote = 1, .commit = 2});
  CoreOptions options;
  options.id = 1;
  node_ = std::move(*RawNode::Create(options, &log_));
  log_.entries_fail = Status(StatusCode::kIo, "bad sector");
  EXPECT_TRUE(Next().committed_entries.empty());
  EXPECT_EQ(node_->error().code(), StatusCode::kIo);
  log_.entries_fail = Status::Ok();
  EXPECT_FALSE(node_->HasReady()) << "the first failure is final";
}

TEST_F(FailingLogTest, EntriesForAFollowerThatCannotBeReadAreAnError) {
  LeadWithStoredEntries();
  log_.entries_fail = Status(StatusCode::kIo, "bad sector");
  RejectFromTheBeginning();
  EXPECT_TRUE(Next().messages.empty());
  EXPECT_EQ(node_->error().code(), StatusCode::kIo);
}

// The host compacts while the core reads: the follower gets the snapshot.
TEST_F(FailingLogTest, EntriesCompactedInTheMeantimeBecomeASnapshot) {
  LeadWithStoredEntries();
  log_.entries_fail = Status(StatusCode::kCompacted, "compacted");
  log_.snapshot = SnapshotMeta{3, 1, {{1, 2}, {}, {}, {}, false, 0}};
  RejectFromTheBeginning();
  const Ready ready = Next();
  ASSERT_EQ(ready.messages.size(), 1u);
  EXPECT_EQ(ready.messages[0].type, MessageType::kSnapshot);
  EXPECT_TRUE(node_->error().ok());
}

// Entries leave memory when they are durable and committed; the storage has them.
TEST_F(FailingLogTest, WhatLeftTheMemoryIsReadBack) {
  log_.log.SetConfState({{1}, {}, {}, {}, false, 0});
  CoreOptions options;
  options.id = 1;
  options.max_tail_entries = 2;
  options.max_committed_bytes = 1;
  Start(options);
  ASSERT_TRUE(node_->Campaign().ok());
  Drain();
  for (const char* text : {"a", "b", "c", "d", "e"}) {
    ASSERT_TRUE(node_->Propose(Bytes(text)).ok());
  }
  std::string applied;
  (void)Next();
  node_->OnApplied(1);
  while (node_->HasReady()) {
    const Ready ready = Next();
    EXPECT_LE(ready.committed_entries.size(), 1u);
    for (const Entry& e : ready.committed_entries) {
      applied += e.bytes();
      node_->OnApplied(e.index);
    }
  }
  EXPECT_EQ(applied, "abcde");
  EXPECT_TRUE(node_->error().ok());
}

TEST_F(FailingLogTest, ReadsBeyondTheirBoundAreRefused) {
  LeadWithStoredEntries();
  size_t taken = 0;
  while (node_->ReadIndex().ok()) ++taken;
  EXPECT_EQ(node_->ReadIndex().status().code(), StatusCode::kBusy);
  EXPECT_EQ(taken, 65536u);
  Answer(MessageType::kReadIndex, 2, 0, 7);  // one more, from a follower: dropped
  Message later;
  later.type = MessageType::kHeartbeat;
  later.from = 2;
  later.to = 1;
  later.term = node_->term() + 1;
  ASSERT_TRUE(node_->Step(later).ok());
  EXPECT_EQ(node_->TakeReady().read_tokens_dropped.size(), taken) << "none is forgotten";
}

}  // namespace
}  // namespace kiwi::raft
