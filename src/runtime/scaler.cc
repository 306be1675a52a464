#include "runtime/scaler.h"

#include <algorithm>

namespace kiwi::runtime {
namespace {

// A rate is counted over a whole second: one event in the first interval is not a rate of many.
constexpr int64_t kEventWindowMs = 1000;

Pressure PressureOf(double strain, bool all_low) {
  if (strain >= 1) return Pressure::kHigh;
  return all_low ? Pressure::kLow : Pressure::kBetween;
}

double Ratio(double value, double threshold) { return threshold > 0 ? value / threshold : 0; }

}  // namespace

Scaler::Scaler(const ScalerOptions& options)
    : options_(options), network_(options.network), storage_(options.storage) {}

void Scaler::SetOptions(const ScalerOptions& options) {
  options_ = options;
  network_.SetOptions(options.network);
  storage_.SetOptions(options.storage);
}

bool Scaler::BackpressurePauses(const Observation& o) {
  backpressure_.push_back({o.now_ms, o.backpressure_events});
  while (o.now_ms - backpressure_.front().at_ms > kEventWindowMs) backpressure_.pop_front();
  const uint64_t events = o.backpressure_events - backpressure_.front().events;
  if (static_cast<double>(events) * 1000 / kEventWindowMs > options_.backpressure_rate_max) {
    pause_until_ms_ = o.now_ms + options_.backpressure_pause_ms;
  }
  return o.now_ms < pause_until_ms_;
}

PoolInput Scaler::NetworkInput(const Observation& o) const {
  const double queued = static_cast<double>(o.network_queued);
  const auto high_us = static_cast<double>(options_.loop_delay_high_us);
  const double queue_strain = Ratio(queued, options_.network_queue_high);
  PoolInput in;
  in.now_ms = o.now_ms;
  in.threads = o.network_threads;
  in.commands_done = o.commands_done;
  in.strain = std::max(queue_strain, Ratio(static_cast<double>(o.loop_delay_sum_us), high_us));
  in.pressure = PressureOf(
      std::max(queue_strain, Ratio(static_cast<double>(o.loop_delay_us), high_us)),
      queued <= options_.network_queue_low && o.loop_delay_us <= options_.loop_delay_low_us);
  return in;
}

PoolInput Scaler::StorageInput(const Observation& o) const {
  const double queued = static_cast<double>(o.storage_queued);
  const auto response = static_cast<double>(o.response_us);
  PoolInput in;
  in.now_ms = o.now_ms;
  in.threads = o.storage_threads;
  in.commands_done = o.commands_done;
  in.strain = std::max(Ratio(queued, options_.storage_queue_high),
                       Ratio(response, static_cast<double>(options_.response_high_us)));
  in.pressure = PressureOf(
      in.strain, queued <= options_.storage_queue_low && o.response_us <= options_.response_low_us);
  return in;
}

ScalerDecision Scaler::Evaluate(const Observation& o) {
  const PoolInput storage = StorageInput(o);
  PoolInput network = NetworkInput(o);
  ScalerDecision decision;
  decision.backpressure_pause = BackpressurePauses(o);
  decision.storage_first = o.response_us >= options_.response_high_us ||
                           storage_.WantsToGrow(storage) || storage_.judging();
  network.may_grow = !decision.backpressure_pause && !decision.storage_first;
  decision.storage_threads = storage_.Evaluate(storage);
  decision.network_threads = network_.Evaluate(network);
  return decision;
}

}  // namespace kiwi::runtime
