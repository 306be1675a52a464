// RAFT.*: the state of the replicated log, as this node sees it, and its backup.
#include <variant>

#include "commands/command.h"
#include "commands/server_view.h"

namespace kiwi::commands {
namespace {

struct ReplyFigure {
  protocol::ReplyWriter& reply;
  void operator()(int64_t value) const { reply.Integer(value); }
  void operator()(double value) const { reply.Double(value); }
  void operator()(const std::string& value) const { reply.Bulk(value); }
};

void Status(Context& ctx) {
  InfoFigures figures;
  ctx.server->CollectInfo(kNeedRaft, &figures);
  ctx.reply.Map(figures.raft.size());
  for (const NamedFigure& figure : figures.raft) {
    ctx.reply.Bulk(figure.name);
    std::visit(ReplyFigure{ctx.reply}, figure.value);
  }
}

void Backup(Context& ctx) {
  const Result<BackupReport> report = ctx.server->Backup(ctx.args[1]);
  if (!report.ok()) {
    return ctx.reply.Error("ERR backup failed: " + std::string(report.status().message()));
  }
  ctx.reply.Map(4);
  ctx.reply.Bulk("path");
  ctx.reply.Bulk(report->path);
  const auto figure = [&](std::string_view name, uint64_t value) {
    ctx.reply.Bulk(name);
    ctx.reply.Integer(static_cast<int64_t>(value));
  };
  figure("index", report->index);
  figure("term", report->term);
  figure("bytes", report->bytes);
}

constexpr CommandRow kRows[] = {
    {.name = "raft.backup",
     .handler = Backup,
     .arity = 2,
     .flags = kAdmin | kNoScript | kNoAsyncLoading | kNoMulti,
     .group = Group::kRaft,
     .categories = kCatAdmin | kCatDangerous,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of keys",
     .summary = "Writes a backup of this node's state into a new file, while writes go on."},
    {.name = "raft.status",
     .handler = Status,
     .arity = 1,
     .flags = kLoading | kStale | kNoScript,
     .group = Group::kRaft,
     .categories = kCatAdmin | kCatDangerous,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of members",
     .summary = "Answers role, term, leader, members and the positions of the log.",
     .tips = "nondeterministic_output"},
};

}  // namespace

std::span<const CommandRow> RaftCommands() { return kRows; }

}  // namespace kiwi::commands
