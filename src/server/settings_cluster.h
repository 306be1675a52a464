// The part of settings.h about the group: who begins it, and how its nodes reach each other.
#pragma once

#include <vector>

#include "base/status.h"
#include "config/config.h"
#include "server/cluster.h"
#include "server/server.h"

namespace kiwi::server {

// "1@host:port,2@[::1]:port"; kConfig says what is wrong with it.
Result<std::vector<raft::PeerAddress>> ParseMembers(std::string_view text);
// Fills what a node of a group needs: the beginnings of the group, and the transport where raft.port
// is set. kConfig: ids, addresses or the number of members make no sense together.
Status SetUpCluster(const config::Config& config, ServerOptions* options);
// Brings changes into the running server. As BindSettings.
void BindCluster(config::Config* config, Server* server);

}  // namespace kiwi::server
