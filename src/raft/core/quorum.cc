#include "raft/core/quorum.h"

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "raft/core/mutants.h"

namespace kiwi::raft {

uint64_t MajorityValue(std::span<const NodeId> voters, FunctionRef<uint64_t(NodeId)> value) {
  if (voters.empty()) return std::numeric_limits<uint64_t>::max();
  if (voters.size() == 1) return value(voters[0]);
  // Nearly every group fits on the stack.
  std::array<uint64_t, 16> small;
  std::vector<uint64_t> large;
  std::span<uint64_t> values(small.data(), std::min(small.size(), voters.size()));
  if (voters.size() > small.size()) {
    large.resize(voters.size());
    values = large;
  }
  for (size_t i = 0; i < voters.size(); ++i) values[i] = value(voters[i]);
  std::sort(values.begin(), values.end());
  size_t majority = Majority(voters.size());
  if (KIWI_MUTANT(kCommitMinority)) majority = (voters.size() + 1) / 2;
  return values[voters.size() - majority];
}

VoteResult MajorityVote(std::span<const NodeId> voters, FunctionRef<Vote(NodeId)> vote) {
  if (voters.empty()) return VoteResult::kWon;
  size_t granted = 0;
  size_t missing = 0;
  for (NodeId id : voters) {
    const Vote v = vote(id);
    granted += v == Vote::kGranted;
    missing += v == Vote::kMissing;
  }
  const size_t majority = Majority(voters.size());
  if (granted >= majority) return VoteResult::kWon;
  return granted + missing >= majority ? VoteResult::kPending : VoteResult::kLost;
}

uint64_t QuorumValue(const ConfState& conf, FunctionRef<uint64_t(NodeId)> value) {
  const uint64_t incoming = MajorityValue(conf.voters, value);
  if (conf.voters_outgoing.empty() || KIWI_MUTANT(kJointUsesNewOnly)) return incoming;
  return std::min(incoming, MajorityValue(conf.voters_outgoing, value));
}

VoteResult QuorumVote(const ConfState& conf, FunctionRef<Vote(NodeId)> vote) {
  const VoteResult incoming = MajorityVote(conf.voters, vote);
  if (conf.voters_outgoing.empty() || KIWI_MUTANT(kJointUsesNewOnly)) return incoming;
  const VoteResult outgoing = MajorityVote(conf.voters_outgoing, vote);
  if (incoming == outgoing) return incoming;
  if (incoming == VoteResult::kLost || outgoing == VoteResult::kLost) return VoteResult::kLost;
  return VoteResult::kPending;
}

bool Contains(std::span<const NodeId> nodes, NodeId id) {
  return std::binary_search(nodes.begin(), nodes.end(), id);
}

bool IsVoter(const ConfState& conf, NodeId id) {
  return Contains(conf.voters, id) || Contains(conf.voters_outgoing, id);
}

bool IsJoint(const ConfState& conf) { return !conf.voters_outgoing.empty(); }

}  // namespace kiwi::raft
