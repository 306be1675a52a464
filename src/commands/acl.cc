// ACL, as far as it is true of a server with one user: "default", who may do everything once
// authenticated. Users cannot be made or changed.
#include <string>

#include "commands/args.h"
#include "commands/command.h"
#include "commands/command_docs.h"
#include "commands/command_names.h"
#include "commands/help.h"
#include "commands/session_view.h"

namespace kiwi::commands {
namespace {

void WhoAmI(Context& ctx) { ctx.reply.Bulk(ctx.session->user()); }

void Users(Context& ctx) {
  ctx.reply.Array(1);
  ctx.reply.Bulk("default");
}

void ReplyNames(Context& ctx, const std::vector<std::string_view>& names) {
  ctx.reply.Array(names.size());
  for (const std::string_view name : names) ctx.reply.Bulk(name);
}

void Cat(Context& ctx) {
  if (ctx.args.size() > 3) {
    return ctx.reply.Error("ERR unknown subcommand or wrong number of arguments for '" +
                           std::string(UpToNul(ctx.args[1])) + "'. Try ACL HELP.");
  }
  if (ctx.args.size() == 2) return ReplyNames(ctx, CategoryNames(~uint32_t{0}));
  const std::optional<Category> category = CategoryByName(ctx.args[2]);
  if (!category) {
    return ctx.reply.Error("ERR Unknown category '" + std::string(UpToNul(ctx.args[2])) + "'");
  }
  std::vector<std::string_view> names;
  for (const Command& command : CommandTable::Get().commands()) {
    if (!IsPublic(command)) continue;
    if (AclCategories(*command.row) & *category) names.push_back(command.full_name);
    for (const Command& subcommand : command.subcommands) {
      if (AclCategories(*subcommand.row) & *category) names.push_back(subcommand.full_name);
    }
  }
  ReplyNames(ctx, names);
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "CAT [<category>]",
      "    The categories of commands, or the commands of one.",
      "USERS",
      "    The names of the users.",
      "WHOAMI",
      "    The user of this connection.",
  };
  ReplyHelp(ctx, "ACL", kLines);
}

constexpr CommandRow kSubcommands[] = {
    {.name = "cat",
     .handler = Cat,
     .arity = -2,
     .flags = kNoScript | kLoading | kStale,
     .group = Group::kServer,
     .since = "6.0.0",
     .complexity = "O(1) since the categories and commands are a fixed set.",
     .summary = "Answers the categories of commands, or the commands of one."},
    {.name = "help",
     .handler = Help,
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = kHelpSummary},
    {.name = "users",
     .handler = Users,
     .arity = 2,
     .flags = kAdmin | kNoScript | kLoading | kStale,
     .group = Group::kServer,
     .since = "6.0.0",
     .complexity = "O(N). Where N is the number of configured users.",
     .summary = "Answers the names of the users."},
    {.name = "whoami",
     .handler = WhoAmI,
     .arity = 2,
     .flags = kNoScript | kLoading | kStale,
     .group = Group::kServer,
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Answers the user of the connection."},
};

constexpr CommandRow kRows[] = {
    {.name = "acl",
     .arity = -2,
     .group = Group::kServer,
     .since = "6.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Shows users and the categories of commands.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandRow> AclCommands() { return kRows; }

}  // namespace kiwi::commands
