// What the node and its log are doing: the rows that INFO raft, RAFT.STATUS and /metrics/raft are
// made of.
#pragma once

#include <span>

#include "raft/node/node.h"
#include "server/figures.h"

namespace kiwi::server {

std::string_view RoleName(raft::Role role);
std::span<const Figure<raft::NodeStatus>> RaftFigures();

}  // namespace kiwi::server
