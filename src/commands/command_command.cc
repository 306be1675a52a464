// COMMAND: the table of commands, told to clients.
#include "commands/command.h"

#include <algorithm>
#include <functional>
#include <string>

#include "base/glob.h"
#include "commands/args.h"
#include "commands/command_docs.h"
#include "commands/command_names.h"
#include "commands/help.h"

namespace kiwi::commands {
namespace {

std::vector<const Command*> PublicCommands() {
  std::vector<const Command*> commands;
  for (const Command& command : CommandTable::Get().commands()) {
    if (IsPublic(command)) commands.push_back(&command);
  }
  return commands;
}

const Command* FindPublic(std::string_view full_name) {
  const Command* command = CommandTable::Get().FindByName(full_name);
  return command != nullptr && IsPublic(*command) ? command : nullptr;
}

void InfoOfAll(Context& ctx) {
  const auto commands = PublicCommands();
  ctx.reply.Array(commands.size());
  for (const Command* command : commands) ReplyCommandInfo(ctx.reply, *command);
}

void Info(Context& ctx) {
  if (ctx.args.size() == 2) return InfoOfAll(ctx);
  const Args names = ctx.args.subspan(2);
  ctx.reply.Array(names.size());
  for (const std::string_view name : names) {
    if (const Command* command = FindPublic(name)) {
      ReplyCommandInfo(ctx.reply, *command);
    } else {
      ctx.reply.Null();
    }
  }
}

void Docs(Context& ctx) {
  std::vector<const Command*> commands;
  if (ctx.args.size() == 2) {
    commands = PublicCommands();
  } else {
    for (const std::string_view name : ctx.args.subspan(2)) {
      if (const Command* command = FindPublic(name)) commands.push_back(command);
    }
  }
  ctx.reply.Map(commands.size());
  for (const Command* command : commands) ReplyCommandDocs(ctx.reply, *command);
}

void Count(Context& ctx) { ctx.reply.Integer(static_cast<int64_t>(PublicCommands().size())); }

// --- LIST ---

using Filter = std::function<bool(const Command&)>;

// False: a syntax error. No filter at all accepts every command.
bool ParseFilter(Args args, Filter* filter) {
  if (args.empty()) {
    *filter = [](const Command&) { return true; };
    return true;
  }
  if (args.size() != 3 || !EqualsIgnoreCase(args[0], "filterby")) return false;
  const std::string_view what = args[2];
  if (EqualsIgnoreCase(args[1], "module")) {
    *filter = [](const Command&) { return false; };  // there are no modules
  } else if (EqualsIgnoreCase(args[1], "aclcat")) {
    const std::optional<Category> category = CategoryByName(what);
    *filter = [category](const Command& command) {
      return category && (AclCategories(*command.row) & *category) != 0;
    };
  } else if (EqualsIgnoreCase(args[1], "pattern")) {
    *filter = [what](const Command& command) { return GlobMatch(what, command.full_name, true); };
  } else {
    return false;
  }
  return true;
}

void List(Context& ctx) {
  Filter filter;
  if (!ParseFilter(ctx.args.subspan(2), &filter)) return ctx.reply.Error(kSyntaxError);
  std::vector<std::string_view> names;
  for (const Command* command : PublicCommands()) {
    if (filter(*command)) names.push_back(command->full_name);
    for (const Command& subcommand : command->subcommands) {
      if (filter(subcommand)) names.push_back(subcommand.full_name);
    }
  }
  ctx.reply.Array(names.size());
  for (const std::string_view name : names) ctx.reply.Bulk(name);
}

// --- GETKEYS ---

// Of the command that the arguments from 2 on make. False: the error is written.
bool FindKeys(Context& ctx, const Command** command, std::vector<int>* positions) {
  const Args args = ctx.args.subspan(2);
  *command = CommandTable::Get().Find(args);
  if (*command == nullptr || !IsPublic(**command)) {
    ctx.reply.Error("ERR Invalid command specified");
    return false;
  }
  const CommandRow& row = *(*command)->row;
  if (row.keys.first == 0 && row.find_keys == nullptr) {
    ctx.reply.Error("ERR The command has no key arguments");
    return false;
  }
  if (!CommandTable::ArityOk(**command, args.size())) {
    ctx.reply.Error("ERR Invalid number of arguments specified for command");
    return false;
  }
  if (!CommandTable::KeyPositions(**command, args, positions)) {
    if (row.flags & kNoMandatoryKeys) {
      ctx.reply.Array(0);
    } else {
      ctx.reply.Error("ERR Invalid arguments specified for command");
    }
    return false;
  }
  return true;
}

void GetKeys(Context& ctx) {
  const Command* command = nullptr;
  std::vector<int> positions;
  if (!FindKeys(ctx, &command, &positions)) return;
  ctx.reply.Array(positions.size());
  for (const int i : positions) ctx.reply.Bulk(ctx.args[static_cast<size_t>(i) + 2]);
}

// What SET does to its key depends on its options, which a specification cannot say.
uint16_t KeyFlagsOfSet(Args args) {
  for (size_t i = 3; i < args.size(); ++i) {
    if (EqualsIgnoreCase(args[i], "get")) return kKeyRW | kKeyAccess | kKeyUpdate;
  }
  return kKeyOW | kKeyUpdate;
}

// The flags of the specification whose range holds this position; of the first one otherwise.
uint16_t KeyFlagsAt(const std::vector<KeySpec>& specs, int position, int argc) {
  for (const KeySpec& spec : specs) {
    const int last = spec.last < 0 ? argc + spec.last : spec.begin + spec.last;
    if (position >= spec.begin && position <= last && (position - spec.begin) % spec.step == 0) {
      return spec.flags;
    }
  }
  return specs.empty() ? uint16_t{0} : specs.front().flags;
}

void GetKeysAndFlags(Context& ctx) {
  const Command* command = nullptr;
  std::vector<int> positions;
  if (!FindKeys(ctx, &command, &positions)) return;
  const std::vector<KeySpec> specs = KeySpecs(*command->row);
  const int argc = static_cast<int>(ctx.args.size()) - 2;
  ctx.reply.Array(positions.size());
  for (const int i : positions) {
    ctx.reply.Array(2);
    ctx.reply.Bulk(ctx.args[static_cast<size_t>(i) + 2]);
    const auto names = KeyFlagNames(command->full_name == "set" ? KeyFlagsOfSet(ctx.args.subspan(2))
                                                                : KeyFlagsAt(specs, i, argc));
    ctx.reply.Set(names.size());
    for (const std::string_view name : names) ctx.reply.Simple(name);
  }
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "(no subcommand)",
      "    What INFO answers, of all commands.",
      "COUNT",
      "    How many commands there are.",
      "DOCS [<command> [<command> ...]]",
      "    What these commands are for (default: all).",
      "GETKEYS <command> [<arg> ...]",
      "    The keys among the arguments of a command.",
      "GETKEYSANDFLAGS <command> [<arg> ...]",
      "    The same, with what is done to each key.",
      "INFO [<command> [<command> ...]]",
      "    Arity, flags, keys and categories of these commands (default: all).",
      "LIST [FILTERBY (MODULE <name> | ACLCAT <category> | PATTERN <pattern>)]",
      "    The names of the commands.",
  };
  ReplyHelp(ctx, "COMMAND", kLines);
}

constexpr CommandRow Row(std::string_view name, Handler handler, int arity, std::string_view since,
                         std::string_view complexity, std::string_view summary,
                         std::string_view tips = {}) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = kLoading | kStale,
          .group = Group::kServer,
          .categories = kCatConnection,
          .since = since,
          .complexity = complexity,
          .summary = summary,
          .tips = tips};
}

constexpr std::string_view kAnyOrder = "nondeterministic_output_order";
constexpr std::string_view kPerCommand = "O(N) where N is the number of commands to look up";
constexpr std::string_view kPerArgumentCost =
    "O(N) where N is the number of arguments to the command";

constexpr CommandRow kSubcommands[] = {
    Row("count", Count, 2, "2.8.13", "O(1)", "Answers how many commands there are."),
    Row("docs", Docs, -2, "7.0.0", kPerCommand, "Answers what commands are for.", kAnyOrder),
    Row("getkeys", GetKeys, -4, "2.8.13", kPerArgumentCost, "Answers the keys of a command."),
    Row("getkeysandflags", GetKeysAndFlags, -4, "7.0.0", kPerArgumentCost,
        "Answers the keys of a command, and what is done to them."),
    Row("help", Help, 2, "5.0.0", "O(1)", kHelpSummary),
    Row("info", Info, -2, "2.8.13", kPerCommand,
        "Answers arity, flags, keys and categories of commands.", kAnyOrder),
    Row("list", List, -2, "7.0.0", "O(N) where N is the total number of commands",
        "Answers the names of the commands.", kAnyOrder),
};

constexpr CommandRow kRows[] = {
    {.name = "command",
     .handler = InfoOfAll,
     .arity = -1,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .categories = kCatConnection,
     .since = "2.8.13",
     .complexity = "O(N) where N is the total number of commands",
     .summary = "Tells clients about the commands.",
     .subcommands = kSubcommands,
     .tips = kAnyOrder},
};

}  // namespace

std::span<const CommandRow> CommandCommands() { return kRows; }

}  // namespace kiwi::commands
