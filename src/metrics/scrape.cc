#include "metrics/scrape.h"

#include <prometheus/text_serializer.h>

#include "base/check.h"

namespace kiwi::metrics {
namespace {

constexpr double kSecondsPerNs = 1e-9;

prometheus::MetricType TypeOf(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return prometheus::MetricType::Counter;
    case Kind::kGauge:
      return prometheus::MetricType::Gauge;
    case Kind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

}  // namespace

Scrape::Scrape(std::span<const FamilyRow> rows) : rows_(rows) {
  families_.reserve(rows.size());
  for (const FamilyRow& row : rows) {
    prometheus::MetricFamily& family = families_.emplace_back();
    family.name = row.name;
    family.help = row.help;
    family.type = TypeOf(row.kind);
  }
}

prometheus::ClientMetric& Scrape::NewSample(size_t row, std::span<const Label> labels) {
  prometheus::ClientMetric& sample = families_[row].metric.emplace_back();
  for (const auto& [name, value] : labels) {
    sample.label.push_back({std::string(name), std::string(value)});
  }
  return sample;
}

void Scrape::Add(size_t row, std::span<const Label> labels, double value) {
  KIWI_DCHECK(rows_[row].kind != Kind::kHistogram, "a histogram is no single value");
  prometheus::ClientMetric& sample = NewSample(row, labels);
  if (rows_[row].kind == Kind::kCounter) {
    sample.counter.value = value;
  } else {
    sample.gauge.value = value;
  }
}

void Scrape::Add(size_t row, std::initializer_list<Label> labels, const HistogramSum& sum) {
  std::vector<Bucket> buckets;
  for (const HistogramSum::Bound& bound : sum.PowersOfTwo()) {
    buckets.push_back({static_cast<double>(bound.upper_ns) * kSecondsPerNs, bound.cumulative});
  }
  Add(row, labels, buckets, sum.count(), static_cast<double>(sum.sum_ns()) * kSecondsPerNs);
}

void Scrape::Add(size_t row, std::initializer_list<Label> labels, std::span<const Bucket> buckets,
                 uint64_t count, double sum_s) {
  KIWI_DCHECK(rows_[row].kind == Kind::kHistogram, "a single value is no histogram");
  prometheus::ClientMetric& sample =
      NewSample(row, std::span<const Label>(labels.begin(), labels.size()));
  sample.histogram.sample_count = count;
  sample.histogram.sample_sum = sum_s;
  for (const Bucket& bucket : buckets) {
    sample.histogram.bucket.push_back({bucket.cumulative, bucket.upper_s});
  }
}

std::string Render(const std::vector<prometheus::MetricFamily>& families) {
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace kiwi::metrics
