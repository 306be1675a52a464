// The metrics section of the configuration.
#pragma once

#include "config/config.h"
#include "server/metrics_service.h"
#include "server/server.h"

namespace kiwi::server {

MetricsOptions MakeMetricsOptions(const config::Config& config);
// As BindSettings.
void BindMetrics(config::Config* config, Server* server);

}  // namespace kiwi::server
