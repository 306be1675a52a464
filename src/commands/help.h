// HELP of a container command.
#pragma once

#include <span>
#include <string_view>

#include "commands/command.h"

namespace kiwi::commands {

inline constexpr std::string_view kHelpSummary = "Lists the subcommands.";

// Answers the lines, framed as Redis frames them: a line of usage before, HELP itself at the end.
void ReplyHelp(Context& ctx, std::string_view command, std::span<const std::string_view> lines);

}  // namespace kiwi::commands
