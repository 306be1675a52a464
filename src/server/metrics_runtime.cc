// /metrics/runtime.
#include <sys/resource.h>

#include "commands/command.h"
#include "server/allocator.h"
#include "server/metrics_families.h"
#include "server/metrics_service.h"
#include "server/runtime_figures.h"
#include "server/server.h"

namespace kiwi::server {
namespace {

using metrics::Scrape;

double Seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

std::string_view NameOf(size_t priority) {
  return runtime::PriorityName(static_cast<runtime::Priority>(priority));
}

void AddProcess(Server& server, Scrape* out) {
  out->Add(RuntimeFamily("kiwi_info"), {{"version", kKiwiVersion}}, 1);
  out->Add(RuntimeFamily("kiwi_start_time_seconds"), {},
           static_cast<double>(server.started_ms()) / 1000);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const size_t cpu = RuntimeFamily("kiwi_cpu_seconds_total");
  out->Add(cpu, {{"mode", "user"}}, Seconds(usage.ru_utime));
  out->Add(cpu, {{"mode", "system"}}, Seconds(usage.ru_stime));
  const AllocatorFigures allocator = ReadAllocator();
  const size_t memory = RuntimeFamily("kiwi_memory_bytes");
  out->Add(memory, {{"kind", "allocated"}}, static_cast<double>(allocator.allocated));
  out->Add(memory, {{"kind", "resident"}}, static_cast<double>(allocator.resident));
  out->Add(memory, {{"kind", "keyspace"}},
           static_cast<double>(server.engine().keyspace().memory_bytes()));
}

void AddBackpressure(Server& server, Scrape* out) {
  const Backpressure& backpressure = server.backpressure();
  // Of the other cause, the rows of runtime_figures tell it.
  out->Add(RuntimeFamily("kiwi_backpressure_events_total"), {{"cause", "unread"}},
           static_cast<double>(backpressure.unread.events()));
  out->Add(RuntimeFamily("kiwi_backpressure_clients"), {{"cause", "unread"}},
           static_cast<double>(backpressure.unread.now()));
  const auto add = [out](std::string_view cause, const Pauses& pauses) {
    const auto counts = pauses.histogram();
    std::vector<Scrape::Bucket> buckets;
    uint64_t count = 0;
    for (size_t i = 0; i < kPauseBuckets; ++i) {
      count += counts[i];
      if (i == kPauseBoundsMs.size()) break;
      buckets.push_back({static_cast<double>(kPauseBoundsMs[i]) / 1000, count});
    }
    out->Add(RuntimeFamily("kiwi_backpressure_pause_seconds"), {{"cause", cause}}, buckets, count,
             static_cast<double>(pauses.ended_us()) / 1e6);
  };
  add("full", backpressure.full);
  add("unread", backpressure.unread);
  const BatchLatencies latencies = server.Latencies();
  const size_t family = RuntimeFamily("kiwi_backpressure_batch_seconds");
  out->Add(family, {{"batches", "held_up"}}, static_cast<double>(latencies.held_up_mean_us) / 1e6);
  out->Add(family, {{"batches", "others"}}, static_cast<double>(latencies.others_mean_us) / 1e6);
}

void AddBreaker(Server& server, Scrape* out) {
  const BreakerStatus status = server.breaker().Status(server.clock().MonotonicNs());
  for (size_t p = 0; p < runtime::kPriorityCount; ++p) {
    if (static_cast<runtime::Priority>(p) == runtime::Priority::kCritical) continue;
    const BreakerStatus::Level& level = status.levels[p];
    const auto add = [&](size_t family, auto value) {
      out->Add(family, {{"priority", NameOf(p)}}, static_cast<double>(value));
    };
    add(RuntimeFamily("kiwi_breaker_state"), static_cast<int>(level.state));
    add(RuntimeFamily("kiwi_breaker_opened_total"), level.opened);
    add(RuntimeFamily("kiwi_breaker_refused_total"), level.refused);
    add(RuntimeFamily("kiwi_breaker_window_requests"), level.window.requests());
    add(RuntimeFamily("kiwi_breaker_window_failures"), level.window.failed());
    for (size_t i = 0; i < runtime::kFailureKinds; ++i) {
      const auto kind = runtime::FailureKindName(static_cast<runtime::FailureKind>(i));
      out->Add(RuntimeFamily("kiwi_breaker_failures_total"),
               {{"priority", NameOf(p)}, {"kind", kind}},
               static_cast<double>(level.totals.failures[i]));
    }
  }
}

// What the last resize that was judged brought, and how soon the last growth came.
void AddResize(std::string_view runtime, const std::deque<runtime::ResizeRecord>& resizes,
               Scrape* out) {
  for (auto resize = resizes.rbegin(); resize != resizes.rend(); ++resize) {
    if (resize->reaction_ms <= 0) continue;
    out->Add(RuntimeFamily("kiwi_runtime_last_reaction_seconds"), {{"runtime", runtime}},
             static_cast<double>(resize->reaction_ms) / 1000);
    break;
  }
  const size_t family = RuntimeFamily("kiwi_runtime_last_resize_commands_per_second");
  for (auto resize = resizes.rbegin(); resize != resizes.rend(); ++resize) {
    if (resize->throughput_after < 0) continue;
    out->Add(family, {{"runtime", runtime}, {"when", "before"}}, resize->throughput_before);
    out->Add(family, {{"runtime", runtime}, {"when", "after"}}, resize->throughput_after);
    return;
  }
}

void AddStages(Server& server, Scrape* out) {
  const StageStats::Totals totals = server.stages().Sum();
  for (size_t p = 0; p < runtime::kPriorityCount; ++p) {
    const std::string_view priority = NameOf(p);
    // Critical is not for clients.
    if (static_cast<runtime::Priority>(p) == runtime::Priority::kCritical) continue;
    out->Add(RuntimeFamily("kiwi_requests_total"), {{"priority", priority}},
             static_cast<double>(totals.requests[p]));
    out->Add(RuntimeFamily("kiwi_batch_seconds"), {{"priority", priority}}, totals.totals[p]);
    for (size_t s = 0; s < kStageCount; ++s) {
      if (totals.batches[p][s].count() == 0) continue;
      out->Add(RuntimeFamily("kiwi_batch_stage_seconds"),
               {{"stage", kStageNames[s]}, {"priority", priority}}, totals.batches[p][s]);
    }
  }
  for (size_t id = 0; id < totals.commands.size(); ++id) {
    for (size_t s = 0; s < kStageCount; ++s) {
      const metrics::HistogramSum& sum = totals.commands[id][s];
      if (sum.count() == 0) continue;
      const auto& command = commands::CommandTable::Get().ById(static_cast<int>(id));
      out->Add(RuntimeFamily("kiwi_command_stage_seconds"),
               {{"command", command.full_name}, {"stage", kStageNames[s]}}, sum);
    }
  }
}

void AddCommands(Server& server, Scrape* out) {
  for (const commands::CommandFigures& figures : server.stats().CommandsSinceStart()) {
    const std::string_view name = commands::CommandTable::Get().ById(figures.command_id).full_name;
    const auto add = [&](size_t family, double value) {
      out->Add(family, {{"command", name}}, value);
    };
    add(RuntimeFamily("kiwi_commands_total"), static_cast<double>(figures.calls));
    add(RuntimeFamily("kiwi_commands_failed_total"), static_cast<double>(figures.failed));
    add(RuntimeFamily("kiwi_commands_rejected_total"), static_cast<double>(figures.rejected));
    add(RuntimeFamily("kiwi_command_seconds_total"),
        static_cast<double>(figures.nanoseconds) / 1e9);
  }
}

void AddClients(Server& server, Scrape* out) {
  const auto count = [&](Counter counter) {
    return static_cast<double>(server.stats().SinceStart(counter));
  };
  out->Add(RuntimeFamily("kiwi_clients"), {}, static_cast<double>(server.registry().count()));
  out->Add(RuntimeFamily("kiwi_clients_max"), {}, static_cast<double>(server.max_clients()));
  const size_t connections = RuntimeFamily("kiwi_connections_total");
  out->Add(connections, {{"result", "accepted"}}, count(Counter::kConnectionsReceived));
  out->Add(connections, {{"result", "rejected"}}, count(Counter::kConnectionsRejected));
  out->Add(RuntimeFamily("kiwi_error_replies_total"), {}, count(Counter::kErrorReplies));
  for (const commands::ErrorFigures& error : server.stats().ErrorsSinceStart()) {
    out->Add(RuntimeFamily("kiwi_errors_total"), {{"code", error.code}},
             static_cast<double>(error.count));
  }
  const size_t lookups = RuntimeFamily("kiwi_keyspace_lookups_total");
  out->Add(lookups, {{"result", "hit"}}, count(Counter::kKeyspaceHits));
  out->Add(lookups, {{"result", "miss"}}, count(Counter::kKeyspaceMisses));
  out->Add(RuntimeFamily("kiwi_expired_keys_total"), {},
           static_cast<double>(server.expired_keys()) + count(Counter::kExpiredKeys));
  const metrics::HttpStats http = server.metrics().http_stats();
  const size_t requests = RuntimeFamily("kiwi_metrics_requests_total");
  out->Add(requests, {{"answer", "answered"}}, static_cast<double>(http.answered));
  out->Add(requests, {{"answer", "unauthorized"}}, static_cast<double>(http.unauthorized));
  out->Add(requests, {{"answer", "limited"}}, static_cast<double>(http.limited));
  out->Add(requests, {{"answer", "refused"}}, static_cast<double>(http.refused));
}

}  // namespace

std::vector<prometheus::MetricFamily> CollectRuntimeMetrics(Server& server) {
  Scrape out(kRuntimeFamilies);
  AddProcess(server, &out);
  const RuntimeSnapshot snapshot = TakeRuntimeSnapshot(server);
  AddToScrape(RuntimeFigures(), snapshot, {}, &out);
  AddResize("network", snapshot.scaling.network_resizes, &out);
  AddResize("storage", snapshot.scaling.storage_resizes, &out);
  for (size_t p = 0; p < runtime::kPriorityCount; ++p) {
    const auto add = [&](size_t family, uint64_t value) {
      out.Add(family, {{"priority", NameOf(p)}}, static_cast<double>(value));
    };
    add(RuntimeFamily("kiwi_queue_batches"), snapshot.depth[p]);
    add(RuntimeFamily("kiwi_queue_taken_total"), snapshot.channel.popped[p]);
    add(RuntimeFamily("kiwi_queue_refused_total"), snapshot.channel.refused[p]);
  }
  AddBackpressure(server, &out);
  AddBreaker(server, &out);
  AddStages(server, &out);
  AddCommands(server, &out);
  AddClients(server, &out);
  return out.Take();
}

}  // namespace kiwi::server
