// A clock that tests set wrong: an offset of the wall clock, a drift of the monotonic one.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"
#include "base/mutex.h"

namespace kiwi::fault {

// Thread-safe. Until the first fault a question costs one load more than the clock below.
class SkewedClock final : public Clock {
 public:
  explicit SkewedClock(Clock* clock) : clock_(clock) {}  // outlives it

  // From now on the wall clock is so much ahead of the true one. As Clock promises, it stands still
  // rather than go back.
  void SetSkewMs(int64_t ms);
  // From now on the monotonic clock runs so much faster; above -100. It keeps what it has gained.
  void SetDriftPercent(int percent);

  int64_t WallMs() override { return WallUs() / 1000; }
  int64_t WallUs() override;
  int64_t MonotonicNs() override;

 private:
  int64_t MonotonicLocked() KIWI_REQUIRES(mu_);

  Clock* const clock_;
  std::atomic<bool> touched_{false};
  Mutex mu_;
  int64_t skew_us_ KIWI_GUARDED_BY(mu_) = 0;
  int64_t wall_seen_us_ KIWI_GUARDED_BY(mu_) = 0;
  int drift_percent_ KIWI_GUARDED_BY(mu_) = 0;
  int64_t drift_base_ns_ KIWI_GUARDED_BY(mu_) = 0;   // since then, by the clock below
  int64_t drift_shown_ns_ KIWI_GUARDED_BY(mu_) = 0;  // what was shown then
};

}  // namespace kiwi::fault
