// RAFT.*: the replicated log and the group, as this node sees them; changes of the group; backups.
#include <variant>

#include "base/numbers.h"
#include "commands/args.h"
#include "commands/command.h"
#include "commands/group_view.h"
#include "commands/help.h"
#include "commands/info_writer.h"
#include "commands/server_view.h"

namespace kiwi::commands {
namespace {

struct ReplyFigure {
  protocol::ReplyWriter& reply;
  void operator()(int64_t value) const { reply.Integer(value); }
  void operator()(double value) const { reply.Double(value); }
  void operator()(const std::string& value) const { reply.Bulk(value); }
};

struct FigureText {
  std::string operator()(int64_t value) const { return std::to_string(value); }
  std::string operator()(double value) const { return FormatDecimal(value, 3); }
  std::string operator()(const std::string& value) const { return value; }
};

// One pair of a map.
struct Pairs {
  protocol::ReplyWriter& reply;
  void Text(std::string_view name, std::string_view value) const {
    reply.Bulk(name);
    reply.Bulk(value);
  }
  void Number(std::string_view name, int64_t value) const {
    reply.Bulk(name);
    reply.Integer(value);
  }
};

std::string ToText(const HostPort& address) {
  return address.port == 0 ? "" : address.host + ":" + std::to_string(address.port);
}

// --- RAFT.STATUS ---

void ReplyMember(Context& ctx, const MemberReport& member) {
  const Pairs pairs{ctx.reply};
  ctx.reply.Map(10);
  pairs.Number("id", static_cast<int64_t>(member.id));
  pairs.Text("address", ToText(member.raft));
  pairs.Text("client_address", ToText(member.client));
  pairs.Text("role", member.role);
  pairs.Text("state", member.state);
  pairs.Number("match", member.match);
  pairs.Number("lag_entries", member.lag_entries);
  pairs.Number("lag_ms", member.lag_ms);
  pairs.Number("last_contact_ms", member.last_contact_ms);
  pairs.Text("connected", member.connected ? "yes" : "no");
}

void ReplySnapshot(Context& ctx, const SnapshotReport& snapshot) {
  const Pairs pairs{ctx.reply};
  ctx.reply.Map(5);
  pairs.Number("peer", static_cast<int64_t>(snapshot.peer));
  pairs.Text("direction", snapshot.sending ? "sending" : "receiving");
  pairs.Number("bytes_done", static_cast<int64_t>(snapshot.bytes_done));
  pairs.Number("bytes_estimated", static_cast<int64_t>(snapshot.bytes_estimated));
  pairs.Number("started_unix_ms", snapshot.started_unix_ms);
}

// The latest last.
void ReplyHistory(Context& ctx) {
  InfoFigures figures;
  ctx.server->CollectInfo(kNeedHistory, &figures);
  ctx.reply.Array(figures.history.size());
  const Pairs pairs{ctx.reply};
  for (const HistorySample& sample : figures.history) {
    ctx.reply.Map(kHistoryFigures.size() + 1);
    pairs.Number("unix_ms", sample.unix_ms);
    for (size_t i = 0; i < kHistoryFigures.size(); ++i) {
      pairs.Number(kHistoryFigures[i], static_cast<int64_t>(sample.figures[i]));
    }
  }
}

// For people: a figure a line, then a line a member and a snapshot, in the manner of INFO.
void ReplyText(Context& ctx) {
  InfoFigures figures;
  ctx.server->CollectInfo(kNeedRaft, &figures);
  const GroupReport group = ctx.server->group()->Report();
  std::string text;
  const auto line = [&text](std::string_view name, std::string_view value) {
    text.append(name).append(":").append(value).append("\r\n");
  };
  for (const NamedFigure& figure : figures.raft) {
    line(figure.name, std::visit(FigureText{}, figure.value));
  }
  line("cluster_id", std::to_string(group.cluster_id));
  line("part", group.part);
  line("leader_address", ToText(group.leader_client));
  for (const MemberReport& m : group.members) {
    line("member" + std::to_string(m.id),
         "role=" + m.role + ",address=" + ToText(m.raft) + ",client_address=" + ToText(m.client) +
             ",state=" + m.state + ",match=" + std::to_string(m.match) + ",lag_entries=" +
             std::to_string(m.lag_entries) + ",lag_ms=" + std::to_string(m.lag_ms) +
             ",last_contact_ms=" + std::to_string(m.last_contact_ms) +
             ",connected=" + (m.connected ? "yes" : "no"));
  }
  for (const SnapshotReport& snapshot : group.snapshots) {
    line("snapshot" + std::to_string(snapshot.peer),
         std::string("direction=") + (snapshot.sending ? "sending" : "receiving") +
             ",bytes_done=" + std::to_string(snapshot.bytes_done) +
             ",bytes_estimated=" + std::to_string(snapshot.bytes_estimated));
  }
  ctx.reply.Verbatim(text);
}

void Status(Context& ctx) {
  if (ctx.args.size() == 2 && EqualsIgnoreCase(ctx.args[1], "history")) return ReplyHistory(ctx);
  if (ctx.args.size() == 2 && EqualsIgnoreCase(ctx.args[1], "text")) return ReplyText(ctx);
  if (ctx.args.size() > 1) return ctx.reply.Error(kSyntaxError);
  InfoFigures figures;
  ctx.server->CollectInfo(kNeedRaft, &figures);
  const GroupReport group = ctx.server->group()->Report();
  ctx.reply.Map(figures.raft.size() + 5);
  for (const NamedFigure& figure : figures.raft) {
    ctx.reply.Bulk(figure.name);
    std::visit(ReplyFigure{ctx.reply}, figure.value);
  }
  const Pairs pairs{ctx.reply};
  pairs.Text("cluster_id", std::to_string(group.cluster_id));
  pairs.Text("part", group.part);
  pairs.Text("leader_address", ToText(group.leader_client));
  ctx.reply.Bulk("members");
  ctx.reply.Array(group.members.size());
  for (const MemberReport& member : group.members) ReplyMember(ctx, member);
  ctx.reply.Bulk("snapshots");
  ctx.reply.Array(group.snapshots.size());
  for (const SnapshotReport& snapshot : group.snapshots) ReplySnapshot(ctx, snapshot);
}

// --- changes of the group ---

void ReplyChange(Context& ctx, const ::kiwi::Status& status) {
  if (status.ok()) return ctx.reply.Ok();
  std::string_view code = "ERR ";
  if (status.code() == StatusCode::kNotLeader) code = "NOTLEADER ";
  if (status.code() == StatusCode::kBusy) code = "TRYAGAIN ";
  if (status.code() == StatusCode::kAborted) code = "UNKNOWN ";
  ctx.reply.Error(std::string(code) + std::string(status.message()));
}

bool NodeIdArg(Context& ctx, std::string_view text, uint64_t* id) {
  int64_t value = 0;
  if (!RangeArg(ctx, text, 1, INT64_MAX, &value)) return false;
  *id = static_cast<uint64_t>(value);
  return true;
}

// host:port, or [::1]:port.
bool AddressArg(Context& ctx, std::string_view text, HostPort* address) {
  const size_t colon = text.rfind(':');
  int64_t port = 0;
  if (colon == std::string_view::npos || colon == 0 || text.size() > 512 ||
      !ParseInt64(text.substr(colon + 1), &port) || port < 1 || port > 65535) {
    ctx.reply.Error("ERR an address is host:port");
    return false;
  }
  std::string_view host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  *address = {.host = std::string(host), .port = static_cast<int>(port)};
  return true;
}

// An optional last argument FORCE.
bool ForceArg(Context& ctx, size_t at, bool* force) {
  *force = ctx.args.size() > at;
  if (!*force || (ctx.args.size() == at + 1 && EqualsIgnoreCase(ctx.args[at], "force"))) {
    return true;
  }
  ctx.reply.Error(kSyntaxError);
  return false;
}

void TransferLeader(Context& ctx) {
  uint64_t id = 0;
  if (ctx.args.size() > 2) return ReplyArityError(ctx, "raft.transfer_leader");
  if (ctx.args.size() == 2 && !NodeIdArg(ctx, ctx.args[1], &id)) return;
  ReplyChange(ctx, ctx.server->group()->TransferLeader(id));
}

void NodeAdd(Context& ctx) {
  uint64_t id = 0;
  HostPort raft;
  HostPort client;
  if (ctx.args.size() > 5) return ctx.reply.Error(kSyntaxError);
  if (!NodeIdArg(ctx, ctx.args[2], &id) || !AddressArg(ctx, ctx.args[3], &raft)) return;
  if (ctx.args.size() == 5 && !AddressArg(ctx, ctx.args[4], &client)) return;
  ReplyChange(ctx, ctx.server->group()->AddNode(id, raft, client));
}

void NodePromote(Context& ctx) {
  uint64_t id = 0;
  bool force = false;
  if (!NodeIdArg(ctx, ctx.args[2], &id) || !ForceArg(ctx, 3, &force)) return;
  ReplyChange(ctx, ctx.server->group()->PromoteNode(id, force));
}

void NodeRemove(Context& ctx) {
  uint64_t id = 0;
  bool force = false;
  if (!NodeIdArg(ctx, ctx.args[2], &id) || !ForceArg(ctx, 3, &force)) return;
  ReplyChange(ctx, ctx.server->group()->RemoveNode(id, force));
}

void NodeHelp(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "ADD <id> <host:port> [<client-host:port>]",
      "    Take a node in as learner, by its raft address; it is promoted once it has caught up.",
      "    One that is alone and has taken no writes yet is told, and starts anew as member; any",
      "    other waits for RAFT.CLUSTER JOIN.",
      "PROMOTE <id> [FORCE]",
      "    Let a learner vote now.",
      "REMOVE <id> [FORCE]",
      "    Remove a node for good: its id is never used again.",
  };
  ReplyHelp(ctx, "RAFT.NODE", kLines);
}

void ClusterInit(Context& ctx) {
  const GroupReport group = ctx.server->group()->Report();
  const Pairs pairs{ctx.reply};
  ctx.reply.Map(3);
  pairs.Text("cluster_id", std::to_string(group.cluster_id));
  pairs.Number("node_id", static_cast<int64_t>(group.node_id));
  ctx.reply.Bulk("members");
  ctx.reply.Array(group.members.size());
  for (const MemberReport& member : group.members) {
    ctx.reply.Integer(static_cast<int64_t>(member.id));
  }
}

void ClusterJoin(Context& ctx) {
  constexpr size_t kContactsMax = 64;
  if (ctx.args.size() > kContactsMax) return ctx.reply.Error(kSyntaxError);
  std::vector<HostPort> contacts(ctx.args.size() - 2);
  for (size_t i = 0; i < contacts.size(); ++i) {
    if (!AddressArg(ctx, ctx.args[i + 2], &contacts[i])) return;
  }
  ReplyChange(ctx, ctx.server->group()->Join(contacts));
}

void ClusterHelp(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "INIT",
      "    The group that this node is of; a fresh node is a group of one by itself.",
      "JOIN <host:port> [<host:port> ...]",
      "    Join the group of any of these nodes, by their raft ports. Only for a node that",
      "    is alone and holds no keys; it starts anew as member.",
  };
  ReplyHelp(ctx, "RAFT.CLUSTER", kLines);
}

void AcceptLoss(Context& ctx) { ReplyChange(ctx, ctx.server->group()->AcceptLoss()); }

// --- snapshots and backups ---

void Snapshot(Context& ctx) { ReplyChange(ctx, ctx.server->Checkpoint(true)); }

void Backup(Context& ctx) {
  const Result<BackupReport> report = ctx.server->Backup(ctx.args[1]);
  if (!report.ok()) {
    return ctx.reply.Error("ERR backup failed: " + std::string(report.status().message()));
  }
  const Pairs pairs{ctx.reply};
  ctx.reply.Map(4);
  pairs.Text("path", report->path);
  pairs.Number("index", static_cast<int64_t>(report->index));
  pairs.Number("term", static_cast<int64_t>(report->term));
  pairs.Number("bytes", static_cast<int64_t>(report->bytes));
}

// All of them may wait, and so run on workers.
constexpr uint32_t kOperator = kAdmin | kNoScript | kNoAsyncLoading | kNoMulti;
constexpr uint32_t kCategories = kCatAdmin | kCatDangerous;

constexpr CommandRow Operator(std::string_view name, Handler handler, int arity,
                              std::string_view summary) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = kOperator,
          .group = Group::kRaft,
          .categories = kCategories,
          .since = "7.0.0",
          .complexity = "Waits until the change is replicated",
          .summary = summary};
}

constexpr CommandRow Help(Handler handler) {
  return {.name = "help",
          .handler = handler,
          .arity = 2,
          .flags = kLoading | kStale,
          .group = Group::kRaft,
          .categories = kCategories,
          .since = "7.0.0",
          .complexity = "O(1)",
          .summary = kHelpSummary};
}

constexpr CommandRow kClusterSubcommands[] = {
    Help(ClusterHelp),
    Operator("init", ClusterInit, 2, "Answers which group this node is of."),
    Operator("join", ClusterJoin, -3, "Makes this node, alone and empty, a member of a group."),
};

constexpr CommandRow kNodeSubcommands[] = {
    Operator("add", NodeAdd, -4, "Takes a node into the group."),
    Help(NodeHelp),
    Operator("promote", NodePromote, -3, "Lets a learner vote."),
    Operator("remove", NodeRemove, -3, "Removes a node from the group for good."),
};

constexpr CommandRow Container(std::string_view name, std::span<const CommandRow> subcommands,
                               std::string_view summary) {
  return {.name = name,
          .arity = -2,
          .group = Group::kRaft,
          .categories = kCategories,
          .since = "7.0.0",
          .complexity = "Depends on subcommand.",
          .summary = summary,
          .subcommands = subcommands};
}

constexpr CommandRow kRows[] = {
    Operator("raft.accept_loss", AcceptLoss, 1,
             "This node votes again although it may have lost acknowledged writes."),
    {.name = "raft.backup",
     .handler = Backup,
     .arity = 2,
     .flags = kOperator,
     .group = Group::kRaft,
     .categories = kCategories,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of keys",
     .summary = "Writes a backup of this node's state into a new file, while writes go on."},
    Container("raft.cluster", kClusterSubcommands, "Forms a group."),
    Container("raft.node", kNodeSubcommands, "Changes the members of the group."),
    {.name = "raft.snapshot",
     .handler = Snapshot,
     .arity = 1,
     .flags = kOperator,
     .group = Group::kRaft,
     .categories = kCategories,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of keys changed since the last one",
     .summary = "Writes a checkpoint, behind which the log is compacted; answers once it is "
                "durable."},
    {.name = "raft.status",
     .handler = Status,
     .arity = -1,
     .flags = kLoading | kStale | kNoScript,
     .group = Group::kRaft,
     .categories = kCategories,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of members",
     .summary =
         "Answers role, term, leader, members and the positions of the log, with TEXT as lines "
         "for people; with HISTORY, the last while of key figures.",
     .tips = "nondeterministic_output"},
    Operator("raft.transfer_leader", TransferLeader, -1,
             "Hands the leadership to another voter; answers once that has happened."),
};

}  // namespace

std::span<const CommandRow> RaftCommands() { return kRows; }

}  // namespace kiwi::commands
