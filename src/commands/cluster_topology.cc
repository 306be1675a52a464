#include "commands/cluster_topology.h"

#include <algorithm>

#include "base/hash.h"

namespace kiwi::commands {

using protocol::ReplyWriter;

namespace {

constexpr int kLastSlot = kSlotCount - 1;

bool Shown(const ClusterNode& node) { return node.reachable() && (node.leader || !node.failed); }

// Leader first.
std::vector<const ClusterNode*> ByRole(const ClusterState& cluster) {
  std::vector<const ClusterNode*> nodes;
  for (const ClusterNode& node : cluster.nodes) nodes.push_back(&node);
  std::stable_partition(nodes.begin(), nodes.end(),
                        [](const ClusterNode* node) { return node->leader; });
  return nodes;
}

void WriteSlotNode(const ClusterNode& node, ReplyWriter& reply) {
  reply.Array(4);
  reply.Bulk(node.host);
  reply.Integer(node.port);
  reply.Bulk(node.id);
  reply.Map(0);
}

void WriteShardNode(const ClusterNode& node, ReplyWriter& reply) {
  reply.Map(7);
  reply.Bulk("id");
  reply.Bulk(node.id);
  reply.Bulk("port");
  reply.Integer(node.port);
  reply.Bulk("ip");
  reply.Bulk(node.host);
  reply.Bulk("endpoint");
  reply.Bulk(node.host);
  reply.Bulk("role");
  reply.Bulk(node.leader ? "master" : "replica");
  reply.Bulk("replication-offset");
  reply.Integer(static_cast<int64_t>(node.offset));
  reply.Bulk("health");
  reply.Bulk(node.failed ? "fail" : node.loading ? "loading" : "online");
}

std::string Line(std::string_view name, std::string_view value) {
  return std::string(name) + ":" + std::string(value) + "\r\n";
}

std::string Line(std::string_view name, uint64_t value) {
  return Line(name, std::to_string(value));
}

}  // namespace

void WriteClusterSlots(const ClusterState& cluster, ReplyWriter& reply) {
  const ClusterNode* const leader = cluster.leader();
  if (leader == nullptr || !Shown(*leader)) return reply.Array(0);
  std::vector<const ClusterNode*> nodes = ByRole(cluster);
  std::erase_if(nodes, [](const ClusterNode* node) { return !Shown(*node); });
  reply.Array(1);
  reply.Array(2 + nodes.size());
  reply.Integer(0);
  reply.Integer(kLastSlot);
  for (const ClusterNode* node : nodes) WriteSlotNode(*node, reply);
}

void WriteClusterShards(const ClusterState& cluster, ReplyWriter& reply) {
  std::vector<const ClusterNode*> nodes = ByRole(cluster);
  std::erase_if(nodes, [](const ClusterNode* node) { return !node->reachable(); });
  reply.Array(1);
  reply.Map(2);
  reply.Bulk("slots");
  if (cluster.leader() != nullptr) {
    reply.Array(2);
    reply.Integer(0);
    reply.Integer(kLastSlot);
  } else {
    reply.Array(0);
  }
  reply.Bulk("nodes");
  reply.Array(nodes.size());
  for (const ClusterNode* node : nodes) WriteShardNode(*node, reply);
}

void WriteClusterLinks(const ClusterState& cluster, ReplyWriter& reply) {
  std::vector<const ClusterNode*> linked;
  for (const ClusterNode& node : cluster.nodes) {
    if (node.node != cluster.own && node.linked) linked.push_back(&node);
  }
  reply.Array(linked.size());
  for (const ClusterNode* node : linked) {
    reply.Map(6);
    reply.Bulk("direction");
    reply.Bulk("to");
    reply.Bulk("node");
    reply.Bulk(node->id);
    reply.Bulk("create-time");
    reply.Integer(node->linked_since_ms);
    reply.Bulk("events");
    reply.Bulk(node->bytes_queued > 0 ? "rw" : "r");
    reply.Bulk("send-buffer-allocated");
    reply.Integer(static_cast<int64_t>(node->bytes_queued));
    reply.Bulk("send-buffer-used");
    reply.Integer(static_cast<int64_t>(node->bytes_queued));
  }
}

std::string ClusterNodeLine(const ClusterState& cluster, const ClusterNode& node) {
  const ClusterNode* const leader = cluster.leader();
  std::string line = node.id + " " + node.host + ":" + std::to_string(node.port) + "@" +
                     std::to_string(node.bus_port) + " ";
  if (node.node == cluster.own) line += "myself,";
  line += node.leader ? "master" : "slave";
  if (node.failed) line += ",fail";
  line += " " + (node.leader || leader == nullptr ? "-" : leader->id);
  // Replicas show their master's epoch, and here there is but one.
  line += " 0 " + std::to_string(node.heard_ms) + " " + std::to_string(cluster.term);
  line += node.linked ? " connected" : " disconnected";
  if (node.leader) line += " 0-" + std::to_string(kLastSlot);
  return line;
}

std::string ClusterNodesText(const ClusterState& cluster) {
  std::string text;
  for (const ClusterNode& node : cluster.nodes) text += ClusterNodeLine(cluster, node) + "\n";
  return text;
}

std::string ClusterInfoText(const ClusterState& cluster) {
  const uint64_t slots = cluster.leader() != nullptr ? kSlotCount : 0;
  const uint64_t served = cluster.ok ? slots : 0;
  return Line("cluster_state", cluster.ok ? "ok" : "fail") + Line("cluster_slots_assigned", slots) +
         Line("cluster_slots_ok", served) + Line("cluster_slots_pfail", 0) +
         Line("cluster_slots_fail", slots - served) +
         Line("cluster_known_nodes", cluster.nodes.size()) + Line("cluster_size", slots > 0) +
         Line("cluster_current_epoch", cluster.term) + Line("cluster_my_epoch", cluster.term) +
         Line("cluster_stats_messages_sent", cluster.messages_sent) +
         Line("cluster_stats_messages_received", cluster.messages_received) +
         Line("total_cluster_links_buffer_limit_exceeded", 0);
}

void WriteRole(const ClusterState& cluster, ReplyWriter& reply) {
  const ClusterNode* const leader = cluster.leader();
  const ClusterNode* const self = cluster.self();
  const auto offset = self != nullptr ? static_cast<int64_t>(self->offset) : 0;
  if (!cluster.leads()) {
    reply.Array(5);
    reply.Bulk("slave");
    reply.Bulk(leader != nullptr ? leader->host : "");
    reply.Integer(leader != nullptr ? leader->port : 0);
    reply.Bulk(cluster.ok ? "connected" : "connect");
    reply.Integer(offset);
    return;
  }
  std::vector<const ClusterNode*> replicas;
  for (const ClusterNode& node : cluster.nodes) {
    if (!node.leader && !node.failed && node.reachable()) replicas.push_back(&node);
  }
  reply.Array(3);
  reply.Bulk("master");
  reply.Integer(offset);
  reply.Array(replicas.size());
  for (const ClusterNode* node : replicas) {
    reply.Array(3);
    reply.Bulk(node->host);
    reply.BulkInteger(node->port);
    reply.BulkInteger(static_cast<int64_t>(node->offset));
  }
}

}  // namespace kiwi::commands
