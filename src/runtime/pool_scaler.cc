#include "runtime/pool_scaler.h"

#include <algorithm>
#include <array>

namespace kiwi::runtime {
namespace {

// A strain that fell by so much is a gain, too: the same load is served with less waiting.
constexpr double kStrainRelief = 0.25;
constexpr int kMaxPatience = 16;

}  // namespace

std::string_view ResizeCauseName(ResizeCause cause) {
  constexpr std::array<std::string_view, 4> kNames = {"bounds", "high-pressure", "low-pressure",
                                                      "growth-in-vain"};
  return kNames[static_cast<size_t>(cause)];
}

bool PoolScaler::WantsToGrow(const PoolInput& in) const {
  if (in.pressure != Pressure::kHigh || judging_ || in.threads >= options_.max) return false;
  const int64_t since = high_since_ms_ < 0 ? in.now_ms : high_since_ms_;
  return in.now_ms >= barred_until_ms_ && in.now_ms - since >= options_.grow_sustain_ms;
}

int PoolScaler::Evaluate(const PoolInput& in) {
  Track(in);
  const int bounded = std::clamp(in.threads, options_.min, options_.max);
  if (bounded != in.threads) {
    judging_ = false;
    return Change(in, bounded, ResizeCause::kBounds);
  }
  if (judging_) return Judge(in);
  if (in.may_grow && WantsToGrow(in)) return Grow(in);
  return MaybeShrink(in);
}

void PoolScaler::Track(const PoolInput& in) {
  const bool may_grow = in.may_grow && !judging_ && in.threads < options_.max;
  if (in.pressure != Pressure::kHigh || !may_grow || in.now_ms < barred_until_ms_ ||
      calm_at_ms_ < 0) {
    calm_at_ms_ = in.now_ms;
  }
  if (in.pressure != Pressure::kHigh) high_since_ms_ = -1;
  if (in.pressure != Pressure::kLow) low_since_ms_ = -1;
  if (in.pressure == Pressure::kHigh && high_since_ms_ < 0) {
    high_since_ms_ = in.now_ms;
    if (!judging_) mark_ = {in.now_ms, in.commands_done};
  }
  if (in.pressure == Pressure::kLow && low_since_ms_ < 0) low_since_ms_ = in.now_ms;
  // A shrinking that has stood the test: the next one needs no more patience than usual.
  if (last_shrink_ms_ >= 0 && in.now_ms - last_shrink_ms_ > RegretMs()) {
    last_shrink_ms_ = -1;
    shrink_patience_ = 1;
  }
}

double PoolScaler::ThroughputSinceMark(const PoolInput& in) const {
  if (mark_.at_ms < 0 || in.now_ms <= mark_.at_ms) return 0;
  return static_cast<double>(in.commands_done - mark_.commands) * 1000.0 /
         static_cast<double>(in.now_ms - mark_.at_ms);
}

int64_t PoolScaler::RegretMs() const { return 2 * options_.shrink_sustain_ms; }

int PoolScaler::Grow(const PoolInput& in) {
  if (last_shrink_ms_ >= 0) {
    shrink_patience_ = std::min(2 * shrink_patience_, kMaxPatience);
    last_shrink_ms_ = -1;
  }
  judging_ = true;
  strain_before_ = in.strain;
  return Change(in, std::min(options_.max, in.threads + options_.grow_by),
                ResizeCause::kHighPressure);
}

int PoolScaler::Judge(const PoolInput& in) {
  ResizeRecord& growth = history_.back();
  if (in.now_ms - growth.at_ms < options_.judge_after_ms) return in.threads;
  judging_ = false;
  growth.throughput_after = ThroughputSinceMark(in);
  const double gain = options_.min_gain;
  const bool faster = growth.throughput_after > 0 &&
                      growth.throughput_after >= growth.throughput_before * (1 + gain);
  const bool slower = growth.throughput_after < growth.throughput_before * (1 - gain);
  // When the load has gone meanwhile, nothing is proved against the growth.
  const bool relieved =
      in.pressure == Pressure::kLow ||
      (!slower && (in.strain < 1 || in.strain <= strain_before_ * (1 - kStrainRelief)));
  if (faster || relieved) {
    next_bar_ms_ = 0;
    return in.threads;
  }
  next_bar_ms_ =
      next_bar_ms_ == 0 ? options_.bar_ms : std::min(2 * next_bar_ms_, options_.bar_max_ms);
  barred_until_ms_ = in.now_ms + next_bar_ms_;
  const int back = std::clamp(growth.from, options_.min, options_.max);
  return back < in.threads ? Change(in, back, ResizeCause::kGrowthInVain) : in.threads;
}

int PoolScaler::MaybeShrink(const PoolInput& in) {
  const bool low_long_enough =
      low_since_ms_ >= 0 &&
      in.now_ms - low_since_ms_ >= shrink_patience_ * options_.shrink_sustain_ms;
  if (!low_long_enough || in.threads <= options_.min) return in.threads;
  low_since_ms_ = last_shrink_ms_ = in.now_ms;
  return Change(in, std::max(options_.min, in.threads - options_.shrink_by),
                ResizeCause::kLowPressure);
}

int PoolScaler::Change(const PoolInput& in, int to, ResizeCause cause) {
  if (to > in.threads) ++totals_.grown;
  if (to < in.threads) ++totals_.shrunk;
  if (cause == ResizeCause::kGrowthInVain) ++totals_.grown_in_vain;
  const bool growth = cause == ResizeCause::kHighPressure;
  history_.push_back({.at_ms = in.now_ms,
                      .from = in.threads,
                      .to = to,
                      .cause = cause,
                      .throughput_before = ThroughputSinceMark(in),
                      .reaction_ms = growth ? in.now_ms - calm_at_ms_ : 0});
  if (history_.size() > kHistory) history_.pop_front();
  mark_ = {in.now_ms, in.commands_done};
  return to;
}

}  // namespace kiwi::runtime
