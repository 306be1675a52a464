// COMMAND's replies about single commands, made from their rows.
#pragma once

#include "commands/command.h"

namespace kiwi::commands {

// As COMMAND INFO has it: an array of ten, subcommands inside.
void ReplyCommandInfo(protocol::ReplyWriter& reply, const Command& command);
// As COMMAND DOCS has it: the name, then a map, subcommands inside.
void ReplyCommandDocs(protocol::ReplyWriter& reply, const Command& command);
// Clients see it: not one of those that only the server proposes.
bool IsPublic(const Command& command);

}  // namespace kiwi::commands
