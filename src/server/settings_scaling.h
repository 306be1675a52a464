// The part of settings.h about the sizes of the pools.
#pragma once

#include "config/config.h"
#include "server/server.h"

namespace kiwi::server {

ElasticOptions MakeElasticOptions(const config::Config& config);
// Brings changes into the running server. As BindSettings.
void BindScaling(config::Config* config, Server* server);

}  // namespace kiwi::server
