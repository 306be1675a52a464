// Majorities, of one configuration and of the two halves of a joint one (dissertation 4.3).
#pragma once

#include <cstdint>
#include <span>

#include "base/function_ref.h"
#include "raft/core/types.h"

namespace kiwi::raft {

enum class VoteResult : uint8_t { kPending, kLost, kWon };
enum class Vote : uint8_t { kMissing, kGranted, kRejected };

inline size_t Majority(size_t voters) { return voters / 2 + 1; }

// The largest value that a majority of the voters has reached (a match index, a heartbeat round).
// Of no voters: the largest value there is, so that an absent half of a joint configuration never
// holds the other up.
uint64_t MajorityValue(std::span<const NodeId> voters, FunctionRef<uint64_t(NodeId)> value);
VoteResult MajorityVote(std::span<const NodeId> voters, FunctionRef<Vote(NodeId)> vote);

// The same for a configuration that may be joint: both halves must agree.
uint64_t QuorumValue(const ConfState& conf, FunctionRef<uint64_t(NodeId)> value);
VoteResult QuorumVote(const ConfState& conf, FunctionRef<Vote(NodeId)> vote);

// Membership in one of the lists, which are ascending.
bool Contains(std::span<const NodeId> nodes, NodeId id);
// Of either half.
bool IsVoter(const ConfState& conf, NodeId id);
bool IsJoint(const ConfState& conf);

}  // namespace kiwi::raft
