// A node whose log lies on a slow disk, all of it: what is committed has to be read back before it is
// applied. Whoever waits for it is answered, once, also when the node stops or the disk fails.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "raft/node/node.h"
#include "unit/raft/node/memory_log.h"
#include "unit/raft/node/node_fakes.h"

namespace kiwi::raft {
namespace {

using fakes::Names;
using fakes::Read;
using fakes::WaitUntil;
using fakes::Write;

// Every read is a long one, can be held up, and can fail.
class SlowLog final : public MemoryLog {
 public:
  SlowLog() {
    ConfState alone;
    alone.voters = {1};
    EXPECT_TRUE(memory_.SetConfState(alone).ok());
  }

  void HoldReads(bool on) {
    MutexLock lock(mu_);
    held_ = on;
    changed_.NotifyAll();
  }
  // What the backend says of reads; ok: they succeed.
  void SetReadStatus(Status status) {
    MutexLock lock(mu_);
    read_status_ = std::move(status);
  }
  Status read_status() const {
    MutexLock lock(mu_);
    return read_status_;
  }
  int reads_waiting() const {
    MutexLock lock(mu_);
    return waiting_;
  }

  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const override {
    MutexLock lock(mu_);
    ++waiting_;
    while (held_) changed_.Wait(mu_);
    --waiting_;
    if (!read_status_.ok()) return read_status_;
    return memory_.Entries(lo, hi, max_bytes);
  }
  uint64_t BytesOnDisk(LogIndex, LogIndex, uint64_t) const override { return 64 << 20; }

 private:
  mutable Mutex mu_;
  mutable CondVar changed_;
  bool held_ KIWI_GUARDED_BY(mu_) = false;
  mutable int waiting_ KIWI_GUARDED_BY(mu_) = 0;
  Status read_status_ KIWI_GUARDED_BY(mu_);
};

class Nobody final : public Peers {
 public:
  void Send(Message) override {}
  void SendSnapshot(Message) override {}
  Status Forward(NodeId, std::string) override { return {StatusCode::kNetwork, "nobody is there"}; }
  void AnswerForward(NodeId, std::string) override {}
  void MembersChanged(const Membership&) override {}
};

class Stage final : public SnapshotStage {
 public:
  struct Fate {
    int told_not_taken = 0;
    int destroyed = 0;
  };
  explicit Stage(Fate* fate) : fate_(fate) { meta_.conf_state.voters = {1}; }
  ~Stage() override { ++fate_->destroyed; }
  Status Write(std::string_view) override { return {}; }
  uint64_t position() const override { return 0; }
  uint64_t id() const override { return 7; }
  const SnapshotMeta& meta() const override { return meta_; }
  bool complete() const override { return true; }
  Status Finish() override { return {}; }
  const std::string& state_dir() const override { return dir_; }
  void NotTaken() override {
    EXPECT_EQ(fate_->destroyed, 0);
    ++fate_->told_not_taken;
  }

 private:
  Fate* const fate_;
  SnapshotMeta meta_;
  const std::string dir_ = "state";
};

class NodeReadsTest : public ::testing::Test {
 protected:
  ~NodeReadsTest() override { log_.HoldReads(false); }

  std::unique_ptr<Node> StartNode(StateMachine* machine) {
    NodeOptions options;
    options.core.id = 1;
    options.core.max_tail_entries = 0;
    options.core.max_committed_bytes = 1;  // one entry after the other
    options.storage_retry_ms = 1;
    options.tick_ms = 5;
    options.leader_wait_ms = 600'000;  // nobody is answered because he has lost his patience
    options.inline_sync_us = 0;
    auto node = std::make_unique<Node>(
        options, &log_, [this] { return log_.read_status(); }, [] { return Status::Ok(); }, machine,
        &SystemClock());
    node->SetPeers(&peers_);
    node->SetScheduler([this, raw = node.get()](bool) {
      if (served_) raw->ApplyCommitted(false);
    });
    EXPECT_TRUE(node->Start().ok());
    return node;
  }
  static void Propose(Node& node, Write& write) {
    node.Propose(&write);
    node.Kick(false);
  }

  SlowLog log_;
  Names machine_;
  Nobody peers_;
  std::atomic<bool> served_{true};  // somebody applies when he is asked to
};

TEST_F(NodeReadsTest, WhatIsReadBackIsAppliedInOrder) {
  const auto node = StartNode(&machine_);
  std::deque<Write> writes;
  std::vector<std::string> expected;
  for (int i = 0; i < 50; ++i) {
    expected.push_back("w" + std::to_string(i));
    Propose(*node, writes.emplace_back(expected.back()));
  }
  WaitUntil([&] { return writes.back().answers == 1; }, "the last is answered");
  EXPECT_EQ(machine_.names(), expected);
  node->Stop();
}

TEST_F(NodeReadsTest, WhatIsCommittedButNotReadBackIsAnsweredWhenTheNodeStops) {
  const auto node = StartNode(&machine_);
  log_.HoldReads(true);
  std::deque<Write> writes;
  for (int i = 0; i < 8; ++i) {
    Propose(*node, writes.emplace_back("w" + std::to_string(i)));
    const LogIndex entries = 2 + i;  // and the leader's first one
    WaitUntil([&] { return node->GetStatus().commit_index >= entries; }, "it is committed");
  }
  WaitUntil([&] { return log_.reads_waiting() == 1; }, "the first is being read");
  Read read;
  node->AwaitRead(&read);
  EXPECT_EQ(read.answers, 0) << "its writes are not applied";

  served_ = false;  // the loops go as well
  std::thread stop([&] { node->Stop(); });
  WaitUntil([&] { return read.answers == 1; }, "the read is refused");
  EXPECT_TRUE(read.refused);
  Write late("late");
  Propose(*node, late);
  EXPECT_EQ(late.answers, 1);
  EXPECT_EQ(late.error(), ProposalError::kShutdown);
  log_.HoldReads(false);
  stop.join();
  for (const Write& write : writes) {
    EXPECT_EQ(write.answers, 1);
    EXPECT_TRUE(write.applied()) << "it is in the log, and so it is no secret";
  }
  EXPECT_EQ(machine_.names().size(), writes.size());
}

TEST_F(NodeReadsTest, WheneverTheNodeStopsEachWriteAndEachReadIsAnsweredOnce) {
  for (int round = 0; round < 30 && !HasFatalFailure(); ++round) {
    served_ = true;
    Names machine;
    const auto node = StartNode(&machine);
    std::atomic<int> answered{0};
    std::vector<std::thread> clients;
    std::atomic<bool> stopped{false};
    for (int c = 0; c < 3; ++c) {
      clients.emplace_back([&] {
        while (!HasFatalFailure()) {
          const bool last = stopped;  // and so one more comes after the node has stopped
          Write write("w");
          Read read;
          Propose(*node, write);
          node->AwaitRead(&read);
          WaitUntil([&] { return write.answers > 0 || stopped; }, "a write is answered");
          WaitUntil([&] { return read.answers > 0 || stopped; }, "a read is answered");
          WaitUntil([&] { return write.answers > 0 && read.answers > 0; }, "all is answered");
          EXPECT_EQ(write.answers, 1);
          EXPECT_EQ(read.answers, 1);
          ++answered;
          if (last) return;
        }
      });
    }
    WaitUntil([&] { return answered >= round; }, "some answers");
    served_ = false;
    node->Stop();
    stopped = true;
    for (std::thread& client : clients) client.join();
  }
}

TEST_F(NodeReadsTest, ALogThatCannotBeReadRefusesWritesAndReadsUntilItCan) {
  const auto node = StartNode(&machine_);
  // Of all the errors, the one by which the fetcher says that it is at it.
  log_.SetReadStatus({StatusCode::kBusy, "the test's disk has too much to do"});
  Write caught("caught");
  Propose(*node, caught);
  WaitUntil([&] { return caught.answers == 1; }, "the write in flight is answered");
  EXPECT_EQ(caught.error(), ProposalError::kUnknown) << "it is committed, and not applied";
  EXPECT_TRUE(node->storage_failed());
  EXPECT_NE(node->storage_error(), "");
  Write refused("refused");
  Propose(*node, refused);
  WaitUntil([&] { return refused.answers == 1; }, "later ones are refused");
  EXPECT_EQ(refused.error(), ProposalError::kStorage);
  Read read;
  node->AwaitRead(&read);
  WaitUntil([&] { return read.answers == 1; }, "a read is answered");
  EXPECT_TRUE(read.refused) << "it cannot see what was committed before it";

  log_.SetReadStatus({});
  WaitUntil([&] { return !node->storage_failed(); }, "the node takes writes again");
  Write after("after");
  Propose(*node, after);
  WaitUntil([&] { return after.answers == 1; }, "a write after recovery");
  EXPECT_TRUE(after.applied());
  EXPECT_EQ(machine_.names(), (std::vector<std::string>{"caught", "after"}));
  node->Stop();
}

TEST_F(NodeReadsTest, AStageThatIsNotTakenIsToldSo) {
  const auto node = StartNode(&machine_);
  Message offer;
  offer.type = MessageType::kSnapshot;
  offer.from = 2;
  offer.to = 1;
  offer.snapshot.conf_state.voters = {1};
  Stage::Fate old;
  (void)node->SnapshotStaged(offer, std::make_unique<Stage>(&old));
  EXPECT_EQ(old.told_not_taken, 1) << "the node leads itself";
  EXPECT_EQ(old.destroyed, 1);

  node->Stop();
  Stage::Fate late;
  const Status status = node->SnapshotStaged(offer, std::make_unique<Stage>(&late));
  EXPECT_EQ(status.code(), StatusCode::kAborted);
  EXPECT_EQ(late.told_not_taken, 1) << "what it has written is not kept for nothing";
  EXPECT_EQ(late.destroyed, 1);
}

}  // namespace
}  // namespace kiwi::raft
