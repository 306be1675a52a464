// The host of one node: it does what a production host does (raw_node.h), in every order that the
// contract allows, and dies at every point of it.
#include <algorithm>

#include "raft/core/core.h"
#include "sim/simulation.h"

namespace kiwi::sim {

using raft::MessageType;
using raft::Ready;
using raft::Role;

Simulation::Node& Simulation::AddNode() {
  auto owned = std::make_unique<Node>();
  Node& node = *owned;
  nodes_.push_back(std::move(owned));
  node.id = nodes_.size();
  const double slower = profile_.skew * static_cast<double>(random_.Below(3)) / 2;
  node.tick_us = static_cast<Time>(static_cast<double>(profile_.tick_us) * (1 + slower));
  report_.skewed_clocks += slower > 0;
  DiskBatch first;
  first.conf_state = first_conf_;
  node.disk.SyncTo(node.disk.Write(first));
  StartNode(node);
  return node;
}

void Simulation::StartNode(Node& node) {
  const auto slot = static_cast<uint32_t>(node.id - 1);
  node.log = std::make_unique<SimLog>();
  MachinePtr state;
  if (const Status status = node.disk.Recover(node.log.get(), &state); !status.ok()) {
    if (!node.corrupt) throw Violation("recovery: " + status.ToString());
    ++report_.bit_flips_found;
    return;
  }
  if (node.corrupt) throw Violation("a flipped bit in a durable record was not noticed");
  node.machine = *state;
  node.last_written = node.log->LastIndex();
  node.checkpoint = nullptr;
  if (node.log->snapshot().index == state->applied) node.checkpoint = state;
  raft::CoreOptions options = profile_.core;
  options.id = node.id;
  options.applied = node.machine.applied;
  options.distrusted = node.distrusted;
  options.random_seed = random_.Next();
  auto raw = raft::RawNode::Create(options, node.log.get());
  if (!raw.ok()) throw Violation("restart: " + raw.status().ToString());
  node.raw = std::move(*raw);
  node.log->SetSlow(slow_reads_);
  node.fetch_scheduled = false;
  node.up = true;
  node.role = Role::kFollower;
  node.led_term = 0;
  Schedule(random_.Below(node.tick_us), EventKind::kTick, slot);
  Trace("start " + std::to_string(node.id) + " applied " + std::to_string(node.machine.applied) +
        " last " + std::to_string(node.log->LastIndex()));
}

// Power fails, or the process is killed.
void Simulation::CrashNode(Node& node, bool restart, bool loses_end) {
  if (!node.up) return;
  Trace("crash " + std::to_string(node.id));
  ++report_.crashes;
  ForgetClients(node);
  switch (node.disk.Crash(&random_)) {
    case SimDisk::Loss::kNone:
      break;
    case SimDisk::Loss::kTail:
      ++report_.unsynced_lost;
      break;
    case SimDisk::Loss::kTorn:
      ++report_.torn_writes;
      break;
  }
  if (loses_end && node.disk.LoseEnd(&random_)) ++report_.acknowledged_lost;
  node.distrusted |= loses_end;
  node.up = false;
  ++node.incarnation;
  node.raw.reset();
  node.to_apply.clear();
  node.batches.clear();
  node.staged.clear();
  node.checkpoint_meta.reset();
  node.checkpoint.reset();
  node.conf_to_store.reset();
  node.apply_scheduled = node.pump_scheduled = node.sync_scheduled = node.fail_next_sync = false;
  node.missed_ticks = 0;
  node.paused_until = 0;
  node.last_persisted = 0;
  if (restart) {
    const Time down = random_.OneIn(2) ? 5000 : random_.OneIn(3) ? 2000000 : 200000;
    Schedule(200 + random_.Below(down), EventKind::kRestart, static_cast<uint32_t>(node.id - 1));
  }
}

// The disk refused: the node stops at once and promises nothing.
void Simulation::Halt(Node& node) { CrashNode(node, true); }

bool Simulation::CrashPoint(Node& node, uint64_t* counter) {
  if (healing_ || !profile_.crash_points || !random_.OneIn(400)) return false;
  ++*counter;
  CrashNode(node, true);
  return true;
}

void Simulation::TickNode(Node& node, uint32_t count) {
  const bool led = node.raw->role() == Role::kLeader;
  node.raw->Tick(count);
  if (now_ > transfer_deadline_) transfer_target_ = raft::kNoNode;
  if (led && node.raw->role() != Role::kLeader) ++report_.stepped_down_without_quorum;
  AfterStep(node);
  if (node.up && node.missed_ticks == 0 && !healing_ && random_.OneIn(2)) ProbeLease(node);
}

void Simulation::CatchUp(Node& node) {
  const bool at_once = random_.OneIn(2);
  while (node.up && node.missed_ticks > 0) {
    const uint32_t count = at_once ? node.missed_ticks : 1;
    node.missed_ticks -= count;
    TickNode(node, count);
  }
}

void Simulation::AfterStep(Node& node) {
  if (!node.raw->error().ok()) throw Violation("log: " + node.raw->error().ToString());
  if (node.distrusted && !node.raw->distrusted()) {
    ++report_.trust_regained;
    node.distrusted = false;
  }
  const Role role = node.raw->role();
  if (role == Role::kLeader) {
    if (node.led_term != node.raw->term()) {
      node.led_term = node.raw->term();
      ++report_.elections_won;
      Trace("leader " + std::to_string(node.id) + " term " + std::to_string(node.led_term));
      Require(invariants_.OnLeader(node.raw->core()));
      if (transfer_target_ == node.id) ++report_.transfers_done;
      transfer_target_ = raft::kNoNode;
    }
    for (const auto& pr : node.raw->core().progress()) {
      if (pr.id != node.id || pr.match == 0 || pr.match < node.log->FirstIndex()) continue;
      const auto durable = node.log->TermAt(pr.match);
      if (!durable.ok() || node.raw->core().log().TermAt(pr.match) != *durable) {
        throw Violation("durability: a leader acknowledges to itself what is not durable");
      }
    }
  }
  node.role = role;
  if (profile_.lazy_pump && Rare(3)) {
    if (!node.pump_scheduled) {
      node.pump_scheduled = true;
      Schedule(random_.Below(3000), EventKind::kPump, static_cast<uint32_t>(node.id - 1));
    }
    return;
  }
  Pump(node);
}

void Simulation::ScheduleFetch(Node& node) {
  if (!node.up || node.fetch_scheduled || node.log->wanted() == 0) return;
  node.fetch_scheduled = true;
  Schedule(random_.Below(Rare(10) ? 50000 : 3000), EventKind::kFetched,
           static_cast<uint32_t>(node.id - 1));
}

void Simulation::OnFetched(Node& node) {
  node.fetch_scheduled = false;
  ++report_.log_fetches;
  node.log->Fetch();
  node.raw->OnEntriesFetched();
  AfterStep(node);
  ScheduleFetch(node);
}

void Simulation::Pump(Node& node) {
  while (node.up && node.raw->HasReady()) {
    Ready ready = node.raw->TakeReady();
    OnReadStates(node, ready);
    CheckHandedOut(node, ready);
    for (Message& m : ready.messages) SendFrom(node, std::move(m));
    if (CrashPoint(node, &report_.crash_before_write)) return;
    for (Entry& e : ready.committed_entries) node.to_apply.push_back(std::move(e));
    const uint64_t number = ready.number;
    Queue(node, ready);
    if (!node.up) return;
    node.raw->Advance(number);
    if (!node.to_apply.empty() && !node.apply_scheduled) {
      if (profile_.lazy_apply && Rare(3)) {
        node.apply_scheduled = true;
        Schedule(random_.Below(Rare(10) ? 100000 : 5000), EventKind::kApply,
                 static_cast<uint32_t>(node.id - 1));
      } else {
        ApplySome(node);
      }
    }
  }
  ScheduleFetch(node);
}

// What is handed out to be applied is durable here.
void Simulation::CheckHandedOut(Node& node, const Ready& ready) {
  for (const Entry& e : ready.committed_entries) {
    const auto term = node.log->TermAt(e.index);
    if (!term.ok() || *term != e.term) {
      throw Violation("durability: node " + std::to_string(node.id) + " applies entry " +
                      std::to_string(e.index) + " before it is durable");
    }
  }
}

// What leaves the node is true after a crash.
void Simulation::CheckPromise(Node& node, const Message& m) {
  const raft::HardState& hard = node.log->hard_state();
  bool kept = true;
  if (m.type == MessageType::kAppendResponse) {
    kept = m.term < hard.term ||
           (m.term == hard.term && (m.reject || m.index <= node.log->LastIndex()));
  } else if (m.type == MessageType::kVoteResponse && !m.reject) {
    kept = hard.term > m.term || (hard.term == m.term && hard.vote == m.to);
  } else if (m.type == MessageType::kHeartbeatResponse) {
    kept = hard.term >= m.term;
  } else if (m.type == MessageType::kVote) {
    kept = hard.term > m.term || (hard.term == m.term && hard.vote == node.id);
  }
  if (!kept) {
    throw Violation("durability: node " + std::to_string(node.id) +
                    " answers with what is not durable, message type " +
                    std::to_string(static_cast<int>(m.type)));
  }
}

// Log matching: each entry is made once, behind one other entry.
void Simulation::CheckAppended(const Node& node, const Ready& ready) {
  if (ready.entries.empty()) return;
  auto previous = node.raw->core().log().TermAt(ready.entries.front().index - 1);
  if (!previous) throw Violation("log: nothing is known of what entries follow");
  for (const Entry& e : ready.entries) {
    Require(invariants_.OnAppended(e, *previous));
    previous = e.term;
  }
}

void Simulation::Queue(Node& node, Ready& ready) {
  Batch batch;
  batch.number = ready.number;
  batch.messages = std::move(ready.messages_after_persist);
  DiskBatch& content = batch.content;
  CheckAppended(node, ready);
  content.hard_state = ready.hard_state;
  content.entries = std::move(ready.entries);
  if (ready.snapshot) {
    content.snapshot = std::move(ready.snapshot);
    const auto it = node.staged.find({content.snapshot->index, content.snapshot->term});
    if (it == node.staged.end()) throw Violation("a snapshot is installed that never arrived");
    content.snapshot_state = it->second;
    node.conf_to_store.reset();
  }
  if (!content.entries.empty()) {
    if (content.entries.front().index <= node.last_written && !content.snapshot) {
      ++report_.truncations;
    }
    node.last_written = content.entries.back().index;
  }
  const bool writes = content.hard_state || content.snapshot || !content.entries.empty();
  if (!writes && batch.messages.empty()) return;
  if (writes && node.conf_to_store && profile_.persist_conf && !content.snapshot) {
    content.conf_state = std::move(node.conf_to_store);
    node.conf_to_store.reset();
  }
  if (writes) {
    if (node.full_disk_until > now_) {
      ++report_.full_disks;
      return Halt(node);
    }
    batch.end_offset = node.disk.Write(content);
    if (CrashPoint(node, &report_.crash_before_sync)) return;
  } else {
    batch.end_offset = node.disk.size();
  }
  node.batches.push_back(std::move(batch));
  ScheduleSync(node);
}

void Simulation::ScheduleSync(Node& node) {
  if (node.sync_scheduled || node.batches.empty()) return;
  node.sync_scheduled = true;
  Time delay = 20 + random_.Below(profile_.fsync_us_max);
  if (node.slow_disk_until > now_) delay = delay * 20 + 20000;
  if (healing_) delay = 20 + random_.Below(1000);
  Schedule(delay, EventKind::kSynced, static_cast<uint32_t>(node.id - 1));
}

void Simulation::OnSynced(Node& node) {
  node.sync_scheduled = false;
  if (node.fail_next_sync) {
    ++report_.fsync_failures;
    return Halt(node);
  }
  // One sync for all that has gathered, or for a part of it.
  size_t count = Rare(3) ? 1 + random_.Below(node.batches.size()) : node.batches.size();
  std::vector<Message> messages;
  uint64_t number = 0;
  for (; count > 0; --count) {
    Batch batch = std::move(node.batches.front());
    node.batches.pop_front();
    node.disk.SyncTo(batch.end_offset);
    node.log->Apply(batch.content);
    number = batch.number;
    for (Message& m : batch.messages) messages.push_back(std::move(m));
    if (batch.content.snapshot && batch.content.snapshot_state->applied > node.machine.applied) {
      ++report_.snapshots_installed;
      node.machine = *batch.content.snapshot_state;
      node.checkpoint = batch.content.snapshot_state;
      node.checkpoint_meta.reset();
      std::erase_if(node.to_apply, [&](const Entry& e) { return e.index <= node.machine.applied; });
      ForgetWrites(node);
      CheckDigest(node);
      Trace("installed " + std::to_string(node.id) + " " + std::to_string(node.machine.applied));
    }
  }
  ScheduleSync(node);
  if (CrashPoint(node, &report_.crash_after_sync)) return;
  node.raw->OnPersisted(number);
  if (Rare(5) && node.last_persisted > 0) {
    ++report_.late_persist_answers;
    node.raw->OnPersisted(node.last_persisted);
  }
  node.last_persisted = number;
  for (Message& m : messages) SendFrom(node, std::move(m));
  AfterStep(node);
}

void Simulation::ApplySome(Node& node) {
  size_t count = node.to_apply.size();
  if (profile_.lazy_apply && Rare(3)) count = random_.Below(count + 1);
  for (; count > 0 && !node.to_apply.empty(); --count) {
    const Entry entry = std::move(node.to_apply.front());
    node.to_apply.pop_front();
    ApplyOne(node, entry);
    if (CrashPoint(node, &report_.crash_in_apply)) return;
  }
  ServeReads(node);
  if (!node.to_apply.empty() && !node.apply_scheduled) {
    node.apply_scheduled = true;
    Schedule(random_.Below(5000), EventKind::kApply, static_cast<uint32_t>(node.id - 1));
  }
  if (node.raw->HasReady() && !node.pump_scheduled) {
    node.pump_scheduled = true;
    Schedule(0, EventKind::kPump, static_cast<uint32_t>(node.id - 1));
  }
}

void Simulation::ApplyOne(Node& node, const Entry& entry) {
  ++report_.entries_applied;
  Require(invariants_.OnApplied(node.id, node.raw->term(), entry, node.machine.applied));
  node.machine.Apply(entry);
  CheckDigest(node);
  if (entry.type == raft::EntryType::kConfChange) {
    auto change = raft::DecodeConfChange(entry.bytes());
    if (!change.ok()) throw Violation("a membership change does not decode");
    const bool led = node.raw->role() == Role::kLeader;
    auto conf = node.raw->ApplyConfChange(*change);
    if (!conf.ok()) throw Violation("membership: " + conf.status().ToString());
    ++report_.conf_changes_applied;
    if (!conf->voters_outgoing.empty()) ++report_.joint_configurations;
    if (led && node.raw->role() != Role::kLeader) ++report_.leaders_removed;
    node.conf_to_store = *conf;
    Trace("conf " + std::to_string(node.id) + " at " + std::to_string(entry.index));
  }
  node.raw->OnApplied(entry.index);
  OnAppliedWrite(node, entry);
}

void Simulation::CheckDigest(const Node& node) {
  const LogIndex at = node.machine.applied;
  if (digests_.size() < at) digests_.resize(at);
  uint64_t& known = digests_[at - 1];
  if (known == 0) known = node.machine.digest;
  if (known != node.machine.digest) {
    throw Violation("digest: node " + std::to_string(node.id) + " differs at index " +
                    std::to_string(at));
  }
}

void Simulation::OnCheckpointed(Node& node) {
  if (!node.checkpoint_meta) return;
  node.log->SetSnapshotBusy(false);
  const raft::SnapshotMeta meta = *node.checkpoint_meta;
  node.checkpoint_meta.reset();
  if (meta.index <= node.log->snapshot().index) return;
  ++report_.checkpoints;
  if (node.full_disk_until > now_) {
    ++report_.full_disks;
    return Halt(node);
  }
  if (CrashPoint(node, &report_.crash_in_checkpoint)) return;
  node.disk.SetCheckpoint(node.checkpoint);
  if (CrashPoint(node, &report_.crash_in_checkpoint)) return;
  DiskBatch batch;
  batch.checkpoint = meta;
  if (!Rare(4)) {
    ++report_.compactions;
    const LogIndex keep = random_.Below(6);
    batch.compact_to = meta.index > keep ? meta.index - keep : 0;
  }
  // The record lies behind what is not synced yet; nothing of that is promised by this sync.
  node.disk.SyncTo(node.disk.Write(batch));
  node.log->Apply(batch);
}

}  // namespace kiwi::sim
