// The log owner's half of the node: compose, persist, commit; and what happens when the disk
// refuses.
#include <pthread.h>

#include <chrono>
#include <utility>

#include "base/log.h"
#include "raft/node/entry_codec.h"
#include "raft/node/node.h"

namespace kiwi::raft {

void Node::WakeLogThread() {
  {
    MutexLock lock(wake_mu_);
    if (log_wanted_) return;
    log_wanted_ = true;
  }
  wake_.NotifyOne();  // unlocked, or the woken thread would wait for us again
}

void Node::LogThread() {
  pthread_setname_np(pthread_self(), "kiwi-log");
  const auto tick = std::chrono::milliseconds(options_.tick_ms);
  int64_t next_tick_ns = clock_->MonotonicNs() + options_.tick_ms * 1'000'000;
  int64_t next_sync_ns = next_tick_ns;
  for (;;) {
    {
      MutexLock lock(wake_mu_);
      if (!log_wanted_ && !stopping_.load()) wake_.WaitFor(wake_mu_, tick);
      log_wanted_ = false;
    }
    if (storage_failed()) {
      RecoverStorage();
      if (storage_failed() && stopping_.load()) return;
      if (storage_failed()) continue;
    }
    if (AcquireLog()) DriveLog(Applying::kScheduled, kAllWrites);
    const int64_t now = clock_->MonotonicNs();
    if (now >= next_tick_ns) {
      next_tick_ns = now + options_.tick_ms * 1'000'000;
      MutexLock lock(core_mu_);
      core_->Tick();
    }
    if (now >= next_sync_ns && fsync_mode() == FsyncMode::kEverysec) {
      next_sync_ns = now + 1'000'000'000;
      SyncEverysec();
    }
    if (stopping_.load() && queue_.empty() && !log_owned_.load()) return;
  }
}

void Node::SyncEverysec() {
  if (!log_dirty_.exchange(false)) return;
  log_syncs_.fetch_add(1, std::memory_order_relaxed);
  if (const Status s = log_->Sync(); !s.ok()) StorageFailed(s);
}

bool Node::LogWanted() {
  if (!queue_.empty() && !log_full_.load()) return true;
  MutexLock lock(core_mu_);
  return compact_to_.index != 0 || core_->HasReady();
}

// Lets go of the log. Whoever proposed meanwhile has seen it owned and left the work to us.
void Node::ReleaseLog() { log_owned_.store(false); }

// Called by the owner; when it returns the log is free, or stays owned because the storage failed
// (the log thread then recovers it).
void Node::DriveLog(Applying applying, int max_writes) {
  for (;;) {
    CompactLog();
    LogWork work;
    bool committed = false;
    bool fast = true;
    {
      MutexLock lock(core_mu_);
      if (max_writes > 0) Compose();
      TakeReadys(&work);
      committed = !committed_.empty();
      for (const Committed& c : committed_) fast = fast && c.ours && !c.origin.slow;
    }
    // What the last round made durable is applied while this one's write waits for the disk.
    if (committed && applying == Applying::kScheduled) schedule_apply_(fast);
    if (work.empty()) {
      ReleaseLog();
      if (!LogWanted()) return;
      if (max_writes <= 0) return WakeLogThread();
      if (!AcquireLog()) return;
      continue;
    }
    --max_writes;
    const bool sync = fsync_mode() == FsyncMode::kAlways || work.must_sync;
    if (const Status s = WriteLog(work, sync); !s.ok()) {
      failed_work_ = std::move(work);
      has_failed_work_.store(true);
      StorageFailed(s);
      return;  // still the owner
    }
    Persisted(work);
  }
}

void Node::Compose() {
  const bool stopping = stopping_.load();
  if (stopping || core_->role() != Role::kLeader) {
    std::vector<Proposal*> refused;
    queue_.TakeAll(&refused);
    FailAll(&refused, stopping ? ProposalError::kShutdown : ProposalError::kNotLeader);
    return;
  }
  if (log_full_.load()) return;
  if (composing_.empty()) queue_.Take(options_.max_entry_bytes, &composing_);
  if (composing_.empty()) return;

  InFlight entry;
  size_t bytes = 32;
  for (const Proposal* proposal : composing_) {
    bytes += proposal->records().size();
    entry.slow = entry.slow || proposal->slow();
  }
  auto payload = std::make_shared<std::string>();
  payload->reserve(bytes);
  AppendEnvelope({.time_ms = entry_clock_.Stamp(), .seed = random_.Next()}, payload.get());
  for (const Proposal* proposal : composing_) payload->append(proposal->records());

  Result<ProposeResult> proposed = core_->Propose(std::move(payload));
  if (!proposed.ok()) {
    if (proposed.status().code() == StatusCode::kBusy) return;  // stays in composing_: tried again
    FailAll(&composing_, ProposalError::kNotLeader);
    return;
  }
  entry.term = proposed->term;
  entry.index = proposed->index;
  entry.proposals.swap(composing_);
  in_flight_.push_back(std::move(entry));
  entries_composed_.fetch_add(1, std::memory_order_relaxed);
}

void Node::TakeReadys(LogWork* work) {
  while (core_->HasReady()) {
    Ready ready = core_->TakeReady();
    KIWI_CHECK(ready.messages.empty() && ready.messages_after_persist.empty(),
               "a group of one voter has nobody to write to");
    if (ready.hard_state) {
      pending_commit_ = *ready.hard_state;
      has_pending_commit_ = true;
      if (ready.hard_state->term != written_hard_state_.term ||
          ready.hard_state->vote != written_hard_state_.vote) {
        work->must_sync = true;
      }
    }
    for (Entry& entry : ready.entries) {
      // A later Ready may replace what an earlier one of this round brought.
      while (!work->entries.empty() && work->entries.back().index >= entry.index) {
        work->entries.pop_back();
      }
      work->entries.push_back(std::move(entry));
    }
    QueueCommitted(std::move(ready.committed_entries));
    core_->Advance(ready.number);
    work->ready_number = ready.number;
    // The commit index alone needs no write of its own: it travels with the next entries, and a
    // restart finds it again by election.
    if (work->entries.empty() && !work->must_sync) core_->OnPersisted(ready.number);
  }
  if (has_pending_commit_ && (work->must_sync || !work->entries.empty())) {
    work->hard_state = pending_commit_;
    work->has_hard_state = true;
    written_hard_state_ = pending_commit_;
    has_pending_commit_ = false;
  }
}

void Node::QueueCommitted(std::vector<Entry> entries) {
  for (Entry& entry : entries) {
    Committed committed;
    // Entries of ours that another leader's entry has displaced are lost.
    while (!in_flight_.empty() && in_flight_.front().index <= entry.index) {
      InFlight& front = in_flight_.front();
      if (front.index == entry.index && front.term == entry.term) {
        committed.ours = true;
        committed.origin = std::move(front);
      } else {
        FailAll(&front.proposals, ProposalError::kUnknown);
      }
      in_flight_.pop_front();
    }
    committed.entry = std::move(entry);
    committed_.push_back(std::move(committed));
  }
}

Status Node::WriteLog(const LogWork& work, bool sync) {
  LogBatch batch;
  if (work.has_hard_state) batch.hard_state = &work.hard_state;
  if (!work.entries.empty()) batch.entries = &work.entries;
  batch.sync = sync;
  const int64_t start_ns = sync ? clock_->MonotonicNs() : 0;
  KIWI_RETURN_IF_ERROR(log_->Write(batch));
  if (sync) NoteSync(clock_->MonotonicNs() - start_ns);
  log_writes_.fetch_add(1, std::memory_order_relaxed);
  if (sync) {
    log_syncs_.fetch_add(1, std::memory_order_relaxed);
  } else {
    log_dirty_.store(true);
  }
  return {};
}

// Rises at once and falls slowly: one stall of the disk sends the next writes to the log thread.
void Node::NoteSync(int64_t ns) {
  const int64_t smoothed = sync_ns_.load(std::memory_order_relaxed);
  const bool first = smoothed == std::numeric_limits<int64_t>::max();
  const bool stalled = ns > 4 * options_.inline_sync_us * 1000;
  sync_ns_.store(first || stalled ? ns : smoothed + (ns - smoothed) / 8, std::memory_order_relaxed);
}

void Node::Persisted(const LogWork& work) {
  {
    MutexLock lock(core_mu_);
    core_->OnPersisted(work.ready_number);
  }
  log_full_.store(log_->SizeBytes() > options_.log_max_bytes);
  if (log_full_.load()) RequestCheckpoint();
}

void Node::StorageFailed(const Status& status) {
  KIWI_LOG(kError, "log storage failed error=\"{}\"; writes are refused until it takes them again",
           status.ToString());
  std::vector<Proposal*> waiting;
  std::deque<InFlight> unknown;
  {
    MutexLock lock(core_mu_);
    storage_status_ = status;
    storage_failed_.store(true);
    // Their entries stay in the core: they may yet be written, and then take effect.
    for (InFlight& entry : in_flight_) {
      unknown.push_back({.proposals = std::move(entry.proposals)});
      entry.proposals.clear();
    }
    waiting.swap(composing_);
  }
  for (InFlight& entry : unknown) FailAll(&entry.proposals, ProposalError::kUnknown);
  queue_.TakeAll(&waiting);
  FailAll(&waiting, ProposalError::kStorage);
  WakeLogThread();
}

// On the log thread, while the storage is failed. Proves the disk writable again, then writes anew
// what failed: into new files, never by repeating the sync that failed.
void Node::RecoverStorage() {
  {
    MutexLock lock(wake_mu_);
    if (!stopping_.load()) {
      wake_.WaitFor(wake_mu_, std::chrono::milliseconds(options_.storage_retry_ms));
    }
  }
  std::vector<Proposal*> waiting;
  queue_.TakeAll(&waiting);
  FailAll(&waiting, ProposalError::kStorage);

  const bool owned = has_failed_work_.load();  // else it was the sync of everysec that failed
  Status status = resume_log_();
  if (status.ok()) status = owned ? WriteLog(failed_work_, true) : log_->Sync();
  {
    MutexLock lock(core_mu_);
    storage_status_ = status;
    // A write that failed while we looked at the sync alone is for the next try.
    if (!status.ok() || owned != has_failed_work_.load()) return;
    storage_failed_.store(false);
  }
  KIWI_LOG(kInfo, "log storage takes writes again");
  if (owned) {
    has_failed_work_.store(false);
    const LogWork work = std::exchange(failed_work_, {});
    Persisted(work);
    DriveLog(Applying::kScheduled, kAllWrites);
  }
}

void Node::CompactLog() {
  SnapshotMeta meta;
  {
    MutexLock lock(core_mu_);
    meta = std::exchange(compact_to_, {});
  }
  if (meta.index == 0) return;
  Status status = log_->CreateSnapshot(meta);
  if (status.code() == StatusCode::kSnapshotOutOfDate) return;  // nothing came since the last one
  if (status.ok() && meta.index >= log_->FirstIndex()) status = log_->Compact(meta.index);
  if (!status.ok()) {
    KIWI_LOG(kWarn, "log compaction failed index={} error=\"{}\"", meta.index, status.ToString());
  }
  log_full_.store(log_->SizeBytes() > options_.log_max_bytes);
}

}  // namespace kiwi::raft
