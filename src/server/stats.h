// Counters of the server and of each command, for INFO, LATENCY HISTOGRAM and the metrics.
//
// Recording touches only the recording thread's own block: plain loads and stores of relaxed
// atomics, no shared cache line, no lock (about 2 ns a command). Readers sum the blocks. A reset
// remembers the sums and subtracts them from then on, so that it needs no word with the writers.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "commands/info_figures.h"
#include "commands/server_view.h"

namespace kiwi::server {

enum class Counter : uint8_t {
  kConnectionsReceived,
  kConnectionsRejected,
  kCommandsProcessed,
  kInputBytes,
  kOutputBytes,
  kSocketReads,
  kSocketWrites,
  kKeyspaceHits,
  kKeyspaceMisses,
  kErrorReplies,
  kExpiredKeys,
  kEvictedClients,
};
inline constexpr size_t kCounterCount = 12;

// Durations by magnitude: each power of two from 1024 ns up to about a second is split in 16, so
// that a percentile is off by 6 % at most.
class DurationHistogram {
 public:
  static constexpr int kSubBits = 4;
  static constexpr int kFirstShift = 10;  // below 1024 ns: one bucket
  static constexpr int kLastShift = 30;   // at or above 2^30 ns: the last one
  static constexpr size_t kBuckets = ((kLastShift - kFirstShift) << kSubBits) + 2;

  static size_t BucketOf(uint64_t ns) {
    if (ns < (uint64_t{1} << kFirstShift)) return 0;
    if (ns >= (uint64_t{1} << kLastShift)) return kBuckets - 1;
    const int shift = std::bit_width(ns) - 1;
    const uint64_t sub = (ns >> (shift - kSubBits)) & ((1u << kSubBits) - 1);
    return (static_cast<size_t>(shift - kFirstShift) << kSubBits) + sub + 1;
  }
  // Exclusive upper bound of a bucket's durations; of the last one, its lower bound.
  static uint64_t UpperNs(size_t bucket);
};

// What one thread records. Its methods belong to that thread.
class StatsBlock {
 public:
  // tracking: whether durations go into histograms; outlives the block.
  StatsBlock(int command_count, const std::atomic<bool>* tracking);

  void Add(Counter counter, uint64_t n = 1) { Bump(counters_[static_cast<size_t>(counter)], n); }

  // One executed call. The executor reads the clock once a command: the end of one is the start of
  // the next.
  void Record(int command_id, uint64_t ns) {
    Cell& cell = cells_[static_cast<size_t>(command_id)];
    Bump(cell.calls, 1);
    Bump(cell.nanoseconds, ns);
    if (!tracking_->load(std::memory_order_relaxed)) return;
    Buckets* buckets = cell.buckets.load(std::memory_order_relaxed);
    if (buckets == nullptr) [[unlikely]]
      buckets = MakeBuckets(cell);
    Bump((*buckets)[DurationHistogram::BucketOf(ns)], 1);
  }
  void RecordFailed(int command_id) { Bump(cells_[static_cast<size_t>(command_id)].failed, 1); }
  void RecordRejected(int command_id) { Bump(cells_[static_cast<size_t>(command_id)].rejected, 1); }
  // An error reply was sent: counts it under the text's first word (with or without the "-").
  // At most kErrorCodesMax different codes are told apart; later ones count in the total only.
  void RecordError(std::string_view reply) KIWI_EXCLUDES(errors_mu_);

  static constexpr size_t kErrorCodesMax = 128;

 private:
  friend class Stats;
  using Buckets = std::array<std::atomic<uint64_t>, DurationHistogram::kBuckets>;
  struct Cell {
    std::atomic<uint64_t> calls{0};
    std::atomic<uint64_t> nanoseconds{0};
    std::atomic<uint64_t> rejected{0};
    std::atomic<uint64_t> failed{0};
    std::atomic<Buckets*> buckets{nullptr};  // made by the first call; lives as long as the block
  };

  // The thread is the only writer: no read-modify-write is needed.
  static void Bump(std::atomic<uint64_t>& value, uint64_t n) {
    value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  Buckets* MakeBuckets(Cell& cell);

  alignas(64) std::array<std::atomic<uint64_t>, kCounterCount> counters_{};
  const std::atomic<bool>* const tracking_;
  std::vector<Cell> cells_;  // by command id
  std::vector<std::unique_ptr<Buckets>> owned_buckets_;
  Mutex errors_mu_;
  std::map<std::string, uint64_t, std::less<>> errors_ KIWI_GUARDED_BY(errors_mu_);
};

// Thread-safe.
class Stats {
 public:
  explicit Stats(int command_count);
  ~Stats();
  Stats(const Stats&) = delete;
  Stats& operator=(const Stats&) = delete;

  // The calling thread's block; a thread-local look-up. When a thread ends, its block keeps its
  // counts and goes to the next new thread.
  StatsBlock& Local();

  uint64_t Total(Counter counter) const;
  std::vector<commands::CommandFigures> Commands() const;  // those ever called or rejected, by id
  std::vector<commands::ErrorFigures> Errors() const;      // by code
  std::vector<commands::CommandHistogram> Histograms() const;
  // Of each command with calls: the durations in microseconds below which the given percentages of
  // its calls stayed.
  // Of each command with calls, at the percentages of SetLatencyPercentiles.
  std::vector<commands::CommandPercentiles> LatencyPercentiles() const;
  void Reset();  // CONFIG RESETSTAT

  void SetLatencyTracking(bool on);                          // latency-tracking
  void SetLatencyPercentiles(std::vector<double> percents);  // latency-tracking-info-percentiles

  // About ten times a second, by one thread: feeds the rates below, which are means over the last
  // sixteen samples.
  void Sample(int64_t monotonic_ns);
  int64_t OperationsPerSecond() const { return static_cast<int64_t>(Rate(0)); }
  double InputKibPerSecond() const { return Rate(1) / 1024; }
  double OutputKibPerSecond() const { return Rate(2) / 1024; }

 private:
  struct Shared;
  struct Sums;
  Sums Sum() const;
  Sums SumSinceReset() const;
  double Rate(size_t which) const;

  const int command_count_;
  const std::shared_ptr<Shared> shared_;  // outlives the threads that return their blocks to it

  static constexpr size_t kRates = 3;
  static constexpr size_t kSamples = 16;
  mutable Mutex mu_;
  std::vector<double> percents_ KIWI_GUARDED_BY(mu_) = {50, 99, 99.9};
  std::unique_ptr<Sums> baseline_ KIWI_GUARDED_BY(mu_);
  std::array<uint64_t, kRates> sampled_ KIWI_GUARDED_BY(mu_){};
  std::array<std::array<double, kSamples>, kRates> rates_ KIWI_GUARDED_BY(mu_){};
  int64_t sampled_at_ns_ KIWI_GUARDED_BY(mu_) = 0;
  size_t next_sample_ KIWI_GUARDED_BY(mu_) = 0;
};

}  // namespace kiwi::server
