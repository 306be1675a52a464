// A machine, a host and a network for the snapshot mover's stories: the state is a list of chunks,
// the network delivers at once unless the story's hook decides otherwise.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/coding.h"
#include "base/mutex.h"
#include "raft/node/snapshot_mover.h"
#include "raft/node/snapshot_wire.h"

namespace kiwi::raft {

template <typename Condition>
void WaitFor(Condition condition, const char* what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited in vain for: " << what;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// id · index · position · last, a byte-sum, and filling. Enough to notice what goes wrong.
struct FakeChunk {
  uint64_t id = 0, index = 0, position = 0;
  uint8_t last = 0;

  static uint32_t Sum(std::string_view bytes) {
    uint32_t sum = 17;
    for (const char c : bytes) sum = sum * 31 + static_cast<unsigned char>(c);
    return sum;
  }
  std::string Encode(size_t size) const {
    std::string body;
    PutFixed(&body, id);
    PutFixed(&body, index);
    PutFixed(&body, position);
    PutFixed(&body, last);
    body.resize(size - sizeof(uint32_t), static_cast<char>('a' + position % 23));
    std::string out;
    PutFixed(&out, Sum(body));
    return out + body;
  }
  bool Decode(std::string_view in) {
    uint32_t sum = 0;
    return GetFixed(&in, &sum) && sum == Sum(in) && GetFixed(&in, &id) && GetFixed(&in, &index) &&
           GetFixed(&in, &position) && GetFixed(&in, &last);
  }
};

inline SnapshotMeta FakeMeta(LogIndex index) {
  SnapshotMeta meta;
  meta.index = index;
  meta.term = 1;
  meta.conf_state.voters = {1, 2, 3};
  return meta;
}

class FakeMachine final : public StateMachine {
 public:
  // What is to be sent.
  size_t chunks = 64;
  size_t chunk_bytes = 1000;
  std::atomic<LogIndex> index{100};
  // What happened.
  std::atomic<int> opened{0}, reads{0}, staged{0}, written{0}, refused{0};
  std::atomic<int> readers{0}, stages{0};  // alive
  std::atomic<bool> writes_held{false};
  std::atomic<bool> finish_fails{false};

  Status Apply(const Entry&, std::span<Proposal* const>) override { return {}; }
  void BeginCheckpoint(const SnapshotMeta&, const Membership&) override {}
  Status RunCheckpoint() override { return {}; }
  Result<std::unique_ptr<SnapshotReader>> OpenSnapshot(size_t) override {
    static std::atomic<uint64_t> ids{1000};
    ++opened;
    return std::unique_ptr<SnapshotReader>(new Reader(this, ++ids));
  }
  Result<std::unique_ptr<SnapshotStage>> StageSnapshot() override {
    if (stages != 0) return Status(StatusCode::kBusy, "one is being staged already");
    ++staged;
    return std::unique_ptr<SnapshotStage>(new Stage(this));
  }

 private:
  class Reader final : public SnapshotReader {
   public:
    Reader(FakeMachine* machine, uint64_t id)
        : machine_(machine), id_(id), meta_(FakeMeta(machine->index)) {
      ++machine_->readers;
    }
    ~Reader() override { --machine_->readers; }
    const SnapshotMeta& meta() const override { return meta_; }
    uint64_t id() const override { return id_; }
    uint64_t estimated_bytes() const override { return machine_->chunks * machine_->chunk_bytes; }
    Result<std::string> Read(uint64_t position) override {
      const uint64_t number = position / machine_->chunk_bytes;
      if (position % machine_->chunk_bytes != 0 || number > machine_->chunks) {
        return Status(StatusCode::kInvalidArgument, "no chunk begins there");
      }
      if (number == machine_->chunks) return std::string();
      ++machine_->reads;
      const uint8_t last = number + 1 == machine_->chunks ? 1 : 0;
      return FakeChunk{id_, meta_.index, position, last}.Encode(machine_->chunk_bytes);
    }

   private:
    FakeMachine* const machine_;
    const uint64_t id_;
    const SnapshotMeta meta_;
  };

  class Stage final : public SnapshotStage {
   public:
    explicit Stage(FakeMachine* machine) : machine_(machine) { ++machine_->stages; }
    ~Stage() override { --machine_->stages; }
    Status Write(std::string_view bytes) override {
      while (machine_->writes_held) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      FakeChunk chunk;
      if (!chunk.Decode(bytes)) {
        ++machine_->refused;
        return {StatusCode::kCorruption, "the chunk is damaged"};
      }
      if (chunk.position != position_) return {StatusCode::kInvalidArgument, "not the next chunk"};
      id_ = chunk.id;
      meta_ = FakeMeta(chunk.index);
      complete_ = chunk.last != 0;
      position_ += bytes.size();
      ++machine_->written;
      return {};
    }
    uint64_t position() const override { return position_; }
    uint64_t id() const override { return id_; }
    const SnapshotMeta& meta() const override { return meta_; }
    bool complete() const override { return complete_; }
    Status Finish() override {
      if (machine_->finish_fails) return {StatusCode::kCorruption, "the whole does not add up"};
      return {};
    }
    const std::string& state_dir() const override { return dir_; }

   private:
    FakeMachine* const machine_;
    uint64_t position_ = 0;
    uint64_t id_ = 0;
    SnapshotMeta meta_;
    bool complete_ = false;
    const std::string dir_ = "state";
  };
};

class FakeHost final : public SnapshotHost {
 public:
  std::atomic<LogIndex> first_index{1};

  void ReportSnapshot(NodeId peer, bool success) override {
    MutexLock lock(mu_);
    ++reports_[{peer, success}];
  }
  LogIndex FirstIndex() override { return first_index; }
  Status SnapshotStaged(Message message, std::unique_ptr<SnapshotStage> stage) override {
    EXPECT_EQ(message.snapshot, stage->meta());
    EXPECT_TRUE(stage->complete());
    MutexLock lock(mu_);
    taken_.push_back(std::move(message));
    return {};
  }

  int reports(NodeId peer, bool success) {
    MutexLock lock(mu_);
    return reports_[{peer, success}];
  }
  std::vector<Message> taken() {
    MutexLock lock(mu_);
    return taken_;
  }

 private:
  Mutex mu_;
  std::map<std::pair<NodeId, bool>, int> reports_ KIWI_GUARDED_BY(mu_);
  std::vector<Message> taken_ KIWI_GUARDED_BY(mu_);
};

struct Parcel {
  NodeId from = kNoNode, to = kNoNode;
  ServiceKind kind = 0;
  std::string payload;
  bool chunk() const {
    return kind == kSnapshotRequestKind && payload.size() > 1 && payload[1] == 2;
  }
  bool ack(SnapshotAckState state) const {
    return kind == kSnapshotReplyKind && payload.size() > 1 &&
           payload[1] == static_cast<char>(state);
  }
};

enum class Fate : uint8_t { kDeliver, kLose, kBreak };

class FakeNetwork {
 public:
  // May change the parcel. Called with the network's lock held, on the movers' threads.
  using Hook = std::function<Fate(Parcel&)>;

  void Attach(NodeId id, SnapshotMover* mover) {
    MutexLock lock(mu_);
    movers_[id] = mover;
  }
  void SetHook(Hook hook) {
    MutexLock lock(mu_);
    hook_ = std::move(hook);
  }
  Status Send(Parcel parcel) {
    MutexLock lock(mu_);
    if (down_.contains({parcel.from, parcel.to})) return {StatusCode::kNetwork, "no such stream"};
    const Fate fate = hook_ ? hook_(parcel) : Fate::kDeliver;
    if (fate == Fate::kBreak) BreakLocked(parcel.from, parcel.to);
    if (fate != Fate::kDeliver) return {};
    if (SnapshotMover* to = movers_[parcel.to]) {
      to->OnService(parcel.from, parcel.kind, std::move(parcel.payload));
    }
    return {};
  }
  // Streams both ways between the two break, and stay so.
  void Break(NodeId a, NodeId b) {
    MutexLock lock(mu_);
    BreakLocked(a, b);
  }
  void Mend() {
    MutexLock lock(mu_);
    down_.clear();
  }

 private:
  void BreakLocked(NodeId a, NodeId b) KIWI_REQUIRES(mu_) {
    for (const auto& [x, y] : {std::pair{a, b}, std::pair{b, a}}) {
      down_.insert({x, y});
      for (const ServiceEnd end : {ServiceEnd::kOurs, ServiceEnd::kTheirs}) {
        if (movers_[x] != nullptr) movers_[x]->OnServiceDown(y, end);
      }
    }
  }

  Mutex mu_;
  Hook hook_ KIWI_GUARDED_BY(mu_);
  std::map<NodeId, SnapshotMover*> movers_ KIWI_GUARDED_BY(mu_);
  std::set<std::pair<NodeId, NodeId>> down_ KIWI_GUARDED_BY(mu_);
};

class FakeWire final : public SnapshotWire {
 public:
  FakeWire(FakeNetwork* network, NodeId self) : network_(network), self_(self) {}
  Status Send(NodeId to, ServiceKind kind, std::string payload) override {
    return network_->Send({self_, to, kind, std::move(payload)});
  }
  size_t Unsent(NodeId, ServiceKind) override { return unsent; }

  std::atomic<size_t> unsent{0};

 private:
  FakeNetwork* const network_;
  const NodeId self_;
};

// One node's part of it.
struct FakeNode {
  FakeNode(NodeId self, FakeNetwork* net, Clock* clock, SnapshotMoverOptions options)
      : id(self), network(net), wire(net, self) {
    options.self = id;
    mover = std::make_unique<SnapshotMover>(options, &machine, &host, &wire, clock);
    network->Attach(id, mover.get());
    mover->Start();
  }
  ~FakeNode() {
    mover->Stop();
    network->Attach(id, nullptr);
  }

  Message Offer(NodeId to, Term term) const {
    Message m;
    m.type = MessageType::kSnapshot;
    m.from = id;
    m.to = to;
    m.term = term;
    m.snapshot = FakeMeta(machine.index);
    return m;
  }
  void SendTo(NodeId to, Term term = 5) { mover->Send(Offer(to, term)); }

  const NodeId id;
  FakeNetwork* const network;
  FakeMachine machine;
  FakeHost host;
  FakeWire wire;
  std::unique_ptr<SnapshotMover> mover;
};

}  // namespace kiwi::raft
