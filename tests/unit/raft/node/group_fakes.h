// A group of nodes on real threads, over memory logs and a network that the test can cut.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "raft/node/entry_codec.h"
#include "raft/node/node.h"
#include "unit/raft/node/memory_log.h"

namespace kiwi::raft {

template <typename Condition>
void WaitUntil(Condition condition, const char* what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
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
    ++answers;
    failed = true;  // last: from here on it may be gone
  }
  void Applied() {
    ++answers;
    applied = true;
  }
  std::atomic<int> answers{0};
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
  void ReadReady(ReadProof) override {
    ++answers;
    ready = true;
  }
  void ReadRefused() override {
    ++answers;
    refused = true;
  }
  std::atomic<int> answers{0};
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
        static_cast<Write*>(proposal)->Applied();
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
        static_cast<Write*>(own)->Applied();
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

// A memory log whose disk can be full, or slow.
class SmallLog final : public MemoryLog {
 public:
  std::atomic<bool> full{false};
  std::function<void()> before_write;  // set while the node is not started
  Status Room() const {
    return full ? Status(StatusCode::kNoSpace, "the test's disk is full") : Status::Ok();
  }

  Status Write(const LogBatch& batch) override {
    if (before_write) before_write();
    KIWI_RETURN_IF_ERROR(Room());
    return memory_.Write(batch);
  }
  Status Sync() override { return Room(); }
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
    // Long enough that on a busy machine nobody is elected who is not meant to be.
    options.core.election_ticks = 50;
    options.core.heartbeat_ticks = 5;
    options.core.lease_margin_ticks = 15;
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
  explicit Group(NodeId size, const std::function<void(NodeId)>& before_write = {}) {
    for (NodeId id = 1; id <= size; ++id) hosts_.push_back(std::make_unique<Host>(this, id));
    for (NodeId id = 1; id <= size && before_write; ++id) {
      host(id).log().before_write = [before_write, id] { before_write(id); };
    }
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

inline ConfState Voters(NodeId size) {
  ConfState conf;
  for (NodeId id = 1; id <= size; ++id) conf.voters.push_back(id);
  return conf;
}

inline Host::Host(Group* group, NodeId id)
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

inline void Host::Send(Message message) {
  if (message.type == MessageType::kTimeoutNow && loses_handovers) {
    ++lost_handovers;
    return;
  }
  const NodeId to = message.to;
  auto shared = std::make_shared<Message>(std::move(message));
  group_->Deliver(id_, to, [shared](Node& node) { node.Step(std::move(*shared)); });
}

inline Status Host::Forward(NodeId leader, std::string proposals) {
  if (!group_->Reaches(id_, leader)) return {StatusCode::kNetwork, "cut"};
  group_->Deliver(id_, leader, [from = id_, proposals = std::move(proposals)](Node& node) {
    node.OnForward(from, proposals);
  });
  return {};
}

inline void Host::AnswerForward(NodeId origin, std::string answer) {
  group_->Deliver(id_, origin,
                  [answer = std::move(answer)](Node& node) { node.OnForwardAnswer(answer); });
}

inline void Propose(Node& node, Write& write) {
  node.Propose(&write);
  node.Kick(false);
}

}  // namespace kiwi::raft
