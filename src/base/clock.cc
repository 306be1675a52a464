#include "base/clock.h"

#include <atomic>
#include <ctime>

namespace kiwi {
namespace {

int64_t ReadNs(clockid_t id) {
  timespec ts;
  clock_gettime(id, &ts);
  return int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec;
}

class OsClock final : public Clock {
 public:
  int64_t WallMs() override { return WallUs() / 1000; }

  int64_t WallUs() override {
    const int64_t now = ReadNs(CLOCK_REALTIME) / 1000;
    int64_t seen = latest_us_.load(std::memory_order_relaxed);
    while (now > seen) {
      if (latest_us_.compare_exchange_weak(seen, now, std::memory_order_relaxed)) return now;
    }
    return seen;
  }

  int64_t MonotonicNs() override { return ReadNs(CLOCK_MONOTONIC); }

 private:
  std::atomic<int64_t> latest_us_{0};
};

}  // namespace

Clock& SystemClock() {
  static OsClock* const clock = new OsClock;  // never destroyed: threads may outlive main
  return *clock;
}

}  // namespace kiwi
