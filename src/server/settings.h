// From the configuration to what each component is made with, and on to what may change while the
// server runs.
#pragma once

#include "base/log.h"
#include "config/config.h"
#include "server/fault_admin.h"
#include "server/server.h"

namespace kiwi::server {

ServerOptions MakeServerOptions(const config::Config& config);
LogOptions MakeLogOptions(const config::Config& config);
// `node`: this one's id in its group.
FaultOptions MakeFaultOptions(const config::Config& config, raft::NodeId node);
// Makes the folders that data goes to. kConfig: one of them cannot be written to.
Status CheckFolders(const config::Config& config);

// Brings every changeable option into the running server, now and whenever CONFIG SET changes it.
// Before the server's threads start; both outlive the process.
void BindSettings(config::Config* config, Server* server);
// What the stored state has and the file says otherwise goes through the log. After Start.
void ApplyReplicatedSettings(const config::Config& config, Server* server);

}  // namespace kiwi::server
