// Handlers that the CLIENT rows (client.cc) share with a file of their own.
#pragma once

#include "commands/command.h"

namespace kiwi::commands {

void ClientList(Context& ctx);
void ClientKill(Context& ctx);

}  // namespace kiwi::commands
