// INFO's Runtime section: the rows of runtime_figures, and what has no place in a metric.
#include <algorithm>
#include <cmath>

#include "server/runtime_figures.h"
#include "server/server_commands.h"

namespace kiwi::server {

using commands::InfoFigures;

namespace {

constexpr size_t kResizesShown = 4;

void AddResizes(const std::string& prefix, const std::deque<runtime::ResizeRecord>& resizes,
                int64_t now_ms, InfoFigures* figures) {
  // The latest first.
  for (size_t i = 0; i < std::min(kResizesShown, resizes.size()); ++i) {
    const runtime::ResizeRecord& resize = resizes[resizes.size() - 1 - i];
    std::string text = "ms_ago=" + std::to_string(now_ms - resize.at_ms) +
                       ",from=" + std::to_string(resize.from) + ",to=" + std::to_string(resize.to) +
                       ",cause=" + std::string(runtime::ResizeCauseName(resize.cause)) +
                       ",ops_before=" + std::to_string(std::llround(resize.throughput_before));
    if (resize.throughput_after >= 0) {
      text += ",ops_after=" + std::to_string(std::llround(resize.throughput_after));
    }
    if (resize.reaction_ms > 0) text += ",reaction_ms=" + std::to_string(resize.reaction_ms);
    figures->runtime.push_back(
        {.name = prefix + "_resize_" + std::to_string(i), .value = std::move(text)});
  }
}

std::string Micros(uint64_t ns) { return std::to_string(ns / 1000); }

}  // namespace

void ServerCommands::CollectRuntime(InfoFigures* figures) {
  const RuntimeSnapshot snapshot = TakeRuntimeSnapshot(*server_);
  figures->runtime.push_back(
      {.name = "scaling", .value = std::string(snapshot.scaling.options.enabled ? "yes" : "no")});
  AddToInfo(RuntimeFigures(), snapshot, &figures->runtime);
  const int64_t now_ms = snapshot.scaling.seen.now_ms;
  AddResizes("network", snapshot.scaling.network_resizes, now_ms, figures);
  AddResizes("storage", snapshot.scaling.storage_resizes, now_ms, figures);
  for (size_t i = 0; i < runtime::kPriorityCount; ++i) {
    const std::string name(runtime::PriorityName(static_cast<runtime::Priority>(i)));
    const auto add = [&](const char* what, uint64_t value) {
      figures->runtime.push_back({.name = what + name, .value = static_cast<int64_t>(value)});
    };
    add("queue_", snapshot.depth[i]);
    add("requests_", snapshot.channel.popped[i]);
    add("refused_", snapshot.channel.refused[i]);
  }
  // Of sampled batches, since the start, all priorities together; microseconds.
  const StageStats::Totals stages = server_->stages().Sum();
  for (size_t i = 0; i < kStageCount; ++i) {
    metrics::HistogramSum all;
    for (const StageStats::Sums& level : stages.batches) all.Add(level[i]);
    figures->runtime.push_back(
        {.name = "stage_" + std::string(kStageNames[i]),
         .value = "count=" + std::to_string(all.count()) + ",p50=" + Micros(all.QuantileNs(0.5)) +
                  ",p99=" + Micros(all.QuantileNs(0.99)) +
                  ",p99.9=" + Micros(all.QuantileNs(0.999)) + ",sum=" + Micros(all.sum_ns())});
  }
}

}  // namespace kiwi::server
