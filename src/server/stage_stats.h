// Where the time of requests goes: histograms of the stages that a pass of a batch goes through,
// by priority and by command.
//
//   parse    from the first look at the bytes until the batch is handed to the channel
//   queue    until a thread runs it: the wait for room in the channel, and for a read to be
//            linearizable, included
//   propose  checked, encoded, and until its entry is composed (on a follower: sent to the leader)
//   fsync    until this node's log has it on the disk, or it is committed, if that is earlier
//   commit   until it is known to be committed
//   apply    until all its replies are there; of a pass without writes: its execution
//   reply    back on the connection's loop, and handed to the socket's output
//
// One batch in eight is timed (server/session.cc); each of its commands counts once in each stage.
// Passes that read and wrote nothing count by what made their reads new enough, too.
// Recording is done by the connection's loop, in its own block.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "metrics/histogram.h"
#include "metrics/thread_blocks.h"
#include "raft/node/proposal.h"
#include "runtime/priority.h"

namespace kiwi::server {

enum class Stage : uint8_t { kParse, kQueue, kPropose, kFsync, kCommit, kApply, kReply };
inline constexpr size_t kStageCount = 7;
inline constexpr std::array<std::string_view, kStageCount> kStageNames = {
    "parse", "queue", "propose", "fsync", "commit", "apply", "reply"};

// The consistency of reads; linearizable ones by who vouched for them.
enum class ReadKind : uint8_t { kLease, kReadIndex, kBounded, kAny };
inline constexpr size_t kReadKinds = 4;
inline constexpr std::array<std::string_view, kReadKinds> kReadKindNames = {"lease", "read_index",
                                                                            "bounded", "any"};

// Of one pass, in Ticks; 0: it did not come by there.
struct PassTimes {
  bool sampled = false;
  uint64_t begun = 0;  // parsing; of a batch's first pass
  uint64_t submitted = 0;
  uint64_t dequeued = 0;
  uint64_t completed = 0;
  raft::LogTimes log;

  void NextPass() { begun = submitted = dequeued = completed = 0, log = {}; }
};

// Nanoseconds; -1: the pass had no such stage. The stages add up to the total.
struct StageDurations {
  std::array<int64_t, kStageCount> ns;
  uint64_t total_ns = 0;
};
StageDurations MeasureStages(const PassTimes& times, uint64_t now);

class StageBlock {
 public:
  explicit StageBlock(int command_count) : commands_(static_cast<size_t>(command_count)) {}

  struct CommandCount {
    int command_id = 0;
    uint32_t count = 0;
  };
  void Record(runtime::Priority priority, const StageDurations& stages,
              std::span<const CommandCount> commands);
  void RecordReads(ReadKind kind, const StageDurations& stages) {
    reads_[static_cast<size_t>(kind)].Record(stages.total_ns);
  }
  void AddRequests(runtime::Priority priority, uint64_t n) {
    metrics::Bump(requests_[static_cast<size_t>(priority)], n);
  }

 private:
  friend class StageStats;
  using Cell = metrics::HistogramCell<metrics::CoarseBuckets>;
  using Cells = std::array<Cell, kStageCount>;

  std::array<std::atomic<uint64_t>, runtime::kPriorityCount> requests_{};
  std::array<Cells, runtime::kPriorityCount> batches_;
  std::array<Cell, runtime::kPriorityCount> totals_;
  std::array<Cell, kReadKinds> reads_;
  std::vector<std::atomic<Cells*>> commands_;  // by id; made by the first record
  std::vector<std::unique_ptr<Cells>> owned_;
};

// Thread-safe.
class StageStats {
 public:
  explicit StageStats(int command_count)
      : command_count_(command_count),
        blocks_([command_count] { return std::make_unique<StageBlock>(command_count); }) {}

  // metrics.stages: off, no batch is sampled.
  void SetEnabled(bool on) { enabled_.store(on, std::memory_order_relaxed); }
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  StageBlock& Local() { return blocks_.Local(); }  // the calling thread's

  using Sums = std::array<metrics::HistogramSum, kStageCount>;
  struct Totals {
    std::array<uint64_t, runtime::kPriorityCount> requests{};
    std::array<Sums, runtime::kPriorityCount> batches;
    std::array<metrics::HistogramSum, runtime::kPriorityCount> totals;
    std::vector<Sums> commands;  // by id; without counts where there was none
  };
  Totals Sum() const;
  using Reads = std::array<metrics::HistogramSum, kReadKinds>;
  Reads SumReads() const;

 private:
  const int command_count_;
  std::atomic<bool> enabled_{true};
  metrics::ThreadBlocks<StageBlock> blocks_;
};

}  // namespace kiwi::server
