// The circuit breaker of the running server (runtime/circuit_breaker.h): thread-safe, and one relaxed
// load while every level is closed. What it counts comes from the loops (breaker_watch.h).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <string>

#include "base/mutex.h"
#include "runtime/circuit_breaker.h"

namespace kiwi::server {

struct BreakerSettings {
  runtime::BreakerOptions circuit;
  // By priority; Critical's mean nothing. From being queued to the replies, and to being executed.
  std::array<int64_t, runtime::kPriorityCount> timeout_ms = {0, 30'000, 20'000, 10'000};
  std::array<int64_t, runtime::kPriorityCount> queue_deadline_ms = {0, 20'000, 10'000, 5'000};
};

// For INFO and the metrics.
struct BreakerStatus {
  struct Level {
    runtime::BreakerState state = runtime::BreakerState::kClosed;
    uint64_t opened = 0;            // times
    uint64_t refused = 0;           // requests answered -TRYAGAIN
    runtime::BreakerCounts totals;  // since the start
    runtime::BreakerCounts window;  // now
  };
  bool enabled = false;
  int64_t now_ms = 0;                                  // monotonic, as the transitions' times
  std::array<Level, runtime::kPriorityCount> levels;   // by priority
  std::deque<runtime::BreakerTransition> transitions;  // the latest last
};

class Breaker {
 public:
  using Admission = runtime::CircuitBreaker::Admission;
  using ProbeResult = runtime::CircuitBreaker::ProbeResult;

  explicit Breaker(const BreakerSettings& settings);

  // --- the hot path ---
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  bool all_closed() const { return states_.load(std::memory_order_relaxed) == 0; }
  bool IsOpen(runtime::Priority level) const {
    return (states_.load(std::memory_order_relaxed) >> Shift(level) & kStateMask) ==
           static_cast<uint32_t>(runtime::BreakerState::kOpen);
  }
  int64_t timeout_ns(runtime::Priority level) const {
    return timeout_ns_[static_cast<size_t>(level)].load(std::memory_order_relaxed);
  }
  int64_t queue_deadline_ns(runtime::Priority level) const {
    return queue_deadline_ns_[static_cast<size_t>(level)].load(std::memory_order_relaxed);
  }

  // --- as CircuitBreaker; times are monotonic ---
  Admission Admit(runtime::Priority level, bool may_probe, int64_t now_ns) KIWI_EXCLUDES(mu_);
  void Record(runtime::Priority level, const runtime::BreakerCounts& counts, int64_t now_ns)
      KIWI_EXCLUDES(mu_);
  void EndProbe(runtime::Priority level, uint64_t probe, ProbeResult result, int64_t now_ns)
      KIWI_EXCLUDES(mu_);
  void Tick(int64_t now_ns) KIWI_EXCLUDES(mu_);
  void SetSettings(const BreakerSettings& settings, int64_t now_ns) KIWI_EXCLUDES(mu_);

  void CountRefused(runtime::Priority level) {
    refused_[static_cast<size_t>(level)].fetch_add(1, std::memory_order_relaxed);
  }
  // What a refused request is told: nothing of it was done, it may come again.
  static std::string RefusalText(runtime::Priority level);
  BreakerStatus Status(int64_t now_ns) const KIWI_EXCLUDES(mu_);

 private:
  static constexpr uint32_t kStateMask = 3;
  static uint32_t Shift(runtime::Priority level) { return 2 * static_cast<uint32_t>(level); }
  void StoreLimits(const BreakerSettings& settings);
  void Publish() KIWI_REQUIRES(mu_);

  std::atomic<uint32_t> states_{0};  // two bits a level
  std::atomic<bool> enabled_{false};
  std::array<std::atomic<int64_t>, runtime::kPriorityCount> timeout_ns_{};
  std::array<std::atomic<int64_t>, runtime::kPriorityCount> queue_deadline_ns_{};
  std::array<std::atomic<uint64_t>, runtime::kPriorityCount> refused_{};

  mutable Mutex mu_;
  runtime::CircuitBreaker circuit_ KIWI_GUARDED_BY(mu_);
  uint64_t transitions_logged_ KIWI_GUARDED_BY(mu_) = 0;
};

}  // namespace kiwi::server
