#include "runtime/circuit_breaker.h"

#include <algorithm>

namespace kiwi::runtime {
namespace {

constexpr size_t kHighest = static_cast<size_t>(Priority::kHigh);  // of those that open

}  // namespace

std::string_view BreakerStateName(BreakerState state) {
  constexpr std::array<std::string_view, 3> kNames = {"closed", "open", "half-open"};
  return kNames[static_cast<size_t>(state)];
}

std::string_view FailureKindName(FailureKind kind) {
  constexpr std::array<std::string_view, kFailureKinds> kNames = {"storage", "timeout", "queue"};
  return kNames[static_cast<size_t>(kind)];
}

std::string_view BreakerCauseName(BreakerCause cause) {
  constexpr std::array<std::string_view, 6> kNames = {
      "failures", "level-above", "open-time-over", "probes-passed", "probe-failed", "switched-off"};
  return kNames[static_cast<size_t>(cause)];
}

void BreakerCounts::Add(const BreakerCounts& other) {
  succeeded += other.succeeded;
  for (size_t i = 0; i < kFailureKinds; ++i) failures[i] += other.failures[i];
}

int64_t CircuitBreaker::BucketNumber() const {
  return now_ms_ / std::max<int64_t>(1, options_.window_ms / kBuckets);
}

BreakerCounts CircuitBreaker::Sum(size_t level, int64_t first_bucket) const {
  const int64_t first = std::max(first_bucket, BucketNumber() - kBuckets + 1);
  BreakerCounts sum;
  for (const Bucket& bucket : levels_[level].window) {
    if (bucket.number >= first) sum.Add(bucket.counts);
  }
  return sum;
}

bool CircuitBreaker::IsTooBad(const BreakerCounts& counts) const {
  const uint64_t failed = counts.failed();
  return failed > 0 && failed >= options_.min_failures &&
         failed * 100 >= options_.failure_percent * counts.requests();
}

CircuitBreaker::Admission CircuitBreaker::Admit(Priority priority, bool may_probe, int64_t now_ms) {
  Tick(now_ms);
  Level& level = levels_[Index(priority)];
  if (level.state == BreakerState::kClosed) return {};
  if (level.state == BreakerState::kOpen || !may_probe ||
      level.probes_out + level.probes_passed >= options_.probe_count) {
    return {.verdict = Verdict::kRefused};
  }
  ++level.probes_out;
  return {.verdict = Verdict::kProbe, .probe = level.probe};
}

void CircuitBreaker::Record(Priority priority, const BreakerCounts& counts, int64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  Level& level = levels_[Index(priority)];
  level.totals.Add(counts);
  const int64_t number = BucketNumber();
  Bucket& bucket = level.window[static_cast<size_t>(number % kBuckets)];
  if (bucket.number != number) bucket = {.number = number};
  bucket.counts.Add(counts);
  if (counts.failed() > 0) Tick(now_ms);
}

void CircuitBreaker::EndProbe(Priority priority, uint64_t probe, ProbeResult result,
                              int64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  const size_t l = Index(priority);
  Level& level = levels_[l];
  if (level.state != BreakerState::kHalfOpen || level.probe != probe) return;
  --level.probes_out;
  if (result == ProbeResult::kFailed) return Open(l, BreakerCause::kProbeFailed, {});
  if (result == ProbeResult::kProvedNothing) return;
  if (++level.probes_passed < options_.probe_count) return;
  level.count_from = BucketNumber() + 1;
  Change(l, BreakerState::kClosed, BreakerCause::kProbesPassed, {});
}

void CircuitBreaker::Tick(int64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  if (!options_.enabled) return;
  for (size_t l = kHighest; l < kPriorityCount; ++l) {
    Level& level = levels_[l];
    if (level.state != BreakerState::kOpen || now_ms_ < level.open_until_ms) continue;
    level.probe = next_probe_++;
    level.probes_out = level.probes_passed = 0;
    Change(l, BreakerState::kHalfOpen, BreakerCause::kOpenTimeOver, {});
  }
  Judge();
}

// From Low upward: of two levels that have become too bad, the lower one opened first.
void CircuitBreaker::Judge() {
  for (size_t l = kPriorityCount; --l >= kHighest;) {
    const Level& level = levels_[l];
    if (level.state != BreakerState::kClosed) continue;
    const BreakerCounts own = Sum(l, level.count_from);
    if (IsTooBad(own)) Open(l, BreakerCause::kFailures, own);
  }
  // What the levels above have failed counts together with their successes: else a few failures of a
  // busy level would close down an idle one below.
  for (size_t l = kPriorityCount; --l > kHighest;) {
    BreakerCounts sum;
    for (size_t above = l; above >= kHighest && levels_[l].state == BreakerState::kClosed;
         --above) {
      sum.Add(Sum(above, levels_[l].count_from));
      if (IsTooBad(sum)) Open(l, BreakerCause::kFailures, sum);
    }
  }
}

void CircuitBreaker::Open(size_t l, BreakerCause cause, const BreakerCounts& window) {
  for (size_t below = l; below < kPriorityCount; ++below) {
    Level& level = levels_[below];
    level.open_until_ms = now_ms_ + options_.open_ms;
    if (level.state == BreakerState::kOpen) continue;
    ++level.opened;
    Change(below, BreakerState::kOpen, below == l ? cause : BreakerCause::kLevelAbove, window);
  }
}

void CircuitBreaker::Change(size_t l, BreakerState to, BreakerCause cause,
                            const BreakerCounts& window) {
  Level& level = levels_[l];
  transitions_.push_back({.at_ms = now_ms_,
                          .level = static_cast<Priority>(l),
                          .from = level.state,
                          .to = to,
                          .cause = cause,
                          .requests = window.requests(),
                          .failures = window.failed()});
  if (transitions_.size() > kHistory) transitions_.pop_front();
  ++transition_count_;
  level.state = to;
}

void CircuitBreaker::SetOptions(const BreakerOptions& options, int64_t now_ms) {
  const bool forget = options.window_ms != options_.window_ms;
  options_ = options;
  now_ms_ = std::max(now_ms_, now_ms);
  for (size_t l = 0; l < kPriorityCount; ++l) {
    Level& level = levels_[l];
    if (forget) {
      level.window = {};
      level.count_from = 0;
    }
    if (options.enabled || level.state == BreakerState::kClosed) continue;
    level.count_from = BucketNumber() + 1;
    Change(l, BreakerState::kClosed, BreakerCause::kSwitchedOff, {});
  }
}

}  // namespace kiwi::runtime
