// CONFIG: the configuration of the running server.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/glob.h"
#include "commands/args.h"
#include "commands/command.h"
#include "commands/help.h"
#include "commands/server_view.h"

namespace kiwi::commands {
namespace {

void Get(Context& ctx) {
  const Args patterns = ctx.args.subspan(2);
  std::vector<NameValue> options = ctx.server->ConfigList();
  std::erase_if(options, [&](const NameValue& option) {
    return std::none_of(patterns.begin(), patterns.end(), [&](std::string_view pattern) {
      return GlobMatch(pattern, option.first, true);
    });
  });
  ctx.reply.Map(options.size());
  for (const auto& [name, value] : options) {
    ctx.reply.Bulk(name);
    ctx.reply.Bulk(value);
  }
}

std::string SetFailed(std::string_view name, std::string_view reason) {
  return "ERR CONFIG SET failed (possibly related to argument '" + std::string(UpToNul(name)) +
         "') - " + std::string(reason);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 0x20);
  }
  return lower;
}

void Set(Context& ctx) {
  if (ctx.args.size() % 2 != 0) return ctx.reply.Error(kSyntaxError);
  std::vector<std::pair<std::string_view, std::string_view>> options;
  std::vector<std::string> seen;
  for (size_t i = 2; i < ctx.args.size(); i += 2) {
    std::string name = Lower(ctx.args[i]);
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) {
      return ctx.reply.Error(SetFailed(ctx.args[i], "duplicate parameter"));
    }
    seen.push_back(std::move(name));
    options.emplace_back(ctx.args[i], ctx.args[i + 1]);
  }
  const std::optional<ConfigSetError> error = ctx.server->ConfigSet(options);
  if (!error) return ctx.reply.Ok();
  if (error->unknown) {
    return ctx.reply.Error("ERR Unknown option or number of arguments for CONFIG SET - '" +
                           std::string(UpToNul(error->name)) + "'");
  }
  ctx.reply.Error(SetFailed(error->name, error->reason));
}

void ResetStat(Context& ctx) {
  ctx.server->ResetStats();
  ctx.reply.Ok();
}

void Rewrite(Context& ctx) {
  const Status status = ctx.server->ConfigRewrite();
  if (status.ok()) return ctx.reply.Ok();
  if (status.code() == StatusCode::kNotFound) {
    return ctx.reply.Error("ERR The server is running without a config file");
  }
  ctx.reply.Error("ERR Rewriting config file: " + std::string(status.message()));
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "GET <pattern> [<pattern> ...]",
      "    The options whose names match a pattern, with their values.",
      "SET <option> <value> [<option> <value> ...]",
      "    Change options: all of them, or none when one is refused.",
      "RESETSTAT",
      "    Let the counters of INFO begin anew.",
      "REWRITE",
      "    Write the options as they are now into the configuration file.",
  };
  ReplyHelp(ctx, "CONFIG", kLines);
}

constexpr uint32_t kOperator = kAdmin | kNoScript | kLoading | kStale;
constexpr std::string_view kPerOption =
    "O(N) when N is the number of configuration parameters provided";

constexpr CommandRow kSubcommands[] = {
    {.name = "get",
     .handler = Get,
     .arity = -3,
     .flags = kOperator,
     .group = Group::kServer,
     .since = "2.0.0",
     .complexity = kPerOption,
     .summary = "Answers options with their values."},
    {.name = "help",
     .handler = Help,
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "5.0.0",
     .complexity = "O(1)",
     .summary = kHelpSummary},
    {.name = "resetstat",
     .handler = ResetStat,
     .arity = 2,
     .flags = kOperator,
     .group = Group::kServer,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Lets the counters of INFO begin anew."},
    {.name = "rewrite",
     .handler = Rewrite,
     .arity = 2,
     .flags = kOperator,
     .group = Group::kServer,
     .since = "2.8.0",
     .complexity = "O(1)",
     .summary = "Writes the options as they are into the configuration file."},
    {.name = "set",
     .handler = Set,
     .arity = -4,
     .flags = kOperator,
     .group = Group::kServer,
     .since = "2.0.0",
     .complexity = kPerOption,
     .summary = "Changes options of the running server.",
     .tips = "request_policy:all_nodes response_policy:all_succeeded"},
};

constexpr CommandRow kRows[] = {
    {.name = "config",
     .arity = -2,
     .group = Group::kServer,
     .since = "2.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Shows and changes the configuration of the server.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandRow> ConfigCommands() { return kRows; }

}  // namespace kiwi::commands
