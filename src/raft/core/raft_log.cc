#include "raft/core/raft_log.h"

#include <algorithm>

#include "base/check.h"
#include "raft/core/mutants.h"

namespace kiwi::raft {

RaftLog::RaftLog(const LogReader* storage, uint64_t max_tail_bytes, size_t max_tail_entries)
    : storage_(storage),
      max_tail_bytes_(max_tail_bytes),
      max_tail_entries_(max_tail_entries),
      offset_(storage->LastIndex() + 1),
      next_persist_(offset_),
      persisted_(offset_ - 1) {
  if (auto term = storage_->TermAt(persisted_); term.ok()) last_term_ = *term;
}

LogIndex RaftLog::FirstIndex() const {
  return pending_snapshot_ ? pending_snapshot_->index + 1 : storage_->FirstIndex();
}

std::optional<Term> RaftLog::TermAt(LogIndex index) const {
  const LogIndex last = LastIndex();
  if (index > last) return std::nullopt;
  if (index == last) return last_term_;
  if (index >= offset_) return tail_[index - offset_].term;
  if (pending_snapshot_) {
    if (index == pending_snapshot_->index) return pending_snapshot_->term;
    return std::nullopt;
  }
  auto term = storage_->TermAt(index);
  if (!term.ok()) return std::nullopt;
  return *term;
}

bool RaftLog::Matches(LogIndex index, Term term) const { return TermAt(index) == term; }

bool RaftLog::IsUpToDate(LogIndex index, Term term) const {
  if (KIWI_MUTANT(kVoteIgnoresLog)) return true;
  if (KIWI_MUTANT(kVoteByLength)) return index >= LastIndex();
  return term > last_term_ || (term == last_term_ && index >= LastIndex());
}

LogIndex RaftLog::FindConflict(LogIndex index, Term term) const {
  // Terms never fall along the log, so the answer can be bisected. Below the first index only the
  // entry before it is known; there the search ends.
  LogIndex lo = FirstIndex() - 1;
  LogIndex hi = std::min(index, LastIndex());
  if (hi <= lo) return hi;
  while (lo < hi) {
    const LogIndex mid = lo + (hi - lo + 1) / 2;
    const auto t = TermAt(mid);
    if (!t || *t <= term) {
      lo = mid;
    } else {
      hi = mid - 1;
    }
  }
  return lo;
}

void RaftLog::Append(Entry entry) {
  KIWI_DCHECK(entry.index == LastIndex() + 1 && entry.term >= last_term_, "append leaves a gap");
  last_term_ = entry.term;
  tail_bytes_ += entry.bytes().size();
  tail_.push_back(std::move(entry));
}

void RaftLog::TruncateFrom(LogIndex index) {
  const std::optional<Term> term = TermAt(index - 1);
  KIWI_CHECK(term.has_value(), "truncation of a log below its first entry");
  while (!tail_.empty() && LastIndex() >= index) {
    tail_bytes_ -= tail_.back().bytes().size();
    tail_.pop_back();
  }
  if (tail_.empty()) offset_ = index;
  last_term_ = *term;
  next_persist_ = std::min(next_persist_, index);
  persisted_ = std::min(persisted_, index - 1);
  if (KIWI_MUTANT(kPersistAba)) return;
  for (size_t i = 0; i < batches_.size(); ++i) {
    batches_[i].last = std::min(batches_[i].last, index - 1);
  }
}

void RaftLog::Restore(const SnapshotMeta& meta) {
  tail_.clear();
  tail_bytes_ = 0;
  offset_ = meta.index + 1;
  last_term_ = meta.term;
  next_persist_ = offset_;
  // What comes behind is durable only after the snapshot is: batches are in order.
  persisted_ = meta.index;
  for (size_t i = 0; i < batches_.size(); ++i) {
    batches_[i].last = std::min(batches_[i].last, meta.index);
  }
  pending_snapshot_ = meta;
  snapshot_to_persist_ = true;
}

Status RaftLog::Read(LogIndex lo, LogIndex hi, uint64_t max_bytes, std::vector<Entry>* out) const {
  if (lo >= hi) return Status::Ok();
  if (lo < FirstIndex()) return {StatusCode::kCompacted, "the entry is compacted"};
  if (hi > LastIndex() + 1) return {StatusCode::kUnavailable, "the entry is not in the log"};
  uint64_t bytes = 0;
  bool first = true;
  if (lo < offset_) {
    auto stored = storage_->Entries(lo, std::min(hi, offset_), max_bytes);
    if (!stored.ok()) return stored.status();
    const LogIndex got = lo + stored->size();
    for (Entry& e : *stored) {
      bytes += e.bytes().size();
      out->push_back(std::move(e));
    }
    if (got < std::min(hi, offset_) || bytes >= max_bytes) return Status::Ok();
    lo = got;
    first = false;
  }
  LogIndex end = lo;
  for (; end < hi; ++end) {
    bytes += tail_[end - offset_].bytes().size();
    if (bytes > max_bytes && !first) break;
    first = false;
  }
  out->reserve(out->size() + (end - lo));
  for (LogIndex i = lo; i < end; ++i) out->push_back(tail_[i - offset_]);
  return Status::Ok();
}

uint64_t RaftLog::BytesInTail(LogIndex index) const {
  return index >= offset_ && index <= LastIndex() ? tail_[index - offset_].bytes().size() : 0;
}

void RaftLog::TakeUnpersisted(uint64_t number, std::vector<Entry>* entries,
                              std::optional<SnapshotMeta>* snapshot) {
  Batch batch{.number = number, .last = LastIndex()};
  if (snapshot_to_persist_) {
    *snapshot = *pending_snapshot_;
    batch.snapshot = pending_snapshot_->index;
    snapshot_to_persist_ = false;
  }
  KIWI_DCHECK(next_persist_ >= offset_, "an entry left memory before it was durable");
  entries->reserve(LastIndex() + 1 - next_persist_);
  for (LogIndex i = next_persist_; i <= LastIndex(); ++i) entries->push_back(tail_[i - offset_]);
  next_persist_ = LastIndex() + 1;
  batches_.push_back(batch);
}

void RaftLog::OnPersisted(uint64_t number) {
  while (!batches_.empty() && batches_.front().number <= number) {
    const Batch batch = batches_.front();
    batches_.pop_front();
    persisted_ = std::max(persisted_, std::min(batch.last, LastIndex()));
    if (pending_snapshot_ && batch.snapshot == pending_snapshot_->index) pending_snapshot_.reset();
  }
}

void RaftLog::TrimTail(LogIndex commit) {
  const LogIndex durable = KIWI_MUTANT(kTailForgetsUndurable) ? commit : persisted_;
  const LogIndex keep_from = std::min(durable, commit) + 1;
  while (!tail_.empty() && offset_ < keep_from && !pending_snapshot_ &&
         (tail_bytes_ > max_tail_bytes_ || tail_.size() > max_tail_entries_)) {
    tail_bytes_ -= tail_.front().bytes().size();
    tail_.pop_front();
    ++offset_;
  }
}

}  // namespace kiwi::raft
