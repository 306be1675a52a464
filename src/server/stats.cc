#include "server/stats.h"

#include <algorithm>
#include <utility>

namespace kiwi::server {

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
    : command_count_(command_count),
      blocks_([this] { return std::make_unique<StatsBlock>(command_count_, &tracking_); }) {}

Stats::~Stats() = default;

Stats::Sums Stats::Sum() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  Sums sums;
  sums.commands.resize(static_cast<size_t>(command_count_));
  blocks_.ForEach([&sums](const StatsBlock& block) {
    for (size_t i = 0; i < kCounterCount; ++i) {
      sums.counters[i] += block.counters_[i].load(kRelaxed);
    }
    for (size_t i = 0; i < block.cells_.size(); ++i) {
      const StatsBlock::Cell& cell = block.cells_[i];
      Sums::Command& sum = sums.commands[i];
      sum.calls += cell.calls.load(kRelaxed);
      sum.nanoseconds += cell.nanoseconds.load(kRelaxed);
      sum.rejected += cell.rejected.load(kRelaxed);
      sum.failed += cell.failed.load(kRelaxed);
      const StatsBlock::Buckets* buckets = cell.buckets.load(std::memory_order_acquire);
      if (buckets == nullptr) continue;
      sum.buckets.resize(metrics::FineBuckets::kBuckets);
      for (size_t b = 0; b < buckets->size(); ++b) sum.buckets[b] += (*buckets)[b].load(kRelaxed);
    }
    MutexLock errors_lock(block.errors_mu_);
    for (const auto& [code, count] : block.errors_) sums.errors[code] += count;
  });
  return sums;
}

uint64_t Stats::SinceStart(Counter counter) const {
  const auto i = static_cast<size_t>(counter);
  uint64_t total = 0;
  blocks_.ForEach([&](const StatsBlock& block) {
    total += block.counters_[i].load(std::memory_order_relaxed);
  });
  return total;
}

uint64_t Stats::Total(Counter counter) const {
  const uint64_t total = SinceStart(counter);
  MutexLock lock(mu_);
  return baseline_ == nullptr ? total : total - baseline_->counters[static_cast<size_t>(counter)];
}

Stats::Sums Stats::SumSinceReset() const {
  Sums sums = Sum();
  MutexLock lock(mu_);
  if (baseline_ != nullptr) sums.Subtract(*baseline_);
  return sums;
}

std::vector<commands::CommandFigures> Stats::Commands() const { return Figures(SumSinceReset()); }

std::vector<commands::CommandFigures> Stats::CommandsSinceStart() const { return Figures(Sum()); }

std::vector<commands::CommandFigures> Stats::Figures(const Sums& sums) {
  std::vector<commands::CommandFigures> figures;
  for (size_t i = 0; i < sums.commands.size(); ++i) {
    const Sums::Command& sum = sums.commands[i];
    if (sum.calls == 0 && sum.rejected == 0 && sum.failed == 0) continue;
    figures.push_back({static_cast<int>(i), sum.calls, sum.nanoseconds, sum.rejected, sum.failed});
  }
  return figures;
}

std::vector<commands::ErrorFigures> Stats::Errors() const { return Told(SumSinceReset()); }

std::vector<commands::ErrorFigures> Stats::ErrorsSinceStart() const { return Told(Sum()); }

std::vector<commands::ErrorFigures> Stats::Told(const Sums& sums) {
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
      const uint64_t upper = metrics::FineBuckets::UpperNs(b);
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
                                  static_cast<double>(metrics::FineBuckets::UpperNs(b)) / 1000);
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

void Stats::SetLatencyTracking(bool on) { tracking_.store(on, std::memory_order_relaxed); }

void Stats::SetLatencyPercentiles(std::vector<double> percents) {
  MutexLock lock(mu_);
  percents_ = std::move(percents);
}

void Stats::Sample(int64_t monotonic_ns) {
  constexpr std::array<Counter, kRates> kSampled = {Counter::kCommandsProcessed,
                                                    Counter::kInputBytes, Counter::kOutputBytes};
  std::array<uint64_t, kRates> now{};
  for (size_t i = 0; i < kRates; ++i) now[i] = SinceStart(kSampled[i]);
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
