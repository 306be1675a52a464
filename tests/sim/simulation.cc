#include "sim/simulation.h"

#include <algorithm>
#include <cstdio>

#include "raft/core/codec.h"
#include "raft/core/core.h"

namespace kiwi::sim {

Profile DrawProfile(Random* random) {
  const auto percent = [random](uint32_t p) { return random->Below(100) < p; };
  const auto between = [random](uint64_t lo, uint64_t hi) {
    return lo + random->Below(hi - lo + 1);
  };
  Profile p;
  p.core.election_ticks = static_cast<int>(between(5, 12));
  p.core.heartbeat_ticks = static_cast<int>(between(1, 2));
  p.core.lease_margin_ticks = static_cast<int>(between(1, 2));
  p.core.pre_vote = percent(75);
  p.core.check_quorum = percent(80);
  p.core.max_message_bytes = percent(50) ? between(0, 200) : 1 << 20;
  p.core.max_inflight_messages = between(1, percent(50) ? 4 : 64);
  p.core.max_inflight_bytes = percent(30) ? between(1, 300) : 1 << 20;
  p.core.max_uncommitted_bytes = percent(30) ? between(50, 500) : 1 << 20;
  p.core.max_committed_bytes = percent(30) ? between(1, 400) : 1 << 20;
  p.core.max_tail_bytes = percent(50) ? between(0, 500) : 1 << 20;
  p.core.max_tail_entries = percent(50) ? between(0, 20) : 1024;
  const size_t sizes[] = {1, 2, 3, 3, 3, 4, 5, 5, 7};
  p.first_voters = sizes[random->Below(9)];
  // What the lease tolerates, but for the rounding of ticks to whole microseconds.
  const auto e = static_cast<double>(p.core.election_ticks);
  p.skew = percent(70) ? 0.99 * (e / (e - p.core.lease_margin_ticks) - 1) : 0;
  p.delay_us_max = between(200, percent(30) ? 30000 : 5000);
  p.fsync_us_max = between(100, percent(30) ? 30000 : 5000);
  p.loss_percent = percent(50) ? static_cast<uint32_t>(between(0, 15)) : 0;
  p.duplicate_percent = percent(50) ? static_cast<uint32_t>(between(0, 15)) : 0;
  p.nemesis_us = between(20000, 200000);
  p.checkpoint_us = between(30000, 300000);
  p.clients = between(2, 6);
  p.padding_max = between(0, 120);
  p.crashes = percent(75);
  p.crash_points = percent(60);
  p.partitions = percent(75);
  p.pauses = percent(60);
  p.membership = percent(70);
  p.transfers = percent(60);
  p.disk_faults = percent(50);
  p.bit_flips = percent(15);
  p.persist_conf = percent(70);
  p.lazy_apply = percent(60);
  p.lazy_pump = percent(50);
  return p;
}

Simulation::Simulation(uint64_t seed, uint64_t max_events, bool trace)
    : seed_(seed),
      max_events_(max_events),
      trace_(trace),
      random_(seed),
      lax_(Random(~seed).OneIn(4)),
      slow_reads_(Random(~seed + 1).OneIn(3)) {
  profile_ = DrawProfile(&random_);
  raft::NodeInvariants::SetHandler(
      [](const char* violated) { throw Violation(std::string("node invariant: ") + violated); });
  for (NodeId id = 1; id <= profile_.first_voters; ++id) first_conf_.voters.push_back(id);
  for (size_t i = 0; i < profile_.first_voters; ++i) AddNode();
  clients_.resize(profile_.clients);
  for (uint32_t i = 0; i < clients_.size(); ++i) {
    Schedule(random_.Below(100000), EventKind::kClient, i);
  }
  Schedule(profile_.nemesis_us, EventKind::kNemesis);
}

void Simulation::Run() {
  while (report_.events < max_events_) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    ++report_.events;
    Dispatch(event);
  }
  Require(history_.Check());
  CheckLiveness();
  Require(history_.Check());
  report_.simulated_us = now_;
}

void Simulation::Schedule(Time delay, EventKind kind, uint32_t slot, uint64_t arg) {
  Event event;
  event.at = now_ + delay;
  event.sequence = ++sequence_;
  event.kind = kind;
  event.slot = slot;
  event.arg = arg;
  if (kind <= EventKind::kUnreachable && kind != EventKind::kDeliver) {
    event.incarnation = nodes_[slot]->incarnation;
  }
  events_.push(event);
}

void Simulation::Dispatch(const Event& event) {
  switch (event.kind) {
    case EventKind::kDeliver:
      return Deliver(event.slot);
    case EventKind::kClient:
      return ClientStep(event.slot);
    case EventKind::kClientTimeout:
      return ClientTimeout(event.slot, event.arg);
    case EventKind::kNemesis:
      return Nemesis();
    case EventKind::kHeal:
      return Heal();
    case EventKind::kCampaign:
      return CampaignAt(SlotOf(event.slot));
    case EventKind::kMachineCrash:
      return OnMachineCrash(SlotOf(event.slot), event.arg);
    case EventKind::kIsolate:
      if (!healing_) Isolate(event.slot + 1);
      return;
    default:
      break;
  }
  Node& node = SlotOf(event.slot);
  if (event.incarnation != node.incarnation) return;
  if (event.kind == EventKind::kRestart) {
    if (!node.up && !node.corrupt) StartNode(node);
    return;
  }
  if (!node.up) return;
  if (node.paused_until > now_) {
    if (event.kind == EventKind::kTick) {
      ++node.missed_ticks;
      Schedule(node.tick_us, EventKind::kTick, event.slot);
      return;
    }
    Schedule(node.paused_until - now_, event.kind, event.slot, event.arg);
    return;
  }
  // A host that slept makes up for its ticks before it does anything else.
  CatchUp(node);
  if (!node.up) return;
  switch (event.kind) {
    case EventKind::kTick:
      Schedule(node.tick_us, EventKind::kTick, event.slot);
      TickNode(node);
      break;
    case EventKind::kSynced:
      OnSynced(node);
      break;
    case EventKind::kApply:
      node.apply_scheduled = false;
      ApplySome(node);
      break;
    case EventKind::kPump:
      node.pump_scheduled = false;
      Pump(node);
      break;
    case EventKind::kCheckpointed:
      OnCheckpointed(node);
      break;
    case EventKind::kFetched:
      OnFetched(node);
      break;
    case EventKind::kSnapshotReport:
      node.raw->ReportSnapshot(event.arg >> 1, (event.arg & 1) != 0);
      AfterStep(node);
      break;
    case EventKind::kUnreachable:
      node.raw->ReportUnreachable(event.arg);
      AfterStep(node);
      break;
    default:
      break;
  }
}

void Simulation::SendFrom(Node& node, Message message) {
  ++report_.messages;
  CheckPromise(node, message);
  MachinePtr state;
  if (message.type == raft::MessageType::kSnapshot) {
    ++report_.snapshots_sent;
    // The host sends the state of its last checkpoint; it is of this very index, or the snapshot
    // has been superseded and the transfer fails.
    if (node.checkpoint != nullptr && node.checkpoint->applied == message.snapshot.index) {
      state = node.checkpoint;
    } else {
      ++report_.snapshots_failed;
      Schedule(1000, EventKind::kSnapshotReport, static_cast<uint32_t>(node.id - 1),
               message.to << 1);
      return;
    }
  }
  if (message.reject && message.type == raft::MessageType::kAppendResponse) {
    ++report_.appends_rejected;
  }
  if (!healing_ && Chance(profile_.duplicate_percent)) {
    ++report_.messages_duplicated;
    Launch(message, state, node);
  }
  Launch(message, state, node);
}

void Simulation::Launch(const Message& message, const MachinePtr& state, Node& from) {
  if (!cuts_in_flight_ && blocked_.contains({message.from, message.to})) {
    ++report_.messages_lost;
    if (message.type == raft::MessageType::kSnapshot) {
      Schedule(1000, EventKind::kSnapshotReport, static_cast<uint32_t>(from.id - 1),
               message.to << 1);
    }
    return;
  }
  Time delay = 50 + random_.Below(profile_.delay_us_max);
  if (healing_) delay = 50 + random_.Below(1000);
  if (!healing_ && random_.OneIn(50)) delay *= 10;
  if (const auto it = clogged_.find({message.from, message.to}); it != clogged_.end()) {
    if (it->second > now_) delay += it->second - now_;
  }
  uint32_t slot;
  if (free_in_flight_.empty()) {
    slot = static_cast<uint32_t>(in_flight_.size());
    in_flight_.emplace_back();
  } else {
    slot = free_in_flight_.back();
    free_in_flight_.pop_back();
  }
  InFlight& f = in_flight_[slot];
  f.message = message;
  f.state = state;
  f.from_incarnation = from.incarnation;
  if (random_.OneIn(8)) {
    // Now and then over the wire format.
    ++report_.messages_encoded;
    std::string bytes;
    raft::EncodeMessage(message, &bytes);
    auto decoded = raft::DecodeMessage(bytes);
    if (!decoded.ok()) throw Violation("codec: " + decoded.status().ToString());
    f.message = std::move(*decoded);
  }
  Schedule(delay, EventKind::kDeliver, slot);
}

void Simulation::Deliver(uint32_t slot) {
  Node* to = Find(in_flight_[slot].message.to);
  if (to != nullptr && to->up && to->paused_until > now_) {
    Schedule(to->paused_until - now_ + random_.Below(2000), EventKind::kDeliver, slot);
    return;
  }
  InFlight f = std::move(in_flight_[slot]);
  in_flight_[slot] = InFlight();
  free_in_flight_.push_back(slot);
  const bool lost = to == nullptr || !to->up || blocked_.contains({f.message.from, f.message.to}) ||
                    (!healing_ && Chance(profile_.loss_percent));
  const bool snapshot = f.message.type == raft::MessageType::kSnapshot;
  Node* from = Find(f.message.from);
  const bool sender_knows = from != nullptr && from->up && from->incarnation == f.from_incarnation;
  if (snapshot && sender_knows) {
    if (lost) ++report_.snapshots_failed;
    Schedule(random_.Below(5000), EventKind::kSnapshotReport, static_cast<uint32_t>(from->id - 1),
             f.message.to << 1 | (lost ? 0 : 1));
  }
  if (lost) {
    ++report_.messages_lost;
    if (!snapshot && sender_knows && random_.OneIn(4)) {
      Schedule(random_.Below(2000), EventKind::kUnreachable, static_cast<uint32_t>(from->id - 1),
               f.message.to);
    }
    return;
  }
  CatchUp(*to);
  if (!to->up) return;
  if (snapshot) to->staged[{f.message.snapshot.index, f.message.snapshot.term}] = f.state;
  const Status status = to->raw->Step(std::move(f.message));
  if (!status.ok()) throw Violation("step: " + status.ToString());
  AfterStep(*to);
}

Simulation::Node* Simulation::Find(NodeId id) {
  return id >= 1 && id <= nodes_.size() ? nodes_[id - 1].get() : nullptr;
}

void Simulation::Require(const std::string& violated) {
  if (!violated.empty()) throw Violation(violated);
}

std::string Simulation::Describe() const {
  std::string out;
  const auto list = [&out](const char* name, const std::vector<NodeId>& ids) {
    if (ids.empty()) return;
    out += name;
    for (NodeId id : ids) out += std::to_string(id) + " ";
  };
  for (const auto& node : nodes_) {
    out += "  node " + std::to_string(node->id);
    if (!node->up) {
      out += node->corrupt ? " corrupt\n" : " down\n";
      continue;
    }
    const raft::RawNode& raw = *node->raw;
    const char* roles[] = {" follower", " pre-candidate", " candidate", " leader"};
    out += roles[static_cast<int>(raw.role())];
    out += " term " + std::to_string(raw.term()) + " leader " + std::to_string(raw.leader()) +
           " first " + std::to_string(raw.first_index()) + " applied " +
           std::to_string(node->machine.applied) + " commit " + std::to_string(raw.commit_index()) +
           " last " + std::to_string(raw.last_index()) + " durable " +
           std::to_string(node->log->LastIndex()) + " conf@" +
           std::to_string(raw.conf_state().index);
    list(" voters ", raw.conf_state().voters);
    list(" outgoing ", raw.conf_state().voters_outgoing);
    list(" learners ", raw.conf_state().learners);
    out += "\n";
    for (const auto& pr : raw.Progress()) {
      out += "    " + std::to_string(pr.id) + " " + pr.state + " match " +
             std::to_string(pr.match) + " next " + std::to_string(pr.next) +
             (pr.recently_active ? " active\n" : "\n");
    }
  }
  return out;
}

void Simulation::Trace(const std::string& line) {
  if (trace_) std::printf("%10.3f ms  %s\n", static_cast<double>(now_) / 1000, line.c_str());
}

}  // namespace kiwi::sim
