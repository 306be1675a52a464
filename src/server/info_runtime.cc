// The figures behind INFO's Runtime section: pools, channel, backpressure, and what the scaler does.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "server/server_commands.h"

namespace kiwi::server {

using commands::InfoFigures;

namespace {

constexpr size_t kResizesShown = 4;

// Adds figures under "<prefix>_".
class Pool {
 public:
  Pool(InfoFigures* figures, std::string prefix) : figures_(figures), prefix_(std::move(prefix)) {}
  template <typename T>
  void Add(std::string_view name, T value) {
    std::variant<int64_t, double, std::string> shown;
    if constexpr (std::is_integral_v<T>) {
      shown = static_cast<int64_t>(value);
    } else {
      shown = std::move(value);
    }
    figures_->runtime.push_back({.name = prefix_ + std::string(name), .value = std::move(shown)});
  }

  void AddSize(int wanted, int alive, const runtime::PoolScalerOptions& options) {
    Add("threads", wanted);
    Add("threads_alive", alive);
    Add("threads_min", options.min);
    Add("threads_max", options.max);
  }
  void AddResizes(const runtime::ResizeTotals& totals, int64_t barred_ms,
                  const std::deque<runtime::ResizeRecord>& resizes, int64_t now_ms) {
    Add("grown", totals.grown);
    Add("shrunk", totals.shrunk);
    Add("grown_in_vain", totals.grown_in_vain);
    Add("barred_ms", barred_ms);
    // The latest first.
    for (size_t i = 0; i < std::min(kResizesShown, resizes.size()); ++i) {
      const runtime::ResizeRecord& resize = resizes[resizes.size() - 1 - i];
      std::string text = "ms_ago=" + std::to_string(now_ms - resize.at_ms) +
                         ",from=" + std::to_string(resize.from) +
                         ",to=" + std::to_string(resize.to) +
                         ",cause=" + std::string(runtime::ResizeCauseName(resize.cause)) +
                         ",ops_before=" + std::to_string(std::llround(resize.throughput_before));
      if (resize.throughput_after >= 0) {
        text += ",ops_after=" + std::to_string(std::llround(resize.throughput_after));
      }
      if (resize.reaction_ms > 0) text += ",reaction_ms=" + std::to_string(resize.reaction_ms);
      Add("resize_" + std::to_string(i), std::move(text));
    }
  }

 private:
  InfoFigures* const figures_;
  const std::string prefix_;
};

}  // namespace

void ServerCommands::CollectRuntime(InfoFigures* figures) {
  const ElasticStatus status = server_->elastic().status();
  const runtime::ScalerOptions& options = status.options.scaler;
  const net::LoopPoolStats loops = server_->loops().stats();
  Pool network(figures, "network_");
  network.AddSize(loops.wanted, loops.alive, options.network);
  network.Add("thread_seconds", static_cast<double>(loops.alive_loop_ns) / 1e9);
  network.Add("moves", loops.moves_asked);
  network.Add("delay_us", status.seen.loop_delay_us);
  network.AddResizes(status.network_totals, status.network_barred_ms, status.network_resizes,
                     status.seen.now_ms);

  const runtime::WorkerPoolStats workers = server_->workers().stats();
  Pool storage(figures, "storage_");
  storage.AddSize(workers.wanted, workers.alive, options.storage);
  storage.Add("threads_busy", workers.busy);
  storage.Add("thread_seconds", static_cast<double>(workers.alive_thread_ns) / 1e9);
  storage.Add("tasks_run", workers.tasks_run);
  storage.Add("response_us", status.seen.response_us);
  storage.AddResizes(status.storage_totals, status.storage_barred_ms, status.storage_resizes,
                     status.seen.now_ms);

  Pool all(figures, "");
  all.Add("scaling", std::string(status.options.enabled ? "yes" : "no"));
  all.Add("scaling_storage_first", int{status.decided.storage_first});
  all.Add("scaling_backpressure_pause", int{status.decided.backpressure_pause});
  const Backpressure& backpressure = server_->backpressure();
  all.Add("backpressure_events", backpressure.events.load());
  all.Add("backpressure_waited_ms", backpressure.waited_ns.load() / 1'000'000);
  all.Add("backpressure_waiting_clients", backpressure.waiting_batches.load());
  all.Add("backpressure_waiting_requests", backpressure.waiting_requests.load());
  const runtime::PriorityChannel& channel = server_->channel();
  const runtime::ChannelStats stats = channel.stats();
  for (size_t i = 0; i < runtime::kPriorityCount; ++i) {
    const auto priority = static_cast<runtime::Priority>(i);
    const std::string name(runtime::PriorityName(priority));
    all.Add("queue_" + name, channel.depth(priority));
    all.Add("requests_" + name, stats.popped[i]);
    all.Add("refused_" + name, stats.refused[i]);
  }
}

}  // namespace kiwi::server
