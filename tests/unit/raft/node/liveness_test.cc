// Nobody is kept for ever: what waits is answered, and a thread that has other duties comes back to them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>
#include <utility>

#include "group_fakes.h"

namespace kiwi::raft {
namespace {

// The log of a lone node. What it does to whoever uses it is set before the node starts.
class LoneLog final : public MemoryLog {
 public:
  LoneLog() { EXPECT_TRUE(memory_.SetConfState(Voters(1)).ok()); }
  std::function<void()> before_write;
  std::function<void()> before_snapshot;
  std::atomic<int> syncs{0};

  Status Write(const LogBatch& batch) override {
    if (before_write) before_write();
    return memory_.Write(batch);
  }
  Status Sync() override {
    ++syncs;
    return {};
  }
  Status CreateSnapshot(const SnapshotMeta& meta) override {
    if (before_snapshot) before_snapshot();
    return memory_.CreateSnapshot(meta);
  }
};

// Answers its writes.
class LoneMachine final : public StateMachine {
 public:
  std::function<void()> before_apply;
  std::atomic<int> applied{0};

  Status Apply(const Entry&, std::span<Proposal* const> local) override {
    if (before_apply) before_apply();
    ++applied;
    for (Proposal* proposal : local) static_cast<Write*>(proposal)->applied = true;
    return {};
  }
  void BeginCheckpoint(const SnapshotMeta&, const Membership&) override {}
  Status RunCheckpoint() override {
    ++checkpoints;
    WaitUntil([this] { return !holds_checkpoints; }, "checkpoints may end");
    return {};
  }
  std::atomic<int> checkpoints{0};
  std::atomic<bool> holds_checkpoints{false};
};

// A node of everysec, whose proposers write to the log themselves.
class LoneNodeTest : public ::testing::Test {
 protected:
  ~LoneNodeTest() override { node_.Stop(); }
  void Start() {
    node_.SetScheduler([this](bool) { apply_asked_ = true; });
    ASSERT_TRUE(node_.Start().ok());
  }
  // As a worker of the server does.
  void ApplyIfAsked() {
    if (apply_asked_.exchange(false)) node_.ApplyCommitted(false);
  }
  static NodeOptions Options() {
    NodeOptions options;
    options.core.id = 1;
    options.fsync = FsyncMode::kEverysec;
    options.tick_ms = 10;
    return options;
  }

  LoneLog log_;
  LoneMachine machine_;
  std::atomic<bool> apply_asked_{false};
  std::deque<Write> writes_;
  Node node_{Options(), &log_,         [] { return Status::Ok(); }, [] { return Status::Ok(); },
             &machine_, &SystemClock()};
};

TEST(LivenessTest, AWriteUnderWayToTheLeaderIsAnsweredWhenItsOwnNodesDiskFails) {
  Group group(3);
  const NodeId leader = group.WaitForLeader();
  const NodeId follower = group.Follower(leader);
  Node& node = group.node(follower);
  WaitUntil([&] { return node.applied_index() >= group.node(leader).applied_index(); },
            "the follower has what there is");
  // It is committed by the others, and here it is not applied before the log has it.
  group.host(follower).log().full = true;
  Write write("under way");
  Propose(node, write);
  WaitUntil([&] { return write.done(); }, "the write is answered");
  EXPECT_TRUE(write.failed);

  group.host(follower).log().full = false;
  Names& machine = group.host(follower).machine();
  WaitUntil([&] { return machine.names() == group.host(leader).machine().names(); },
            "the follower has caught up");
  EXPECT_LE(machine.names().size(), 1u) << "it took effect once, or never";
}

TEST_F(LoneNodeTest, EverysecSyncsHoweverMuchIsWritten) {
  std::atomic<bool> load{false};
  std::atomic<int> by_log_thread{0};
  const std::thread::id self = std::this_thread::get_id();
  log_.before_write = [&] {
    if (!load) return;
    by_log_thread += std::this_thread::get_id() != self;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));  // a slow disk
    node_.Propose(&writes_.emplace_back("more"));
  };
  Start();
  load = true;
  node_.Propose(&writes_.emplace_back("first"));
  node_.Kick(true);  // goes back to its sockets; the rest is the log thread's
  WaitUntil([&] { return by_log_thread > 1; }, "the log thread writes");
  const int syncs = log_.syncs;
  WaitUntil(
      [&] {
        ApplyIfAsked();
        return log_.syncs > syncs;
      },
      "a sync in the midst of it");
  load = false;
  node_.Stop();
}

// It syncs, and waits for readers of the log; a proposer may be a net loop.
TEST_F(LoneNodeTest, AProposerLeavesTheLogsCompactionToOthers) {
  const std::thread::id self = std::this_thread::get_id();
  bool wanted = false;  // the proposer's alone
  bool checkpointed = false;
  log_.before_write = [&] {
    if (std::this_thread::get_id() != self || !std::exchange(wanted, false)) return;
    std::thread([&] { EXPECT_TRUE(node_.WaitCheckpoint().ok()); }).join();
    checkpointed = true;
  };
  log_.before_snapshot = [&] { EXPECT_NE(std::this_thread::get_id(), self); };
  Start();
  wanted = true;
  WaitUntil(
      [&] {
        node_.Propose(&writes_.emplace_back("own"));
        node_.Kick(true);
        return checkpointed;
      },
      "a checkpoint ends while a proposer owns the log");
  WaitUntil([&] { return log_.FirstIndex() > 1; }, "the log is compacted");
  node_.Stop();
}

class ApplyingTest : public LoneNodeTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(LoopsAndOthers, ApplyingTest, ::testing::Bool());

// Its thread is a net loop, or has a deadline to look at: it would be kept for as long as others write.
TEST_P(ApplyingTest, WhoAppliesIsNotKeptForAllThatOthersCommit) {
  constexpr int kMost = 50;
  const bool on_loop = GetParam();
  const std::thread::id self = std::this_thread::get_id();
  bool counts = false;  // the applier's alone
  int in_a_row = 0;     // also
  machine_.before_apply = [&] {
    if (!counts || std::this_thread::get_id() != self || ++in_a_row == kMost) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(15));  // so long it takes to apply
    const LogIndex last = node_.GetStatus().commit_index;
    node_.Propose(&writes_.emplace_back("another's"));
    std::thread([&] { node_.Kick(on_loop); }).join();
    WaitUntil([&] { return node_.GetStatus().commit_index > last; }, "it is committed");
  };
  Start();
  WaitUntil(
      [&] {
        counts = in_a_row == 0;
        node_.Propose(&writes_.emplace_back("own"));
        node_.Kick(on_loop);
        counts = false;
        return in_a_row > 0;
      },
      "a proposer applies");
  EXPECT_LE(in_a_row, 5) << "the rest is a worker's";
  WaitUntil(
      [&] {
        ApplyIfAsked();
        return std::all_of(writes_.begin(), writes_.end(), [](Write& w) { return w.done(); });
      },
      "the rest is applied");
  node_.Stop();
}

TEST(LivenessTest, ACheckpointThatBecameDueMeanwhileNeedsNoFurtherWrite) {
  LoneLog log;
  LoneMachine machine;
  NodeOptions options;
  options.core.id = 1;
  options.tick_ms = 10;
  options.snapshot_entries = 4;
  Node node(
      options, &log, [] { return Status::Ok(); }, [] { return Status::Ok(); }, &machine,
      &SystemClock());
  std::atomic<bool> asked{false};
  node.SetScheduler([&](bool) { asked = true; });
  ASSERT_TRUE(node.Start().ok());
  machine.holds_checkpoints = true;
  std::deque<Write> writes;
  const auto apply_until = [&](const auto& condition, const char* what) {
    WaitUntil(
        [&] {
          if (asked.exchange(false)) node.ApplyCommitted(false);
          return condition();
        },
        what);
  };
  for (int i = 0; i < 12; ++i) {
    Propose(node, writes.emplace_back("write"));
    apply_until([&] { return writes.back().applied.load(); }, "the write is applied");
  }
  apply_until([&] { return machine.checkpoints == 1; }, "the first is being written");
  machine.holds_checkpoints = false;
  apply_until([&] { return machine.checkpoints == 2; }, "the next is begun");
  node.Stop();
}

}  // namespace
}  // namespace kiwi::raft
