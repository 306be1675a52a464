// The latency monitor: what took longer than a threshold, by event, with a short history of each.
// https://redis.io/docs/management/optimization/latency-monitor
//
// Recorded are "command" and "fast-command": a call of a command, by its flags.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "commands/server_view.h"

namespace kiwi::server {

// Thread-safe.
class LatencyMonitor {
 public:
  static constexpr size_t kHistoryMax = 160;  // samples of an event; the oldest goes
  static constexpr size_t kEventsMax = 64;    // further names are not recorded

  void SetThresholdMs(int64_t ms) { threshold_ms_.store(ms, std::memory_order_relaxed); }
  int64_t threshold_ms() const { return threshold_ms_.load(std::memory_order_relaxed); }

  // For the hot path: is this worth a sample?
  bool Wants(int64_t duration_ns) const {
    const int64_t threshold = threshold_ms();
    return threshold > 0 && duration_ns >= threshold * 1'000'000;
  }
  // One sample a second and event: the larger one stays.
  void Record(std::string_view event, int64_t duration_ns, int64_t unix_s);

  std::vector<commands::LatencyEvent> Events() const;      // by name
  size_t Reset(std::span<const std::string_view> events);  // empty: all. How many were there.

 private:
  std::atomic<int64_t> threshold_ms_{0};
  mutable Mutex mu_;
  std::map<std::string, commands::LatencyEvent, std::less<>> events_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::server
