// The last while of a few figures, in a ring of bounded size.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/mutex.h"

namespace kiwi::metrics {

// Thread-safe.
template <size_t kFigures>
class History {
 public:
  struct Sample {
    int64_t unix_ms = 0;
    std::array<double, kFigures> figures{};
  };
  // What is kept at most, whatever the options say: with the figures of a server less than 1 MiB.
  static constexpr size_t kSamplesMax = 10'000;

  // Keeps so many samples, the latest ones; at least one.
  void SetSize(size_t samples) {
    MutexLock lock(mu_);
    size_ = std::clamp<size_t>(samples, 1, kSamplesMax);
    Trim();
  }
  void Add(const Sample& sample) {
    MutexLock lock(mu_);
    samples_.push_back(sample);
    Trim();
  }
  // The latest last.
  std::deque<Sample> Samples() const {
    MutexLock lock(mu_);
    return samples_;
  }

 private:
  void Trim() KIWI_REQUIRES(mu_) {
    while (samples_.size() > size_) samples_.pop_front();
  }

  mutable Mutex mu_;
  size_t size_ KIWI_GUARDED_BY(mu_) = 1;
  std::deque<Sample> samples_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::metrics
