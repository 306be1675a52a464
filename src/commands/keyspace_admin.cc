// Whole databases: how large they are, and emptying and exchanging them. The writes run in the
// applier, in log order, on every node.
#include "base/numbers.h"
#include "commands/args.h"
#include "commands/command.h"

namespace kiwi::commands {
namespace {

void DbSize(Context& ctx) { ctx.reply.Integer(static_cast<int64_t>(ctx.db.size())); }

// FLUSHDB and FLUSHALL take ASYNC or SYNC. Both mean the same here: a database is emptied at its
// place in the log, and its memory is given back behind that.
bool FlushMode(Context& ctx) {
  const bool ok =
      ctx.args.size() == 1 || (ctx.args.size() == 2 && (EqualsIgnoreCase(ctx.args[1], "async") ||
                                                        EqualsIgnoreCase(ctx.args[1], "sync")));
  if (!ok) ctx.reply.Error(kSyntaxError);
  return ok;
}

void FlushDb(Context& ctx) {
  if (!FlushMode(ctx)) return;
  ctx.db.Clear();
  ctx.reply.Ok();
}

void FlushAll(Context& ctx) {
  if (!FlushMode(ctx)) return;
  for (int i = 0; i < ctx.keyspace.databases(); ++i) {
    keyspace::Db(ctx.keyspace, i, ctx.db.moment()).Clear();
  }
  ctx.reply.Ok();
}

void SwapDb(Context& ctx) {
  int64_t first = 0;
  int64_t second = 0;
  if (!ParseInt64(ctx.args[1], &first)) return ctx.reply.Error("ERR invalid first DB index");
  if (!ParseInt64(ctx.args[2], &second)) return ctx.reply.Error("ERR invalid second DB index");
  const int64_t count = ctx.keyspace.databases();
  if (first < 0 || first >= count || second < 0 || second >= count) {
    return ctx.reply.Error(kDbOutOfRange);
  }
  if (first != second) {
    ctx.keyspace.SwapDatabases(static_cast<int>(first), static_cast<int>(second), ctx.db.moment());
  }
  ctx.reply.Ok();
}

constexpr std::string_view kAllSucceeded =
    "request_policy:all_shards response_policy:all_succeeded";

constexpr CommandRow kRows[] = {
    {.name = "dbsize",
     .handler = DbSize,
     .arity = 1,
     .flags = kReadOnly | kFast | kAllShards,
     .group = Group::kServer,
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers how many keys the database holds.",
     .tips = "request_policy:all_shards response_policy:agg_sum"},
    {.name = "flushall",
     .handler = FlushAll,
     .arity = -1,
     .flags = kWrite | kAllShards,
     .group = Group::kServer,
     .categories = kCatKeyspace | kCatDangerous,
     .since = "1.0.0",
     .complexity = "O(N) where N is the total number of keys in all databases",
     .summary = "Removes all keys of all databases.",
     .tips = kAllSucceeded},
    {.name = "flushdb",
     .handler = FlushDb,
     .arity = -1,
     .flags = kWrite | kAllShards,
     .group = Group::kServer,
     .categories = kCatKeyspace | kCatDangerous,
     .since = "1.0.0",
     .complexity = "O(N) where N is the number of keys in the selected database",
     .summary = "Removes all keys of the database.",
     .tips = kAllSucceeded},
    {.name = "swapdb",
     .handler = SwapDb,
     .arity = 3,
     .flags = kWrite | kFast | kAllShards,
     .group = Group::kServer,
     .categories = kCatKeyspace | kCatDangerous,
     .since = "4.0.0",
     .complexity = "O(N) where N is the count of clients watching keys from both databases.",
     .summary = "Exchanges two databases."},
};

}  // namespace

std::span<const CommandRow> KeyspaceAdminCommands() { return kRows; }

}  // namespace kiwi::commands
