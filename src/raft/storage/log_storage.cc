#include "raft/storage/log_storage.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.h"
#include "raft/storage/log_record.h"

namespace kiwi::raft {
namespace {

// A batch that grew beyond this is given back after use.
constexpr size_t kBatchBytesKept = size_t{4} << 20;

Status Corrupt(std::string message) {
  return {StatusCode::kCorruption, "raft log: " + std::move(message)};
}

// The records must agree with each other and with the entries.
Status CheckRecovered(const LogState& state) {
  const SnapshotMeta& snapshot = state.snapshot();
  if (snapshot.index < state.base_index()) {
    return Corrupt(fmt::format("entries up to {} are compacted, but the snapshot is at {}",
                               state.base_index(), snapshot.index));
  }
  if (snapshot.index > state.last_index()) {
    return Corrupt(fmt::format("the snapshot is at {}, but the last entry is {}: entries are lost",
                               snapshot.index, state.last_index()));
  }
  if (const Term term = *state.TermAt(snapshot.index); term != snapshot.term) {
    return Corrupt(fmt::format("the snapshot at {} has term {}, the entry there {}", snapshot.index,
                               snapshot.term, term));
  }
  const HardState& hard = state.hard_state();
  if (hard.commit > state.last_index()) {
    return Corrupt(
        fmt::format("entries up to {} are committed, but the last one is {}: "
                    "acknowledged entries are lost",
                    hard.commit, state.last_index()));
  }
  return {};
}

}  // namespace

LogStorage::LogStorage(storage::Backend* backend, const LogStorageOptions& options)
    : backend_(backend),
      options_(options),
      batch_(backend->NewBatch()),
      state_(options.cache_bytes) {}

Result<std::unique_ptr<LogStorage>> LogStorage::Open(storage::Backend* backend,
                                                     const LogStorageOptions& options) {
  std::unique_ptr<LogStorage> log(new LogStorage(backend, options));
  LogState state(options.cache_bytes);
  KIWI_RETURN_IF_ERROR(log->Recover(&state));
  MutexLock lock(log->mu_);
  log->state_ = std::move(state);
  return log;
}

Status LogStorage::Recover(LogState* state) const {
  KIWI_RETURN_IF_ERROR(RecoverRecords(state));
  KIWI_RETURN_IF_ERROR(RecoverEntries(state));
  return CheckRecovered(*state);
}

Result<bool> LogStorage::ReadRecord(std::string_view key, std::string* value) const {
  const Status status = backend_->Get({}, key, value);
  if (status.ok()) return true;
  if (status.code() == StatusCode::kNotFound) return false;
  return status.WithContext(fmt::format("raft log: cannot read the record '{}'", key));
}

Status LogStorage::RecoverRecords(LogState* state) const {
  std::string value;
  LogBase base;
  KIWI_ASSIGN_OR_RETURN(bool found, ReadRecord(kBaseKey, &value));
  if (found) KIWI_RETURN_IF_ERROR(DecodeRecord(value, &base));
  state->Restore(base.index, base.term);

  ConfState conf_state;
  KIWI_ASSIGN_OR_RETURN(found, ReadRecord(kConfStateKey, &value));
  if (found) KIWI_RETURN_IF_ERROR(DecodeRecord(value, &conf_state));
  state->SetConfState(conf_state);

  StateDir state_dir;
  KIWI_ASSIGN_OR_RETURN(found, ReadRecord(kStateDirKey, &value));
  if (found) KIWI_RETURN_IF_ERROR(DecodeRecord(value, &state_dir));
  state->SetStateDir(std::move(state_dir.name));

  HardState hard_state;
  KIWI_ASSIGN_OR_RETURN(found, ReadRecord(kHardStateKey, &value));
  if (found) KIWI_RETURN_IF_ERROR(DecodeRecord(value, &hard_state));
  state->SetHardState(hard_state);

  SnapshotMeta snapshot;
  KIWI_ASSIGN_OR_RETURN(found, ReadRecord(kSnapshotKey, &value));
  if (found) KIWI_RETURN_IF_ERROR(DecodeRecord(value, &snapshot));
  state->SetSnapshot(snapshot);
  return {};
}

Status LogStorage::RecoverEntries(LogState* state) const {
  storage::ReadOptions range;
  // Not from the first possible key: what is compacted is never walked over.
  range.lower = EntryKey(state->first_index()).view();
  range.upper = kEntriesEnd;
  const auto it = backend_->NewIterator(range);
  Term last_term = state->base_term();
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    KIWI_ASSIGN_OR_RETURN(const Entry entry, DecodeEntry(it->key(), it->value()));
    if (entry.index != state->last_index() + 1) {
      return Corrupt(fmt::format("entry {} is missing: {} follows {}", state->last_index() + 1,
                                 entry.index, state->last_index()));
    }
    if (entry.term < last_term) {
      return Corrupt(fmt::format("entry {} has term {}, the one before it {}", entry.index,
                                 entry.term, last_term));
    }
    last_term = entry.term;
    state->AppendOne(entry);
  }
  return it->status().WithContext(
      fmt::format("raft log: cannot read behind entry {}", state->last_index()));
}

Result<InitialState> LogStorage::GetInitialState() const {
  MutexLock lock(mu_);
  return state_.initial();
}

Result<Term> LogStorage::TermAt(LogIndex index) const {
  MutexLock lock(mu_);
  return state_.TermAt(index);
}

LogIndex LogStorage::FirstIndex() const {
  MutexLock lock(mu_);
  return state_.first_index();
}

LogIndex LogStorage::LastIndex() const {
  MutexLock lock(mu_);
  return state_.last_index();
}

Result<SnapshotMeta> LogStorage::GetSnapshot() const {
  MutexLock lock(mu_);
  return state_.snapshot();
}

uint64_t LogStorage::SizeBytes() const {
  MutexLock lock(mu_);
  return state_.size_bytes();
}

uint64_t LogStorage::BytesOnDisk(LogIndex lo, LogIndex hi, uint64_t max_bytes) const {
  MutexLock lock(mu_);
  LogIndex end = 0;
  if (!state_.CheckRead(lo, hi, max_bytes, &end).ok()) return 0;
  return state_.BytesBelowCache(lo, end);
}

Result<std::vector<Entry>> LogStorage::Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const {
  if (auto cached = CachedEntries(lo, hi, max_bytes)) return *std::move(cached);
  ReaderLock reading(rewrite_mu_);
  return StoredEntries(lo, hi, max_bytes);
}

std::optional<Result<std::vector<Entry>>> LogStorage::TryEntries(LogIndex lo, LogIndex hi,
                                                                 uint64_t max_bytes) const {
  if (auto cached = CachedEntries(lo, hi, max_bytes)) return cached;
  if (!rewrite_mu_.TryLockShared()) return std::nullopt;
  Result<std::vector<Entry>> entries = StoredEntries(lo, hi, max_bytes);
  rewrite_mu_.UnlockShared();
  return entries;
}

std::optional<Result<std::vector<Entry>>> LogStorage::CachedEntries(LogIndex lo, LogIndex hi,
                                                                    uint64_t max_bytes) const {
  MutexLock lock(mu_);
  LogIndex end = 0;
  const Status status = state_.CheckRead(lo, hi, max_bytes, &end);
  if (!status.ok()) return Result<std::vector<Entry>>(status);
  if (lo < state_.cached_first() && lo != end) return std::nullopt;
  std::vector<Entry> entries;
  entries.reserve(end - lo);
  for (LogIndex index = lo; index < end; ++index) entries.push_back(state_.cached(index));
  return entries;
}

Result<std::vector<Entry>> LogStorage::StoredEntries(LogIndex lo, LogIndex hi,
                                                     uint64_t max_bytes) const {
  LogIndex end = 0;
  LogIndex from_cache = 0;
  std::vector<Entry> newest;
  {
    MutexLock lock(mu_);  // again: what the first look found may be compacted since
    KIWI_RETURN_IF_ERROR(state_.CheckRead(lo, hi, max_bytes, &end));
    from_cache = std::min(std::max(state_.cached_first(), lo), end);
    for (LogIndex index = from_cache; index < end; ++index) newest.push_back(state_.cached(index));
  }
  std::vector<Entry> entries;
  entries.reserve(end - lo);
  KIWI_RETURN_IF_ERROR(ReadFromBackend(lo, from_cache, &entries));
  std::move(newest.begin(), newest.end(), std::back_inserter(entries));
  return entries;
}

Status LogStorage::ReadFromBackend(LogIndex lo, LogIndex end, std::vector<Entry>* entries) const {
  storage::ReadOptions range;
  range.lower = EntryKey(lo).view();
  range.upper = EntryKey(end).view();
  const auto it = backend_->NewIterator(range);
  for (it->SeekToFirst(); it->Valid(); it->Next(), ++lo) {
    KIWI_ASSIGN_OR_RETURN(Entry entry, DecodeEntry(it->key(), it->value()));
    if (entry.index != lo) break;
    entries->push_back(std::move(entry));
  }
  KIWI_RETURN_IF_ERROR(it->status().WithContext(fmt::format("raft log: cannot read entry {}", lo)));
  if (lo != end) return Corrupt(fmt::format("entry {} is missing", lo));
  return {};
}

template <typename Record>
void LogStorage::PutRecord(std::string_view key, const Record& record) {
  EncodeRecord(record, &scratch_);
  batch_->Put(key, scratch_);
}

void LogStorage::AddToBatch(const LogBatch& batch, const LogState::Plan& plan, LogIndex old_first,
                            LogIndex old_last) {
  if (batch.snapshot != nullptr) {
    if (old_first <= old_last) {
      batch_->DeleteRange(EntryKey(old_first).view(), EntryKey(old_last + 1).view());
    }
    PutRecord(kBaseKey, LogBase{batch.snapshot->index, batch.snapshot->term});
    PutRecord(kSnapshotKey, *batch.snapshot);
    if (batch.conf_state == nullptr) PutRecord(kConfStateKey, batch.snapshot->conf_state);
  }
  if (batch.conf_state != nullptr) PutRecord(kConfStateKey, *batch.conf_state);
  if (batch.state_dir != nullptr) PutRecord(kStateDirKey, StateDir{*batch.state_dir});
  if (plan.has_new_entries) {
    const LogIndex new_last = batch.entries->back().index;
    if (plan.truncate_from != 0 && new_last < old_last) {
      batch_->DeleteRange(EntryKey(new_last + 1).view(), EntryKey(old_last + 1).view());
    }
    for (size_t i = plan.skip; i < batch.entries->size(); ++i) {
      const Entry& entry = (*batch.entries)[i];
      const EntryHeader header(entry);
      const std::array<std::string_view, 2> parts = {header.view(), entry.bytes()};
      batch_->PutParts(EntryKey(entry.index).view(), parts.data(), parts.size());
    }
  }
  if (batch.hard_state != nullptr) PutRecord(kHardStateKey, *batch.hard_state);
}

Status LogStorage::WriteBatch(bool sync, LogIndex removes_from) {
  storage::WriteOptions options;
  options.sync = sync;
  Status status = backend_->Write(options, batch_.get());
  if (!status.ok()) uncertain_from_ = std::min(uncertain_from_, removes_from);
  if (batch_->SizeBytes() > kBatchBytesKept) {
    batch_ = backend_->NewBatch();
  } else {
    batch_->Clear();
  }
  return status;
}

Status LogStorage::Write(const LogBatch& batch) {
  LogState::Plan plan;
  LogIndex old_first = 0;
  LogIndex old_last = 0;
  {
    MutexLock lock(mu_);
    KIWI_ASSIGN_OR_RETURN(plan, state_.Check(batch));
    old_first = state_.first_index();
    old_last = state_.last_index();
  }
  AddToBatch(batch, plan, old_first, old_last);
  if (batch.snapshot == nullptr && plan.truncate_from == 0) {
    KIWI_RETURN_IF_ERROR(WriteBatch(batch.sync));
    MutexLock lock(mu_);
    state_.Apply(batch, plan);
    return {};
  }
  WriterLock rewriting(rewrite_mu_);
  KIWI_RETURN_IF_ERROR(
      WriteBatch(batch.sync, batch.snapshot != nullptr ? old_first : plan.truncate_from));
  MutexLock lock(mu_);
  state_.Apply(batch, plan);
  return {};
}

Status LogStorage::CreateSnapshot(const SnapshotMeta& meta) {
  {
    MutexLock lock(mu_);
    KIWI_RETURN_IF_ERROR(state_.CheckCreateSnapshot(meta));
  }
  PutRecord(kSnapshotKey, meta);
  KIWI_RETURN_IF_ERROR(WriteBatch(true));
  MutexLock lock(mu_);
  state_.SetSnapshot(meta);
  return {};
}

Status LogStorage::Compact(LogIndex index) {
  LogIndex old_first = 0;
  LogBase base;
  {
    MutexLock lock(mu_);
    KIWI_RETURN_IF_ERROR(state_.CheckCompact(index));
    old_first = state_.first_index();
    base = {index, *state_.TermAt(index)};
  }
  batch_->DeleteRange(EntryKey(old_first).view(), EntryKey(index + 1).view());
  PutRecord(kBaseKey, base);
  WriterLock rewriting(rewrite_mu_);
  KIWI_RETURN_IF_ERROR(WriteBatch(false));
  MutexLock lock(mu_);
  state_.Compact(index);
  return {};
}

Status LogStorage::Resume() {
  WriterLock rewriting(rewrite_mu_);
  KIWI_RETURN_IF_ERROR(backend_->Resume());
  LogState recovered(options_.cache_bytes);
  KIWI_RETURN_IF_ERROR(Recover(&recovered).WithContext("after resuming"));
  MutexLock lock(mu_);
  const LogIndex expected = std::min(state_.last_index(), uncertain_from_ - 1);
  if (recovered.last_index() < expected) {
    return Corrupt(
        fmt::format("after resuming, the last entry is {} instead of {}: entries are lost",
                    recovered.last_index(), expected));
  }
  state_ = std::move(recovered);
  uncertain_from_ = kNoLimit;
  return {};
}

}  // namespace kiwi::raft
