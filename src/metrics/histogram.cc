#include "metrics/histogram.h"

#include <algorithm>

#include "base/check.h"

namespace kiwi::metrics {

void HistogramSum::Add(const HistogramSum& other) {
  if (other.counts_.empty()) return;
  KIWI_CHECK(counts_.empty() || upper_ns_ == other.upper_ns_, "histograms of two layouts");
  upper_ns_ = other.upper_ns_;
  counts_.resize(other.counts_.size());
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
}

uint64_t HistogramSum::QuantileNs(double part) const {
  if (count_ == 0) return 0;
  const double wanted = std::max(1.0, part * static_cast<double>(count_));
  uint64_t cumulative = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    cumulative += counts_[i];
    if (static_cast<double>(cumulative) >= wanted) return upper_ns_(i);
  }
  return upper_ns_(counts_.size() - 1);
}

std::vector<HistogramSum::Bound> HistogramSum::PowersOfTwo() const {
  std::vector<Bound> bounds;
  uint64_t cumulative = 0;
  for (size_t i = 0; i + 1 < counts_.size(); ++i) {
    cumulative += counts_[i];
    if (const uint64_t upper = upper_ns_(i); std::has_single_bit(upper)) {
      bounds.push_back({upper, cumulative});
    }
  }
  return bounds;
}

}  // namespace kiwi::metrics
