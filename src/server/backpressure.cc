#include "server/backpressure.h"

#include <algorithm>

namespace kiwi::server {

void Pauses::End(int64_t since_ns, int64_t now_ns) {
  const int64_t us = std::max<int64_t>(0, now_ns - since_ns) / 1000;
  began_us_.fetch_sub(since_ns / 1000, kRelaxed);
  now_.fetch_sub(1, kRelaxed);
  ended_us_.fetch_add(us, kRelaxed);
  const auto bound = std::lower_bound(kPauseBoundsMs.begin(), kPauseBoundsMs.end(), us,
                                      [](int64_t ms, int64_t v) { return ms * 1000 < v; });
  buckets_[static_cast<size_t>(bound - kPauseBoundsMs.begin())].fetch_add(1, kRelaxed);
  int64_t longest = longest_us_.load(kRelaxed);
  while (us > longest && !longest_us_.compare_exchange_weak(longest, us, kRelaxed)) {
  }
}

// The two sums may be a pause apart: never below 0.
int64_t Pauses::current_us(int64_t now_ns) const {
  const auto count = static_cast<int64_t>(now_.load(kRelaxed));
  return std::max<int64_t>(0, count * (now_ns / 1000) - began_us_.load(kRelaxed));
}

std::array<uint64_t, kPauseBuckets> Pauses::histogram() const {
  std::array<uint64_t, kPauseBuckets> counts = {};
  for (size_t i = 0; i < kPauseBuckets; ++i) counts[i] = buckets_[i].load(kRelaxed);
  return counts;
}

}  // namespace kiwi::server
