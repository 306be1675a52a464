#include "server/runtime_figures.h"

#include "server/metrics_families.h"
#include "server/server.h"

namespace kiwi::server {
namespace {

using Row = Figure<RuntimeSnapshot>;
using Snapshot = RuntimeSnapshot;

constexpr metrics::Label kNetwork = {"runtime", "network"};
constexpr metrics::Label kStorage = {"runtime", "storage"};
constexpr metrics::Label kFull = {"cause", "full"};
constexpr double kFromMs = 1e-3;
constexpr double kFromUs = 1e-6;

template <typename T>
double D(T value) {
  return static_cast<double>(value);
}

constexpr Row kRows[] = {
    {.info = "network_threads",
     .family = RuntimeFamily("kiwi_runtime_threads"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.loops.wanted); }},
    {.info = "network_threads_alive",
     .family = RuntimeFamily("kiwi_runtime_threads_alive"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.loops.alive); }},
    {.info = "network_threads_min",
     .family = RuntimeFamily("kiwi_runtime_threads_min"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.scaling.options.scaler.network.min); }},
    {.info = "network_threads_max",
     .family = RuntimeFamily("kiwi_runtime_threads_max"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.scaling.options.scaler.network.max); }},
    {.info = "network_thread_seconds",
     .family = RuntimeFamily("kiwi_runtime_thread_seconds_total"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.loops.alive_loop_ns) / 1e9; },
     .decimal = true},
    {.info = "network_moves",
     .family = RuntimeFamily("kiwi_runtime_connection_moves_total"),
     .get = [](const Snapshot& s) { return D(s.loops.moves_asked); }},
    {.info = "network_delay_us",
     .family = RuntimeFamily("kiwi_runtime_strain_seconds"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.scaling.seen.loop_delay_us); },
     .unit = kFromUs},
    {.info = "network_grown",
     .family = RuntimeFamily("kiwi_runtime_growths_total"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.scaling.network_totals.grown); }},
    {.info = "network_shrunk",
     .family = RuntimeFamily("kiwi_runtime_shrinks_total"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.scaling.network_totals.shrunk); }},
    {.info = "network_grown_in_vain",
     .family = RuntimeFamily("kiwi_runtime_growths_taken_back_total"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.scaling.network_totals.grown_in_vain); }},
    {.info = "network_barred_ms",
     .family = RuntimeFamily("kiwi_runtime_growth_barred_seconds"),
     .labels = {kNetwork},
     .get = [](const Snapshot& s) { return D(s.scaling.network_barred_ms); },
     .unit = kFromMs},

    {.info = "storage_threads",
     .family = RuntimeFamily("kiwi_runtime_threads"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.workers.wanted); }},
    {.info = "storage_threads_alive",
     .family = RuntimeFamily("kiwi_runtime_threads_alive"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.workers.alive); }},
    {.info = "storage_threads_min",
     .family = RuntimeFamily("kiwi_runtime_threads_min"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.scaling.options.scaler.storage.min); }},
    {.info = "storage_threads_max",
     .family = RuntimeFamily("kiwi_runtime_threads_max"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.scaling.options.scaler.storage.max); }},
    {.info = "storage_threads_busy",
     .family = RuntimeFamily("kiwi_runtime_threads_busy"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.workers.busy); }},
    {.info = "storage_thread_seconds",
     .family = RuntimeFamily("kiwi_runtime_thread_seconds_total"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.workers.alive_thread_ns) / 1e9; },
     .decimal = true},
    {.info = "storage_tasks_run",
     .family = RuntimeFamily("kiwi_runtime_tasks_total"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.workers.tasks_run); }},
    {.info = "storage_tasks_run_by_reserve",
     .family = RuntimeFamily("kiwi_runtime_reserve_tasks_total"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.workers.reserve_tasks); }},
    {.info = "storage_response_us",
     .family = RuntimeFamily("kiwi_runtime_strain_seconds"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.scaling.seen.response_us); },
     .unit = kFromUs},
    {.info = "storage_grown",
     .family = RuntimeFamily("kiwi_runtime_growths_total"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.scaling.storage_totals.grown); }},
    {.info = "storage_shrunk",
     .family = RuntimeFamily("kiwi_runtime_shrinks_total"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.scaling.storage_totals.shrunk); }},
    {.info = "storage_grown_in_vain",
     .family = RuntimeFamily("kiwi_runtime_growths_taken_back_total"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.scaling.storage_totals.grown_in_vain); }},
    {.info = "storage_barred_ms",
     .family = RuntimeFamily("kiwi_runtime_growth_barred_seconds"),
     .labels = {kStorage},
     .get = [](const Snapshot& s) { return D(s.scaling.storage_barred_ms); },
     .unit = kFromMs},

    {.info = "scaling_storage_first",
     .family = RuntimeFamily("kiwi_runtime_storage_first"),
     .get = [](const Snapshot& s) { return D(s.scaling.decided.storage_first); }},
    {.info = "scaling_backpressure_pause",
     .family = RuntimeFamily("kiwi_runtime_backpressure_pause"),
     .get = [](const Snapshot& s) { return D(s.scaling.decided.backpressure_pause); }},
    {.info = "backpressure_events",
     .family = RuntimeFamily("kiwi_backpressure_events_total"),
     .labels = {kFull},
     .get = [](const Snapshot& s) { return D(s.backpressure_events); }},
    {.info = "backpressure_waited_ms",
     .get = [](const Snapshot& s) { return D(s.backpressure_waited_ns) / 1e6; }},
    {.info = "backpressure_waiting_clients",
     .family = RuntimeFamily("kiwi_backpressure_clients"),
     .labels = {kFull},
     .get = [](const Snapshot& s) { return D(s.backpressure_clients); }},
    {.info = "backpressure_waiting_requests",
     .family = RuntimeFamily("kiwi_backpressure_requests"),
     .get = [](const Snapshot& s) { return D(s.backpressure_requests); }},

    {.family = RuntimeFamily("kiwi_network_bytes_total"),
     .labels = {{{"direction", "in"}}},
     .get = [](const Snapshot& s) { return D(s.loops.totals.bytes_in); }},
    {.family = RuntimeFamily("kiwi_network_bytes_total"),
     .labels = {{{"direction", "out"}}},
     .get = [](const Snapshot& s) { return D(s.loops.totals.bytes_out); }},
    {.family = RuntimeFamily("kiwi_socket_calls_total"),
     .labels = {{{"direction", "in"}}},
     .get = [](const Snapshot& s) { return D(s.loops.totals.reads); }},
    {.family = RuntimeFamily("kiwi_socket_calls_total"),
     .labels = {{{"direction", "out"}}},
     .get = [](const Snapshot& s) { return D(s.loops.totals.flushes); }},
};

}  // namespace

RuntimeSnapshot TakeRuntimeSnapshot(Server& server) {
  RuntimeSnapshot snapshot;
  snapshot.scaling = server.elastic().status();
  snapshot.loops = server.loops().stats();
  snapshot.workers = server.workers().stats();
  snapshot.channel = server.channel().stats();
  for (size_t i = 0; i < runtime::kPriorityCount; ++i) {
    snapshot.depth[i] = server.channel().depth(static_cast<runtime::Priority>(i));
  }
  const Backpressure& backpressure = server.backpressure();
  snapshot.backpressure_events = backpressure.full.events();
  snapshot.backpressure_waited_ns =
      static_cast<uint64_t>(backpressure.full.ended_us()) * uint64_t{1000};
  snapshot.backpressure_clients = backpressure.full.now();
  snapshot.backpressure_requests = backpressure.waiting_requests.load();
  return snapshot;
}

std::span<const Figure<RuntimeSnapshot>> RuntimeFigures() { return kRows; }

}  // namespace kiwi::server
