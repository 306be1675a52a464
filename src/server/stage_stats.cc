#include "server/stage_stats.h"

#include <algorithm>

#include "base/ticks.h"

namespace kiwi::server {

StageDurations MeasureStages(const PassTimes& times, uint64_t now) {
  StageDurations stages;
  stages.ns.fill(-1);
  uint64_t at = times.begun != 0 ? times.begun : times.submitted;
  // Stamps are of several threads, and counters of two cores may differ a little: none goes back.
  const auto until = [&](Stage stage, uint64_t end) {
    end = std::max(end, at);
    const uint64_t ns = Ticks::ToNs(at, end);
    stages.ns[static_cast<size_t>(stage)] = static_cast<int64_t>(ns);
    stages.total_ns += ns;
    at = end;
  };
  if (times.begun != 0) until(Stage::kParse, times.submitted);
  until(Stage::kQueue, times.dequeued);
  if (times.log.proposed != 0) {
    until(Stage::kPropose, times.log.proposed);
    if (times.log.synced != 0) until(Stage::kFsync, times.log.synced);
    until(Stage::kCommit, times.log.committed);
  }
  until(Stage::kApply, times.completed);
  until(Stage::kReply, now);
  return stages;
}

void StageBlock::Record(runtime::Priority priority, const StageDurations& stages,
                        std::span<const CommandCount> commands) {
  const auto level = static_cast<size_t>(priority);
  const auto record = [&stages](Cells& cells, uint64_t n) {
    for (size_t i = 0; i < kStageCount; ++i) {
      if (stages.ns[i] >= 0) cells[i].Record(static_cast<uint64_t>(stages.ns[i]), n);
    }
  };
  totals_[level].Record(stages.total_ns);
  record(batches_[level], 1);
  for (const CommandCount& command : commands) {
    std::atomic<Cells*>& slot = commands_[static_cast<size_t>(command.command_id)];
    Cells* cells = slot.load(std::memory_order_relaxed);
    if (cells == nullptr) [[unlikely]] {
      cells = owned_.emplace_back(std::make_unique<Cells>()).get();
      slot.store(cells, std::memory_order_release);
    }
    record(*cells, command.count);
  }
}

StageStats::Totals StageStats::Sum() const {
  Totals totals;
  totals.commands.resize(static_cast<size_t>(command_count_));
  const auto add = [](const StageBlock::Cells& cells, Sums* sums) {
    for (size_t i = 0; i < kStageCount; ++i) (*sums)[i].Add(cells[i]);
  };
  blocks_.ForEach([&](const StageBlock& block) {
    for (size_t p = 0; p < runtime::kPriorityCount; ++p) {
      totals.requests[p] += block.requests_[p].load(std::memory_order_relaxed);
      add(block.batches_[p], &totals.batches[p]);
      totals.totals[p].Add(block.totals_[p]);
    }
    for (size_t i = 0; i < block.commands_.size(); ++i) {
      const auto* const cells = block.commands_[i].load(std::memory_order_acquire);
      if (cells != nullptr) add(*cells, &totals.commands[i]);
    }
  });
  return totals;
}

StageStats::Reads StageStats::SumReads() const {
  Reads reads;
  blocks_.ForEach([&](const StageBlock& block) {
    for (size_t i = 0; i < kReadKinds; ++i) reads[i].Add(block.reads_[i]);
  });
  return reads;
}

}  // namespace kiwi::server
