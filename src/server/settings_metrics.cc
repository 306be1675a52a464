#include "server/settings_metrics.h"

namespace kiwi::server {

using config::Config;

namespace {

metrics::Credentials CredentialsOf(const Config& config) {
  return {.user = config.Get<"metrics.user">(),
          .password = config.Get<"metrics.password">(),
          .token = config.Get<"metrics.token">()};
}

}  // namespace

MetricsOptions MakeMetricsOptions(const Config& config) {
  MetricsOptions options;
  options.http.bind = config.Get<"metrics.bind">();
  options.http.port = static_cast<int>(config.Get<"metrics.port">());
  options.http.credentials = CredentialsOf(config);
  options.http.requests_per_second = config.Get<"metrics.rate-limit">();
  options.interval_ms = config.Get<"metrics.interval-ms">();
  options.retention_s = config.Get<"metrics.retention-seconds">();
  return options;
}

void BindMetrics(Config* config, Server* server) {
  const auto stages = [server](const Config& c) {
    server->stages().SetEnabled(c.Get<"metrics.stages">());
    return Status::Ok();
  };
  (void)stages(*config);
  config->OnChange("metrics.stages", stages);
  config->OnChange("metrics.rate-limit", [server](const Config& c) {
    server->metrics().SetRate(c.Get<"metrics.rate-limit">());
    return Status::Ok();
  });
  config->OnChange({"metrics.interval-ms", "metrics.retention-seconds"}, [server](const Config& c) {
    server->metrics().SetHistory(c.Get<"metrics.interval-ms">(),
                                 c.Get<"metrics.retention-seconds">());
    return Status::Ok();
  });
  config->OnChange(
      {"metrics.user", "metrics.password", "metrics.token"},
      [server](const Config& c) { return server->metrics().SetCredentials(CredentialsOf(c)); });
}

}  // namespace kiwi::server
