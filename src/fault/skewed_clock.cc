#include "fault/skewed_clock.h"

#include <algorithm>

namespace kiwi::fault {

void SkewedClock::SetSkewMs(int64_t ms) {
  MutexLock lock(mu_);
  wall_seen_us_ = std::max(wall_seen_us_, clock_->WallUs() + skew_us_);
  skew_us_ = ms * 1000;
  touched_.store(true, std::memory_order_release);
}

void SkewedClock::SetDriftPercent(int percent) {
  MutexLock lock(mu_);
  drift_shown_ns_ = MonotonicLocked();
  drift_base_ns_ = clock_->MonotonicNs();
  drift_percent_ = percent;
  touched_.store(true, std::memory_order_release);
}

int64_t SkewedClock::WallUs() {
  if (!touched_.load(std::memory_order_acquire)) return clock_->WallUs();
  MutexLock lock(mu_);
  wall_seen_us_ = std::max(wall_seen_us_, clock_->WallUs() + skew_us_);
  return wall_seen_us_;
}

int64_t SkewedClock::MonotonicNs() {
  if (!touched_.load(std::memory_order_acquire)) return clock_->MonotonicNs();
  MutexLock lock(mu_);
  return MonotonicLocked();
}

int64_t SkewedClock::MonotonicLocked() {
  const int64_t now_ns = clock_->MonotonicNs();
  if (drift_base_ns_ == 0) return now_ns;
  const int64_t passed_ns = now_ns - drift_base_ns_;
  return drift_shown_ns_ + passed_ns + passed_ns / 100 * drift_percent_;
}

}  // namespace kiwi::fault
