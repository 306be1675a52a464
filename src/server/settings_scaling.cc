#include "server/settings_scaling.h"

#include <algorithm>
#include <thread>

namespace kiwi::server {

using config::Config;

ElasticOptions MakeElasticOptions(const Config& config) {
  ElasticOptions options;
  options.enabled = config.Get<"runtime.scaling.enabled">();
  runtime::ScalerOptions& scaler = options.scaler;
  scaler.interval_ms = config.Get<"runtime.scaling.interval-ms">();

  runtime::PoolScalerOptions& network = scaler.network;
  network.min = static_cast<int>(config.Get<"runtime.network-threads-min">());
  // More loops than cores only take turns; a minimum that asks for them is obeyed.
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  network.max = static_cast<int>(config.Get<"runtime.network-threads-max">());
  network.max = std::max(network.min, std::min(network.max, cores));
  network.grow_by = static_cast<int>(config.Get<"runtime.scaling.network-increment">());
  network.shrink_by = static_cast<int>(config.Get<"runtime.scaling.network-decrement">());
  scaler.network_queue_high =
      static_cast<double>(config.Get<"runtime.scaling.network-queue-high">());
  scaler.network_queue_low = static_cast<double>(config.Get<"runtime.scaling.network-queue-low">());
  scaler.loop_delay_high_us = config.Get<"runtime.scaling.network-delay-high-us">();
  scaler.loop_delay_low_us = config.Get<"runtime.scaling.network-delay-low-us">();

  runtime::PoolScalerOptions& storage = scaler.storage;
  storage.min = static_cast<int>(config.Get<"runtime.storage-threads-min">());
  storage.max = static_cast<int>(config.Get<"runtime.storage-threads-max">());
  storage.grow_by = static_cast<int>(config.Get<"runtime.scaling.storage-increment">());
  storage.shrink_by = static_cast<int>(config.Get<"runtime.scaling.storage-decrement">());
  scaler.storage_queue_high =
      static_cast<double>(config.Get<"runtime.scaling.storage-queue-high">());
  scaler.storage_queue_low = static_cast<double>(config.Get<"runtime.scaling.storage-queue-low">());
  scaler.response_high_us = config.Get<"runtime.scaling.storage-response-high-us">();
  scaler.response_low_us = config.Get<"runtime.scaling.storage-response-low-us">();

  for (runtime::PoolScalerOptions* pool : {&network, &storage}) {
    pool->grow_sustain_ms = config.Get<"runtime.scaling.grow-sustain-ms">();
    pool->shrink_sustain_ms = config.Get<"runtime.scaling.shrink-sustain-ms">();
    pool->judge_after_ms = config.Get<"runtime.scaling.judge-after-ms">();
    pool->min_gain = static_cast<double>(config.Get<"runtime.scaling.min-gain-percent">()) / 100;
    pool->bar_ms = config.Get<"runtime.scaling.bar-ms">();
    pool->bar_max_ms = std::max(pool->bar_ms, config.Get<"runtime.scaling.bar-max-ms">());
  }
  scaler.backpressure_rate_max =
      static_cast<double>(config.Get<"runtime.scaling.backpressure-rate-max">());
  scaler.backpressure_pause_ms = config.Get<"runtime.scaling.backpressure-pause-ms">();
  return options;
}

void BindScaling(Config* config, Server* server) {
  config->OnChange({"runtime.network-threads-min",
                    "runtime.network-threads-max",
                    "runtime.storage-threads-min",
                    "runtime.storage-threads-max",
                    "runtime.scaling.enabled",
                    "runtime.scaling.interval-ms",
                    "runtime.scaling.grow-sustain-ms",
                    "runtime.scaling.shrink-sustain-ms",
                    "runtime.scaling.judge-after-ms",
                    "runtime.scaling.min-gain-percent",
                    "runtime.scaling.bar-ms",
                    "runtime.scaling.bar-max-ms",
                    "runtime.scaling.network-increment",
                    "runtime.scaling.network-decrement",
                    "runtime.scaling.network-queue-high",
                    "runtime.scaling.network-queue-low",
                    "runtime.scaling.network-delay-high-us",
                    "runtime.scaling.network-delay-low-us",
                    "runtime.scaling.storage-increment",
                    "runtime.scaling.storage-decrement",
                    "runtime.scaling.storage-queue-high",
                    "runtime.scaling.storage-queue-low",
                    "runtime.scaling.storage-response-high-us",
                    "runtime.scaling.storage-response-low-us",
                    "runtime.scaling.backpressure-rate-max",
                    "runtime.scaling.backpressure-pause-ms"},
                   [server](const Config& c) {
                     server->elastic().SetOptions(MakeElasticOptions(c));
                     return Status::Ok();
                   });
}

}  // namespace kiwi::server
