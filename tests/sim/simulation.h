// A cluster of real cores over a simulated network, simulated disks and simulated time, all of it
// drawn from one seed. Run() throws Violation at the first broken promise.
//
//   simulation.cc  the event loop, the network        host.cc      one node's host: Readys, disk
//   nemesis.cc     faults, membership, checkpoints    clients.cc   the workload
//   liveness.cc    the healed phase at the end
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "raft/core/invariants.h"
#include "raft/core/raw_node.h"
#include "sim/history.h"
#include "sim/machine.h"
#include "sim/report.h"
#include "sim/sim_disk.h"

namespace kiwi::sim {

using raft::Entry;
using raft::LogIndex;
using raft::Message;
using raft::NodeId;
using raft::Term;
using Time = uint64_t;  // simulated, microseconds

struct Violation : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Drawn for each seed: which faults there are and how the nodes are set up (swarm testing: each run
// has some faults often and others never).
struct Profile {
  raft::CoreOptions core;
  size_t first_voters = 3;
  Time tick_us = 10000;
  double skew = 0;  // the slowest clock's tick is this much longer than the fastest's
  Time delay_us_max = 3000;
  Time fsync_us_max = 4000;
  uint32_t loss_percent = 0;
  uint32_t duplicate_percent = 0;
  Time nemesis_us = 100000;
  Time checkpoint_us = 100000;
  size_t clients = 4;
  size_t padding_max = 16;
  bool crashes = true;
  bool crash_points = true;
  bool partitions = true;
  bool pauses = true;
  bool membership = true;
  bool transfers = true;
  bool disk_faults = true;
  bool bit_flips = false;
  bool persist_conf = true;  // the host stores each new membership with the next batch
  bool lazy_apply = true;
  bool lazy_pump = true;
};

Profile DrawProfile(Random* random);

class Simulation {
 public:
  Simulation(uint64_t seed, uint64_t max_events, bool trace);
  void Run();
  const Report& report() const { return report_; }
  Time now() const { return now_; }
  // A line a node, for whoever reads about a violation.
  std::string Describe() const;

 private:
  struct Batch {
    uint64_t number = 0;
    size_t end_offset = 0;
    DiskBatch content;
    std::vector<Message> messages;
    std::vector<MachinePtr> states;
  };
  struct WaitingRead {
    size_t op = 0;
    LogIndex index = 0;  // served once applied
    size_t client = 0;
    uint64_t sequence = 0;
  };
  struct WaitingWrite {
    size_t op = 0;
    Term term = 0;
    size_t client = 0;
    uint64_t sequence = 0;
  };
  struct Node {
    NodeId id = 0;
    bool up = false;
    bool corrupt = false;  // its disk has decayed; it never comes back
    bool removed = false;
    bool distrusted = false;  // its disk has lost entries that it had acknowledged
    uint32_t incarnation = 0;
    Time tick_us = 0;
    Time paused_until = 0;
    uint32_t missed_ticks = 0;
    Time slow_disk_until = 0;
    Time full_disk_until = 0;
    bool fail_next_sync = false;
    SimDisk disk;
    std::unique_ptr<SimLog> log;  // what of the disk is durable
    std::unique_ptr<raft::RawNode> raw;
    Machine machine;
    std::deque<Entry> to_apply;
    bool apply_scheduled = false;
    bool pump_scheduled = false;
    bool fetch_scheduled = false;
    std::deque<Batch> batches;
    bool sync_scheduled = false;
    uint64_t last_persisted = 0;
    LogIndex last_written = 0;
    std::optional<raft::ConfState> conf_to_store;
    std::map<std::pair<LogIndex, Term>, MachinePtr> staged;  // snapshots received
    std::optional<raft::SnapshotMeta> checkpoint_meta;       // being written
    MachinePtr checkpoint;
    std::unordered_map<uint64_t, WaitingRead> reads_by_token;
    std::vector<WaitingRead> reads;
    std::map<LogIndex, WaitingWrite> writes;
    Term led_term = 0;
    raft::Role role = raft::Role::kFollower;
  };
  struct Client {
    bool busy = false;
    uint64_t sequence = 0;  // of the operation under way; answers to others are ignored
  };
  enum class EventKind : uint8_t {
    kTick,
    kDeliver,
    kSynced,
    kApply,
    kPump,
    kRestart,
    kResume,
    kCheckpointed,
    kFetched,
    kSnapshotReport,
    kUnreachable,
    kClient,
    kClientTimeout,
    kNemesis,
    kHeal,
    kCampaign,
    kIsolate,
    kMachineCrash,
  };
  struct Event {
    Time at = 0;
    uint64_t sequence = 0;
    EventKind kind = EventKind::kTick;
    uint32_t slot = 0;         // node, message or client
    uint32_t incarnation = 0;  // of the node: events of an earlier one are void
    uint64_t arg = 0;
    bool operator<(const Event& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;
    }
  };
  struct InFlight {
    Message message;
    MachinePtr state;  // with a snapshot
    uint32_t from_incarnation = 0;
  };

  // simulation.cc
  void Schedule(Time delay, EventKind kind, uint32_t slot = 0, uint64_t arg = 0);
  void Dispatch(const Event& event);
  void SendFrom(Node& node, Message message);
  void Launch(const Message& message, const MachinePtr& state, Node& from);
  void Deliver(uint32_t slot);
  Node* Find(NodeId id);
  Node& SlotOf(uint32_t slot) { return *nodes_[slot]; }
  bool Chance(uint32_t percent) { return random_.Below(100) < percent; }
  bool Rare(uint32_t one_in) { return !healing_ && random_.OneIn(one_in); }
  void Require(const std::string& violated);
  void Trace(const std::string& line);

  // host.cc
  Node& AddNode();
  void StartNode(Node& node);
  void CrashNode(Node& node, bool restart, bool loses_end = false);
  void Halt(Node& node);
  void TickNode(Node& node, uint32_t count = 1);
  void CatchUp(Node& node);
  void AfterStep(Node& node);
  void Pump(Node& node);
  void CheckHandedOut(Node& node, const raft::Ready& ready);
  void CheckPromise(Node& node, const Message& message);
  void CheckAppended(const Node& node, const raft::Ready& ready);
  void Queue(Node& node, raft::Ready& ready);
  void ScheduleSync(Node& node);
  void OnSynced(Node& node);
  void ApplySome(Node& node);
  void ApplyOne(Node& node, const Entry& entry);
  void CheckDigest(const Node& node);
  void OnCheckpointed(Node& node);
  void ScheduleFetch(Node& node);
  void OnFetched(Node& node);
  bool CrashPoint(Node& node, uint64_t* counter);

  // clients.cc
  void ClientStep(uint32_t client);
  void ClientTimeout(uint32_t client, uint64_t sequence);
  void ClientDone(size_t client, uint64_t sequence);
  void Write(uint32_t client, Node& node);
  void Read(uint32_t client, Node& node);
  void ProbeLease(Node& node);
  void TraceOp(const char* what, const Node& node, size_t op);
  void OnReadStates(Node& node, const raft::Ready& ready);
  void ServeReads(Node& node);
  void OnAppliedWrite(Node& node, const Entry& entry);
  void ForgetClients(Node& node);
  void ForgetWrites(Node& node);
  Node* PickUp();
  Node* PickLeader();

  // nemesis.cc
  void Nemesis();
  void Partition();
  void Isolate(NodeId id);
  void Usurp(NodeId id);
  void CampaignAt(Node& node);
  void Heal();
  void ChangeMembership();
  std::optional<raft::ConfChange> DrawChange(const raft::ConfState& conf);
  bool Affordable(const raft::ConfState& conf, NodeId extra_loss) const;
  void TakeCheckpoint(Node& node);
  void FlipBit();
  void CrashMachine(Node& node);
  void LoseWithLeader(Node& node);
  void OnMachineCrash(Node& node, NodeId leader);
  bool TrustedQuorum() const;
  const raft::ConfState& LatestConf() const;

  // liveness.cc
  void CheckLiveness();
  std::set<NodeId> DrawCore();
  bool Disturbs(const Node& suspect) const;
  bool Converged(const std::set<NodeId>& core, LogIndex* proposed, Term* proposed_term);

  const uint64_t seed_;
  const uint64_t max_events_;
  const bool trace_;
  Random random_;
  Profile profile_;
  const bool lax_;         // nodes sync votes and terms only; machines crash
  const bool slow_reads_;  // of logs: the core has to ask again
  Report report_;
  Time now_ = 0;
  uint64_t sequence_ = 0;
  std::priority_queue<Event> events_;
  raft::ConfState first_conf_;  // what every node begins with, those that join as well
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<InFlight> in_flight_;
  std::vector<uint32_t> free_in_flight_;
  std::set<std::pair<NodeId, NodeId>> blocked_;        // from, to
  std::map<std::pair<NodeId, NodeId>, Time> clogged_;  // from, to: until when
  std::vector<Client> clients_;
  uint64_t next_value_ = 1;
  History history_;
  raft::ClusterInvariants invariants_;
  std::vector<uint64_t> digests_;  // after each index, from 1
  NodeId transfer_target_ = raft::kNoNode;
  Time transfer_deadline_ = 0;
  // Whether a cut link swallows what is on its way already.
  bool cuts_in_flight_ = true;
  bool healing_ = false;
};

}  // namespace kiwi::sim
