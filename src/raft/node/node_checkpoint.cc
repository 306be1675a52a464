// When checkpoints are begun, and the thread that writes them.
#include <pthread.h>

#include <algorithm>

#include "base/log.h"
#include "raft/node/node.h"

namespace kiwi::raft {
namespace {

// A checkpoint is not begun before this many times the last one's duration have passed, so that at
// most a tenth of the time goes into them, unless the log runs full.
constexpr int64_t kCheckpointRest = 10;

}  // namespace

bool Node::CheckpointDue() {
  if (checkpoint_requested_) return true;
  // One that was begun before the log's last entries would not let it shrink enough.
  const bool full = log_full_.load() && applied_index() > checkpointed_index_;
  if (!full && entries_since_checkpoint_ < options_.snapshot_entries &&
      bytes_since_checkpoint_ < options_.snapshot_bytes) {
    return false;
  }
  if (checkpoint_retry_ns_ != 0) return false;  // LookForDueCheckpoint asks for it
  const int64_t rested_ns = clock_->MonotonicNs() - checkpoint_ended_ns_;
  return full || rested_ns >= kCheckpointRest * checkpoint_duration_ns_ ||
         bytes_since_checkpoint_ >= options_.log_max_bytes / 2;
}

bool Node::MaybeBeginCheckpoint(bool on_loop) {
  if (mid_entry_) return true;  // the applier looks again behind the entry
  SnapshotMeta meta;
  Membership membership;
  {
    MutexLock lock(checkpoint_mu_);
    if (checkpoints_begun_ != checkpoints_done_ || !CheckpointDue()) return true;
  }
  {
    MutexLock lock(core_mu_);
    meta.conf_state = conf_state_;
    membership = membership_;
  }
  meta.index = applied_index();
  meta.term = applied_term_.load(std::memory_order_relaxed);
  if (on_loop) {
    // Locked, so that whoever asks for a checkpoint meanwhile is told right which one is his.
    MutexLock lock(checkpoint_mu_);
    if (!machine_->BeginCheckpointWithoutWaiting(meta, membership)) return false;
    CountCheckpoint();
  } else {
    {
      MutexLock lock(checkpoint_mu_);
      CountCheckpoint();
    }
    machine_->BeginCheckpoint(meta, membership);  // may wait
  }
  entries_since_checkpoint_ = 0;
  bytes_since_checkpoint_ = 0;
  MutexLock lock(checkpoint_mu_);
  checkpoint_meta_ = meta;
  checkpoint_begun_ = true;
  checkpoint_changed_.NotifyAll();
  return true;
}

void Node::CountCheckpoint() {
  checkpoint_requested_ = false;
  ++checkpoints_begun_;
}

// A checkpoint may become due when nobody applies any more: behind the rest that the last one asked for.
// One that failed leaves the log as long as it is: without a new one writes would wait for ever once
// it is full.
void Node::LookForDueCheckpoint() {
  {
    MutexLock lock(checkpoint_mu_);
    if (checkpoint_retry_ns_ != 0 && clock_->MonotonicNs() >= checkpoint_retry_ns_) {
      checkpoint_retry_ns_ = 0;
      checkpoint_requested_ = true;
    }
  }
  if (!apply_mu_.TryLock()) return;  // who applies looks
  bool due = false;
  {
    MutexLock lock(checkpoint_mu_);
    due = checkpoints_begun_ == checkpoints_done_ && CheckpointDue();
  }
  apply_mu_.Unlock();
  if (due || apply_wanted_.load()) schedule_apply_(false);
}

// As RequestCheckpoint, on a thread that may be a net loop.
void Node::WantCheckpoint() {
  {
    MutexLock lock(checkpoint_mu_);
    checkpoint_requested_ = true;
  }
  schedule_apply_(false);
}

void Node::RequestCheckpoint() {
  {
    MutexLock lock(checkpoint_mu_);
    checkpoint_requested_ = true;
  }
  BeginCheckpointSoon();  // without traffic nobody else would look
}

void Node::BeginCheckpointSoon() {
  bool look_again = true;  // who applies may be past the place where one is begun
  if (apply_mu_.TryLock()) {
    MaybeBeginCheckpoint(/*on_loop=*/false);
    apply_mu_.Unlock();
    look_again = apply_wanted_.load();  // who came meanwhile has left it to us
  }
  if (look_again) schedule_apply_(false);
}

Status Node::WaitCheckpoint(const std::atomic<bool>& given_up) {
  uint64_t wanted = 0;
  {
    MutexLock lock(checkpoint_mu_);
    wanted = checkpoints_begun_ + 1;
    checkpoint_requested_ = true;
  }
  for (;;) {
    ApplyCommitted(false);  // begins it; this may be the only worker, and an entry half applied
    MutexLock lock(checkpoint_mu_);
    if (checkpoints_done_ >= wanted) return checkpoint_status_;
    if (stopping_ || given_up) return {StatusCode::kAborted, "the server is shutting down"};
    checkpoint_changed_.WaitFor(checkpoint_mu_, std::chrono::milliseconds(100));
  }
}

Status Node::CheckpointAndCompact(int64_t timeout_ms, const std::atomic<bool>& given_up) {
  const int64_t deadline_ns = clock_->MonotonicNs() + timeout_ms * 1'000'000;
  KIWI_RETURN_IF_ERROR(WaitCheckpoint(given_up));
  while (log_->FirstIndex() <= 1) {
    if (given_up) return {StatusCode::kAborted, "the server is shutting down"};
    if (clock_->MonotonicNs() > deadline_ns) {
      return {StatusCode::kUnavailable, "the log was not compacted in time"};
    }
    WakeLogThread();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return {};
}

void Node::CheckpointThread() {
  pthread_setname_np(pthread_self(), "kiwi-checkpoint");
  for (;;) {
    SnapshotMeta meta;
    {
      MutexLock lock(checkpoint_mu_);
      while (!checkpoint_begun_ && !stopping_.load()) checkpoint_changed_.Wait(checkpoint_mu_);
      if (!checkpoint_begun_) return;
      checkpoint_begun_ = false;
      meta = checkpoint_meta_;
    }
    const int64_t start_ns = clock_->MonotonicNs();
    const Status status = machine_->RunCheckpoint();
    if (status.ok()) {
      {
        MutexLock lock(core_mu_);
        compact_to_ = meta;
      }
      // The owner of the log compacts it; if nobody owns it, we do, and leave the writes to others: this
      // thread has checkpoints to count and to begin.
      if (!storage_failed() && AcquireLog()) DriveLog(LogOwner::kCheckpointThread);
      if (const Status s = flush_log_(); !s.ok()) {
        KIWI_LOG(kWarn, "log flush after a checkpoint failed error=\"{}\"", s.ToString());
      }
    } else {
      KIWI_LOG(kError, "checkpoint failed index={} error=\"{}\"", meta.index, status.ToString());
    }
    // Given up for a snapshot that came in, it is none that the disk refused.
    checkpoint_failed_ = !status.ok() && status.code() != StatusCode::kAborted;
    CheckpointDone(meta.index, status, clock_->MonotonicNs() - start_ns);
    // With a full log nobody else would look again, because nothing is written.
    if (status.ok() && log_full_.load()) schedule_apply_(false);
  }
}

void Node::CheckpointDone(LogIndex index, const Status& status, int64_t duration_ns) {
  MutexLock lock(checkpoint_mu_);
  checkpoint_status_ = status;
  checkpoint_ended_ns_ = clock_->MonotonicNs();
  checkpoint_duration_ns_ = duration_ns;
  const int64_t rest_ns =
      std::max(options_.checkpoint_retry_ms * 1'000'000, kCheckpointRest * duration_ns);
  checkpoint_retry_ns_ = status.ok() ? 0 : checkpoint_ended_ns_ + rest_ns;
  if (status.ok()) {
    checkpointed_index_ = index;
    checkpoint_unix_ms_ = clock_->WallMs();
  }
  ++checkpoints_done_;
  checkpoint_changed_.NotifyAll();
}

}  // namespace kiwi::raft
