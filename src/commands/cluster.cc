// CLUSTER and its kin: a group of nodes looks like a Redis Cluster of one shard. Its shape follows
// from the Raft group alone, so that whatever would change it here is refused with the right way.
#include "commands/cluster.h"

#include <string>

#include "base/hash.h"
#include "base/numbers.h"
#include "commands/args.h"
#include "commands/cluster_topology.h"
#include "commands/help.h"
#include "commands/server_view.h"
#include "commands/session_view.h"

namespace kiwi::commands {
namespace {

constexpr int64_t kPortMax = 65535;

// Each handler of this file begins with it: without cluster-enabled there is no cluster.
bool Enabled(Context& ctx) {
  if (ctx.server->cluster_enabled()) return true;
  ctx.reply.Error(kClusterDisabled);
  return false;
}

// --- the shape ---

void Slots(Context& ctx) {
  if (Enabled(ctx)) WriteClusterSlots(ctx.server->DescribeCluster(), ctx.reply);
}

void Shards(Context& ctx) {
  if (Enabled(ctx)) WriteClusterShards(ctx.server->DescribeCluster(), ctx.reply);
}

void Nodes(Context& ctx) {
  if (Enabled(ctx)) ctx.reply.Verbatim(ClusterNodesText(ctx.server->DescribeCluster()));
}

void Info(Context& ctx) {
  if (Enabled(ctx)) ctx.reply.Verbatim(ClusterInfoText(ctx.server->DescribeCluster()));
}

void Links(Context& ctx) {
  if (Enabled(ctx)) WriteClusterLinks(ctx.server->DescribeCluster(), ctx.reply);
}

void MyId(Context& ctx) {
  if (!Enabled(ctx)) return;
  const ClusterState cluster = ctx.server->DescribeCluster();
  const ClusterNode* const self = cluster.self();
  if (self == nullptr) return ctx.reply.Error("ERR This node is not a member of the group");
  ctx.reply.Bulk(self->id);
}

const ClusterNode* NodeArg(Context& ctx, const ClusterState& cluster, std::string_view id) {
  for (const ClusterNode& node : cluster.nodes) {
    if (node.id == id) return &node;
  }
  ctx.reply.Error("ERR Unknown node " + std::string(UpToNul(id)));
  return nullptr;
}

void Replicas(Context& ctx) {
  if (!Enabled(ctx)) return;
  const ClusterState cluster = ctx.server->DescribeCluster();
  const ClusterNode* const of = NodeArg(ctx, cluster, ctx.args[2]);
  if (of == nullptr) return;
  if (!of->leader) return ctx.reply.Error("ERR The specified node is not a master");
  ctx.reply.Array(cluster.nodes.size() - 1);
  for (const ClusterNode& node : cluster.nodes) {
    if (!node.leader) ctx.reply.Bulk(ClusterNodeLine(cluster, node));
  }
}

void CountFailureReports(Context& ctx) {
  if (!Enabled(ctx)) return;
  const ClusterState cluster = ctx.server->DescribeCluster();
  const ClusterNode* const node = NodeArg(ctx, cluster, ctx.args[2]);
  if (node != nullptr) ctx.reply.Integer(node->failed ? 1 : 0);
}

// --- slots ---

void KeySlotOf(Context& ctx) {
  if (Enabled(ctx)) ctx.reply.Integer(KeySlot(ctx.args[2]));
}

keyspace::ShardSet ShardOf(uint16_t slot) {
  keyspace::ShardSet shards;
  shards.AddSlot(slot);
  return shards;
}

void CountKeysInSlot(Context& ctx) {
  int64_t slot = 0;
  if (!Enabled(ctx) || !IntArg(ctx, ctx.args[2], &slot)) return;
  if (slot < 0 || slot >= kSlotCount) return ctx.reply.Error("ERR Invalid slot");
  const auto number = static_cast<uint16_t>(slot);
  uint64_t count = 0;
  ctx.server->ReadKeyspace(0, ShardOf(number),
                           [&](keyspace::Db& db) { count = db.CountInSlot(number); });
  ctx.reply.Integer(static_cast<int64_t>(count));
}

void GetKeysInSlot(Context& ctx) {
  int64_t slot = 0;
  int64_t count = 0;
  if (!Enabled(ctx) || !IntArg(ctx, ctx.args[2], &slot) || !IntArg(ctx, ctx.args[3], &count)) {
    return;
  }
  if (slot < 0 || slot >= kSlotCount || count < 0) {
    return ctx.reply.Error("ERR Invalid slot or number of keys");
  }
  std::vector<std::string> keys;
  const auto number = static_cast<uint16_t>(slot);
  ctx.server->ReadKeyspace(0, ShardOf(number), [&](keyspace::Db& db) {
    db.ForEachInSlot(number, [&](const keyspace::Object& object) {
      if (keys.size() >= static_cast<size_t>(count)) return false;
      keys.emplace_back(object.key());
      return true;
    });
  });
  ctx.reply.Array(keys.size());
  for (const std::string& key : keys) ctx.reply.Bulk(key);
}

// --- what an operator does by other commands ---

void Refuse(Context& ctx, std::string_view instead) {
  if (Enabled(ctx)) ctx.reply.Error("ERR " + std::string(instead));
}

void RefuseSlots(Context& ctx) {
  Refuse(ctx, "The leader of the Raft group has all slots; they cannot be assigned");
}
void RefuseMembers(Context& ctx) {
  Refuse(ctx, "Members are those of the Raft group: use RAFT.CLUSTER JOIN and RAFT.NODE REMOVE");
}
void RefuseRoles(Context& ctx) {
  Refuse(ctx, "Roles follow from the Raft group: use RAFT.TRANSFER_LEADER");
}
void RefuseEpochs(Context& ctx) {
  Refuse(ctx, "Epochs are the terms of the Raft group and cannot be set");
}
// The membership is in the log and in every checkpoint.
void SaveConfig(Context& ctx) {
  if (Enabled(ctx)) ctx.reply.Ok();
}

constexpr std::string_view kHelp[] = {
    "COUNT-FAILURE-REPORTS <node-id>",
    "    Answers 1 if this node takes <node-id> for failed.",
    "COUNTKEYSINSLOT <slot>",
    "    Answers the number of keys in <slot>.",
    "GETKEYSINSLOT <slot> <count>",
    "    Answers at most <count> keys of <slot>.",
    "INFO",
    "    Answers the state of the cluster.",
    "KEYSLOT <key>",
    "    Answers the hash slot of <key>.",
    "LINKS",
    "    Answers this node's links to the others.",
    "MYID",
    "    Answers the node's id.",
    "NODES",
    "    Answers the cluster as this node sees it, a line a node:",
    "    <id> <ip:port@bus-port> <flags> <master> <ping> <pong> <epoch> <link> <slot> ...",
    "REPLICAS <node-id>",
    "    Answers the replicas of <node-id>.",
    "SHARDS",
    "    Answers the ranges of slots with their nodes.",
    "SLOTS",
    "    Answers the ranges of slots with addresses and ids of master and replicas.",
};

void Help(Context& ctx) {
  if (Enabled(ctx)) ReplyHelp(ctx, "CLUSTER", kHelp);
}

// --- the connection ---

void ReadOnly(Context& ctx) {
  if (!Enabled(ctx)) return;
  ctx.session->SetReadOnly(true);
  ctx.reply.Ok();
}

void ReadWrite(Context& ctx) {
  if (!Enabled(ctx)) return;
  ctx.session->SetReadOnly(false);
  ctx.reply.Ok();
}

// Slots are never on the move here: there is nothing to ask for.
void Asking(Context& ctx) {
  if (Enabled(ctx)) ctx.reply.Ok();
}

// --- internal ---

void Member(Context& ctx) {
  if (!ParseMemberCommand(ctx.args)) return ctx.reply.Error(kSyntaxError);
  ctx.reply.Ok();
}

constexpr uint32_t kChange = kAdmin | kStale | kNoAsyncLoading;
constexpr std::string_view kVaries = "nondeterministic_output";
constexpr std::string_view kPerNode = "O(N) where N is the number of nodes";
constexpr std::string_view kConstant = "O(1)";

constexpr CommandRow kSubcommands[] = {
    {.name = "addslots",
     .handler = RefuseSlots,
     .arity = -3,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: the leader has all slots."},
    {.name = "addslotsrange",
     .handler = RefuseSlots,
     .arity = -4,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "7.0.0",
     .complexity = kConstant,
     .summary = "Refused: the leader has all slots."},
    {.name = "bumpepoch",
     .handler = RefuseEpochs,
     .arity = 2,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: epochs are Raft's terms.",
     .tips = kVaries},
    {.name = "count-failure-reports",
     .handler = CountFailureReports,
     .arity = 3,
     .flags = kAdmin | kStale,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kPerNode,
     .summary = "Answers 1 if this node takes a node for failed.",
     .tips = kVaries},
    {.name = "countkeysinslot",
     .handler = CountKeysInSlot,
     .arity = 3,
     .flags = kStale | kReadsKeyspace,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Answers the number of keys in a slot."},
    {.name = "delslots",
     .handler = RefuseSlots,
     .arity = -3,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: the leader has all slots."},
    {.name = "delslotsrange",
     .handler = RefuseSlots,
     .arity = -4,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "7.0.0",
     .complexity = kConstant,
     .summary = "Refused: the leader has all slots."},
    {.name = "failover",
     .handler = RefuseRoles,
     .arity = -2,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: RAFT.TRANSFER_LEADER moves the leadership."},
    {.name = "flushslots",
     .handler = RefuseSlots,
     .arity = 2,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: the leader has all slots."},
    {.name = "forget",
     .handler = RefuseMembers,
     .arity = 3,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: RAFT.NODE REMOVE removes a node."},
    {.name = "getkeysinslot",
     .handler = GetKeysInSlot,
     .arity = 4,
     .flags = kStale | kReadsKeyspace,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = "O(N) where N is the number of keys asked for",
     .summary = "Answers keys of a slot.",
     .tips = kVaries},
    {.name = "help",
     .handler = Help,
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kCluster,
     .since = "5.0.0",
     .complexity = kConstant,
     .summary = kHelpSummary},
    {.name = "info",
     .handler = Info,
     .arity = 2,
     .flags = kStale,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kPerNode,
     .summary = "Answers the state of the cluster.",
     .tips = kVaries},
    {.name = "keyslot",
     .handler = KeySlotOf,
     .arity = 3,
     .flags = kStale,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = "O(N) where N is the length of the key",
     .summary = "Answers the slot of a key."},
    {.name = "links",
     .handler = Links,
     .arity = 2,
     .flags = kStale,
     .group = Group::kCluster,
     .since = "7.0.0",
     .complexity = kPerNode,
     .summary = "Answers this node's links to the others.",
     .tips = kVaries},
    {.name = "meet",
     .handler = RefuseMembers,
     .arity = -4,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: RAFT.CLUSTER JOIN adds a node."},
    {.name = "myid",
     .handler = MyId,
     .arity = 2,
     .flags = kStale,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Answers the node's id."},
    {.name = "nodes",
     .handler = Nodes,
     .arity = 2,
     .flags = kStale,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kPerNode,
     .summary = "Answers the cluster as this node sees it, a line a node.",
     .tips = kVaries},
    {.name = "replicas",
     .handler = Replicas,
     .arity = 3,
     .flags = kAdmin | kStale,
     .group = Group::kCluster,
     .since = "5.0.0",
     .complexity = kPerNode,
     .summary = "Answers the replicas of a node.",
     .tips = kVaries},
    {.name = "replicate",
     .handler = RefuseRoles,
     .arity = 3,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: roles follow from the Raft group."},
    {.name = "reset",
     .handler = RefuseMembers,
     .arity = -2,
     .flags = kAdmin | kStale | kNoScript,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: RAFT.NODE REMOVE removes a node."},
    {.name = "saveconfig",
     .handler = SaveConfig,
     .arity = 2,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Answers OK: the membership is always durable."},
    {.name = "set-config-epoch",
     .handler = RefuseEpochs,
     .arity = 3,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: epochs are Raft's terms."},
    {.name = "setslot",
     .handler = RefuseSlots,
     .arity = -4,
     .flags = kChange,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Refused: the leader has all slots."},
    {.name = "shards",
     .handler = Shards,
     .arity = 2,
     .flags = kStale,
     .group = Group::kCluster,
     .since = "7.0.0",
     .complexity = kPerNode,
     .summary = "Answers the ranges of slots with their nodes.",
     .tips = kVaries},
    {.name = "slaves",
     .handler = Replicas,
     .arity = 3,
     .flags = kAdmin | kStale,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kPerNode,
     .summary = "The older name of CLUSTER REPLICAS.",
     .tips = kVaries},
    {.name = "slots",
     .handler = Slots,
     .arity = 2,
     .flags = kStale,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = kPerNode,
     .summary = "Answers the ranges of slots with the addresses of their nodes.",
     .tips = kVaries},
};

constexpr CommandRow kRows[] = {
    {.name = "cluster",
     .arity = -2,
     .group = Group::kCluster,
     .since = "3.0.0",
     .complexity = "Depends on the subcommand.",
     .summary = "The cluster as its clients see it.",
     .subcommands = kSubcommands},
    {.name = "asking",
     .handler = Asking,
     .arity = 1,
     .flags = kFast,
     .group = Group::kCluster,
     .categories = kCatConnection,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Accepted: no slot is ever on the move."},
    {.name = "readonly",
     .handler = ReadOnly,
     .arity = 1,
     .flags = kLoading | kStale | kFast,
     .group = Group::kCluster,
     .categories = kCatConnection,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Lets replicas answer the connection's reads."},
    {.name = "readwrite",
     .handler = ReadWrite,
     .arity = 1,
     .flags = kLoading | kStale | kFast,
     .group = Group::kCluster,
     .categories = kCatConnection,
     .since = "3.0.0",
     .complexity = kConstant,
     .summary = "Ends what READONLY began."},
    {.name = kMemberCommand,
     .handler = Member,
     .arity = 4,
     .flags = kWrite | kInternal | kAllShards,
     .group = Group::kRaft,
     .since = "7.0.0",
     .complexity = kConstant,
     .summary = "Tells where the clients of a member reach it."},
};

}  // namespace

std::vector<std::string> MakeMemberCommand(const MemberAddress& member) {
  return {std::string(kMemberCommand), std::to_string(member.node), std::string(member.host),
          std::to_string(member.port)};
}

std::optional<MemberAddress> ParseMemberCommand(Args args) {
  int64_t node = 0;
  int64_t port = 0;
  if (args.size() != 4 || !ParseInt64(args[1], &node) || !ParseInt64(args[3], &port) || node < 1 ||
      port < 0 || port > kPortMax) {
    return std::nullopt;
  }
  return MemberAddress{
      .node = static_cast<uint64_t>(node), .host = args[2], .port = static_cast<int>(port)};
}

std::span<const CommandRow> ClusterCommands() { return kRows; }

}  // namespace kiwi::commands
