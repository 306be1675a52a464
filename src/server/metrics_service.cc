#include "server/metrics_service.h"

#include <prometheus/collectable.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/server.h"

namespace kiwi::server {
namespace {

using metrics::HttpAnswer;

// What one path tells, as prometheus-cpp sees it.
class Group final : public prometheus::Collectable {
 public:
  using Collector = std::vector<prometheus::MetricFamily> (*)(Server&);
  Group(Collector collector, Server* server) : collector_(collector), server_(server) {}
  std::vector<prometheus::MetricFamily> Collect() const override { return collector_(*server_); }

 private:
  const Collector collector_;
  Server* const server_;
};

metrics::HttpEndpoint::Route RouteOf(std::string path, std::vector<Group> groups) {
  return {std::move(path), [groups = std::move(groups)] {
            HttpAnswer answer{.content_type = "text/plain; version=0.0.4; charset=utf-8"};
            for (const Group& group : groups) answer.body += metrics::Render(group.Collect());
            return answer;
          }};
}

size_t SamplesFor(int64_t interval_ms, int64_t retention_s) {
  return static_cast<size_t>(std::max<int64_t>(1, retention_s * 1000 / interval_ms));
}

}  // namespace

Status CheckMetrics(const MetricsOptions& options) {
  return options.http.port == 0 ? Status() : metrics::CheckBind(options.http);
}

MetricsService::MetricsService(const MetricsOptions& options, Server* server, Clock* clock)
    : options_(options), server_(server), clock_(clock), interval_ms_(options.interval_ms) {
  history_.SetSize(SamplesFor(options.interval_ms, options.retention_s));
  if (options.http.port == 0) return;
  const Group runtime(CollectRuntimeMetrics, server);
  const Group raft(CollectRaftMetrics, server);
  const Group storage(CollectStorageMetrics, server);
  http_ = std::make_unique<metrics::HttpEndpoint>(
      options.http,
      std::vector<metrics::HttpEndpoint::Route>{RouteOf("/metrics", {runtime, raft, storage}),
                                                RouteOf("/metrics/runtime", {runtime}),
                                                RouteOf("/metrics/raft", {raft}),
                                                RouteOf("/metrics/storage", {storage}),
                                                {"/health", [this] { return Health(); }}},
      clock);
}

MetricsService::~MetricsService() { Stop(); }

Status MetricsService::Start() {
  if (http_ != nullptr) KIWI_RETURN_IF_ERROR(http_->Start());
  thread_ = std::thread([this] { SampleThread(); });
  pthread_setname_np(thread_.native_handle(), "kiwi-metrics");
  return {};
}

void MetricsService::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
  if (http_ != nullptr) http_->Stop();
}

void MetricsService::SetHistory(int64_t interval_ms, int64_t retention_s) {
  history_.SetSize(SamplesFor(interval_ms, retention_s));
  MutexLock lock(mu_);
  interval_ms_ = interval_ms;
  changed_.NotifyAll();
}

void MetricsService::SetRate(int64_t requests_per_second) {
  if (http_ != nullptr) http_->SetRate(requests_per_second);
}

Status MetricsService::SetCredentials(metrics::Credentials credentials) {
  return http_ != nullptr ? http_->SetCredentials(std::move(credentials)) : Status();
}

metrics::HttpStats MetricsService::http_stats() const {
  return http_ != nullptr ? http_->stats() : metrics::HttpStats();
}

// 200 as long as clients are served; else what is in the way.
HttpAnswer MetricsService::Health() const {
  raft::Node& node = server_->engine().node();
  std::string reason;
  if (server_->draining()) {
    reason = "shutting down";
  } else if (const std::string error = node.storage_error(); !error.empty()) {
    reason = "the log takes no writes: " + error;
  } else if (server_->cluster() != nullptr && server_->cluster()->removed()) {
    reason = "this node was removed from its group";
  } else if (node.leader() == raft::kNoNode) {
    reason = "no leader is known";
  }
  if (reason.empty()) return {.body = "ok\n"};
  return {.status = 503, .body = reason + "\n"};
}

// --- history ---

void MetricsService::SampleThread() {
  for (;;) {
    {
      MutexLock lock(mu_);
      const int64_t due_ns = sampled_at_ns_ + interval_ms_ * 1'000'000;
      const int64_t wait_ns = due_ns - clock_->MonotonicNs();
      if (!stopping_ && wait_ns > 0) changed_.WaitFor(mu_, std::chrono::nanoseconds(wait_ns));
      if (stopping_) return;
      if (clock_->MonotonicNs() < sampled_at_ns_ + interval_ms_ * 1'000'000) continue;
    }
    Sample();
  }
}

void MetricsService::Sample() {
  const int64_t now_ns = clock_->MonotonicNs();
  const uint64_t commands = server_->stats().SinceStart(Counter::kCommandsProcessed);
  const raft::NodeStatus node = server_->engine().node().GetStatus();
  const double passed_s = static_cast<double>(now_ns - sampled_at_ns_) / 1e9;
  const double rate =
      sampled_at_ns_ == 0 ? 0 : static_cast<double>(commands - commands_seen_) / passed_s;
  commands_seen_ = commands;
  sampled_at_ns_ = now_ns;
  raft::LogIndex behind = 0;  // the slowest peer
  for (const auto& peer : node.peers) {
    if (peer.id != node.id) {
      behind = std::max(behind, node.last_index - std::min(node.last_index, peer.match));
    }
  }
  history_.Add({.unix_ms = clock_->WallMs(),
                .figures = {rate, static_cast<double>(server_->registry().count()),
                            static_cast<double>(server_->channel().total_depth()),
                            static_cast<double>(server_->loops().size()),
                            static_cast<double>(server_->workers().size()),
                            static_cast<double>(server_->backpressure().full.events()),
                            static_cast<double>(node.term), static_cast<double>(node.commit_index),
                            static_cast<double>(node.applied_index), static_cast<double>(behind)}});
}

std::vector<commands::HistorySample> MetricsService::History() const {
  std::vector<commands::HistorySample> samples;
  for (const auto& sample : history_.Samples()) {
    samples.push_back({.unix_ms = sample.unix_ms, .figures = sample.figures});
  }
  return samples;
}

}  // namespace kiwi::server
