#include "server/latency.h"

#include <algorithm>

namespace kiwi::server {

void LatencyMonitor::Record(std::string_view event, int64_t duration_ns, int64_t unix_s) {
  const int64_t ms = duration_ns / 1'000'000;
  MutexLock lock(mu_);
  auto it = events_.find(event);
  if (it == events_.end()) {
    if (events_.size() >= kEventsMax) return;
    it = events_.emplace(std::string(event), commands::LatencyEvent{}).first;
    it->second.name = event;
  }
  commands::LatencyEvent& series = it->second;
  series.all_time_max_ms = std::max(series.all_time_max_ms, ms);
  auto& samples = series.samples;
  if (!samples.empty() && samples.back().unix_s == unix_s) {
    samples.back().latency_ms = std::max(samples.back().latency_ms, ms);
    return;
  }
  if (samples.size() >= kHistoryMax) samples.erase(samples.begin());
  samples.push_back({unix_s, ms});
}

std::vector<commands::LatencyEvent> LatencyMonitor::Events() const {
  MutexLock lock(mu_);
  std::vector<commands::LatencyEvent> events;
  events.reserve(events_.size());
  for (const auto& [name, event] : events_) events.push_back(event);
  return events;
}

size_t LatencyMonitor::Reset(std::span<const std::string_view> events) {
  MutexLock lock(mu_);
  if (events.empty()) {
    const size_t count = events_.size();
    events_.clear();
    return count;
  }
  size_t count = 0;
  for (const std::string_view name : events) {
    const auto it = events_.find(name);
    if (it == events_.end()) continue;
    events_.erase(it);
    ++count;
  }
  return count;
}

}  // namespace kiwi::server
