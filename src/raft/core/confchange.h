// Membership changes (dissertation chapter 4) as a function from one configuration to the next.
//
// A change of at most one voter is applied at once (simple): the majorities of before and after
// overlap. Any other goes through a joint configuration, in which both majorities must agree, and
// which an empty change leaves. Every node computes the same result from the same committed change.
#pragma once

#include "base/status.h"
#include "raft/core/message.h"
#include "raft/core/types.h"

namespace kiwi::raft {

// kInvalidArgument: no voter would be left, a joint configuration is entered twice or left when
// there is none, a simple change is wanted (and allowed) for more than one voter, or a node is 0.
// `index` of the result is the argument's; the caller sets it.
Result<ConfState> NextConfState(const ConfState& current, const ConfChange& change);

// Lists ascending and disjoint where they must be, at least one voter unless all is empty.
Status CheckConfState(const ConfState& conf);

}  // namespace kiwi::raft
