// The node on real threads, over a log whose disk the test holds in its hand.
#include "raft/node/node.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/ticks.h"
#include "raft/node/entry_codec.h"
#include "raft/storage/memory_storage.h"

namespace kiwi::raft {
namespace {

template <typename Condition>
void WaitUntil(Condition condition, const char* what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited in vain for: " << what;
    std::this_thread::yield();
  }
}

// A memory log whose synced writes can be held up, or made to fail.
class HeldStorage final : public Storage {
 public:
  HeldStorage() {
    ConfState alone;
    alone.voters = {1};
    EXPECT_TRUE(memory_.SetConfState(alone).ok());
  }

  Status Write(const LogBatch& batch) override {
    MutexLock lock(mu_);
    ++waiting_;
    while (held_) changed_.Wait(mu_);
    --waiting_;
    if (failing_) return {StatusCode::kNoSpace, "the test's disk is full"};
    return memory_.Write(batch);
  }
  Status Sync() override {
    MutexLock lock(mu_);
    return failing_ ? Status(StatusCode::kIo, "the test's disk fails") : Status::Ok();
  }

  void Hold() {
    Set([this] { held_ = true; });
  }
  void Release() {
    Set([this] { held_ = false; });
  }
  void Fail(bool on) {
    Set([this, on] { failing_ = on; });
  }
  bool failing() {
    MutexLock lock(mu_);
    return failing_;
  }
  int waiting() {
    MutexLock lock(mu_);
    return waiting_;
  }

  Result<InitialState> GetInitialState() const override { return memory_.GetInitialState(); }
  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max) const override {
    return memory_.Entries(lo, hi, max);
  }
  Result<Term> TermAt(LogIndex index) const override { return memory_.TermAt(index); }
  LogIndex FirstIndex() const override { return memory_.FirstIndex(); }
  LogIndex LastIndex() const override { return memory_.LastIndex(); }
  Result<SnapshotMeta> GetSnapshot() const override { return memory_.GetSnapshot(); }
  Status CreateSnapshot(const SnapshotMeta& meta) override {
    MutexLock lock(mu_);
    if (failing_) return {StatusCode::kNoSpace, "the test's disk is full"};
    return memory_.CreateSnapshot(meta);
  }
  Status Compact(LogIndex index) override { return memory_.Compact(index); }
  uint64_t SizeBytes() const override { return memory_.SizeBytes(); }

 private:
  template <typename Change>
  void Set(Change change) {
    MutexLock lock(mu_);
    change();
    changed_.NotifyAll();
  }

  MemoryStorage memory_;
  Mutex mu_;
  CondVar changed_;
  bool held_ = false;
  bool failing_ = false;
  int waiting_ = 0;
};

class TestProposal final : public Proposal {
 public:
  explicit TestProposal(std::string name, runtime::Priority p = runtime::Priority::kNormal)
      : priority_(p) {
    AppendCommand(0, std::vector<std::string_view>{name}, &records_);
  }
  std::string_view records() const override { return records_; }
  runtime::Priority priority() const override { return priority_; }
  bool slow() const override { return false; }
  void Failed(ProposalError error) override {
    error_ = error;
    failed = true;
  }

  LogTimes* log_times() override { return timed ? &times : nullptr; }

  std::atomic<bool> applied{false};
  std::atomic<bool> failed{false};
  bool timed = false;
  LogTimes times;
  ProposalError error() const { return error_; }

 private:
  const runtime::Priority priority_;
  std::string records_;
  std::atomic<ProposalError> error_{};
};

// Keeps the names of applied commands, in order.
class Recorder final : public StateMachine {
 public:
  Status Apply(const Entry& entry, std::span<Proposal* const> local) override {
    std::string_view in = entry.bytes();
    Envelope envelope;
    KIWI_RETURN_IF_ERROR(ReadEnvelope(&in, &envelope));
    RecordReader reader;
    MutexLock lock(mu_);
    EXPECT_GT(entry.index, last_index_) << "entries come in order, each once";
    EXPECT_GE(envelope.time_ms, last_time_ms_) << "stamps never fall";
    last_index_ = entry.index;
    last_time_ms_ = envelope.time_ms;
    while (reader.Next(&in)) names_.emplace_back(reader.command().args[0]);
    for (Proposal* proposal : local) static_cast<TestProposal*>(proposal)->applied = true;
    return reader.status();
  }
  Status ApplyWithoutWaiting(const Entry& entry, std::span<Proposal* const> local) override {
    if (held) return {StatusCode::kBusy, "a reader holds the state"};
    return Apply(entry, local);
  }
  void BeginCheckpoint(const SnapshotMeta&, const Membership&) override { ++begun; }
  bool BeginCheckpointWithoutWaiting(const SnapshotMeta&, const Membership&) override {
    begun += !held;
    return !held;
  }
  Status RunCheckpoint() override {
    ++runs;
    return disk_full ? Status(StatusCode::kNoSpace, "the test's disk is full") : Status::Ok();
  }

  std::vector<std::string> names() {
    MutexLock lock(mu_);
    return names_;
  }
  std::atomic<int> begun{0};
  std::atomic<int> runs{0};
  std::atomic<bool> disk_full{false};
  std::atomic<bool> held{false};  // by readers: who must not wait for them cannot change it

 private:
  Mutex mu_;
  std::vector<std::string> names_ KIWI_GUARDED_BY(mu_);
  LogIndex last_index_ KIWI_GUARDED_BY(mu_) = 0;
  int64_t last_time_ms_ KIWI_GUARDED_BY(mu_) = 0;
};

class NodeTest : public ::testing::TestWithParam<FsyncMode> {
 protected:
  std::unique_ptr<Node> MakeNode(StateMachine* machine) {
    NodeOptions options;
    options.core.id = 1;
    options.fsync = GetParam();
    options.storage_retry_ms = 1;
    options.checkpoint_retry_ms = 1;
    options.log_max_bytes = log_max_bytes_;
    options.inline_sync_us = 0;  // proposers never wait for the held disk themselves
    options.tick_ms = 5;
    auto node = std::make_unique<Node>(
        options, &storage_,
        [this] {
          return storage_.failing() ? Status(StatusCode::kNoSpace, "still full") : Status::Ok();
        },
        [] { return Status::Ok(); }, machine, &SystemClock());
    Node* const raw = node.get();
    node->SetScheduler([raw](bool) { raw->ApplyCommitted(false); });
    return node;
  }
  void Propose(Node& node, TestProposal& proposal) {
    node.Propose(&proposal);
    node.Kick(false);
  }

  HeldStorage storage_;
  Recorder machine_;
  uint64_t log_max_bytes_ = NodeOptions{}.log_max_bytes;
};

INSTANTIATE_TEST_SUITE_P(EveryMode, NodeTest,
                         ::testing::Values(FsyncMode::kAlways, FsyncMode::kEverysec,
                                           FsyncMode::kNo));

// Without raft.port: nobody could be elected, and its clients would wait for ever.
TEST_P(NodeTest, AMemberOfAGroupDoesNotStartWithoutPeers) {
  for (const bool learner : {false, true}) {
    ConfState group;
    group.voters = {1};
    (learner ? group.learners : group.voters).push_back(2);
    ASSERT_TRUE(storage_.SetConfState(group).ok());
    const auto node = MakeNode(&machine_);
    const Status status = node->Start();
    EXPECT_EQ(status.code(), StatusCode::kConfig);
    EXPECT_NE(status.message().find("raft.port"), std::string::npos) << status.ToString();
  }
}

TEST_P(NodeTest, ALoneVoterServesAtOnceAndAppliesInOrder) {
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  EXPECT_TRUE(node->ReadAllowed());
  std::deque<TestProposal> proposals;
  std::vector<std::string> expected;
  for (int i = 0; i < 500; ++i) {
    expected.push_back("c" + std::to_string(i));
    Propose(*node, proposals.emplace_back(expected.back()));
  }
  WaitUntil([&] { return proposals.back().applied.load(); }, "the last proposal is applied");
  EXPECT_EQ(machine_.names(), expected);
  node->Stop();
}

TEST_P(NodeTest, WhatWouldHoldUpALoopIsLeftToAWorker) {
  const auto node = MakeNode(&machine_);
  std::atomic<int> asked{0};
  node->SetScheduler([&](bool fast) { asked += !fast; });
  ASSERT_TRUE(node->Start().ok());
  TestProposal first("first"), second("second");
  node->Propose(&first);
  node->Propose(&second);
  machine_.held = true;
  node->Kick(true);
  WaitUntil(
      [&] {
        node->ApplyCommitted(true);
        return asked > 0;
      },
      "a worker is asked for");
  EXPECT_FALSE(first.applied);
  const int begun = machine_.begun;
  node->RequestCheckpoint();
  EXPECT_EQ(machine_.begun, begun) << "the entry may be half applied";
  EXPECT_EQ(node->GetStatus().applied_index, 1u) << "what is not applied is not said to be";

  node->ApplyCommitted(false);  // the worker waits for the readers
  WaitUntil(
      [&] {
        node->ApplyCommitted(false);
        return second.applied.load();
      },
      "both are applied");
  EXPECT_EQ(machine_.names(), (std::vector<std::string>{"first", "second"}));

  EXPECT_EQ(machine_.begun, begun + 1);
  machine_.held = false;
  TestProposal third("third");
  node->Propose(&third);
  node->Kick(true);
  WaitUntil(
      [&] {
        node->ApplyCommitted(true);
        return third.applied.load();
      },
      "a loop applies what nobody holds");
  node->Stop();
}

TEST_P(NodeTest, ProposersOfManyThreadsAreAllAnswered) {
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        TestProposal proposal(std::to_string(t) + ":" + std::to_string(i));
        Propose(*node, proposal);
        WaitUntil([&] { return proposal.applied.load(); }, "a proposal is applied");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(machine_.names().size(), size_t{kThreads * kEach});
  node->Stop();
}

TEST_P(NodeTest, ARestartAppliesTheLogAgain) {
  {
    const auto node = MakeNode(&machine_);
    ASSERT_TRUE(node->Start().ok());
    TestProposal proposal("kept");
    Propose(*node, proposal);
    WaitUntil([&] { return proposal.applied.load(); }, "the proposal is applied");
    node->Stop();
  }
  Recorder again;
  const auto node = MakeNode(&again);
  ASSERT_TRUE(node->Start().ok());
  EXPECT_EQ(again.names(), std::vector<std::string>{"kept"});
  node->Stop();
}

TEST_P(NodeTest, AFullDiskRefusesAndRecovers) {
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  storage_.Fail(true);
  TestProposal caught("caught");
  Propose(*node, caught);
  WaitUntil([&] { return caught.failed.load(); }, "the write in flight is answered");
  EXPECT_EQ(caught.error(), ProposalError::kUnknown) << "it was proposed: it may yet take effect";
  EXPECT_FALSE(caught.applied);
  EXPECT_TRUE(node->storage_failed());
  TestProposal refused("refused");
  Propose(*node, refused);
  WaitUntil([&] { return refused.failed.load(); }, "later writes are refused");
  EXPECT_EQ(refused.error(), ProposalError::kStorage);
  EXPECT_TRUE(node->ReadAllowed()) << "reads go on";

  storage_.Fail(false);
  WaitUntil([&] { return !node->storage_failed(); }, "the node takes writes again");
  TestProposal after("after");
  Propose(*node, after);
  WaitUntil([&] { return after.applied.load(); }, "a write after recovery");
  // What was unknown took effect, once, before what came later; what was refused did not.
  EXPECT_EQ(machine_.names(), (std::vector<std::string>{"caught", "after"}));
  node->Stop();
}

TEST_P(NodeTest, ACheckpointLetsTheLogShrink) {
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  for (int i = 0; i < 20; ++i) {
    TestProposal proposal("x");
    Propose(*node, proposal);
    WaitUntil([&] { return proposal.applied.load(); }, "a write");
  }
  ASSERT_TRUE(node->WaitCheckpoint().ok());
  EXPECT_EQ(machine_.begun, 1);
  WaitUntil([&] { return storage_.FirstIndex() > 20; }, "the log is compacted behind it");
  TestProposal after("after");
  Propose(*node, after);
  WaitUntil([&] { return after.applied.load(); }, "a write after compaction");
  node->Stop();
}

TEST_P(NodeTest, ACheckpointThatFailedIsTriedAgainAndAFullLogRefusesMeanwhile) {
  log_max_bytes_ = 2000;
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  machine_.disk_full = true;
  for (bool refused = false; !refused;) {
    TestProposal proposal(std::string(100, 'x'));
    Propose(*node, proposal);
    WaitUntil([&] { return proposal.applied || proposal.failed; }, "an answer");
    refused = proposal.failed;
    if (refused) {
      EXPECT_EQ(proposal.error(), ProposalError::kStorage);
    }
  }
  EXPECT_GT(storage_.SizeBytes(), log_max_bytes_);
  EXPECT_FALSE(node->GetStatus().checkpoint_ok);
  const int runs = machine_.runs;
  WaitUntil([&] { return machine_.runs > runs + 1; }, "it is tried again and again");

  machine_.disk_full = false;
  WaitUntil([&] { return storage_.SizeBytes() < log_max_bytes_; }, "the log shrinks by itself");
  TestProposal after("after");
  Propose(*node, after);
  WaitUntil([&] { return after.applied.load(); }, "a write");
  EXPECT_TRUE(node->GetStatus().checkpoint_ok);
  node->Stop();
}

TEST_P(NodeTest, ACompactionThatTheDiskRefusedIsMadeUpFor) {
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  TestProposal before("before");
  Propose(*node, before);
  WaitUntil([&] { return before.applied.load(); }, "a write");
  storage_.Fail(true);
  ASSERT_TRUE(node->WaitCheckpoint().ok()) << "the state's disk is another one";
  WaitUntil([&] { return node->storage_failed(); }, "the log's failure shows");
  EXPECT_EQ(storage_.FirstIndex(), 1u);

  storage_.Fail(false);
  WaitUntil([&] { return storage_.FirstIndex() > 1; }, "the log is compacted after all");
  EXPECT_FALSE(node->storage_failed());
  TestProposal after("after");
  Propose(*node, after);
  WaitUntil([&] { return after.applied.load(); }, "a write");
  node->Stop();
}

// Whoever takes a node in waits for that: a shutdown does not wait for the disk.
TEST_P(NodeTest, ACompactionThatDoesNotComeIsGivenUpAtAWord) {
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  TestProposal before("before");
  Propose(*node, before);
  WaitUntil([&] { return before.applied.load(); }, "a write");
  storage_.Fail(true);
  constexpr int64_t kHourMs = 3'600'000;
  std::atomic<bool> given_up{false};
  Status waited;
  std::thread waiting([&] { waited = node->CheckpointAndCompact(kHourMs, given_up); });
  WaitUntil([&] { return node->storage_failed(); }, "the log's failure shows");
  given_up = true;
  waiting.join();
  EXPECT_EQ(waited.code(), StatusCode::kAborted) << waited.ToString();
  storage_.Fail(false);
  node->Stop();
}

// The checkpoint that a full log asks for may be begun before the entry that filled it is applied.
TEST_P(NodeTest, AWriteLargerThanTheLogMayBeStopsNoLaterOne) {
  log_max_bytes_ = 1000;
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  for (const size_t size : {2000, 10, 3000, 3000, 10}) {
    TestProposal proposal(std::string(size, 'x'));
    Propose(*node, proposal);
    WaitUntil([&] { return proposal.applied.load(); }, "a write behind a large one");
    if (HasFatalFailure()) break;
  }
  node->Stop();
}

using SyncedNodeTest = NodeTest;
INSTANTIATE_TEST_SUITE_P(Always, SyncedNodeTest, ::testing::Values(FsyncMode::kAlways));

TEST_P(SyncedNodeTest, NothingIsAppliedBeforeItIsDurableAndWhatWaitsGoesTogether) {
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  const uint64_t composed = node->GetStatus().entries_composed;
  storage_.Hold();
  TestProposal first("first");
  Propose(*node, first);
  WaitUntil([&] { return storage_.waiting() == 1; }, "the first write is at the disk");

  TestProposal low("low", runtime::Priority::kLow);
  TestProposal normal("normal");
  TestProposal high("high", runtime::Priority::kHigh);
  for (TestProposal* proposal : {&low, &normal, &high}) Propose(*node, *proposal);
  EXPECT_FALSE(first.applied) << "not durable yet";
  EXPECT_TRUE(machine_.names().empty());

  storage_.Release();
  WaitUntil([&] { return low.applied.load(); }, "all are applied");
  EXPECT_EQ(machine_.names(), (std::vector<std::string>{"first", "high", "normal", "low"}))
      << "composed by priority once the disk was free";
  EXPECT_EQ(node->GetStatus().entries_composed - composed, 2u) << "one sync for all that waited";
  node->Stop();
}

TEST_P(SyncedNodeTest, AProposalThatAsksForItIsToldItsTimes) {
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  TestProposal timed("timed");
  TestProposal other("other");
  timed.timed = true;
  storage_.Hold();
  const uint64_t before = Ticks::Now();
  for (TestProposal* proposal : {&timed, &other}) Propose(*node, *proposal);
  WaitUntil([&] { return storage_.waiting() == 1; }, "the write is at the disk");
  const uint64_t at_disk = Ticks::Now();
  storage_.Release();
  WaitUntil([&] { return timed.applied && other.applied; }, "both are applied");
  const LogTimes& times = timed.times;
  EXPECT_LE(before, times.proposed);
  EXPECT_LE(times.proposed, at_disk);
  EXPECT_LE(at_disk, times.synced) << "not before the disk let go";
  EXPECT_LE(times.synced, times.committed);
  EXPECT_LE(times.committed, Ticks::Now());
  EXPECT_EQ(other.times.proposed, 0U);
  EXPECT_EQ(node->GetFigures().commit.count(), 1U);
  EXPECT_GE(node->GetFigures().sync.count(), 1U);
  node->Stop();
}

TEST_P(SyncedNodeTest, AGroupOfOneHasWonOneElection) {
  const auto node = MakeNode(&machine_);
  ASSERT_TRUE(node->Start().ok());
  const GroupFigures figures = node->GetFigures();
  EXPECT_EQ(figures.elections_begun, 1U);
  EXPECT_EQ(figures.elections_won, 1U);
  EXPECT_EQ(figures.leader_changes, 1U);
  EXPECT_EQ(figures.leaderless.count(), 1U);
  node->Stop();
}

}  // namespace
}  // namespace kiwi::raft
