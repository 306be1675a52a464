#include "base/ticks.h"

#include "base/clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace kiwi {

uint64_t Ticks::Fallback() { return static_cast<uint64_t>(SystemClock().MonotonicNs()); }

Ticks::Rate Ticks::Measure() {
#if defined(__x86_64__)
  constexpr unsigned kAdvancedPowerManagement = 0x80000007;
  constexpr unsigned kInvariantTsc = 1u << 8;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(kAdvancedPowerManagement, &eax, &ebx, &ecx, &edx) != 0 &&
      (edx & kInvariantTsc) != 0) {
    constexpr int64_t kSpanNs = 2'000'000;
    const int64_t start_ns = SystemClock().MonotonicNs();
    const uint64_t start = __rdtsc();
    int64_t now_ns = start_ns;
    while (now_ns - start_ns < kSpanNs) now_ns = SystemClock().MonotonicNs();
    const uint64_t ticks = __rdtsc() - start;
    if (ticks > 0) {
      return {true, static_cast<double>(now_ns - start_ns) / static_cast<double>(ticks)};
    }
  }
#endif
  return {};
}

const Ticks::Rate Ticks::rate_ = Ticks::Measure();

}  // namespace kiwi
