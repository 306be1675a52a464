// Faults, and what operators do at the worst moment.
#include <algorithm>

#include "raft/core/core.h"
#include "raft/core/quorum.h"
#include "sim/simulation.h"

namespace kiwi::sim {

using raft::ConfChange;
using raft::ConfChangeTransition;
using raft::ConfChangeType;
using raft::ConfState;
using raft::Role;

namespace {

constexpr size_t kMembersMax = 7;
constexpr size_t kNodesMax = 16;

}  // namespace

void Simulation::Nemesis() {
  if (healing_) return;
  Schedule(1 + random_.Below(2 * profile_.nemesis_us), EventKind::kNemesis);
  Node& node = *nodes_[random_.Below(nodes_.size())];
  if (node.up) TakeCheckpoint(node);
  switch (random_.Below(16)) {
    case 0:
    case 1:
      if (profile_.crashes && lax_) {
        random_.OneIn(2) ? LoseWithLeader(node) : CrashMachine(node);
      } else if (profile_.crashes) {
        CrashNode(node, true);
      }
      break;
    case 2:
      if (profile_.crashes && random_.OneIn(4)) {
        ++report_.crash_all;
        for (auto& each : nodes_) CrashNode(*each, true);
      }
      break;
    case 3:
      if (profile_.pauses && node.up) {
        ++report_.pauses;
        node.paused_until = now_ + random_.Below(400000);
        Schedule(node.paused_until - now_ + 1, EventKind::kPump,
                 static_cast<uint32_t>(node.id - 1));
      }
      break;
    case 4:
    case 5:
      if (profile_.partitions) Partition();
      break;
    case 6:
      if (profile_.partitions) {
        ++report_.clogged_links;
        for (int i = 0; i < 3; ++i) {
          clogged_[{1 + random_.Below(nodes_.size()), 1 + random_.Below(nodes_.size())}] =
              now_ + random_.Below(300000);
        }
      }
      break;
    case 7:
      Heal();
      break;
    case 8:
    case 9:
    case 10:
      if (profile_.membership) ChangeMembership();
      break;
    case 11:
      if (Node* leader = PickLeader(); profile_.transfers && leader != nullptr) {
        ++report_.transfers;
        if (leader->raw->TransferLeadership(node.id).ok() && leader->id != node.id) {
          transfer_target_ = node.id;
          transfer_deadline_ = now_ + profile_.tick_us * 5;
          if (profile_.partitions && random_.OneIn(2)) {
            Schedule(random_.Below(2 * profile_.delay_us_max), EventKind::kIsolate,
                     static_cast<uint32_t>(leader->id - 1));
            Schedule(100000 + random_.Below(300000), EventKind::kHeal);
          }
        }
        AfterStep(*leader);
      }
      break;
    case 12:
      if (profile_.disk_faults) {
        if (random_.OneIn(2))
          node.fail_next_sync = true;
        else
          node.full_disk_until = now_ + random_.Below(200000);
      }
      break;
    case 13:
      if (profile_.disk_faults) {
        ++report_.slow_disks;
        node.slow_disk_until = now_ + random_.Below(500000);
      }
      break;
    case 14:
      CampaignAt(node);
      break;
    default:
      if (profile_.bit_flips) FlipBit();
      break;
  }
}

void Simulation::CampaignAt(Node& node) {
  if (healing_ || !node.up || node.paused_until > now_ || node.missed_ticks > 0) return;
  (void)node.raw->Campaign();
  AfterStep(node);
}

void Simulation::Isolate(NodeId id) {
  for (NodeId other = 1; other <= nodes_.size(); ++other) {
    blocked_.insert({other, id});
    blocked_.insert({id, other});
  }
}

// While a leader is cut off and may not know it, the others do all to elect another one: they are
// told to campaign, and perhaps they have just been restarted.
void Simulation::Usurp(NodeId id) {
  const Time election = profile_.tick_us * static_cast<Time>(profile_.core.election_ticks);
  const bool restarts = profile_.crashes && random_.OneIn(3);
  for (const auto& node : nodes_) {
    if (node->id == id) continue;
    if (restarts) CrashNode(*node, true);
    if (random_.OneIn(2)) {
      Schedule(random_.Below(2 * election), EventKind::kCampaign,
               static_cast<uint32_t>(node->id - 1));
    }
  }
}

void Simulation::Partition() {
  blocked_.clear();
  cuts_in_flight_ = random_.OneIn(2);
  const size_t n = nodes_.size();
  switch (random_.Below(6)) {
    case 0: {  // in two
      ++report_.partitions;
      std::vector<bool> side(n);
      for (size_t i = 0; i < n; ++i) side[i] = random_.OneIn(2);
      for (NodeId a = 1; a <= n; ++a) {
        for (NodeId b = 1; b <= n; ++b) {
          if (side[a - 1] != side[b - 1]) blocked_.insert({a, b});
        }
      }
      break;
    }
    case 1:
    case 2:
    case 3: {  // one node, perhaps the leader, is cut off
      ++report_.partitions;
      const Node* leader = PickLeader();
      const NodeId cut = leader != nullptr && random_.OneIn(2) ? leader->id : 1 + random_.Below(n);
      Isolate(cut);
      if (random_.OneIn(2)) Usurp(cut);
      break;
    }
    case 4: {  // one direction only
      ++report_.one_way_partitions;
      const NodeId cut = 1 + random_.Below(n);
      const bool in = random_.OneIn(2);
      for (NodeId a = 1; a <= n; ++a) blocked_.insert(in ? std::pair(a, cut) : std::pair(cut, a));
      break;
    }
    default: {  // a chain: each speaks only with its neighbours
      ++report_.chains;
      for (NodeId a = 1; a <= n; ++a) {
        for (NodeId b = 1; b <= n; ++b) {
          if (a + 1 < b || b + 1 < a) blocked_.insert({a, b});
        }
      }
      break;
    }
  }
  Schedule(50000 + random_.Below(600000), EventKind::kHeal);
}

void Simulation::Heal() {
  if (healing_) return;  // what is out of reach at the end stays so
  blocked_.clear();
  clogged_.clear();
}

// The latest configuration that any node has applied.
const ConfState& Simulation::LatestConf() const {
  static const ConfState kNone;
  const ConfState* latest = &kNone;
  for (const auto& node : nodes_) {
    if (node->up && node->raw->conf_state().index >= latest->index &&
        !node->raw->conf_state().voters.empty()) {
      latest = &node->raw->conf_state();
    }
  }
  return *latest;
}

// Without `extra_loss`, both majorities still have nodes whose disks are whole.
bool Simulation::Affordable(const ConfState& conf, NodeId extra_loss) const {
  return raft::QuorumVote(conf, [&](NodeId id) {
           const bool lost = id == extra_loss || id > nodes_.size() || nodes_[id - 1]->corrupt;
           return lost ? raft::Vote::kRejected : raft::Vote::kGranted;
         }) == raft::VoteResult::kWon;
}

std::optional<ConfChange> Simulation::DrawChange(const ConfState& conf) {
  ConfChange change;
  if (!conf.voters_outgoing.empty()) return change;  // leave
  change.transition = static_cast<ConfChangeTransition>(random_.Below(3));
  std::vector<NodeId> members = conf.voters;
  members.insert(members.end(), conf.learners.begin(), conf.learners.end());
  const size_t steps = random_.OneIn(2) ? 1 : 1 + random_.Below(3);
  for (size_t i = 0; i < steps; ++i) {
    raft::ConfChangeStep step;
    if (random_.OneIn(2) && members.size() < kMembersMax && nodes_.size() < kNodesMax) {
      step.type = random_.OneIn(2) ? ConfChangeType::kAddVoter : ConfChangeType::kAddLearner;
      step.node = AddNode().id;
      ++report_.nodes_joined;
    } else {
      step.type = static_cast<ConfChangeType>(random_.Below(3));
      step.node = members[random_.Below(members.size())];
    }
    members.push_back(step.node);
    change.steps.push_back(step);
  }
  return change;
}

void Simulation::ChangeMembership() {
  Node* leader = PickLeader();
  if (leader == nullptr) return;
  const ConfState before = leader->raw->conf_state();
  const auto change = DrawChange(before);
  // An operator checks that the new majority can exist.
  ConfState after = before;
  for (const auto& step : change->steps) {
    std::erase(after.voters, step.node);
    if (step.type == ConfChangeType::kAddVoter) after.voters.push_back(step.node);
  }
  if (after.voters.empty() || !Affordable(after, raft::kNoNode)) return;
  (void)leader->raw->ProposeConfChange(*change);
  AfterStep(*leader);
}

void Simulation::TakeCheckpoint(Node& node) {
  if (node.checkpoint_meta || node.machine.applied <= node.log->snapshot().index) return;
  const auto term = node.log->TermAt(node.machine.applied);
  if (!term.ok()) return;
  node.checkpoint = std::make_shared<const Machine>(node.machine);
  node.checkpoint_meta = {node.machine.applied, *term, node.raw->conf_state()};
  node.log->SetSnapshotBusy(true);
  Schedule(random_.Below(healing_ ? 2000 : 30000), EventKind::kCheckpointed,
           static_cast<uint32_t>(node.id - 1));
}

// Alone a node is trusted whatever it has lost.
void Simulation::CrashMachine(Node& node) {
  if (!node.up) return;
  const bool alone = LatestConf().voters.size() < 2 || node.raw->conf_state().voters.size() < 2;
  CrashNode(node, true, !alone);
}

// What a machine's crash takes along matters if hardly anybody else has it, and the leader, which has
// it all, is out of reach just then.
void Simulation::LoseWithLeader(Node& node) {
  Node* const leader = PickLeader();
  if (leader == nullptr || leader == &node) return CrashMachine(node);
  blocked_.clear();
  const ConfState& conf = LatestConf();
  size_t left = conf.voters.size() / 2;
  for (const NodeId id : conf.voters) {
    if (id == leader->id || id == node.id || left == 0) continue;
    Isolate(id);
    --left;
  }
  Schedule(50000 + random_.Below(200000), EventKind::kMachineCrash,
           static_cast<uint32_t>(node.id - 1), leader->id);
}

void Simulation::OnMachineCrash(Node& node, NodeId leader) {
  if (healing_) return;
  CrashMachine(node);
  blocked_.clear();
  Isolate(leader);
  Schedule(300000 + random_.Below(700000), EventKind::kHeal);
}

// Whether those that may vote suffice in every configuration that a node knows of.
bool Simulation::TrustedQuorum() const {
  const auto suffices = [this](const ConfState& conf) {
    return raft::QuorumVote(conf, [this](NodeId id) {
             const bool votes = id <= nodes_.size() && !nodes_[id - 1]->distrusted;
             return votes ? raft::Vote::kGranted : raft::Vote::kRejected;
           }) == raft::VoteResult::kWon;
  };
  return suffices(LatestConf()) && std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
           return node->up && suffices(node->raw->conf_state());
         });
}

// A stored record decays, on one node only and only where a quorum keeps clean copies.
void Simulation::FlipBit() {
  for (const auto& node : nodes_) {
    if (node->corrupt) return;
  }
  const ConfState& conf = LatestConf();
  if (conf.voters.size() < 3) return;
  const NodeId id = conf.voters[random_.Below(conf.voters.size())];
  Node& node = *nodes_[id - 1];
  // A change under way could make this very node indispensable.
  for (const auto& each : nodes_) {
    if (each->up && !Affordable(each->raw->conf_state(), id)) return;
  }
  if (profile_.membership || !node.up) return;
  CrashNode(node, true);
  if (!node.disk.FlipDurableBit(&random_)) return;
  node.corrupt = true;
  // It does start, and must notice.
  ++node.incarnation;
  StartNode(node);
}

}  // namespace kiwi::sim
