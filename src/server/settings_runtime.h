// The part of settings.h about priorities and the circuit breaker.
#pragma once

#include "config/config.h"
#include "server/server.h"

namespace kiwi::server {

runtime::ChannelOptions MakeChannelOptions(const config::Config& config);
BreakerSettings MakeBreakerSettings(const config::Config& config);
// Brings the settings into the running server, now and whenever they change. As BindSettings.
void BindRuntime(config::Config* config, Server* server);

}  // namespace kiwi::server
