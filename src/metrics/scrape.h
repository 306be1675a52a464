// The answer to one scrape: families of samples, as a table names them, in Prometheus's text format.
// The data model and the text are prometheus-cpp's.
#pragma once

#include <prometheus/metric_family.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/histogram.h"

namespace kiwi::metrics {

enum class Kind : uint8_t { kCounter, kGauge, kHistogram };

// One row of a table: all that is the same for every sample of a family.
struct FamilyRow {
  std::string_view name;  // kiwi_<what>_<base unit>; a counter's ends with _total
  Kind kind = Kind::kGauge;
  std::string_view labels;  // names, separated by commas; for people
  std::string_view help;
};

using Label = std::pair<std::string_view, std::string_view>;

// One thread's.
class Scrape {
 public:
  // The table outlives it.
  explicit Scrape(std::span<const FamilyRow> rows);

  void Add(size_t row, std::initializer_list<Label> labels, double value) {
    Add(row, std::span<const Label>(labels.begin(), labels.size()), value);
  }
  void Add(size_t row, std::span<const Label> labels, double value);
  // Seconds, with buckets at powers of two.
  void Add(size_t row, std::initializer_list<Label> labels, const HistogramSum& sum);

  // The same with bounds of the caller's: how many lay at or below each, cumulative, in seconds.
  struct Bucket {
    double upper_s = 0;
    uint64_t cumulative = 0;
  };
  void Add(size_t row, std::initializer_list<Label> labels, std::span<const Bucket> buckets,
           uint64_t count, double sum_s);

  // Families in the order of the table, each with its HELP and TYPE even if it has no sample.
  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  prometheus::ClientMetric& NewSample(size_t row, std::span<const Label> labels);

  std::span<const FamilyRow> rows_;
  std::vector<prometheus::MetricFamily> families_;
};

// text/plain; version=0.0.4
std::string Render(const std::vector<prometheus::MetricFamily>& families);

}  // namespace kiwi::metrics
