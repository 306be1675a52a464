#include "raft/storage/log_state.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

#include "base/check.h"

namespace kiwi::raft {
namespace {

Status Invalid(std::string message) { return {StatusCode::kInvalidArgument, std::move(message)}; }

constexpr uint64_t kPayloadBytesMax = std::numeric_limits<uint32_t>::max();

}  // namespace

Result<LogState::Plan> LogState::Check(const LogBatch& batch) const {
  Plan plan;
  LogIndex base = snapshot_.index;
  LogIndex last = last_index_;
  Term last_term = 0;
  if (batch.snapshot != nullptr) {
    KIWI_RETURN_IF_ERROR(CheckNewer(*batch.snapshot));
    base = last = batch.snapshot->index;
    last_term = batch.snapshot->term;
  }
  if (batch.entries != nullptr && !batch.entries->empty()) {
    const std::vector<Entry>& entries = *batch.entries;
    if (entries.back().index <= base) {
      return Status(StatusCode::kCompacted,
                    fmt::format("entries up to {} are covered by the snapshot at {}",
                                entries.back().index, base));
    }
    if (entries.front().index > last + 1) {
      return Invalid(fmt::format("entry {} leaves a gap after the log's last, {}",
                                 entries.front().index, last));
    }
    if (entries.front().index <= base) plan.skip = base + 1 - entries.front().index;
    const LogIndex first = entries.front().index + plan.skip;
    if (batch.snapshot == nullptr) last_term = *TermAt(first - 1);
    for (size_t i = plan.skip; i < entries.size(); ++i) {
      const Entry& entry = entries[i];
      if (entry.index != first + (i - plan.skip)) {
        return Invalid(
            fmt::format("entry {} stands where {} belongs", entry.index, first + (i - plan.skip)));
      }
      if (entry.term < last_term) {
        return Invalid(fmt::format("entry {} has term {}, the one before it {}", entry.index,
                                   entry.term, last_term));
      }
      if (entry.bytes().size() > kPayloadBytesMax) {
        return Invalid(fmt::format("entry {} has more than 4 GiB", entry.index));
      }
      last_term = entry.term;
    }
    plan.has_new_entries = true;
    if (first <= last) plan.truncate_from = first;
    last = entries.back().index;
  }
  if (batch.hard_state != nullptr && batch.hard_state->commit > last) {
    return Invalid(fmt::format("commit {} lies beyond the log's last entry, {}",
                               batch.hard_state->commit, last));
  }
  return plan;
}

void LogState::Apply(const LogBatch& batch, const Plan& plan) {
  if (batch.snapshot != nullptr) {
    Restore(batch.snapshot->index, batch.snapshot->term);
    snapshot_ = *batch.snapshot;
    conf_state_ = batch.snapshot->conf_state;
  }
  if (batch.conf_state != nullptr) conf_state_ = *batch.conf_state;
  if (batch.state_dir != nullptr) state_dir_ = *batch.state_dir;
  if (batch.hard_state != nullptr) hard_state_ = *batch.hard_state;
  if (!plan.has_new_entries) return;
  if (plan.truncate_from != 0) DropEntries(plan.truncate_from);
  for (size_t i = plan.skip; i < batch.entries->size(); ++i) AppendOne((*batch.entries)[i]);
}

Status LogState::CheckCreateSnapshot(const SnapshotMeta& meta) const {
  KIWI_RETURN_IF_ERROR(CheckNewer(meta));
  if (meta.index > last_index_) {
    return Invalid(fmt::format("the snapshot at {} lies beyond the log's last entry, {}",
                               meta.index, last_index_));
  }
  if (const Term term = *TermAt(meta.index); term != meta.term) {
    return Invalid(fmt::format("the snapshot at {} has term {}, the entry there {}", meta.index,
                               meta.term, term));
  }
  return {};
}

Status LogState::CheckNewer(const SnapshotMeta& meta) const {
  if (meta.index > snapshot_.index) return {};
  return {StatusCode::kSnapshotOutOfDate,
          fmt::format("the snapshot at {} is not newer than the one at {}", meta.index,
                      snapshot_.index)};
}

Status LogState::CheckCompact(LogIndex index) const {
  if (index < first_index()) {
    return {StatusCode::kCompacted,
            fmt::format("entry {} is compacted; the first is {}", index, first_index())};
  }
  if (index > last_index_ || index > snapshot_.index) {
    return {StatusCode::kUnavailable,
            fmt::format("cannot compact to {}: the last entry is {}, the snapshot is at {}", index,
                        last_index_, snapshot_.index)};
  }
  return {};
}

void LogState::Compact(LogIndex index) {
  base_term_ = *TermAt(index);
  while (base_index_ < index) {
    size_bytes_ -= sizes_.front();
    sizes_.pop_front();
    ++base_index_;
    if (cache_.size() > sizes_.size()) {
      cache_bytes_ -= cache_.front().bytes().size();
      cache_.pop_front();
    }
  }
  while (term_runs_.size() > 1 && term_runs_[1].first <= first_index()) term_runs_.pop_front();
  if (sizes_.empty()) term_runs_.clear();
}

Status LogState::CheckRead(LogIndex lo, LogIndex hi, uint64_t max_bytes, LogIndex* end) const {
  *end = lo;
  if (lo >= hi) return {};
  if (lo < first_index()) {
    return {StatusCode::kCompacted,
            fmt::format("entry {} is compacted; the first is {}", lo, first_index())};
  }
  if (hi > last_index_ + 1) {
    return {StatusCode::kUnavailable,
            fmt::format("entry {} is not here; the last is {}", hi - 1, last_index_)};
  }
  uint64_t bytes = sizes_[lo - first_index()];
  for (*end = lo + 1; *end < hi; ++*end) {
    bytes += sizes_[*end - first_index()];
    if (bytes > max_bytes) break;
  }
  return {};
}

uint64_t LogState::BytesBelowCache(LogIndex lo, LogIndex end) const {
  uint64_t bytes = 0;
  for (end = std::min(end, cached_first()); lo < end; ++lo) bytes += sizes_[lo - first_index()];
  return bytes;
}

Result<Term> LogState::TermAt(LogIndex index) const {
  if (index == base_index_) return base_term_;
  if (index < base_index_) {
    return Status(StatusCode::kCompacted,
                  fmt::format("entry {} is compacted; the first is {}", index, first_index()));
  }
  if (index > last_index_) {
    return Status(StatusCode::kUnavailable,
                  fmt::format("entry {} is not here; the last is {}", index, last_index_));
  }
  if (index >= term_runs_.back().first) return term_runs_.back().term;
  const auto behind =
      std::upper_bound(term_runs_.begin(), term_runs_.end(), index,
                       [](LogIndex wanted, const TermRun& run) { return wanted < run.first; });
  return std::prev(behind)->term;
}

void LogState::Restore(LogIndex base_index, Term base_term) {
  base_index_ = last_index_ = base_index;
  base_term_ = base_term;
  term_runs_.clear();
  sizes_.clear();
  cache_.clear();
  size_bytes_ = cache_bytes_ = 0;
}

void LogState::AppendOne(const Entry& entry) {
  KIWI_CHECK(entry.index == last_index_ + 1, "the log has no gaps");
  if (term_runs_.empty() || term_runs_.back().term != entry.term) {
    term_runs_.push_back({entry.index, entry.term});
  }
  sizes_.push_back(static_cast<uint32_t>(entry.bytes().size()));
  size_bytes_ += entry.bytes().size();
  cache_.push_back(entry);
  cache_bytes_ += entry.bytes().size();
  last_index_ = entry.index;
  ShrinkCache();
}

void LogState::DropEntries(LogIndex from) {
  while (last_index_ >= from) {
    size_bytes_ -= sizes_.back();
    sizes_.pop_back();
    if (!cache_.empty()) {
      cache_bytes_ -= cache_.back().bytes().size();
      cache_.pop_back();
    }
    --last_index_;
  }
  while (!term_runs_.empty() && term_runs_.back().first >= from) term_runs_.pop_back();
}

void LogState::ShrinkCache() {
  while (cache_bytes_ > cache_bytes_max_ && cache_.size() > 1) {
    cache_bytes_ -= cache_.front().bytes().size();
    cache_.pop_front();
  }
}

}  // namespace kiwi::raft
