// The workload: clients that write and read registers anywhere in the cluster, one operation each
// at a time, and give up on answers that take too long.
#include <algorithm>

#include "sim/simulation.h"

namespace kiwi::sim {

using raft::Role;

namespace {

constexpr Time kPatienceMax = 300000;

}  // namespace

Simulation::Node* Simulation::PickUp() {
  for (int i = 0; i < 4; ++i) {
    Node& node = *nodes_[random_.Below(nodes_.size())];
    if (node.up && node.paused_until <= now_ && node.missed_ticks == 0) return &node;
  }
  return nullptr;
}

Simulation::Node* Simulation::PickLeader() {
  const size_t first = random_.Below(nodes_.size());
  for (size_t i = 0; i < nodes_.size(); ++i) {
    Node& node = *nodes_[(first + i) % nodes_.size()];
    if (node.up && node.raw->role() == Role::kLeader && node.paused_until <= now_ &&
        node.missed_ticks == 0) {
      return &node;
    }
  }
  return nullptr;
}

void Simulation::ClientStep(uint32_t client) {
  if (healing_ || clients_[client].busy) return;
  Node* node = Chance(75) ? PickLeader() : PickUp();
  if (node == nullptr) return Schedule(5000 + random_.Below(20000), EventKind::kClient, client);
  clients_[client].busy = true;
  ++clients_[client].sequence;
  Schedule(20000 + random_.Below(kPatienceMax), EventKind::kClientTimeout, client,
           clients_[client].sequence);
  if (Chance(55)) {
    Write(client, *node);
  } else {
    Read(client, *node);
  }
}

// The answer to an earlier operation no longer interests its client.
void Simulation::ClientDone(size_t client, uint64_t sequence) {
  Client& c = clients_[client];
  if (!c.busy || c.sequence != sequence) return;
  c.busy = false;
  Schedule(1000 + random_.Below(15000), EventKind::kClient, static_cast<uint32_t>(client));
}

void Simulation::ClientTimeout(uint32_t client, uint64_t sequence) { ClientDone(client, sequence); }

void Simulation::Write(uint32_t client, Node& node) {
  const uint64_t key = random_.Below(kKeys);
  const uint64_t value = next_value_++;
  const size_t op = history_.Begin(true, key, value, ++sequence_);
  const uint64_t sequence = clients_[client].sequence;
  auto at = node.raw->Propose(Machine::Write(key, value, random_.Below(profile_.padding_max + 1)));
  if (!at.ok()) {
    ++report_.writes_refused;
    history_.Fail(op);
    ClientDone(client, sequence);
  } else {
    node.writes[at->index] = {op, at->term, client, sequence};
  }
  AfterStep(node);
}

void Simulation::Read(uint32_t client, Node& node) {
  const size_t op = history_.Begin(false, random_.Below(kKeys), 0, ++sequence_);
  const WaitingRead read{op, 0, client, clients_[client].sequence};
  if (Chance(50) && node.raw->LeaseReadAllowed()) {
    ++report_.reads_by_lease;
    node.reads.push_back(read);
    node.reads.back().index = node.raw->commit_index();
    ServeReads(node);
    return;
  }
  auto token = node.raw->ReadIndex();
  if (!token.ok()) {
    ++report_.reads_dropped;
    ClientDone(client, read.sequence);
  } else {
    if (node.raw->role() == Role::kLeader) {
      ++report_.reads_by_index;
    } else {
      ++report_.reads_by_follower;
    }
    if (!node.reads_by_token.emplace(*token, read).second) {
      throw Violation("reads: a token was given twice");
    }
  }
  AfterStep(node);
}

// Who reads from whoever believes to lead, all the time: a lease that lasts too long is seen only in
// a short moment.
void Simulation::ProbeLease(Node& node) {
  if (!node.raw->LeaseReadAllowed() || node.machine.applied < node.raw->commit_index()) return;
  const uint64_t key = random_.Below(kKeys);
  ++report_.reads_by_lease;
  const size_t op = history_.Begin(false, key, 0, ++sequence_);
  history_.End(op, node.machine.values[key], ++sequence_);
  TraceOp("leased", node, op);
}

void Simulation::TraceOp(const char* what, const Node& node, size_t op) {
  if (!trace_) return;
  const Op& o = history_.op(op);
  Trace("node " + std::to_string(node.id) + " " + what + (o.write ? " write" : " read") + " key " +
        std::to_string(o.key) + " = " + std::to_string(o.value) + " since event " +
        std::to_string(o.start));
}

void Simulation::OnReadStates(Node& node, const raft::Ready& ready) {
  for (const raft::ReadState& state : ready.read_states) {
    const auto it = node.reads_by_token.find(state.token);
    if (it == node.reads_by_token.end()) throw Violation("reads: an answer to an unknown token");
    node.reads.push_back(it->second);
    node.reads.back().index = state.index;
    node.reads_by_token.erase(it);
  }
  for (uint64_t token : ready.read_tokens_dropped) {
    const auto it = node.reads_by_token.find(token);
    if (it == node.reads_by_token.end()) throw Violation("reads: an unknown token is dropped");
    ++report_.reads_dropped;
    ClientDone(it->second.client, it->second.sequence);
    node.reads_by_token.erase(it);
  }
  ServeReads(node);
}

void Simulation::ServeReads(Node& node) {
  std::erase_if(node.reads, [&](const WaitingRead& read) {
    if (read.index > node.machine.applied) return false;
    const uint64_t key = history_.op(read.op).key;
    history_.End(read.op, node.machine.values[key], ++sequence_);
    TraceOp("served", node, read.op);
    ClientDone(read.client, read.sequence);
    return true;
  });
}

void Simulation::OnAppliedWrite(Node& node, const Entry& entry) {
  const auto it = node.writes.find(entry.index);
  if (it == node.writes.end()) return;
  const WaitingWrite& write = it->second;
  if (write.term == entry.term) {
    ++report_.writes_acknowledged;
    history_.End(write.op, 0, ++sequence_);
    TraceOp("acknowledged", node, write.op);
  } else {
    // Another entry took its place: the proposal is lost for certain.
    ++report_.writes_lost_for_sure;
    history_.Fail(write.op);
  }
  ClientDone(write.client, write.sequence);
  node.writes.erase(it);
}

// The node jumped over entries with a snapshot: whether they were its clients' is not known.
void Simulation::ForgetWrites(Node& node) {
  report_.writes_unknown += node.writes.size();
  for (const auto& [index, write] : node.writes) ClientDone(write.client, write.sequence);
  node.writes.clear();
}

void Simulation::ForgetClients(Node& node) {
  ForgetWrites(node);
  for (const auto& [token, read] : node.reads_by_token) ClientDone(read.client, read.sequence);
  for (const WaitingRead& read : node.reads) ClientDone(read.client, read.sequence);
  node.reads_by_token.clear();
  node.reads.clear();
}

}  // namespace kiwi::sim
