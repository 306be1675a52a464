// Safety alone is easily had by doing nothing. At the end of each run a core of nodes, enough to
// decide, is restarted and healed, all other nodes stay as they are, out of reach; the core must
// then elect, commit and converge within a bounded number of ticks.
#include <algorithm>

#include "raft/core/core.h"
#include "raft/core/quorum.h"
#include "sim/simulation.h"

namespace kiwi::sim {

using raft::Role;

namespace {

constexpr uint64_t kElectionsMax = 40;  // the bound, in election timeouts

}  // namespace

// Without pre-vote and check-quorum whoever was removed and does not know it may disturb the others
// for ever (dissertation 4.2.3).
bool Simulation::Disturbs(const Node& suspect) const {
  if (profile_.core.pre_vote || profile_.core.check_quorum || !suspect.up) return false;
  if (!raft::IsVoter(suspect.raw->conf_state(), suspect.id)) return false;
  return std::none_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
    if (node->id == suspect.id) return raft::IsVoter(LatestConf(), node->id);
    return !node->up || raft::IsVoter(node->raw->conf_state(), suspect.id);
  });
}

std::set<NodeId> Simulation::DrawCore() {
  std::set<NodeId> core;
  for (const auto& node : nodes_) {
    if (!node->corrupt && !Disturbs(*node)) core.insert(node->id);
  }
  if (random_.OneIn(2)) return core;
  // Leave out as many as every configuration that any node knows of can do without, if none is
  // about to change.
  for (const auto& node : nodes_) {
    if (!node->up) return core;
    const auto& log = node->raw->core().log();
    std::vector<Entry> entries;
    const LogIndex from = std::max(node->raw->applied_index() + 1, log.FirstIndex());
    (void)log.Read(from, log.LastIndex() + 1, raft::kNoLimit, &entries);
    for (const Entry& e : entries) {
      if (e.type == raft::EntryType::kConfChange) return core;
    }
  }
  for (int i = 0; i < 3; ++i) {
    const NodeId out = 1 + random_.Below(nodes_.size());
    std::set<NodeId> fewer = core;
    fewer.erase(out);
    const bool enough = std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
      return raft::QuorumVote(node->raw->conf_state(), [&](NodeId id) {
               return fewer.contains(id) ? raft::Vote::kGranted : raft::Vote::kRejected;
             }) == raft::VoteResult::kWon;
    });
    if (enough) core = fewer;
  }
  return core;
}

void Simulation::CheckLiveness() {
  // A node whose disk is full or that waits for its restart counts as up again.
  const std::set<NodeId> core = DrawCore();
  const bool lost =
      std::any_of(nodes_.begin(), nodes_.end(), [](auto& n) { return n->distrusted; });
  if (lost && (core.size() < nodes_.size() || !TrustedQuorum())) return;  // an operator's to decide
  healing_ = true;
  clogged_.clear();
  cuts_in_flight_ = true;
  blocked_.clear();
  for (const auto& a : nodes_) {
    for (const auto& b : nodes_) {
      if (core.contains(a->id) != core.contains(b->id)) blocked_.insert({a->id, b->id});
    }
  }
  for (const auto& node : nodes_) {
    node->paused_until = std::min(node->paused_until, now_);
    node->slow_disk_until = node->full_disk_until = 0;
    node->fail_next_sync = false;
    if (core.contains(node->id) && !node->up) {
      ++node->incarnation;
      StartNode(*node);
    }
  }
  const Time slowest =
      static_cast<Time>(static_cast<double>(profile_.tick_us) * (1 + profile_.skew));
  const Time begin = now_;
  const Time limit = slowest * kElectionsMax * static_cast<Time>(profile_.core.election_ticks);
  LogIndex proposed = 0;
  Term proposed_term = 0;
  Time next_look = now_;
  while (!events_.empty()) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    if (now_ - begin > limit) {
      throw Violation(proposed == 0 ? "liveness: the healed core does not commit"
                                    : "liveness: the healed core does not converge");
    }
    Dispatch(event);
    if (now_ < next_look) continue;
    next_look = now_ + profile_.tick_us;
    for (NodeId id : core) {
      if (Find(id)->up) TakeCheckpoint(*Find(id));
    }
    if (Converged(core, &proposed, &proposed_term)) {
      report_.liveness_ticks_max = (now_ - begin) / slowest;
      return;
    }
  }
  throw Violation("liveness: nothing happens any more");
}

bool Simulation::Converged(const std::set<NodeId>& core, LogIndex* proposed, Term* proposed_term) {
  Node* leader = nullptr;
  for (NodeId id : core) {
    Node* node = Find(id);
    if (node->up && node->raw->role() == Role::kLeader &&
        (leader == nullptr || node->raw->term() > leader->raw->term())) {
      leader = node;
    }
  }
  if (leader == nullptr) return false;
  if (*proposed == 0 || *proposed_term != leader->raw->term()) {
    auto at = leader->raw->Propose(Machine::Write(0, next_value_, 0));
    if (at.ok()) {
      history_.Begin(true, 0, next_value_++, ++sequence_);
      *proposed = at->index;
      *proposed_term = at->term;
    }
    AfterStep(*leader);
    return false;
  }
  const raft::ConfState& conf = leader->raw->conf_state();
  if (conf.auto_leave) return false;
  for (NodeId id : core) {
    if (!raft::IsVoter(conf, id) && !raft::Contains(conf.learners, id)) continue;
    const Node* node = Find(id);
    if (!node->up || node->machine.applied < *proposed ||
        node->machine.applied != leader->machine.applied ||
        node->machine.digest != leader->machine.digest) {
      return false;
    }
  }
  return true;
}

}  // namespace kiwi::sim
