// INFO's Runtime section: the rows of runtime_figures, and what has no place in a metric.
#include <algorithm>
#include <cmath>

#include "server/runtime_figures.h"
#include "server/server_commands.h"

namespace kiwi::server {

using commands::InfoFigures;

namespace {

constexpr size_t kResizesShown = 4;
constexpr size_t kTransitionsShown = 12;

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

template <typename T>
void Add(std::string name, T value, InfoFigures* figures) {
  figures->runtime.push_back({.name = std::move(name), .value = static_cast<int64_t>(value)});
}

void AddText(std::string name, std::string value, InfoFigures* figures) {
  figures->runtime.push_back({.name = std::move(name), .value = std::move(value)});
}

void AddPauses(const std::string& prefix, const Pauses& pauses, int64_t now_ns,
               InfoFigures* figures) {
  Add(prefix + "waiting_ms", pauses.current_us(now_ns) / 1000, figures);  // so far, all together
  Add(prefix + "longest_ms", pauses.longest_us() / 1000, figures);        // of those that ended
  const auto histogram = pauses.histogram();
  std::string text;
  for (size_t i = 0; i < kPauseBuckets; ++i) {
    if (i > 0) text += ',';
    text += i < kPauseBoundsMs.size() ? "le_" + std::to_string(kPauseBoundsMs[i]) : "more";
    text += '=' + std::to_string(histogram[i]);
  }
  AddText(prefix + "pauses_by_ms", std::move(text), figures);
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
  CollectBackpressure(figures);
  CollectBreaker(figures);
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

void ServerCommands::CollectBackpressure(InfoFigures* figures) {
  const Backpressure& backpressure = server_->backpressure();
  const int64_t now_ns = clock_->MonotonicNs();
  AddPauses("backpressure_", backpressure.full, now_ns, figures);
  const BatchLatencies latencies = server_->Latencies();
  Add("backpressure_held_up_batches", latencies.held_up_count, figures);
  Add("backpressure_held_up_mean_us", latencies.held_up_mean_us, figures);
  Add("backpressure_others_mean_us", latencies.others_mean_us, figures);
  Add("unread_replies_events", backpressure.unread.events(), figures);
  Add("unread_replies_clients", backpressure.unread.now(), figures);
  Add("unread_replies_waited_ms", backpressure.unread.ended_us() / 1000, figures);
  AddPauses("unread_replies_", backpressure.unread, now_ns, figures);
}

void ServerCommands::CollectBreaker(InfoFigures* figures) {
  const BreakerStatus status = server_->breaker().Status(clock_->MonotonicNs());
  AddText("breaker_enabled", status.enabled ? "yes" : "no", figures);
  for (const auto priority :
       {runtime::Priority::kHigh, runtime::Priority::kNormal, runtime::Priority::kLow}) {
    const BreakerStatus::Level& level = status.levels[static_cast<size_t>(priority)];
    const std::string name = "breaker_" + std::string(runtime::PriorityName(priority));
    AddText(name, std::string(runtime::BreakerStateName(level.state)), figures);
    Add(name + "_opened", level.opened, figures);
    Add(name + "_refused", level.refused, figures);
    for (size_t i = 0; i < runtime::kFailureKinds; ++i) {
      const auto kind = static_cast<runtime::FailureKind>(i);
      Add(name + "_failures_" + std::string(runtime::FailureKindName(kind)),
          level.totals.failures[i], figures);
    }
    Add(name + "_window_requests", level.window.requests(), figures);
    Add(name + "_window_failures", level.window.failed(), figures);
  }
  // The latest first.
  for (size_t i = 0; i < std::min(kTransitionsShown, status.transitions.size()); ++i) {
    const auto& transition = status.transitions[status.transitions.size() - 1 - i];
    std::string text = "ms_ago=" + std::to_string(status.now_ms - transition.at_ms) +
                       ",level=" + std::string(runtime::PriorityName(transition.level)) +
                       ",from=" + std::string(runtime::BreakerStateName(transition.from)) +
                       ",to=" + std::string(runtime::BreakerStateName(transition.to)) +
                       ",cause=" + std::string(runtime::BreakerCauseName(transition.cause));
    if (transition.requests > 0) {
      text += ",failures=" + std::to_string(transition.failures) +
              ",requests=" + std::to_string(transition.requests);
    }
    AddText("breaker_transition_" + std::to_string(i), std::move(text), figures);
  }
}

}  // namespace kiwi::server
