#include "server/stats.h"

#include <algorithm>
#include <utility>

namespace kiwi::server {

uint64_t DurationHistogram::UpperNs(size_t bucket) {
  if (bucket == 0) return uint64_t{1} << kFirstShift;
  if (bucket >= kBuckets - 1) return uint64_t{1} << kLastShift;
  const size_t i = bucket - 1;
  const int shift = static_cast<int>(i >> kSubBits) + kFirstShift;
  const uint64_t sub = i & ((1u << kSubBits) - 1);
  return (uint64_t{1} << shift) + ((sub + 1) << (shift - kSubBits));
}

// --- StatsBlock ---

StatsBlock::StatsBlock(int command_count, const std::atomic<bool>* tracking)
    : tracking_(tracking), cells_(static_cast<size_t>(command_count)) {}

StatsBlock::Buckets* StatsBlock::MakeBuckets(Cell& cell) {
  owned_buckets_.push_back(std::make_unique<Buckets>());
  Buckets* buckets = owned_buckets_.back().get();
  cell.buckets.store(buckets, std::memory_order_release);
  return buckets;
}

void StatsBlock::RecordError(std::string_view reply) {
  Add(Counter::kErrorReplies);
  if (!reply.empty() && reply.front() == '-') reply.remove_prefix(1);
  const std::string_view code = reply.substr(0, reply.find_first_of(" \r\n"));
  MutexLock lock(errors_mu_);
  auto it = errors_.find(code);
  if (it == errors_.end()) {
    if (errors_.size() >= kErrorCodesMax) return;
    it = errors_.emplace(std::string(code), 0).first;
  }
  ++it->second;
}

// --- Stats ---

struct Stats::Shared {
  explicit Shared(uint64_t id_) : id(id_) {}
  const uint64_t id;  // tells instances apart that follow each other at one address
  std::atomic<bool> tracking{true};
  Mutex mu;
  std::vector<std::unique_ptr<StatsBlock>> blocks KIWI_GUARDED_BY(mu);
  std::vector<StatsBlock*> idle KIWI_GUARDED_BY(mu);  // of threads that have ended
};

struct Stats::Sums {
  struct Command {
    uint64_t calls = 0;
    uint64_t nanoseconds = 0;
    uint64_t rejected = 0;
    uint64_t failed = 0;
    std::vector<uint64_t> buckets;  // empty, or kBuckets
  };
  std::array<uint64_t, kCounterCount> counters{};
  std::vector<Command> commands;
  std::map<std::string, uint64_t> errors;

  void Subtract(const Sums& other);
};

void Stats::Sums::Subtract(const Sums& other) {
  for (size_t i = 0; i < counters.size(); ++i) counters[i] -= other.counters[i];
  for (size_t i = 0; i < other.commands.size(); ++i) {
    const Command& theirs = other.commands[i];
    Command& ours = commands[i];
    ours.calls -= theirs.calls;
    ours.nanoseconds -= theirs.nanoseconds;
    ours.rejected -= theirs.rejected;
    ours.failed -= theirs.failed;
    for (size_t b = 0; b < theirs.buckets.size(); ++b) ours.buckets[b] -= theirs.buckets[b];
  }
  for (const auto& [code, count] : other.errors) errors[code] -= count;
}

Stats::Stats(int command_count)
    : command_count_(command_count), shared_([] {
        static std::atomic<uint64_t> next_id{1};
        return std::make_shared<Shared>(next_id.fetch_add(1));
      }()) {}

Stats::~Stats() = default;

StatsBlock& Stats::Local() {
  struct Lease {
    uint64_t id = 0;
    StatsBlock* block = nullptr;
    std::shared_ptr<Shared> shared;
    ~Lease() { Return(); }
    void Return() {
      if (shared == nullptr) return;
      MutexLock lock(shared->mu);
      shared->idle.push_back(block);
    }
  };
  thread_local Lease lease;
  if (lease.id == shared_->id) [[likely]]
    return *lease.block;

  lease.Return();
  MutexLock lock(shared_->mu);
  if (shared_->idle.empty()) {
    shared_->blocks.push_back(std::make_unique<StatsBlock>(command_count_, &shared_->tracking));
    lease.block = shared_->blocks.back().get();
  } else {
    lease.block = shared_->idle.back();
    shared_->idle.pop_back();
  }
  lease.id = shared_->id;
  lease.shared = shared_;
  return *lease.block;
}

Stats::Sums Stats::Sum() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  Sums sums;
  sums.commands.resize(static_cast<size_t>(command_count_));
  MutexLock lock(shared_->mu);
  for (const auto& block : shared_->blocks) {
    for (size_t i = 0; i < kCounterCount; ++i) {
      sums.counters[i] += block->counters_[i].load(kRelaxed);
    }
    for (size_t i = 0; i < block->cells_.size(); ++i) {
      const StatsBlock::Cell& cell = block->cells_[i];
      Sums::Command& sum = sums.commands[i];
      sum.calls += cell.calls.load(kRelaxed);
      sum.nanoseconds += cell.nanoseconds.load(kRelaxed);
      sum.rejected += cell.rejected.load(kRelaxed);
      sum.failed += cell.failed.load(kRelaxed);
      const StatsBlock::Buckets* buckets = cell.buckets.load(std::memory_order_acquire);
      if (buckets == nullptr) continue;
      sum.buckets.resize(DurationHistogram::kBuckets);
      for (size_t b = 0; b < buckets->size(); ++b) sum.buckets[b] += (*buckets)[b].load(kRelaxed);
    }
    MutexLock errors_lock(block->errors_mu_);
    for (const auto& [code, count] : block->errors_) sums.errors[code] += count;
  }
  return sums;
}

uint64_t Stats::Total(Counter counter) const {
  const auto i = static_cast<size_t>(counter);
  uint64_t total = 0;
  {
    MutexLock lock(shared_->mu);
    for (const auto& block : shared_->blocks) {
      total += block->counters_[i].load(std::memory_order_relaxed);
    }
  }
  MutexLock lock(mu_);
  return baseline_ == nullptr ? total : total - baseline_->counters[i];
}

Stats::Sums Stats::SumSinceReset() const {
  Sums sums = Sum();
  MutexLock lock(mu_);
  if (baseline_ != nullptr) sums.Subtract(*baseline_);
  return sums;
}

std::vector<commands::CommandFigures> Stats::Commands() const {
  const Sums sums = SumSinceReset();
  std::vector<commands::CommandFigures> figures;
  for (size_t i = 0; i < sums.commands.size(); ++i) {
    const Sums::Command& sum = sums.commands[i];
    if (sum.calls == 0 && sum.rejected == 0 && sum.failed == 0) continue;
    figures.push_back({static_cast<int>(i), sum.calls, sum.nanoseconds, sum.rejected, sum.failed});
  }
  return figures;
}

std::vector<commands::ErrorFigures> Stats::Errors() const {
  const Sums sums = SumSinceReset();
  std::vector<commands::ErrorFigures> figures;
  for (const auto& [code, count] : sums.errors) {
    if (count > 0) figures.push_back({code, count});
  }
  return figures;
}

std::vector<commands::CommandHistogram> Stats::Histograms() const {
  const Sums sums = SumSinceReset();
  std::vector<commands::CommandHistogram> histograms;
  for (size_t i = 0; i < sums.commands.size(); ++i) {
    const Sums::Command& sum = sums.commands[i];
    if (sum.calls == 0) continue;
    commands::CommandHistogram& histogram = histograms.emplace_back();
    histogram.command_id = static_cast<int>(i);
    uint64_t cumulative = 0;
    uint64_t shown = 0;
    for (size_t b = 0; b < sum.buckets.size(); ++b) {
      cumulative += sum.buckets[b];
      const uint64_t upper = DurationHistogram::UpperNs(b);
      const bool power_of_two = std::has_single_bit(upper) && b + 2 != sum.buckets.size();
      if (!power_of_two || cumulative == shown) continue;
      histogram.buckets.push_back({upper / 1000, cumulative});
      shown = cumulative;
    }
    histogram.calls = cumulative;
  }
  return histograms;
}

std::vector<commands::CommandPercentiles> Stats::LatencyPercentiles() const {
  std::vector<double> percents;
  {
    MutexLock lock(mu_);
    percents = percents_;
  }
  const Sums sums = SumSinceReset();
  std::vector<commands::CommandPercentiles> result;
  for (size_t i = 0; i < sums.commands.size(); ++i) {
    const Sums::Command& sum = sums.commands[i];
    uint64_t total = 0;
    for (const uint64_t n : sum.buckets) total += n;
    if (total == 0) continue;
    commands::CommandPercentiles& percentiles = result.emplace_back();
    percentiles.command_id = static_cast<int>(i);
    for (const double percent : percents) {
      const double wanted = std::max(1.0, static_cast<double>(total) * percent / 100);
      uint64_t cumulative = 0;
      size_t b = 0;
      while (b < sum.buckets.size() - 1) {
        cumulative += sum.buckets[b];
        if (static_cast<double>(cumulative) >= wanted) break;
        ++b;
      }
      percentiles.us.emplace_back(percent,
                                  static_cast<double>(DurationHistogram::UpperNs(b)) / 1000);
    }
  }
  return result;
}

void Stats::Reset() {
  auto sums = std::make_unique<Sums>(Sum());
  MutexLock lock(mu_);
  baseline_ = std::move(sums);
  rates_ = {};
}

void Stats::SetLatencyTracking(bool on) { shared_->tracking.store(on, std::memory_order_relaxed); }

void Stats::SetLatencyPercentiles(std::vector<double> percents) {
  MutexLock lock(mu_);
  percents_ = std::move(percents);
}

void Stats::Sample(int64_t monotonic_ns) {
  constexpr std::array<Counter, kRates> kSampled = {Counter::kCommandsProcessed,
                                                    Counter::kInputBytes, Counter::kOutputBytes};
  std::array<uint64_t, kRates> now{};
  {
    MutexLock lock(shared_->mu);
    for (const auto& block : shared_->blocks) {
      for (size_t i = 0; i < kRates; ++i) {
        now[i] +=
            block->counters_[static_cast<size_t>(kSampled[i])].load(std::memory_order_relaxed);
      }
    }
  }
  MutexLock lock(mu_);
  const int64_t elapsed_ns = monotonic_ns - sampled_at_ns_;
  if (sampled_at_ns_ != 0 && elapsed_ns > 0) {
    for (size_t i = 0; i < kRates; ++i) {
      rates_[i][next_sample_ % kSamples] =
          static_cast<double>(now[i] - sampled_[i]) * 1e9 / static_cast<double>(elapsed_ns);
    }
    ++next_sample_;
  }
  sampled_ = now;
  sampled_at_ns_ = monotonic_ns;
}

double Stats::Rate(size_t which) const {
  MutexLock lock(mu_);
  double sum = 0;
  for (const double rate : rates_[which]) sum += rate;
  return sum / kSamples;
}

}  // namespace kiwi::server
