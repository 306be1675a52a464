// A node whose only peer is the test: it votes for the node, and says when it has what. Time passes
// when the test says so.
#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
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
using fakes::WaitUntil;
using fakes::Write;

// Stands still, and knows how often the node's tick thread has looked.
class WatchedClock final : public Clock {
 public:
  int64_t WallMs() override {
    ++stamps;
    return clock_.WallMs();
  }
  int64_t WallUs() override { return clock_.WallUs(); }
  int64_t MonotonicNs() override {
    std::array<char, 16> name{};
    pthread_getname_np(pthread_self(), name.data(), name.size());
    if (std::string_view(name.data()) == "kiwi-tick") ++looks;
    return clock_.MonotonicNs();
  }
  int64_t NowMs() { return clock_.WallMs(); }
  void AdvanceMs(int64_t ms) { clock_.AdvanceMs(ms); }
  std::atomic<int> looks{0};
  std::atomic<int> stamps{0};  // entries that somebody has begun to compose, mostly

 private:
  ManualClock clock_{1'000'000};
};

// A memory log whose syncs can fail.
class FailingLog final : public MemoryLog {
 public:
  std::atomic<bool> failing{false};
  std::atomic<int> syncs{0};
  Status Health() const {
    return failing ? Status(StatusCode::kIo, "the test's disk fails") : Status::Ok();
  }

  Status Sync() override {
    ++syncs;
    return Health();
  }
};

// A large write, whose records somebody is copying until the test lets go.
class HeldWrite final : public Proposal {
 public:
  std::string_view records() const override {
    // The queue and the composer look first; the copy comes third.
    if (++looks_ >= 3) {
      copying = true;
      while (held) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return write_.records();
  }
  runtime::Priority priority() const override { return write_.priority(); }
  bool slow() const override { return false; }
  void Failed(ProposalError error) override { write_.Failed(error); }
  int answers() const { return write_.answers; }
  ProposalError error() const { return write_.error(); }

  mutable std::atomic<bool> copying{false};
  std::atomic<bool> held{true};

 private:
  mutable std::atomic<int> looks_{0};
  Write write_{std::string(400 << 10, 'x')};
};

class NodeLeaderTest : public ::testing::Test, public Peers {
 protected:
  static constexpr int64_t kTickMs = 5;
  static constexpr int64_t kPatienceMs = 10'000;
  static constexpr int kElectionTicks = 10;

  NodeLeaderTest() {
    ConfState two;
    two.voters = {1, 2};
    EXPECT_TRUE(log_.SetConfState(two).ok());
    options_.core.id = 1;
    options_.core.election_ticks = kElectionTicks;
    options_.core.heartbeat_ticks = 2;
    options_.core.lease_margin_ticks = 3;
    options_.fsync = FsyncMode::kNo;  // who proposes composes and writes
    options_.tick_ms = kTickMs;
    options_.leader_wait_ms = kPatienceMs;
    options_.storage_retry_ms = 1;
  }
  ~NodeLeaderTest() override {
    if (node_) node_->Stop();
  }

  void Start() {
    node_ = std::make_unique<Node>(
        options_, &log_, [this] { return log_.Health(); }, [] { return Status::Ok(); }, &machine_,
        &clock_);
    node_->SetPeers(this);
    node_->SetScheduler([raw = node_.get()](bool) { raw->ApplyCommitted(false); });
    ASSERT_TRUE(node_->Start().ok());
  }
  void Lead() {
    Start();
    WaitUntil(
        [&] {
          Tick();
          return node_->is_leader() && node_->applied_index() >= 1;
        },
        "the node leads");
  }
  template <typename Proposed>
  void Propose(Proposed& write) {
    node_->Propose(&write);
    node_->Kick(false);
  }
  void Apply(Write& write) {
    Propose(write);
    WaitUntil(
        [&] {
          Tick();
          return write.answers > 0;
        },
        "a write is answered");
    EXPECT_TRUE(write.applied());
  }
  // The handover gets lost: until it is given up, the node takes no writes.
  void BeginTransfer() { ASSERT_TRUE(node_->TransferLeadership(2).ok()); }

  // Time passes, and the node has seen it.
  void Tick(int64_t ms = kTickMs) {
    clock_.AdvanceMs(ms);
    AwaitLooks(3);
  }
  void AwaitLooks(int rounds) {
    const int seen = clock_.looks;
    WaitUntil(
        [&] {
          Answer();
          return clock_.looks >= seen + 3 * rounds;  // at most three a round
        },
        "the node looks at its clock");
  }
  // What the peer says to what it was sent.
  void Answer() {
    std::deque<Message> heard;
    {
      MutexLock lock(mu_);
      heard.swap(inbox_);
    }
    if (silent_) return;
    for (const Message& m : heard) {
      Message answer;
      answer.from = 2;
      answer.to = 1;
      answer.term = m.term;
      switch (m.type) {
        case MessageType::kPreVote:
          answer.type = MessageType::kPreVoteResponse;
          break;
        case MessageType::kVote:
          answer.type = MessageType::kVoteResponse;
          break;
        case MessageType::kAppend:
          if (!acknowledging_) continue;
          answer.type = MessageType::kAppendResponse;
          answer.index = m.index + m.entries.size();
          break;
        case MessageType::kHeartbeat:
          answer.type = MessageType::kHeartbeatResponse;
          answer.context = m.context;
          break;
        default:
          continue;
      }
      node_->Step(std::move(answer));
    }
  }
  // The peer leads, of a later term.
  void Usurp() {
    Message heartbeat;
    heartbeat.type = MessageType::kHeartbeat;
    heartbeat.from = 2;
    heartbeat.to = 1;
    heartbeat.term = node_->GetStatus().term + 1;
    node_->Step(std::move(heartbeat));
    ASSERT_EQ(node_->leader(), 2u);
  }
  // A write is being copied into an entry when the log fails; the entry's term is over then.
  void CatchInCopy(HeldWrite* write) {
    options_.fsync = FsyncMode::kEverysec;
    Lead();
    Write first("first");
    Apply(first);
    WaitUntil(
        [&] {
          Tick(1100);
          return log_.syncs > 0;
        },
        "the log is synced");
    Write second("second");
    Apply(second);  // what it wrote is not synced before the next second
    proposer_ = std::thread([this, write] { Propose(*write); });
    WaitUntil([&] { return write->copying.load(); }, "it is being copied");
    log_.failing = true;
    Tick(1100);
    WaitUntil([&] { return node_->storage_failed(); }, "the sync fails");
    Usurp();
  }

  // --- Peers ---
  void Send(Message message) override {
    MutexLock lock(mu_);
    inbox_.push_back(std::move(message));
  }
  void SendSnapshot(Message) override {}
  Status Forward(NodeId, std::string) override { return {StatusCode::kNetwork, "no stream"}; }
  void AnswerForward(NodeId, std::string) override {}
  void MembersChanged(const Membership&) override {}

  WatchedClock clock_;
  FailingLog log_;
  Names machine_;
  NodeOptions options_;
  std::unique_ptr<Node> node_;
  std::thread proposer_;
  bool silent_ = false;
  bool acknowledging_ = true;
  Mutex mu_;
  std::deque<Message> inbox_ KIWI_GUARDED_BY(mu_);
};

TEST_F(NodeLeaderTest, WhoComesAfterOthersWereRefusedHasTheWholePatience) {
  Start();
  silent_ = true;
  const auto outwait = [this](const Write& write) {
    WaitUntil(
        [&] {
          Tick(kPatienceMs + 1);
          return write.answers == 1;
        },
        "its patience is over");
  };
  Write first("first");
  Propose(first);
  outwait(first);
  EXPECT_EQ(first.error(), ProposalError::kNotLeader);
  Write second("second");
  Propose(second);
  AwaitLooks(10);
  EXPECT_EQ(second.answers, 0) << "no time has passed since it came";
  outwait(second);
  EXPECT_EQ(second.error(), ProposalError::kNotLeader);
}

TEST_F(NodeLeaderTest, WhoComesAfterOthersWereComposedHasTheWholePatience) {
  Lead();
  BeginTransfer();
  const int64_t blocked_ms = clock_.NowMs();
  Write first("first");
  Propose(first);
  EXPECT_EQ(first.answers, 0) << "the leadership is on its way elsewhere";
  WaitUntil(
      [&] {
        Tick();
        return first.answers == 1;
      },
      "the transfer is given up");
  EXPECT_TRUE(first.applied());
  // Once more, soon before the first would have lost its patience.
  const int64_t left_ms = blocked_ms + kPatienceMs - kTickMs - clock_.NowMs();
  ASSERT_GT(left_ms, 0);
  Tick(left_ms);
  ASSERT_TRUE(node_->is_leader());
  BeginTransfer();
  Write second("second");
  Propose(second);
  EXPECT_EQ(second.answers, 0);
  WaitUntil(
      [&] {
        Tick();
        return second.answers == 1;
      },
      "the transfer is given up");
  EXPECT_GT(clock_.NowMs(), blocked_ms + kPatienceMs);
  EXPECT_TRUE(second.applied());
}

TEST_F(NodeLeaderTest, ALeaderWhoseWindowIsFullWaitsForRoomAndNobodySpins) {
  options_.core.max_uncommitted_bytes = 1000;
  options_.max_entry_bytes = 1;  // each write is an entry
  Lead();
  acknowledging_ = false;
  const LogIndex last = node_->GetStatus().last_index;
  Write small("small");
  Propose(small);
  WaitUntil([&] { return node_->GetStatus().last_index > last; }, "it is in the log");
  Write large(std::string(1500, 'x'));
  Write larger(std::string(2000, 'y'));
  const int stamps = clock_.stamps;
  node_->Propose(&large);
  node_->Propose(&larger);
  std::atomic<bool> back{false};
  std::thread proposer([&] {
    node_->Kick(false);
    back = true;
  });
  WaitUntil([&] { return back.load(); }, "the proposer has other things to do");
  for (int i = 0; i < 5; ++i) Tick();
  EXPECT_EQ(clock_.stamps, stamps) << "nothing is composed in vain";
  EXPECT_EQ(small.answers + large.answers + larger.answers, 0);

  acknowledging_ = true;
  WaitUntil(
      [&] {
        Tick();
        return larger.answers == 1;
      },
      "there is room");
  proposer.join();
  EXPECT_TRUE(small.applied() && large.applied() && larger.applied());
  EXPECT_EQ(machine_.names().front(), "small");
}

TEST_F(NodeLeaderTest, AWriteThatWasBeingCopiedWhenTheLogFailedIsRefused) {
  HeldWrite write;
  CatchInCopy(&write);
  EXPECT_EQ(write.answers(), 0);
  write.held = false;
  proposer_.join();
  WaitUntil([&] { return write.answers() > 0; }, "it is answered while the log still fails");
  EXPECT_EQ(write.error(), ProposalError::kStorage);
  node_->Stop();
  EXPECT_EQ(write.answers(), 1);
}

TEST_F(NodeLeaderTest, AWriteThatWasBeingCopiedWhenTheNodeStoppedIsRefused) {
  HeldWrite write;
  CatchInCopy(&write);
  std::thread stop([this] { node_->Stop(); });
  WaitUntil(
      [&] {
        Write late("late");
        node_->Propose(&late);
        return late.error() == ProposalError::kShutdown;
      },
      "the node is about to stop");
  EXPECT_EQ(write.answers(), 0);
  write.held = false;
  proposer_.join();
  stop.join();
  EXPECT_EQ(write.answers(), 1);
  EXPECT_NE(write.error(), ProposalError::kUnknown) << "it was never proposed";
}

}  // namespace
}  // namespace kiwi::raft
