// Counters of the server and of each command, for INFO, LATENCY HISTOGRAM and the metrics.
//
// Recording touches only the recording thread's own block (metrics/thread_blocks.h; about 2 ns a
// command). Readers sum the blocks. A reset remembers the sums and subtracts them from then on, so
// that it needs no word with the writers.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "commands/info_figures.h"
#include "commands/server_view.h"
#include "metrics/histogram.h"
#include "metrics/thread_blocks.h"

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
  kStaleReadsRefused,
};
inline constexpr size_t kCounterCount = 13;

// What one thread records. Its methods belong to that thread.
class StatsBlock {
 public:
  // tracking: whether durations go into histograms; outlives the block.
  StatsBlock(int command_count, const std::atomic<bool>* tracking);

  void Add(Counter counter, uint64_t n = 1) {
    metrics::Bump(counters_[static_cast<size_t>(counter)], n);
  }

  // One executed call. The executor reads the clock once a command: the end of one is the start of
  // the next.
  void Record(int command_id, uint64_t ns) {
    Cell& cell = cells_[static_cast<size_t>(command_id)];
    metrics::Bump(cell.calls, 1);
    metrics::Bump(cell.nanoseconds, ns);
    if (!tracking_->load(std::memory_order_relaxed)) return;
    Buckets* buckets = cell.buckets.load(std::memory_order_relaxed);
    if (buckets == nullptr) [[unlikely]]
      buckets = MakeBuckets(cell);
    metrics::Bump((*buckets)[metrics::FineBuckets::BucketOf(ns)], 1);
  }
  void RecordFailed(int command_id) {
    metrics::Bump(cells_[static_cast<size_t>(command_id)].failed, 1);
  }
  void RecordRejected(int command_id) {
    metrics::Bump(cells_[static_cast<size_t>(command_id)].rejected, 1);
  }
  // An error reply was sent: counts it under the text's first word (with or without the "-").
  // At most kErrorCodesMax different codes are told apart; later ones count in the total only.
  void RecordError(std::string_view reply) KIWI_EXCLUDES(errors_mu_);

  static constexpr size_t kErrorCodesMax = 128;

 private:
  friend class Stats;
  using Buckets = std::array<std::atomic<uint64_t>, metrics::FineBuckets::kBuckets>;
  struct Cell {
    std::atomic<uint64_t> calls{0};
    std::atomic<uint64_t> nanoseconds{0};
    std::atomic<uint64_t> rejected{0};
    std::atomic<uint64_t> failed{0};
    std::atomic<Buckets*> buckets{nullptr};  // made by the first call; lives as long as the block
  };

  Buckets* MakeBuckets(Cell& cell);

  alignas(64) std::array<std::atomic<uint64_t>, kCounterCount> counters_{};
  const std::atomic<bool>* const tracking_;
  std::vector<Cell> cells_;  // by command id
  std::vector<std::unique_ptr<Buckets>> owned_buckets_;
  mutable Mutex errors_mu_;
  std::map<std::string, uint64_t, std::less<>> errors_ KIWI_GUARDED_BY(errors_mu_);
};

// Thread-safe.
class Stats {
 public:
  explicit Stats(int command_count);
  ~Stats();

  StatsBlock& Local() { return blocks_.Local(); }  // the calling thread's

  // Since the last Reset, unless it says otherwise.
  uint64_t Total(Counter counter) const;
  uint64_t SinceStart(Counter counter) const;              // for whoever must not see it fall
  std::vector<commands::CommandFigures> Commands() const;  // those ever called or rejected, by id
  std::vector<commands::CommandFigures> CommandsSinceStart() const;
  std::vector<commands::ErrorFigures> ErrorsSinceStart() const;
  std::vector<commands::ErrorFigures> Errors() const;  // by code
  std::vector<commands::CommandHistogram> Histograms() const;
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
  struct Sums;
  Sums Sum() const;
  Sums SumSinceReset() const;
  static std::vector<commands::ErrorFigures> Told(const Sums& sums);
  static std::vector<commands::CommandFigures> Figures(const Sums& sums);
  double Rate(size_t which) const;

  const int command_count_;
  std::atomic<bool> tracking_{true};
  metrics::ThreadBlocks<StatsBlock> blocks_;

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
