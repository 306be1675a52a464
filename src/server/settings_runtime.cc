#include "server/settings_runtime.h"

#include <algorithm>
#include <optional>

namespace kiwi::server {

using config::Config;
using runtime::Priority;

namespace {

Priority PriorityOf(std::string_view name) {
  if (name == "high") return Priority::kHigh;
  if (name == "low") return Priority::kLow;
  return Priority::kNormal;
}

// Pairs, as config/checks.cc has seen to; "default" is the one user there is.
std::optional<Priority> UserPriority(const std::vector<std::string>& pairs) {
  std::optional<Priority> priority;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    if (pairs[i] == "default") priority = PriorityOf(pairs[i + 1]);
  }
  return priority;
}

void ApplyChannelOptions(const Config& config, Server* server) {
  const runtime::ChannelOptions options = MakeChannelOptions(config);
  server->channel().SetScheduling(options.weighted, options.weights);
  server->engine().node().SetScheduling(options.weighted, options.weights);
  for (size_t l = 0; l < runtime::kPriorityCount; ++l) {
    server->channel().SetCapacity(static_cast<Priority>(l), options.capacity[l]);
  }
}

}  // namespace

runtime::ChannelOptions MakeChannelOptions(const Config& config) {
  runtime::ChannelOptions channel;
  channel.capacity = {static_cast<size_t>(config.Get<"runtime.priority.queue-critical">()),
                      static_cast<size_t>(config.Get<"runtime.priority.queue-high">()),
                      static_cast<size_t>(config.Get<"runtime.priority.queue-normal">()),
                      static_cast<size_t>(config.Get<"runtime.priority.queue-low">())};
  channel.weighted = config.Get<"runtime.priority.scheduling">() == "weighted";
  channel.weights = {0, static_cast<int>(config.Get<"runtime.priority.weight-high">()),
                     static_cast<int>(config.Get<"runtime.priority.weight-normal">()),
                     static_cast<int>(config.Get<"runtime.priority.weight-low">())};
  return channel;
}

BreakerSettings MakeBreakerSettings(const Config& config) {
  BreakerSettings settings;
  settings.circuit.enabled = config.Get<"runtime.breaker.enabled">();
  settings.circuit.window_ms = config.Get<"runtime.breaker.window-ms">();
  settings.circuit.min_failures =
      static_cast<uint64_t>(config.Get<"runtime.breaker.min-failures">());
  settings.circuit.failure_percent =
      static_cast<uint64_t>(config.Get<"runtime.breaker.failure-percent">());
  settings.circuit.open_ms = config.Get<"runtime.breaker.open-ms">();
  settings.circuit.probe_count = static_cast<uint64_t>(config.Get<"runtime.breaker.probe-count">());
  settings.timeout_ms = {0, config.Get<"runtime.breaker.timeout-high-ms">(),
                         config.Get<"runtime.breaker.timeout-normal-ms">(),
                         config.Get<"runtime.breaker.timeout-low-ms">()};
  settings.queue_deadline_ms = {0, config.Get<"runtime.breaker.queue-deadline-high-ms">(),
                                config.Get<"runtime.breaker.queue-deadline-normal-ms">(),
                                config.Get<"runtime.breaker.queue-deadline-low-ms">()};
  return settings;
}

void BindRuntime(Config* config, Server* server) {
  const auto bind = [config](std::initializer_list<std::string_view> names, auto apply) {
    apply(*config);
    config->OnChange(names, [apply](const Config& changed) {
      apply(changed);
      return Status::Ok();
    });
  };
  bind({"runtime.priority.scheduling", "runtime.priority.weight-high",
        "runtime.priority.weight-normal", "runtime.priority.weight-low",
        "runtime.priority.queue-critical", "runtime.priority.queue-high",
        "runtime.priority.queue-normal", "runtime.priority.queue-low"},
       [server](const Config& c) { ApplyChannelOptions(c, server); });
  bind({"runtime.priority.default-priority", "runtime.priority.high-commands",
        "runtime.priority.low-commands", "runtime.priority.user-priorities"},
       [server](const Config& c) {
         server->SetDefaultPriorities(PriorityOf(c.Get<"runtime.priority.default-priority">()),
                                      UserPriority(c.Get<"runtime.priority.user-priorities">()),
                                      c.Get<"runtime.priority.high-commands">(),
                                      c.Get<"runtime.priority.low-commands">());
       });
  bind({"runtime.breaker.enabled", "runtime.breaker.window-ms", "runtime.breaker.min-failures",
        "runtime.breaker.failure-percent", "runtime.breaker.open-ms", "runtime.breaker.probe-count",
        "runtime.breaker.timeout-high-ms", "runtime.breaker.timeout-normal-ms",
        "runtime.breaker.timeout-low-ms", "runtime.breaker.queue-deadline-high-ms",
        "runtime.breaker.queue-deadline-normal-ms", "runtime.breaker.queue-deadline-low-ms"},
       [server](const Config& c) {
         server->breaker().SetSettings(MakeBreakerSettings(c), SystemClock().MonotonicNs());
       });
}

}  // namespace kiwi::server
