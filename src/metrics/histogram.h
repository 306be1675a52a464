// Histograms of durations with log-linear buckets: each power of two is split into equal parts, so
// that the error is bounded in proportion, and the number of buckets is fixed.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "metrics/thread_blocks.h"

namespace kiwi::metrics {

// Nanoseconds from 2^kFirst to 2^kLast, each power of two split into 2^kSub buckets; one more bucket
// below and one above.
template <int kSub, int kFirst, int kLast>
struct LogLinear {
  static constexpr size_t kBuckets = (static_cast<size_t>(kLast - kFirst) << kSub) + 2;

  static size_t BucketOf(uint64_t ns) {
    if (ns < (uint64_t{1} << kFirst)) return 0;
    if (ns >= (uint64_t{1} << kLast)) return kBuckets - 1;
    const int shift = std::bit_width(ns) - 1;
    const uint64_t part = (ns >> (shift - kSub)) & ((uint64_t{1} << kSub) - 1);
    return (static_cast<size_t>(shift - kFirst) << kSub) + part + 1;
  }
  // Exclusive upper bound of a bucket's durations; of the last one, its lower bound.
  static uint64_t UpperNs(size_t bucket) {
    if (bucket == 0) return uint64_t{1} << kFirst;
    if (bucket >= kBuckets - 1) return uint64_t{1} << kLast;
    const size_t i = bucket - 1;
    const int shift = static_cast<int>(i >> kSub) + kFirst;
    const uint64_t part = i & ((uint64_t{1} << kSub) - 1);
    return (uint64_t{1} << shift) + ((part + 1) << (shift - kSub));
  }
};

// About 1 us to 1 s, off by 6 % at most; 2.5 KiB. For percentiles.
using FineBuckets = LogLinear<4, 10, 30>;
// About 1 us to 17 s, off by 25 % at most; 0.8 KiB. For what is kept often.
using CoarseBuckets = LogLinear<2, 10, 34>;

// What one writer at a time records: a thread's own, or one that a lock hands on.
template <typename Layout>
class HistogramCell {
 public:
  // n records of the same duration.
  void Record(uint64_t ns, uint64_t n = 1) {
    Bump(buckets_[Layout::BucketOf(ns)], n);
    Bump(sum_ns_, ns * n);
  }

 private:
  friend class HistogramSum;
  std::array<std::atomic<uint64_t>, Layout::kBuckets> buckets_{};
  std::atomic<uint64_t> sum_ns_{0};
};

// Figures gathered from any number of cells of one layout.
class HistogramSum {
 public:
  struct Bound {
    uint64_t upper_ns = 0;
    uint64_t cumulative = 0;  // records below it
  };

  // Any thread.
  template <typename Layout>
  void Add(const HistogramCell<Layout>& cell) {
    upper_ns_ = &Layout::UpperNs;
    counts_.resize(Layout::kBuckets);
    for (size_t i = 0; i < Layout::kBuckets; ++i) {
      const uint64_t n = cell.buckets_[i].load(std::memory_order_relaxed);
      counts_[i] += n;
      count_ += n;
    }
    sum_ns_ += cell.sum_ns_.load(std::memory_order_relaxed);
  }
  // Both of one layout, or one of them empty.
  void Add(const HistogramSum& other);

  uint64_t count() const { return count_; }
  uint64_t sum_ns() const { return sum_ns_; }
  // The upper bound of the bucket in which this part (0 to 1) of the records is reached; 0: none.
  uint64_t QuantileNs(double part) const;
  // At the powers of two, the last bucket left out: its upper bound is infinity.
  std::vector<Bound> PowersOfTwo() const;

 private:
  uint64_t (*upper_ns_)(size_t) = nullptr;
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t sum_ns_ = 0;
};

}  // namespace kiwi::metrics
