// What recording costs: one counter, one duration, one command, and the stages of a sampled batch; by
// one thread and by two, beside a counter that threads share. What a command pays for the stages is an
// eighth of "SampledBatch", divided by the commands of a batch.
#include <benchmark/benchmark.h>

#include <array>
#include <atomic>
#include <memory>
#include <span>

#include "base/ticks.h"
#include "metrics/histogram.h"
#include "metrics/thread_blocks.h"
#include "server/stage_stats.h"
#include "server/stats.h"

namespace kiwi::server {
namespace {

constexpr int kCommands = 300;
constexpr int kGet = 17;

struct Block {
  std::atomic<uint64_t> count{0};
  metrics::HistogramCell<metrics::CoarseBuckets> times;
};

metrics::ThreadBlocks<Block>& Blocks() {
  static metrics::ThreadBlocks<Block> blocks([] { return std::make_unique<Block>(); });
  return blocks;
}

void BM_CounterByThread(benchmark::State& state) {
  for (auto _ : state) metrics::Bump(Blocks().Local().count, 1);
}
BENCHMARK(BM_CounterByThread)->Threads(1)->Threads(2);

void BM_CounterShared(benchmark::State& state) {
  static std::atomic<uint64_t> shared{0};
  for (auto _ : state) shared.fetch_add(1, std::memory_order_relaxed);
}
BENCHMARK(BM_CounterShared)->Threads(1)->Threads(2);

void BM_Duration(benchmark::State& state) {
  uint64_t ns = 1000;
  for (auto _ : state) {
    Blocks().Local().times.Record(ns);
    ns = (ns * 5 + 1) & 0xFFFFF;
  }
}
BENCHMARK(BM_Duration)->Threads(1)->Threads(2);

void BM_Stamp(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Ticks::Now());
}
BENCHMARK(BM_Stamp);

// What every command records, sampled or not.
void BM_Command(benchmark::State& state) {
  static Stats stats(kCommands);
  uint64_t ns = 1000;
  for (auto _ : state) {
    stats.Local().Record(kGet, ns);
    ns = (ns * 5 + 1) & 0xFFFFF;
  }
}
BENCHMARK(BM_Command)->Threads(1)->Threads(2);

// A write: all stamps of its way, and seven stages for the batch and for each different command.
void BM_SampledBatch(benchmark::State& state) {
  static StageStats stats(kCommands);
  std::array<StageBlock::CommandCount, 16> commands;
  for (size_t i = 0; i < commands.size(); ++i) {
    commands[i] = {.command_id = kGet + static_cast<int>(i), .count = 1};
  }
  const auto different = static_cast<size_t>(state.range(0));
  for (auto _ : state) {
    PassTimes times{.sampled = true};
    times.begun = Ticks::Now();
    times.submitted = Ticks::Now();
    times.dequeued = Ticks::Now();
    times.log = {.proposed = Ticks::Now(), .synced = Ticks::Now(), .committed = Ticks::Now()};
    times.completed = Ticks::Now();
    stats.Local().Record(runtime::Priority::kNormal, MeasureStages(times, Ticks::Now()),
                         std::span(commands).first(different));
  }
}
BENCHMARK(BM_SampledBatch)->Arg(1)->Arg(4)->Arg(16);

}  // namespace
}  // namespace kiwi::server
