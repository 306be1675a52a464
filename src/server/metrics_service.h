// The server's metrics: answers scrapes over HTTP (docs/metrics.md) and keeps the last while of a few
// key figures. Has threads of its own; nothing here is on the way of a request.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "commands/info_figures.h"
#include "metrics/history.h"
#include "metrics/http_endpoint.h"
#include "metrics/scrape.h"

namespace kiwi::server {

class Server;

struct MetricsOptions {
  metrics::HttpOptions http;  // port 0: no endpoint
  int64_t interval_ms = 1000;
  int64_t retention_s = 300;
};

// Whether it would start.
Status CheckMetrics(const MetricsOptions& options);

// Thread-safe, except Start and Stop.
class MetricsService {
 public:
  // Both outlive it.
  MetricsService(const MetricsOptions& options, Server* server, Clock* clock);
  ~MetricsService();  // Stop()

  // The server runs. kConfig, kNetwork: as HttpEndpoint.
  Status Start();
  void Stop();

  void SetHistory(int64_t interval_ms, int64_t retention_s) KIWI_EXCLUDES(mu_);
  void SetRate(int64_t requests_per_second);
  Status SetCredentials(metrics::Credentials credentials);

  std::vector<commands::HistorySample> History() const;
  metrics::HttpStats http_stats() const;

 private:
  void SampleThread() KIWI_EXCLUDES(mu_);
  void Sample();
  metrics::HttpAnswer Health() const;

  const MetricsOptions options_;
  Server* const server_;
  Clock* const clock_;
  std::unique_ptr<metrics::HttpEndpoint> http_;  // null: there is no port
  metrics::History<commands::kHistoryFigures.size()> history_;

  Mutex mu_;
  CondVar changed_;
  int64_t interval_ms_ KIWI_GUARDED_BY(mu_);
  bool stopping_ KIWI_GUARDED_BY(mu_) = false;
  // Of the sampling thread.
  uint64_t commands_seen_ = 0;
  int64_t sampled_at_ns_ = 0;
  std::thread thread_;
};

// The samples of one path each; any thread.
std::vector<prometheus::MetricFamily> CollectRuntimeMetrics(Server& server);
std::vector<prometheus::MetricFamily> CollectRaftMetrics(Server& server);
std::vector<prometheus::MetricFamily> CollectStorageMetrics(Server& server);

}  // namespace kiwi::server
