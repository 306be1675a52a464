// Which arguments are secrets, for everything that shows commands: the slow log, logs, traces.
#pragma once

#include <string_view>
#include <vector>

#include "commands/command.h"

namespace kiwi::commands {

// The arguments with passwords (of AUTH, HELLO AUTH, CONFIG SET …) replaced by "(redacted)".
std::vector<std::string_view> RedactedArgs(const Command& command, Args args);

}  // namespace kiwi::commands
