// Parts of DEBUG (debug.cc) that have a file of their own.
#pragma once

#include "commands/command.h"

namespace kiwi::commands {

void DebugProtocol(Context& ctx);

}  // namespace kiwi::commands
