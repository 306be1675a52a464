// Time, as an interface: nothing outside base asks the operating system what time it is.
#pragma once

#include <atomic>
#include <cstdint>

namespace kiwi {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Since the Unix epoch, milliseconds. Never runs backwards within a process, whatever the
  // system's clock does; follows its jumps forward.
  virtual int64_t WallMs() = 0;
  // Since the Unix epoch, microseconds; for TIME and logs only. Same promise.
  virtual int64_t WallUs() = 0;
  // Monotonic, nanoseconds, arbitrary origin; for durations.
  virtual int64_t MonotonicNs() = 0;
};

// The operating system's clocks. Never destroyed.
Clock& SystemClock();

// Stands still until it is told to move; for tests and the simulator.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(int64_t wall_ms) : now_us_(wall_ms * 1000) {}
  int64_t WallMs() override { return now_us_ / 1000; }
  int64_t WallUs() override { return now_us_; }
  int64_t MonotonicNs() override { return now_us_ * 1000; }
  void AdvanceMs(int64_t ms) { now_us_ += ms * 1000; }

 private:
  std::atomic<int64_t> now_us_;
};

}  // namespace kiwi
