// When a level of priority stops taking requests because too many of them fail, and when it takes
// them again. Pure: no clock and no threads; time is an argument, and the server feeds it.
//
// A level is closed, open, or half-open, and counts its requests in a sliding window. It opens when
// at least min_failures, and at least failure_percent of the requests, have failed: its own, or its
// own together with those of the levels above it. What opens a level opens all below it: failures of
// Low open Low alone, of Normal Normal and Low, of High all three. Critical never opens. After
// open_ms a level is half-open: so many probes are let through. When all of them have succeeded it
// closes and counts anew; one that fails opens it again.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string_view>

#include "runtime/priority.h"

namespace kiwi::runtime {

struct BreakerOptions {
  bool enabled = true;  // no: every level is closed
  int64_t window_ms = 10'000;
  uint64_t min_failures = 50;
  uint64_t failure_percent = 50;
  int64_t open_ms = 5'000;
  uint64_t probe_count = 5;
};

enum class BreakerState : uint8_t { kClosed, kOpen, kHalfOpen };
std::string_view BreakerStateName(BreakerState state);

enum class FailureKind : uint8_t {
  kStorage,  // the log did not take it
  kTimeout,  // no reply in time
  kQueue,    // not executed in time
};
inline constexpr size_t kFailureKinds = 3;
std::string_view FailureKindName(FailureKind kind);

// Requests of one level that came to their end.
struct BreakerCounts {
  uint64_t succeeded = 0;
  std::array<uint64_t, kFailureKinds> failures = {};  // by FailureKind

  uint64_t failed() const { return failures[0] + failures[1] + failures[2]; }
  uint64_t requests() const { return succeeded + failed(); }
  void Fail(FailureKind kind) { ++failures[static_cast<size_t>(kind)]; }
  void Add(const BreakerCounts& other);
};

enum class BreakerCause : uint8_t {
  kFailures,      // closed to open: the window is too bad
  kLevelAbove,    // to open: a level above has opened
  kOpenTimeOver,  // open to half-open
  kProbesPassed,  // half-open to closed
  kProbeFailed,   // half-open to open
  kSwitchedOff,   // to closed
};
std::string_view BreakerCauseName(BreakerCause cause);

struct BreakerTransition {
  int64_t at_ms = 0;
  Priority level = Priority::kLow;
  BreakerState from = BreakerState::kClosed;
  BreakerState to = BreakerState::kClosed;
  BreakerCause cause = BreakerCause::kFailures;
  // In the window that decided; else 0.
  uint64_t requests = 0;
  uint64_t failures = 0;
};

// Not thread-safe. Times are monotonic; one that lies before an earlier call's counts as that.
class CircuitBreaker {
 public:
  enum class Verdict : uint8_t { kAdmitted, kProbe, kRefused };
  struct Admission {
    Verdict verdict = Verdict::kAdmitted;
    uint64_t probe = 0;  // of kProbe, for EndProbe; never 0
  };
  enum class ProbeResult : uint8_t {
    kSucceeded,
    kFailed,
    kProvedNothing,  // another one may take its place
  };

  explicit CircuitBreaker(const BreakerOptions& options) : options_(options) {}

  // may_probe: whether the request's end will tell anything; EndProbe has to follow then.
  Admission Admit(Priority level, bool may_probe, int64_t now_ms);
  void Record(Priority level, const BreakerCounts& counts, int64_t now_ms);
  // A probe of an earlier half-open time is ignored.
  void EndProbe(Priority level, uint64_t probe, ProbeResult result, int64_t now_ms);
  // Opens and half-opens what is due, e.g. as successes leave the window; to be called some times a
  // second.
  void Tick(int64_t now_ms);
  // A new window length forgets what was counted.
  void SetOptions(const BreakerOptions& options, int64_t now_ms);

  const BreakerOptions& options() const { return options_; }
  BreakerState state(Priority level) const { return levels_[Index(level)].state; }
  uint64_t opened(Priority level) const { return levels_[Index(level)].opened; }  // times, ever
  const BreakerCounts& totals(Priority level) const { return levels_[Index(level)].totals; }
  BreakerCounts InWindow(Priority level) const { return Sum(Index(level), 0); }
  // The latest last; at most kHistory.
  const std::deque<BreakerTransition>& transitions() const { return transitions_; }

  uint64_t transition_count() const { return transition_count_; }  // ever

  static constexpr size_t kHistory = 64;

 private:
  static constexpr int64_t kBuckets = 10;  // the window slides by a tenth of itself
  struct Bucket {
    int64_t number = -1;
    BreakerCounts counts;
  };
  struct Level {
    BreakerState state = BreakerState::kClosed;
    int64_t open_until_ms = 0;
    int64_t count_from = 0;  // the first bucket that it looks at: it closed in the one before
    uint64_t probe = 0;      // of this half-open time
    uint64_t probes_out = 0;
    uint64_t probes_passed = 0;
    uint64_t opened = 0;
    BreakerCounts totals;
    std::array<Bucket, kBuckets> window;
  };

  static size_t Index(Priority level) { return static_cast<size_t>(level); }
  int64_t BucketNumber() const;
  BreakerCounts Sum(size_t level, int64_t first_bucket) const;
  bool IsTooBad(const BreakerCounts& counts) const;
  void Judge();
  void Open(size_t level, BreakerCause cause, const BreakerCounts& window);
  void Change(size_t level, BreakerState to, BreakerCause cause, const BreakerCounts& window);

  BreakerOptions options_;
  int64_t now_ms_ = 0;
  uint64_t next_probe_ = 1;
  std::array<Level, kPriorityCount> levels_;  // Critical's only counts
  std::deque<BreakerTransition> transitions_;
  uint64_t transition_count_ = 0;
};

}  // namespace kiwi::runtime
