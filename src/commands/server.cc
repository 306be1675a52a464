// The server as a whole: its clock, its role, making data durable at once, and shutting down.
#include <string>

#include "base/numbers.h"
#include "commands/args.h"
#include "commands/cluster_topology.h"
#include "commands/command.h"
#include "commands/server_view.h"
#include "commands/session_view.h"
#include "commands/version.h"

namespace kiwi::commands {
namespace {

void Time(Context& ctx) {
  const int64_t now_us = ctx.server->clock().WallUs();
  ctx.reply.Array(2);
  ctx.reply.BulkInteger(now_us / 1'000'000);
  ctx.reply.BulkInteger(now_us % 1'000'000);
}

void Role(Context& ctx) { WriteRole(ctx.server->DescribeCluster(), ctx.reply); }

// Whoever has the connection's last write in a durable log counts, the leader itself aside: at least
// a majority less one, since the write was acknowledged. The executor has waited, if that was asked
// for and could be.
void Wait(Context& ctx) {
  int64_t replicas = 0;
  int64_t timeout_ms = 0;
  if (!IntArg(ctx, ctx.args[1], &replicas)) return;
  if (!ParseInt64(ctx.args[2], &timeout_ms)) {
    return ctx.reply.Error("ERR timeout is not an integer or out of range");
  }
  if (timeout_ms < 0) return ctx.reply.Error("ERR timeout is negative");
  ctx.reply.Integer(static_cast<int64_t>(ctx.server->ReplicasWith(ctx.session->last_write())));
}

void Lolwut(Context& ctx) {
  ctx.reply.Verbatim(
      "A kiwi lays an egg of a fifth of its own weight, and it hatches.\n"
      "Redis ver. " +
      std::string(kRedisVersion) + "\n");
}

// --- durability ---

void LastSave(Context& ctx) {
  InfoFigures figures;
  ctx.server->CollectInfo(kNeedBasics, &figures);
  ctx.reply.Integer(figures.persistence.last_checkpoint_unix_s);
}

void ReplyCheckpointError(Context& ctx, const Status& status) {
  if (status.code() == StatusCode::kBusy) {
    ctx.reply.Error("ERR Background save already in progress");
  } else {
    ctx.reply.Error("ERR checkpoint failed: " + std::string(status.message()));
  }
}

void Save(Context& ctx) {
  const Status status = ctx.server->Checkpoint(true);
  if (!status.ok()) return ReplyCheckpointError(ctx, status);
  ctx.reply.Ok();
}

void BgSave(Context& ctx) {
  const bool schedule = ctx.args.size() == 2 && EqualsIgnoreCase(ctx.args[1], "schedule");
  if (ctx.args.size() > 1 && !schedule) return ctx.reply.Error(kSyntaxError);
  const Status status = ctx.server->Checkpoint(false);
  if (!status.ok()) return ReplyCheckpointError(ctx, status);
  ctx.reply.Simple("Background saving started");
}

// --- the end ---

void Shutdown(Context& ctx) {
  ShutdownRequest request;
  bool abort = false;
  for (const std::string_view arg : ctx.args.subspan(1)) {
    if (EqualsIgnoreCase(arg, "nosave") && request.save != ShutdownRequest::Save::kYes) {
      request.save = ShutdownRequest::Save::kNo;
    } else if (EqualsIgnoreCase(arg, "save") && request.save != ShutdownRequest::Save::kNo) {
      request.save = ShutdownRequest::Save::kYes;
    } else if (EqualsIgnoreCase(arg, "now")) {
      request.now = true;
    } else if (EqualsIgnoreCase(arg, "force")) {
      request.force = true;
    } else if (EqualsIgnoreCase(arg, "abort")) {
      abort = true;
    } else {
      return ctx.reply.Error(kSyntaxError);
    }
  }
  if (abort) {
    if (ctx.args.size() != 2) return ctx.reply.Error(kSyntaxError);
    if (!ctx.server->AbortShutdown()) return ctx.reply.Error("ERR No shutdown in progress.");
    return ctx.reply.Ok();
  }
  const Status status = ctx.server->RequestShutdown(request);
  if (!status.ok()) {
    return ctx.reply.Error("ERR Errors trying to SHUTDOWN. Check logs. " +
                           std::string(status.message()));
  }
  ctx.session->CloseAfterReply();  // the closed connection is the answer
}

constexpr uint32_t kOperator = kAdmin | kNoScript;
constexpr std::string_view kCheckpointCost =
    "O(N) where N is the number of keys changed since the last one";

constexpr CommandRow kRows[] = {
    {.name = "bgsave",
     .handler = BgSave,
     .arity = -1,
     .flags = kOperator | kNoAsyncLoading,
     .group = Group::kServer,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Starts a durable checkpoint of the keyspace."},
    {.name = "lastsave",
     .handler = LastSave,
     .arity = 1,
     .flags = kLoading | kStale | kFast,
     .group = Group::kServer,
     .categories = kCatAdmin | kCatDangerous,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers when the last checkpoint became durable, in Unix seconds.",
     .tips = "nondeterministic_output"},
    {.name = "lolwut",
     .handler = Lolwut,
     .arity = -1,
     .flags = kFast,
     .group = Group::kServer,
     .categories = kCatRead,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = "Shows the version, and something about birds."},
    {.name = "role",
     .handler = Role,
     .arity = 1,
     .flags = kNoScript | kLoading | kStale | kFast,
     .group = Group::kServer,
     .categories = kCatAdmin | kCatDangerous,
     .since = "2.8.12",
     .complexity = "O(1)",
     .summary = "Answers the replication role."},
    {.name = "save",
     .handler = Save,
     .arity = 1,
     .flags = kOperator | kNoAsyncLoading | kNoMulti,
     .group = Group::kServer,
     .since = "1.0.0",
     .complexity = kCheckpointCost,
     .summary = "Makes a checkpoint of the keyspace and answers when it is durable."},
    {.name = "shutdown",
     .handler = Shutdown,
     .arity = -1,
     .flags = kOperator | kLoading | kStale | kNoMulti | kAllowBusy,
     .group = Group::kServer,
     .since = "1.0.0",
     .complexity = "O(N) where N is the number of keys changed since the last checkpoint",
     .summary = "Ends the server."},
    {.name = "time",
     .handler = Time,
     .arity = 1,
     .flags = kLoading | kStale | kFast,
     .group = Group::kServer,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Answers the server's clock: Unix seconds and microseconds.",
     .tips = "nondeterministic_output"},
    {.name = "wait",
     .handler = Wait,
     .arity = 3,
     .flags = kNoScript | kAwaitsReplicas,
     .group = Group::kGeneric,
     .categories = kCatConnection,
     .since = "3.0.0",
     .complexity = "O(1)",
     .summary =
         "Waits until other nodes have the connection's writes on disk; answers how many have.",
     .tips = "request_policy:all_shards response_policy:agg_min"},
};

}  // namespace

std::span<const CommandRow> ServerCommands() { return kRows; }

}  // namespace kiwi::commands
