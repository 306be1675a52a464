// Handlers that the CLIENT rows (client.cc) share with a file of their own.
#pragma once

#include "commands/client_info.h"
#include "commands/command.h"

namespace kiwi::commands {

// The caller's own connection as it is now: what a session tells others may be a batch old.
ClientInfo DescribeSelf(const SessionView& session);

void ClientList(Context& ctx);
void ClientKill(Context& ctx);

}  // namespace kiwi::commands
