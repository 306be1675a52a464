// The part of settings.h about the group: who begins it, and how its nodes reach each other.
#pragma once

#include "base/status.h"
#include "config/config.h"
#include "server/cluster.h"
#include "server/server.h"

namespace kiwi::server {

// Fills what a node of a group needs: the beginnings of the group, and the transport where raft.port
// is set. kConfig: what the node has become since does not fit the configuration.
Status SetUpCluster(const config::Config& config, ServerOptions* options);
// Brings changes into the running server. As BindSettings.
void BindCluster(config::Config* config, Server* server);

}  // namespace kiwi::server
