#include "raft/core/confchange.h"

#include <algorithm>
#include <string>
#include <vector>

#include "raft/core/quorum.h"

namespace kiwi::raft {
namespace {

using Nodes = std::vector<NodeId>;

void Insert(Nodes* nodes, NodeId id) {
  const auto at = std::lower_bound(nodes->begin(), nodes->end(), id);
  if (at == nodes->end() || *at != id) nodes->insert(at, id);
}

void Erase(Nodes* nodes, NodeId id) { std::erase(*nodes, id); }

Status Invalid(std::string why) { return {StatusCode::kInvalidArgument, std::move(why)}; }

// One step on the incoming half. A voter of the outgoing half that becomes a learner stays a voter
// there until the joint configuration is left: it cannot be both at once.
void ApplyStep(const ConfChangeStep& step, ConfState* conf) {
  switch (step.type) {
    case ConfChangeType::kAddVoter:
      Erase(&conf->learners, step.node);
      Erase(&conf->learners_next, step.node);
      Insert(&conf->voters, step.node);
      break;
    case ConfChangeType::kAddLearner:
      Erase(&conf->voters, step.node);
      if (Contains(conf->voters_outgoing, step.node)) {
        Insert(&conf->learners_next, step.node);
      } else {
        Insert(&conf->learners, step.node);
      }
      break;
    case ConfChangeType::kRemove:
      Erase(&conf->voters, step.node);
      Erase(&conf->learners, step.node);
      Erase(&conf->learners_next, step.node);
      break;
  }
}

size_t VotersChanged(const Nodes& before, const Nodes& after) {
  size_t changed = 0;
  for (NodeId id : before) changed += !Contains(after, id);
  for (NodeId id : after) changed += !Contains(before, id);
  return changed;
}

ConfState Leave(const ConfState& current) {
  ConfState next = current;
  for (NodeId id : current.learners_next) Insert(&next.learners, id);
  next.learners_next.clear();
  next.voters_outgoing.clear();
  next.auto_leave = false;
  return next;
}

bool Ascending(const Nodes& nodes) {
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i] == kNoNode || (i > 0 && nodes[i] <= nodes[i - 1])) return false;
  }
  return true;
}

}  // namespace

Result<ConfState> NextConfState(const ConfState& current, const ConfChange& change) {
  if (change.steps.empty()) {
    if (!IsJoint(current)) return Invalid("there is no joint configuration to leave");
    return Leave(current);
  }
  if (IsJoint(current)) return Invalid("the joint configuration must be left first");
  for (const ConfChangeStep& step : change.steps) {
    if (step.node == kNoNode) return Invalid("node 0 cannot be a member");
  }
  ConfState simple = current;
  for (const ConfChangeStep& step : change.steps) ApplyStep(step, &simple);
  if (simple.voters.empty()) return Invalid("no voter would be left");
  if (current.voters.empty() || (change.transition == ConfChangeTransition::kAuto &&
                                 VotersChanged(current.voters, simple.voters) <= 1)) {
    return simple;
  }
  ConfState joint = current;
  joint.voters_outgoing = current.voters;
  joint.auto_leave = change.transition != ConfChangeTransition::kJointExplicit;
  for (const ConfChangeStep& step : change.steps) ApplyStep(step, &joint);
  return joint;
}

Status CheckConfState(const ConfState& conf) {
  if (!Ascending(conf.voters) || !Ascending(conf.learners) || !Ascending(conf.voters_outgoing) ||
      !Ascending(conf.learners_next)) {
    return Invalid("a list of nodes is not ascending");
  }
  if (conf.voters.empty() && !(conf.learners.empty() && conf.voters_outgoing.empty())) {
    return Invalid("a configuration without a voter");
  }
  for (NodeId id : conf.learners) {
    if (IsVoter(conf, id)) return Invalid("a node is both voter and learner");
  }
  for (NodeId id : conf.learners_next) {
    if (!Contains(conf.voters_outgoing, id) || Contains(conf.voters, id)) {
      return Invalid("a learner-to-be is not an outgoing voter");
    }
  }
  if (!IsJoint(conf) && conf.auto_leave) return Invalid("auto-leave without a joint configuration");
  return Status::Ok();
}

}  // namespace kiwi::raft
