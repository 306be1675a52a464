// FUNCTION, as far as it is true of a server without functions: its library is empty, so that it
// can be listed, counted, dumped and flushed. Loading one is not possible.
#include <string>

#include "commands/args.h"
#include "commands/command.h"
#include "commands/help.h"

namespace kiwi::commands {
namespace {

void Flush(Context& ctx) {
  const bool ok =
      ctx.args.size() == 2 || (ctx.args.size() == 3 && (EqualsIgnoreCase(ctx.args[2], "async") ||
                                                        EqualsIgnoreCase(ctx.args[2], "sync")));
  if (ctx.args.size() > 3) {
    return ctx.reply.Error("ERR unknown subcommand or wrong number of arguments for '" +
                           std::string(UpToNul(ctx.args[1])) + "'. Try FUNCTION HELP.");
  }
  if (!ok) {
    return ctx.reply.Error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  }
  ctx.reply.Ok();
}

void List(Context& ctx) {
  bool named = false;
  for (size_t i = 2; i < ctx.args.size(); ++i) {
    if (EqualsIgnoreCase(ctx.args[i], "withcode")) continue;
    if (!EqualsIgnoreCase(ctx.args[i], "libraryname") || named) {
      return ctx.reply.Error("ERR Unknown argument " + std::string(UpToNul(ctx.args[i])));
    }
    if (i + 1 == ctx.args.size()) return ctx.reply.Error("ERR library name argument was not given");
    named = true;
    ++i;
  }
  ctx.reply.Array(0);
}

void Stats(Context& ctx) {
  ctx.reply.Map(2);
  ctx.reply.Bulk("running_script");
  ctx.reply.Null();
  ctx.reply.Bulk("engines");
  ctx.reply.Map(0);
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "FLUSH [ASYNC|SYNC]",
      "    Remove all libraries.",
      "LIST [LIBRARYNAME <pattern>] [WITHCODE]",
      "    The libraries and their functions.",
      "STATS",
      "    The running function and the engines.",
  };
  ReplyHelp(ctx, "FUNCTION", kLines);
}

constexpr CommandRow kSubcommands[] = {
    {.name = "flush",
     .handler = Flush,
     .arity = -2,
     .flags = kWrite | kNoScript | kAllShards,
     .group = Group::kScripting,
     .categories = kCatScripting,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of functions deleted",
     .summary = "Removes all libraries of functions.",
     .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "help",
     .handler = Help,
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kScripting,
     .categories = kCatScripting,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = kHelpSummary},
    {.name = "list",
     .handler = List,
     .arity = -2,
     .flags = kNoScript,
     .group = Group::kScripting,
     .categories = kCatScripting,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of functions",
     .summary = "Lists the libraries of functions.",
     .tips = "nondeterministic_output_order"},
    {.name = "stats",
     .handler = Stats,
     .arity = 2,
     .flags = kNoScript | kAllowBusy,
     .group = Group::kScripting,
     .categories = kCatScripting,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Answers which function runs and which engines there are.",
     .tips = "nondeterministic_output request_policy:all_shards response_policy:special"},
};

constexpr CommandRow kRows[] = {
    {.name = "function",
     .arity = -2,
     .group = Group::kScripting,
     .since = "7.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Manages libraries of functions.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandRow> FunctionCommands() { return kRows; }

}  // namespace kiwi::commands
