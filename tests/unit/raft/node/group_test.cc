// Three nodes on real threads, over memory logs and a network that the test can cut: what clients of
// any of them may rely on.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <thread>

#include "raft/node/entry_codec.h"
#include "raft/node/node.h"
#include "raft/storage/memory_storage.h"

namespace kiwi::raft {
namespace {

template <typename Condition>
void WaitUntil(Condition condition, const char* what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited in vain for: " << what;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

class Write final : public Proposal {
 public:
  explicit Write(std::string name) {
    AppendCommand(0, std::vector<std::string_view>{name}, &records_);
  }
  std::string_view records() const override { return records_; }
  runtime::Priority priority() const override { return runtime::Priority::kNormal; }
  bool slow() const override { return false; }
  void Failed(ProposalError error) override {
    error_ = error;
    failed = true;
  }
  std::atomic<bool> applied{false};
  std::atomic<bool> failed{false};
  bool done() const { return applied || failed; }
  LogTimes* log_times() override { return &times; }
  LogTimes times;
  ProposalError error() const { return error_; }

 private:
  std::string records_;
  std::atomic<ProposalError> error_{};
};

class Read final : public ReadWaiter {
 public:
  void ReadReady(ReadProof) override { ready = true; }
  void ReadRefused() override { refused = true; }
  std::atomic<bool> ready{false};
  std::atomic<bool> refused{false};
};

// Keeps the names of applied commands, and answers its own node's writes.
class Names final : public StateMachine {
 public:
  explicit Names(NodeId id) : id_(id) {}
  void SetForwarded(ForwardedProposals* forwarded) { forwarded_ = forwarded; }

  Status Apply(const Entry& entry, std::span<Proposal* const> local) override {
    std::string_view in = entry.bytes();
    Envelope envelope;
    KIWI_RETURN_IF_ERROR(ReadEnvelope(&in, &envelope));
    if (local.empty()) return Note(in, true);
    for (Proposal* proposal : local) {
      KIWI_RETURN_IF_ERROR(Note(proposal->records(), false));
      if (proposal->remote()) {
        proposal->Replayed();
      } else {
        static_cast<Write*>(proposal)->applied = true;
      }
    }
    return {};
  }
  void BeginCheckpoint(const SnapshotMeta&, const Membership&) override {}
  Status RunCheckpoint() override { return {}; }

  std::vector<std::string> names() {
    MutexLock lock(mu_);
    return names_;
  }

 private:
  Status Note(std::string_view in, bool ours_possible) {
    RecordReader reader;
    while (reader.Next(&in)) {
      if (reader.kind() == RecordKind::kOrigin) {
        const Origin origin = reader.origin();
        if (!ours_possible || origin.node != id_) continue;
        Proposal* own = forwarded_->Take(origin.incarnation, origin.sequence);
        if (own == nullptr) continue;
        KIWI_RETURN_IF_ERROR(Note(in.substr(0, origin.length), false));
        in.remove_prefix(origin.length);
        static_cast<Write*>(own)->applied = true;
        continue;
      }
      MutexLock lock(mu_);
      names_.emplace_back(reader.command().args[0]);
    }
    return reader.status();
  }

  const NodeId id_;
  ForwardedProposals* forwarded_ = nullptr;
  Mutex mu_;
  std::vector<std::string> names_ KIWI_GUARDED_BY(mu_);
};

// A memory log whose disk can be full.
class SmallLog final : public Storage {
 public:
  std::atomic<bool> full{false};
  Status Room() const {
    return full ? Status(StatusCode::kNoSpace, "the test's disk is full") : Status::Ok();
  }

  Status Write(const LogBatch& batch) override {
    KIWI_RETURN_IF_ERROR(Room());
    return memory_.Write(batch);
  }
  Status Sync() override { return Room(); }
  Status CreateSnapshot(const SnapshotMeta& meta) override { return memory_.CreateSnapshot(meta); }
  Status Compact(LogIndex index) override { return memory_.Compact(index); }
  Result<InitialState> GetInitialState() const override { return memory_.GetInitialState(); }
  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max) const override {
    return memory_.Entries(lo, hi, max);
  }
  Result<Term> TermAt(LogIndex index) const override { return memory_.TermAt(index); }
  LogIndex FirstIndex() const override { return memory_.FirstIndex(); }
  LogIndex LastIndex() const override { return memory_.LastIndex(); }
  Result<SnapshotMeta> GetSnapshot() const override { return memory_.GetSnapshot(); }
  uint64_t SizeBytes() const override { return memory_.SizeBytes(); }

 private:
  MemoryStorage memory_;
};

class Group;

// A node with its surroundings. What others send it goes through a queue and a thread of its own,
// as through a transport.
class Host final : public Peers {
 public:
  Host(Group* group, NodeId id);
  ~Host() override { Stop(); }

  void Start() {
    ASSERT_TRUE(node_.Start().ok());
    thread_ = std::thread([this] { Run(); });
  }
  void Stop() {
    if (stopped_.exchange(true)) return;
    node_.Stop();
    {
      MutexLock lock(mu_);
      wake_.NotifyAll();
    }
    if (thread_.joinable()) thread_.join();
  }
  Node& node() { return node_; }
  Names& machine() { return machine_; }
  void Post(std::function<void(Node&)> event) {
    MutexLock lock(mu_);
    events_.push_back(std::move(event));
    wake_.NotifyAll();
  }

  void Send(Message message) override;
  void SendSnapshot(Message message) override {
    const NodeId to = message.to;
    Post([to](Node& node) { node.ReportSnapshot(to, false); });
  }
  Status Forward(NodeId leader, std::string proposals) override;
  void AnswerForward(NodeId origin, std::string answer) override;
  void MembersChanged(const Membership&) override {}
  LogIndex WantedLogEnd() const override { return wanted_log_end; }

  SmallLog& log() { return log_; }

  std::atomic<bool> loses_handovers{false};
  std::atomic<int> lost_handovers{0};
  std::atomic<LogIndex> wanted_log_end{kNoLimit};  // of a peer that is being sent a snapshot

 private:
  static NodeOptions Options(NodeId id) {
    NodeOptions options;
    options.core.id = id;
    options.core.random_seed = id * 7919;
    options.core.election_ticks = 10;
    options.core.heartbeat_ticks = 2;
    options.core.lease_margin_ticks = 3;
    options.tick_ms = 10;
    options.leader_wait_ms = 10'000;
    options.storage_retry_ms = 10;
    return options;
  }
  void Run() {
    for (;;) {
      std::deque<std::function<void(Node&)>> events;
      {
        MutexLock lock(mu_);
        while (events_.empty() && !stopped_) wake_.Wait(mu_);
        if (stopped_) return;
        events.swap(events_);
      }
      for (auto& event : events) event(node_);
    }
  }

  Group* const group_;
  const NodeId id_;
  SmallLog log_;
  Names machine_;
  Node node_;
  std::atomic<bool> stopped_{false};
  Mutex mu_;
  CondVar wake_;
  std::deque<std::function<void(Node&)>> events_ KIWI_GUARDED_BY(mu_);
  std::thread thread_;
};

class Group {
 public:
  explicit Group(NodeId size) {
    for (NodeId id = 1; id <= size; ++id) hosts_.push_back(std::make_unique<Host>(this, id));
    for (auto& host : hosts_) host->Start();
  }
  ~Group() {
    for (auto& host : hosts_) host->Stop();
  }
  Host& host(NodeId id) { return *hosts_[id - 1]; }
  Node& node(NodeId id) { return host(id).node(); }
  NodeId size() const { return hosts_.size(); }
  bool Reaches(NodeId from, NodeId to) const { return cut_ != from && cut_ != to; }
  void Isolate(NodeId id) { cut_ = id; }
  void Heal() { cut_ = kNoNode; }
  void Deliver(NodeId from, NodeId to, std::function<void(Node&)> event) {
    if (Reaches(from, to)) host(to).Post(std::move(event));
  }

  // A node that leads and knows it, other than `except`.
  NodeId WaitForLeader(NodeId except = kNoNode) {
    NodeId leader = kNoNode;
    WaitUntil(
        [&] {
          for (NodeId id = 1; id <= size(); ++id) {
            if (id != except && node(id).is_leader() && node(id).ReadAllowed()) leader = id;
          }
          return leader != kNoNode;
        },
        "somebody leads");
    return leader;
  }
  NodeId Follower(NodeId leader) const { return leader % hosts_.size() + 1; }

 private:
  std::vector<std::unique_ptr<Host>> hosts_;
  std::atomic<NodeId> cut_{kNoNode};
};

ConfState Voters(NodeId size) {
  ConfState conf;
  for (NodeId id = 1; id <= size; ++id) conf.voters.push_back(id);
  return conf;
}

Host::Host(Group* group, NodeId id)
    : group_(group),
      id_(id),
      machine_(id),
      node_(
          Options(id), &log_, [this] { return log_.Room(); }, [] { return Status::Ok(); },
          &machine_, &SystemClock()) {
  // Further ones have joined, and wait for a snapshot.
  if (id <= 3) {
    EXPECT_TRUE(log_.SetConfState(Voters(3)).ok());
  }
  machine_.SetForwarded(&node_.forwarded());
  node_.SetPeers(this);
  node_.SetScheduler([this](bool) { Post([](Node& node) { node.ApplyCommitted(false); }); });
}

void Host::Send(Message message) {
  if (message.type == MessageType::kTimeoutNow && loses_handovers) {
    ++lost_handovers;
    return;
  }
  const NodeId to = message.to;
  auto shared = std::make_shared<Message>(std::move(message));
  group_->Deliver(id_, to, [shared](Node& node) { node.Step(std::move(*shared)); });
}

Status Host::Forward(NodeId leader, std::string proposals) {
  if (!group_->Reaches(id_, leader)) return {StatusCode::kNetwork, "cut"};
  group_->Deliver(id_, leader, [from = id_, proposals = std::move(proposals)](Node& node) {
    node.OnForward(from, proposals);
  });
  return {};
}

void Host::AnswerForward(NodeId origin, std::string answer) {
  group_->Deliver(id_, origin,
                  [answer = std::move(answer)](Node& node) { node.OnForwardAnswer(answer); });
}

void Propose(Node& node, Write& write) {
  node.Propose(&write);
  node.Kick(false);
}

TEST(GroupTest, WritesToAnyNodeAreAnsweredThereAndAppliedEverywhereAlike) {
  Group group(3);
  group.WaitForLeader();
  std::vector<std::thread> clients;
  std::atomic<int> applied{0};
  for (NodeId id = 1; id <= 3; ++id) {
    clients.emplace_back([&group, &applied, id] {
      for (int i = 0; i < 200; ++i) {
        Write write(std::to_string(id) + ":" + std::to_string(i));
        Propose(group.node(id), write);
        WaitUntil([&write] { return write.done(); }, "a write is answered");
        applied += write.applied;
        EXPECT_GT(write.times.proposed, 0U) << "composed, or sent to the leader";
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(applied, 600) << "with a steady leader nothing is left unknown";
  WaitUntil(
      [&] {
        for (NodeId id = 1; id <= 3; ++id) {
          if (group.host(id).machine().names().size() < 600) return false;
        }
        return true;
      },
      "all nodes have applied all");
  EXPECT_EQ(group.host(1).machine().names(), group.host(2).machine().names());
  EXPECT_EQ(group.host(1).machine().names(), group.host(3).machine().names());

  uint64_t won = 0;
  uint64_t granted = 0;
  constexpr auto kPreVote = static_cast<size_t>(MessageType::kPreVote);
  for (NodeId id = 1; id <= 3; ++id) {
    const GroupFigures figures = group.node(id).GetFigures();
    EXPECT_LE(figures.elections_won, figures.elections_begun);
    EXPECT_GE(figures.leader_changes, 1U);
    EXPECT_GE(figures.leaderless.count(), 1U) << "it began without a leader";
    EXPECT_EQ(figures.elections_begun == 0, figures.sent[kPreVote] == 0) << "node " << id;
    won += figures.elections_won;
    granted += figures.votes_granted;
  }
  EXPECT_GE(won, 1U);
  EXPECT_GE(granted, 2U) << "a pre-vote and a vote of at least one other";
}

TEST(GroupTest, AReadOnAnyNodeSeesWhatWasAcknowledgedOnAnother) {
  Group group(3);
  group.WaitForLeader();
  for (int i = 0; i < 60; ++i) {
    const NodeId writer = static_cast<NodeId>(i) % 3 + 1;
    const NodeId reader = static_cast<NodeId>(i / 3) % 3 + 1;
    Write write("w" + std::to_string(i));
    Propose(group.node(writer), write);
    WaitUntil([&] { return write.done(); }, "the write is answered");
    ASSERT_TRUE(write.applied);
    if (!group.node(reader).ReadAllowed()) {
      Read read;
      group.node(reader).AwaitRead(&read);
      WaitUntil([&] { return read.ready || read.refused; }, "the read is answered");
      ASSERT_TRUE(read.ready);
    }
    const std::vector<std::string> names = group.host(reader).machine().names();
    ASSERT_EQ(std::count(names.begin(), names.end(), "w" + std::to_string(i)), 1);
  }
}

int64_t Now() { return SystemClock().MonotonicNs(); }

TEST(GroupTest, AFollowerKnowsHowFreshItsStateIsUntilItIsCutOff) {
  constexpr int64_t kMinute = 60'000'000'000;
  Group group(3);
  const NodeId follower = group.Follower(group.WaitForLeader());
  Node& node = group.node(follower);
  EXPECT_FALSE(node.FreshWithin(kMinute)) << "nobody was asked";
  const int64_t before_ns = Now();
  Read read;
  node.AwaitRead(&read);
  WaitUntil([&] { return read.ready.load(); }, "the read is answered");
  const int64_t after_ns = Now();
  EXPECT_TRUE(node.FreshWithin(kMinute));

  // Who asks for a bound that is soon passed has the proof renewed in the background.
  WaitUntil(
      [&] {
        (void)node.FreshWithin((Now() - before_ns) * 3 / 2);
        return node.FreshWithin((Now() - after_ns) / 2);
      },
      "the proof is renewed without a read that waits");

  group.Isolate(follower);
  const int64_t cut_ns = Now();
  WaitUntil(
      [&] {
        (void)node.FreshWithin((Now() - before_ns) * 3 / 2);
        EXPECT_FALSE(node.FreshWithin(Now() - cut_ns)) << "it cannot know of what came since";
        return Now() - cut_ns > 300'000'000;
      },
      "some elections");
  EXPECT_TRUE(node.FreshWithin(kMinute)) << "of what came before it does";
  group.Heal();
  Read late;
  node.AwaitRead(&late);
  WaitUntil([&] { return late.ready.load(); }, "it is answered again");
  EXPECT_TRUE(node.FreshWithin(Now() - cut_ns));
}

TEST(GroupTest, ALeaderOfOldDoesNotVouchForItsState) {
  Group group(3);
  const NodeId old = group.WaitForLeader();
  Read read;
  group.node(old).AwaitRead(&read);
  WaitUntil([&] { return read.ready.load(); }, "the leader answers itself");
  const int64_t read_ns = Now();
  group.Isolate(old);
  Write write("missed");
  Propose(group.node(group.WaitForLeader(old)), write);
  WaitUntil([&] { return write.done(); }, "the majority takes writes");
  ASSERT_TRUE(write.applied);
  const int64_t acknowledged_ns = Now();
  WaitUntil(
      [&] {
        (void)group.node(old).FreshWithin((Now() - read_ns) * 3 / 2);  // it asks, in vain
        EXPECT_FALSE(group.node(old).FreshWithin(Now() - acknowledged_ns));
        return Now() - acknowledged_ns > 200'000'000;
      },
      "some ticks");
}

TEST(GroupTest, AnIsolatedLeaderServesNoReadsAndItsWritesAreUnknown) {
  Group group(3);
  const NodeId old = group.WaitForLeader();
  group.Isolate(old);
  Write lost("lost");
  Propose(group.node(old), lost);
  const NodeId fresh = group.WaitForLeader(old);
  EXPECT_FALSE(group.node(old).ReadAllowed()) << "its lease ended before another could be elected";
  WaitUntil([&] { return lost.done(); }, "the write in flight is given up");
  EXPECT_TRUE(lost.failed);
  EXPECT_EQ(lost.error(), ProposalError::kUnknown);

  Write kept("kept");
  Propose(group.node(fresh), kept);
  WaitUntil([&] { return kept.done(); }, "the majority takes writes");
  EXPECT_TRUE(kept.applied);
  group.Heal();
  WaitUntil(
      [&] {
        const auto names = group.host(old).machine().names();
        return std::count(names.begin(), names.end(), "kept") == 1;
      },
      "the old leader follows");
  const auto names = group.host(old).machine().names();
  EXPECT_EQ(std::count(names.begin(), names.end(), "lost"), 0);
}

TEST(GroupTest, WritesWaitForALeaderAndAreNotRefusedInBetween) {
  Group group(3);
  const NodeId old = group.WaitForLeader();
  const NodeId follower = group.Follower(old);
  group.Isolate(old);
  WaitUntil([&] { return group.node(follower).leader() != old; }, "the leader is missed");
  Write write("patient");
  Propose(group.node(follower), write);
  WaitUntil([&] { return write.done(); }, "the write is answered");
  EXPECT_TRUE(write.applied) << "it was not proposed before there was a leader, so it could wait";
}

TEST(GroupTest, AJoinerTakesNothingBeforeItsSnapshot) {
  Group group(4);
  Message append;
  append.type = MessageType::kAppend;
  append.from = 1;
  append.to = 4;
  append.term = 9;
  append.entries = {{.term = 9, .index = 1}};
  group.node(4).Step(append);
  EXPECT_EQ(group.node(4).GetStatus().last_index, 0u) << "what came before the log is in no entry";
}

TEST(GroupTest, TheLogKeepsWhatAJoinerNeedsBehindItsSnapshotAndNoLonger) {
  Group group(3);
  const NodeId leader = group.WaitForLeader();
  for (int i = 0; i < 20; ++i) {
    Write write(std::to_string(i));
    Propose(group.node(leader), write);
    WaitUntil([&] { return write.applied.load(); }, "a write");
  }
  group.host(leader).wanted_log_end = 7;
  ASSERT_TRUE(group.node(leader).WaitCheckpoint().ok());
  const auto first_index = [&] { return group.node(leader).GetStatus().first_index; };
  WaitUntil([&] { return first_index() == 8; }, "no more than that is compacted");
  ASSERT_TRUE(group.node(leader).WaitCheckpoint().ok());
  EXPECT_EQ(first_index(), 8u);

  // It has joined. Nothing was written since, and yet the next checkpoint drops what was kept for it.
  group.host(leader).wanted_log_end = kNoLimit;
  WaitUntil(
      [&] {
        EXPECT_TRUE(group.node(leader).WaitCheckpoint().ok());
        return first_index() > 20;
      },
      "all of it is compacted");
}

TEST(GroupTest, ALeaderWithAFullDiskGoesOnTryingToHandOver) {
  Group group(3);
  const NodeId leader = group.WaitForLeader();
  Host& host = group.host(leader);
  host.loses_handovers = true;
  host.log().full = true;
  Write caught("caught");
  Propose(group.node(leader), caught);
  WaitUntil([&] { return caught.failed.load(); }, "the write in flight is answered");
  EXPECT_EQ(caught.error(), ProposalError::kUnknown);
  // The one attempt that the failure itself makes sends two at most.
  WaitUntil([&] { return host.lost_handovers >= 5; }, "it tries again and again");
  EXPECT_TRUE(group.node(leader).is_leader());
  host.loses_handovers = false;
  const NodeId next = group.WaitForLeader(leader);
  Write after("after");
  Propose(group.node(next), after);
  WaitUntil([&] { return after.applied.load(); }, "a write elsewhere");

  host.log().full = false;
  WaitUntil([&] { return host.machine().names() == group.host(next).machine().names(); },
            "the old leader has all");
}

TEST(GroupTest, LeadershipIsHandedOverWithoutALostWrite) {
  Group group(3);
  const NodeId old = group.WaitForLeader();
  std::atomic<bool> stop{false};
  std::atomic<int> applied{0};
  std::thread client([&] {
    for (int i = 0; !stop; ++i) {
      Write write(std::to_string(i));
      Propose(group.node(group.Follower(old)), write);
      WaitUntil([&] { return write.done(); }, "a write is answered");
      if (write.applied) ++applied;
    }
  });
  WaitUntil([&] { return applied > 20; }, "writes are under way");
  group.node(old).StepDown(5000);
  EXPECT_FALSE(group.node(old).is_leader());
  group.WaitForLeader(old);
  const int before = applied;
  WaitUntil([&] { return applied > before + 20; }, "writes go on");
  stop = true;
  client.join();
}

}  // namespace
}  // namespace kiwi::raft
