#include "raft/storage/memory_storage.h"

namespace kiwi::raft {

MemoryStorage::MemoryStorage(const MemoryStorage& other) : Storage(other), state_(other.Copy()) {}

LogState MemoryStorage::Copy() const {
  MutexLock lock(mu_);
  return state_;
}

Result<InitialState> MemoryStorage::GetInitialState() const {
  MutexLock lock(mu_);
  return state_.initial();
}

Result<std::vector<Entry>> MemoryStorage::Entries(LogIndex lo, LogIndex hi,
                                                  uint64_t max_bytes) const {
  MutexLock lock(mu_);
  LogIndex end = 0;
  KIWI_RETURN_IF_ERROR(state_.CheckRead(lo, hi, max_bytes, &end));
  std::vector<Entry> entries;
  entries.reserve(end - lo);
  for (LogIndex index = lo; index < end; ++index) entries.push_back(state_.cached(index));
  return entries;
}

Result<Term> MemoryStorage::TermAt(LogIndex index) const {
  MutexLock lock(mu_);
  return state_.TermAt(index);
}

LogIndex MemoryStorage::FirstIndex() const {
  MutexLock lock(mu_);
  return state_.first_index();
}

LogIndex MemoryStorage::LastIndex() const {
  MutexLock lock(mu_);
  return state_.last_index();
}

Result<SnapshotMeta> MemoryStorage::GetSnapshot() const {
  MutexLock lock(mu_);
  return state_.snapshot();
}

Status MemoryStorage::Write(const LogBatch& batch) {
  MutexLock lock(mu_);
  KIWI_ASSIGN_OR_RETURN(const LogState::Plan plan, state_.Check(batch));
  state_.Apply(batch, plan);
  return {};
}

Status MemoryStorage::CreateSnapshot(const SnapshotMeta& meta) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(state_.CheckCreateSnapshot(meta));
  state_.SetSnapshot(meta);
  return {};
}

Status MemoryStorage::Compact(LogIndex index) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(state_.CheckCompact(index));
  state_.Compact(index);
  return {};
}

uint64_t MemoryStorage::SizeBytes() const {
  MutexLock lock(mu_);
  return state_.size_bytes();
}

}  // namespace kiwi::raft
