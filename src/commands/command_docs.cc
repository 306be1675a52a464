#include "commands/command_docs.h"

#include <string>

#include "commands/command_names.h"

namespace kiwi::commands {
namespace {

using protocol::ReplyWriter;

void ReplyNames(ReplyWriter& reply, const std::vector<std::string_view>& names,
                std::string_view prefix = {}) {
  reply.Set(names.size());
  for (const std::string_view name : names) reply.Simple(std::string(prefix) + std::string(name));
}

void ReplyTips(ReplyWriter& reply, std::string_view tips) {
  std::vector<std::string_view> list;
  while (!tips.empty()) {
    const size_t space = tips.find(' ');
    list.push_back(tips.substr(0, space));
    tips.remove_prefix(space == std::string_view::npos ? tips.size() : space + 1);
  }
  reply.Set(list.size());
  for (const std::string_view tip : list) reply.Bulk(tip);
}

void ReplyKeySpec(ReplyWriter& reply, const KeySpec& spec) {
  reply.Map(spec.notes.empty() ? 3 : 4);
  if (!spec.notes.empty()) {
    reply.Bulk("notes");
    reply.Bulk(spec.notes);
  }
  reply.Bulk("flags");
  ReplyNames(reply, KeyFlagNames(spec.flags));
  reply.Bulk("begin_search");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("index");
  reply.Bulk("spec");
  reply.Map(1);
  reply.Bulk("index");
  reply.Integer(spec.begin);
  reply.Bulk("find_keys");
  reply.Map(2);
  reply.Bulk("type");
  reply.Bulk("range");
  reply.Bulk("spec");
  reply.Map(3);
  reply.Bulk("lastkey");
  reply.Integer(spec.last);
  reply.Bulk("keystep");
  reply.Integer(spec.step);
  reply.Bulk("limit");
  reply.Integer(0);
}

void ReplyPair(ReplyWriter& reply, std::string_view name, std::string_view value) {
  reply.Bulk(name);
  reply.Bulk(value);
}

}  // namespace

bool IsPublic(const Command& command) { return !command.Is(kInternal); }

void ReplyCommandInfo(ReplyWriter& reply, const Command& command) {
  const CommandRow& row = *command.row;
  reply.Array(10);
  reply.Bulk(command.full_name);
  reply.Integer(row.arity);
  ReplyNames(reply, FlagNames(row));
  reply.Integer(row.keys.first);
  reply.Integer(row.keys.last);
  reply.Integer(row.keys.step);
  ReplyNames(reply, CategoryNames(AclCategories(row)), "@");
  ReplyTips(reply, row.tips);
  const std::vector<KeySpec> specs = KeySpecs(row);
  reply.Set(specs.size());
  for (const KeySpec& spec : specs) ReplyKeySpec(reply, spec);
  if (command.subcommands.empty()) {
    reply.Set(0);
  } else {
    reply.Array(command.subcommands.size());
    for (const Command& subcommand : command.subcommands) ReplyCommandInfo(reply, subcommand);
  }
}

void ReplyCommandDocs(ReplyWriter& reply, const Command& command) {
  const CommandRow& row = *command.row;
  reply.Bulk(command.full_name);
  reply.Map(command.subcommands.empty() ? 4 : 5);
  ReplyPair(reply, "summary", row.summary);
  ReplyPair(reply, "since", row.since);
  ReplyPair(reply, "group", GroupName(row.group));
  ReplyPair(reply, "complexity", row.complexity);
  if (command.subcommands.empty()) return;
  reply.Bulk("subcommands");
  reply.Map(command.subcommands.size());
  for (const Command& subcommand : command.subcommands) ReplyCommandDocs(reply, subcommand);
}

}  // namespace kiwi::commands
