// When one pool grows and shrinks: a pure function of what is observed and of what it saw before. No
// clock, no threads.
//
// Hysteresis: it grows while the pressure is high, shrinks only after the pressure has been low for
// a while, and does nothing between. It learns from what came of a change:
//  - A growth that neither raised the throughput nor, without costing throughput, lowered the strain
//    is taken back, and growing
//    is barred for a time that doubles with each failure (more threads do not make a disk faster).
//    Throughput before is taken only from the time under high pressure: what a rising load brings is
//    no merit of the growth.
//  - A shrinking that has to be undone soon doubles the time for which the pressure must be low.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

namespace kiwi::runtime {

struct PoolScalerOptions {
  int min = 1;
  int max = 8;
  int grow_by = 1;
  int shrink_by = 1;
  // High for so long before it grows; this is also when the throughput before is measured.
  int64_t grow_sustain_ms = 50;
  int64_t shrink_sustain_ms = 5000;  // low for so long before it shrinks, and between two shrinks
  int64_t judge_after_ms = 300;      // a growth is judged so much later; no other one before
  double min_gain = 0.03;            // throughput a growth must bring, as a part of what it was
  int64_t bar_ms = 10'000;           // after a growth in vain; doubles up to bar_max_ms
  int64_t bar_max_ms = 160'000;
};

enum class Pressure : uint8_t { kLow, kBetween, kHigh };

struct PoolInput {
  int64_t now_ms = 0;
  int threads = 0;  // as the pool is now
  Pressure pressure = Pressure::kBetween;
  double strain = 0;           // the pressure as a figure (1: the high threshold), to judge by
  uint64_t commands_done = 0;  // total
  bool may_grow = true;        // false: backpressure, or the other pool goes first
};

enum class ResizeCause : uint8_t { kBounds, kHighPressure, kLowPressure, kGrowthInVain };
std::string_view ResizeCauseName(ResizeCause cause);

// One change of a pool's size and what came of it.
struct ResizeRecord {
  int64_t at_ms = 0;
  int from = 0;
  int to = 0;
  ResizeCause cause = ResizeCause::kBounds;
  double throughput_before = 0;  // commands a second
  double throughput_after = -1;  // -1: not judged (yet, or another change came first)
  // Of a growth: since the last look at which nothing asked for it, or it was not allowed. The
  // threshold was crossed after that look, so that this is at least the time it took to react.
  int64_t reaction_ms = 0;
};

struct ResizeTotals {
  uint64_t grown = 0;
  uint64_t shrunk = 0;
  uint64_t grown_in_vain = 0;  // taken back: counted in `shrunk`, too
};

// Not thread-safe.
class PoolScaler {
 public:
  explicit PoolScaler(const PoolScalerOptions& options) : options_(options) {}

  // The size the pool should have.
  int Evaluate(const PoolInput& in);
  // True between a growth and its judgement.
  bool judging() const { return judging_; }
  bool WantsToGrow(const PoolInput& in) const;
  int64_t barred_until_ms() const { return barred_until_ms_; }
  // The latest last; at most kHistory.
  const std::deque<ResizeRecord>& history() const { return history_; }
  const ResizeTotals& totals() const { return totals_; }
  void SetOptions(const PoolScalerOptions& options) { options_ = options; }

  static constexpr size_t kHistory = 64;

 private:
  // From where a throughput is measured.
  struct Mark {
    int64_t at_ms = -1;
    uint64_t commands = 0;
  };
  int Change(const PoolInput& in, int to, ResizeCause cause);
  int Grow(const PoolInput& in);
  int Judge(const PoolInput& in);
  int MaybeShrink(const PoolInput& in);
  void Track(const PoolInput& in);
  double ThroughputSinceMark(const PoolInput& in) const;
  int64_t RegretMs() const;  // a growth so soon after a shrinking undoes it

  PoolScalerOptions options_;
  int64_t high_since_ms_ = -1;  // -1: not high
  int64_t calm_at_ms_ = -1;     // the last look at which there was no growth to wait for
  int64_t low_since_ms_ = -1;
  Mark mark_;  // the last resize, or when the pressure became high
  bool judging_ = false;
  double strain_before_ = 0;
  int64_t last_shrink_ms_ = -1;
  int shrink_patience_ = 1;  // times shrink_sustain_ms
  int64_t barred_until_ms_ = 0;
  int64_t next_bar_ms_ = 0;
  std::deque<ResizeRecord> history_;
  ResizeTotals totals_;
};

}  // namespace kiwi::runtime
