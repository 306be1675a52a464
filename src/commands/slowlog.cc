// SLOWLOG: the last commands that took long.
#include <limits>

#include "base/numbers.h"
#include "commands/args.h"
#include "commands/command.h"
#include "commands/help.h"
#include "commands/server_view.h"

namespace kiwi::commands {
namespace {

constexpr size_t kDefaultCount = 10;

void Get(Context& ctx) {
  if (ctx.args.size() > 3) return ReplyArityError(ctx, "slowlog|get");
  size_t count = kDefaultCount;
  if (ctx.args.size() == 3) {
    int64_t wanted = 0;
    if (!ParseInt64(ctx.args[2], &wanted) || wanted < -1) {
      return ctx.reply.Error("ERR count should be greater than or equal to -1");
    }
    count = wanted == -1 ? std::numeric_limits<size_t>::max() : static_cast<size_t>(wanted);
  }
  const std::vector<SlowlogEntry> entries = ctx.server->Slowlog(count);
  ctx.reply.Array(entries.size());
  for (const SlowlogEntry& entry : entries) {
    ctx.reply.Array(6);
    ctx.reply.Integer(entry.id);
    ctx.reply.Integer(entry.unix_s);
    ctx.reply.Integer(entry.duration_us);
    ctx.reply.Array(entry.args.size());
    for (const std::string& arg : entry.args) ctx.reply.Bulk(arg);
    ctx.reply.Bulk(entry.client_address);
    ctx.reply.Bulk(entry.client_name);
  }
}

void Len(Context& ctx) { ctx.reply.Integer(static_cast<int64_t>(ctx.server->SlowlogLength())); }

void Reset(Context& ctx) {
  ctx.server->SlowlogReset();
  ctx.reply.Ok();
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "GET [<count>]",
      "    The newest <count> entries (default: 10, -1 means all). An entry has its id, the",
      "    Unix time, the microseconds taken, the arguments, the client's address and name.",
      "LEN",
      "    How many entries there are.",
      "RESET",
      "    Remove all entries.",
  };
  ReplyHelp(ctx, "SLOWLOG", kLines);
}

constexpr uint32_t kOperator = kAdmin | kLoading | kStale;

constexpr CommandRow kSubcommands[] = {
    {.name = "get",
     .handler = Get,
     .arity = -2,
     .flags = kOperator,
     .group = Group::kServer,
     .since = "2.2.12",
     .complexity = "O(N) where N is the number of entries returned",
     .summary = "Answers the newest entries of the slow log.",
     .tips = "request_policy:all_nodes nondeterministic_output"},
    {.name = "help",
     .handler = Help,
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = kHelpSummary},
    {.name = "len",
     .handler = Len,
     .arity = 2,
     .flags = kOperator,
     .group = Group::kServer,
     .since = "2.2.12",
     .complexity = "O(1)",
     .summary = "Answers how many entries the slow log has.",
     .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"},
    {.name = "reset",
     .handler = Reset,
     .arity = 2,
     .flags = kOperator,
     .group = Group::kServer,
     .since = "2.2.12",
     .complexity = "O(N) where N is the number of entries in the slowlog",
     .summary = "Removes all entries of the slow log.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded"},
};

constexpr CommandRow kRows[] = {
    {.name = "slowlog",
     .arity = -2,
     .group = Group::kServer,
     .since = "2.2.12",
     .complexity = "Depends on subcommand.",
     .summary = "Shows the commands that took long.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandRow> SlowlogCommands() { return kRows; }

}  // namespace kiwi::commands
