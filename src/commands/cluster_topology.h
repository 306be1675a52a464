// What clients read the shape of a cluster from, in the words of Redis 7.0: CLUSTER SLOTS, SHARDS,
// NODES, INFO, LINKS, and ROLE.
#pragma once

#include <string>

#include "commands/cluster_state.h"
#include "protocol/reply_writer.h"

namespace kiwi::commands {

// The leader first, then those replicas that are there: clients take every address for usable.
void WriteClusterSlots(const ClusterState& cluster, protocol::ReplyWriter& reply);
void WriteClusterShards(const ClusterState& cluster, protocol::ReplyWriter& reply);
void WriteClusterLinks(const ClusterState& cluster, protocol::ReplyWriter& reply);
std::string ClusterNodesText(const ClusterState& cluster);
std::string ClusterNodeLine(const ClusterState& cluster, const ClusterNode& node);
std::string ClusterInfoText(const ClusterState& cluster);
void WriteRole(const ClusterState& cluster, protocol::ReplyWriter& reply);

}  // namespace kiwi::commands
