// The log owner's half of the node: compose, persist, commit; and what happens when the disk
// refuses.
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <utility>

#include "base/log.h"
#include "base/ticks.h"
#include "raft/node/entry_codec.h"
#include "raft/node/node.h"

namespace kiwi::raft {
namespace {

constexpr size_t kEnvelopeRoom = 32;
// Copying more than this takes longer than anybody should wait for the core.
constexpr size_t kLargeCopy = 256 << 10;
// Writing more than this is the log thread's: a proposer may be a net loop.
constexpr size_t kLargeWrite = 4 << 20;
// A net loop goes back to its sockets after so many log batches, whatever other loops propose.
constexpr int kWritesByProposer = 4;
constexpr int kAllWrites = std::numeric_limits<int>::max();
// The log thread looks so often at what else it has to do, however much is proposed.
constexpr int64_t kTurnMs = 100;
constexpr int64_t kNoEnd = std::numeric_limits<int64_t>::max();

}  // namespace

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
  const auto patience = std::chrono::milliseconds(kTurnMs);
  int64_t next_sync_ns = clock_->MonotonicNs();
  uint64_t looked = Ticks::Now();  // a test's clock may stand still
  for (;;) {
    {
      MutexLock lock(wake_mu_);
      const bool idle = !log_wanted_ && !storage_failed() && !stopping_.load();
      if (idle) wake_.WaitFor(wake_mu_, patience);
      log_wanted_ = false;
    }
    if (storage_failed()) {
      RecoverStorage();
      if (storage_failed() && stopping_.load()) return;
      if (storage_failed()) continue;
    }
    if (AcquireLog()) DriveLog(LogOwner::kLogThread);
    if (Ticks::ToNs(looked, Ticks::Now()) >= kTurnMs * 1'000'000) {
      looked = Ticks::Now();
      LookForDueCheckpoint();
    }
    const int64_t now = clock_->MonotonicNs();
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
  const auto composable = [this] { return !log_full_.load() && !compose_blocked_.load(); };
  if (!queue_.empty() && composable()) return true;
  MutexLock lock(core_mu_);
  if (!composing_.empty() && composable()) return true;
  return compact_to_.index != 0 || !next_work_.empty() || core_->HasReady();
}

// Lets go of the log. Whoever proposed meanwhile has seen it owned and left the work to us.
void Node::ReleaseLog() { log_owned_.store(false); }

// Called by the owner; when it returns the log is free, or stays owned because the storage failed
// (the log thread then recovers it).
void Node::DriveLog(LogOwner owner) {
  const bool by_proposer = owner == LogOwner::kProposer;
  const bool on_log_thread = owner == LogOwner::kLogThread;
  const bool caller_applies = by_proposer || owner == LogOwner::kLifecycle;
  const bool bounded = by_proposer || owner == LogOwner::kCheckpointThread;
  int max_writes = kAllWrites;
  if (bounded) max_writes = by_proposer ? kWritesByProposer : 1;
  const int64_t end_ns = on_log_thread ? clock_->MonotonicNs() + kTurnMs * 1'000'000 : kNoEnd;
  for (;;) {
    if (!by_proposer) CompactLog();
    if (storage_failed()) return ReleaseLog();
    LogWork work;
    Consequences consequences;
    bool hand_over = on_log_thread && clock_->MonotonicNs() >= end_ns;  // to itself, a little later
    {
      MutexLock lock(core_mu_);
      hand_over = hand_over || (by_proposer && compact_to_.index != 0);
      if (!hand_over && max_writes > 0) hand_over = !Compose(bounded);
      consequences = Settle();
      // Peers may bring entries faster than this disk takes them: without end.
      const bool done = max_writes <= 0 && next_work_.persists();
      const bool too_large = bounded && next_work_.entry_bytes() >= kLargeWrite;
      hand_over = hand_over || done || too_large;
      if (!hand_over) work = std::exchange(next_work_, {});
      log_busy_ = !work.empty();
    }
    // What the last round made durable is applied while this one's write waits for the disk.
    consequences.log = false;
    if (caller_applies) consequences.apply = false;
    Dispatch(consequences);
    if (hand_over) {
      ReleaseLog();
      return WakeLogThread();
    }
    if (work.empty()) {
      ReleaseLog();
      if (!LogWanted()) return;
      if (max_writes <= 0) return WakeLogThread();
      if (!AcquireLog()) return;
      continue;
    }
    --max_writes;
    const bool sync = fsync_mode() == FsyncMode::kAlways || work.must_sync;
    if (const Status s = work.persists() ? WriteLog(work, sync) : Status(); !s.ok()) {
      failed_work_ = std::move(work);
      has_failed_work_.store(true);
      StorageFailed(s);
      return;  // still the owner
    }
    Persisted(std::move(work));
    // A proposer may be a net loop: what comes after a sync that stalled is the log thread's.
    if (sync && bounded && !SyncsAreQuick()) max_writes = 0;
  }
}

bool Node::Compose(bool by_proposer) {
  if (stopping_.load()) {
    RefuseWaiting(ProposalError::kShutdown);
    return true;
  }
  if (log_full_.load()) {
    if (checkpoint_failed_.load()) RefuseWaiting(ProposalError::kStorage);
    return true;
  }
  const bool leads = core_->role() == Role::kLeader;
  const NodeId leader = core_->leader();
  if (!leads) RefuseRemote();
  if (!leads && (leader == kNoNode || peers_ == nullptr)) {
    BlockComposing();
    return true;
  }
  if (!leads && forwarded_.bytes() > options_.forward_window_bytes) {
    compose_blocked_ = true;
    return true;
  }
  if (composing_.empty()) queue_.Take(options_.max_entry_bytes, &composing_);
  if (composing_.empty()) return true;
  size_t bytes = 0;
  for (const Proposal* proposal : composing_) {
    bytes += proposal->origin_record().size() + proposal->records().size();
  }
  if (by_proposer && bytes >= kLargeWrite) return false;
  if (leads) {
    // Too much is uncommitted, or the leadership is on its way elsewhere.
    if (const Status taken = core_->CanPropose(kEnvelopeRoom + bytes); taken.ok()) {
      ComposeEntry(bytes);
    } else if (taken.code() == StatusCode::kNotLeader) {
      BlockComposing();
    } else if (peers_ != nullptr) {
      compose_blocked_ = true;  // until the next tick; alone, the log's own write makes room
    }
  } else {
    ForwardToLeader(leader, bytes);
  }
  return true;
}

void Node::RefuseWaiting(ProposalError error) {
  std::vector<Proposal*> refused = std::exchange(composing_, {});
  queue_.TakeAll(&refused);
  FailAll(&refused, error);
  blocked_since_ns_ = 0;
}

// The nodes that forwarded them find the leader themselves.
void Node::RefuseRemote() {
  std::vector<Proposal*> remote;
  queue_.TakeRemote(&remote);
  std::erase_if(composing_, [&remote](Proposal* proposal) {
    if (proposal->remote()) remote.push_back(proposal);
    return proposal->remote();
  });
  FailAll(&remote, ProposalError::kNotLeader);
}

// Until the tick thread looks again, or a leader is known.
void Node::BlockComposing() {
  if (queue_.empty() && composing_.empty()) {
    blocked_since_ns_ = 0;
    return;
  }
  compose_blocked_ = true;
  if (blocked_since_ns_ == 0) blocked_since_ns_ = clock_->MonotonicNs();
}

void Node::ComposeEntry(size_t bytes) {
  InFlight entry;
  entry.proposals.swap(composing_);
  for (Proposal* proposal : entry.proposals) {
    entry.slow = entry.slow || proposal->slow();
    entry.timed = entry.timed || proposal->log_times() != nullptr;
  }
  auto payload = std::make_shared<std::string>();
  const Term term = core_->term();
  const Envelope envelope{.time_ms = entry_clock_.Stamp(), .seed = random_.Next()};
  const auto compose = [&] {
    payload->reserve(kEnvelopeRoom + bytes);
    AppendEnvelope(envelope, payload.get());
    for (const Proposal* proposal : entry.proposals) {
      payload->append(proposal->origin_record()).append(proposal->records());
    }
  };
  if (bytes < kLargeCopy) {
    compose();
  } else {
    Unlocked(compose);
  }

  Result<ProposeResult> proposed = Status(StatusCode::kNotLeader, "the term is over");
  // Of another term, it could have been stamped before what lies in the log by now.
  if (core_->term() == term) proposed = core_->Propose(std::move(payload));
  if (!proposed.ok()) {
    composing_.swap(entry.proposals);
    compose_blocked_ = peers_ != nullptr;  // until the next tick
    return;
  }
  blocked_since_ns_ = 0;
  entry.term = proposed->term;
  entry.index = proposed->index;
  if (entry.timed) entry.times.proposed = Ticks::Now();
  in_flight_.push_back(std::move(entry));
  entries_composed_.fetch_add(1, std::memory_order_relaxed);
}

void Node::ForwardToLeader(NodeId leader, size_t bytes) {
  std::vector<Proposal*> proposals = std::exchange(composing_, {});
  const uint64_t first = forwarded_.Reserve(proposals.size());
  std::string message;
  const auto encode = [&] { message = forwarded_.Encode(first, proposals); };
  if (bytes < kLargeCopy) {
    encode();
  } else {
    Unlocked(encode);
  }
  for (Proposal* proposal : proposals) {  // before the answer, which may apply them
    if (LogTimes* const times = proposal->log_times()) *times = {.proposed = Ticks::Now()};
  }
  forwarded_.Add(first, proposals);
  if (core_->leader() == leader && peers_->Forward(leader, std::move(message)).ok()) {
    blocked_since_ns_ = 0;
    return;
  }
  forwarded_.Undo(first, proposals.size());
  composing_.swap(proposals);
  if (core_->leader() == leader) {
    BlockComposing();
  } else {
    compose_blocked_ = true;  // another leads, perhaps this node: the next tick looks
  }
}

// The proposals at hand are the log owner's alone meanwhile: in no queue that others may empty.
template <typename Copy>
void Node::Unlocked(const Copy& copy) {
  core_mu_.Unlock();
  copy();
  core_mu_.Lock();
}

void Node::OnEntriesFetched() {
  Consequences consequences;
  {
    MutexLock lock(core_mu_);
    core_->OnEntriesFetched();
    consequences = Settle();
  }
  Dispatch(consequences);
}

void Node::TakeReadys() {
  while (core_->HasReady()) TakeReady();
}

void Node::TakeReady() {
  Ready ready = core_->TakeReady();
  // Before anybody is told of it: whoever acts on it must not find older reads here.
  commit_index_.store(core_->commit_index(), std::memory_order_release);
  KIWI_CHECK(peers_ != nullptr || (ready.messages.empty() && ready.messages_after_persist.empty()),
             "a group of one voter has nobody to write to");
  SendAll(&ready.messages);
  if (ready.soft_state) OnSoftState(*ready.soft_state);
  if (ready.snapshot) TakeSnapshot(&ready);
  if (ready.hard_state) {
    pending_commit_ = *ready.hard_state;
    has_pending_commit_ = true;
    if (ready.hard_state->term != written_hard_state_.term ||
        ready.hard_state->vote != written_hard_state_.vote) {
      next_work_.must_sync = true;
    }
  }
  for (Entry& entry : ready.entries) {
    // A later Ready may replace what an earlier one of this round brought.
    while (!next_work_.entries.empty() && next_work_.entries.back().index >= entry.index) {
      next_work_.entries.pop_back();
    }
    // A node must not forget who else there is: alone again, it would elect itself.
    if (entry.type == EntryType::kConfChange) next_work_.must_sync = true;
    next_work_.entries.push_back(std::move(entry));
  }
  QueueCommitted(std::move(ready.committed_entries));
  for (const ReadState& state : ready.read_states) reads_.Answered(state.token, state.index);
  for (const uint64_t token : ready.read_tokens_dropped) reads_.Dropped(token);
  core_->Advance(ready.number);
  next_work_.ready_number = ready.number;
  std::move(ready.messages_after_persist.begin(), ready.messages_after_persist.end(),
            std::back_inserter(next_work_.messages));
  // The commit index alone needs no write of its own: it travels with the next entries, and a
  // restart finds it again by election.
  const bool write = next_work_.must_sync || !next_work_.entries.empty() ||
                     next_work_.conf_state.has_value() || next_work_.snapshot.has_value();
  if (has_pending_commit_ && write) {
    next_work_.hard_state = pending_commit_;
    next_work_.has_hard_state = true;
    written_hard_state_ = pending_commit_;
    has_pending_commit_ = false;
  }
  if (!write && !log_busy_) {
    core_->OnPersisted(ready.number);
    SendAll(&next_work_.messages);
  }
}

void Node::QueueCommitted(std::vector<Entry> entries) {
  for (Entry& entry : entries) {
    Committed committed;
    // Entries of ours that another leader's entry has displaced are lost.
    while (!in_flight_.empty() && in_flight_.front().index <= entry.index) {
      InFlight& front = in_flight_.front();
      if (front.index == entry.index && front.term == entry.term) {
        if (front.timed) NoteCommitted(&front);
        committed.ours = true;
        committed.origin = std::move(front);
      } else {
        FailAll(&front.proposals, ProposalError::kUnknown);
      }
      in_flight_.pop_front();
    }
    // Behind an entry of a later term, none of an earlier one can be.
    while (!in_flight_.empty() && in_flight_.front().term < entry.term) {
      FailAll(&in_flight_.front().proposals, ProposalError::kUnknown);
      in_flight_.pop_front();
    }
    committed.entry = std::move(entry);
    committed_.push_back(std::move(committed));
  }
}

void Node::NoteCommitted(InFlight* entry) {
  entry->times.committed = Ticks::Now();
  meter_.OnCommitted(Ticks::ToNs(entry->times.proposed, entry->times.committed));
  for (Proposal* proposal : entry->proposals) {
    if (LogTimes* const times = proposal->log_times()) *times = entry->times;
  }
}

// Of those that are not committed yet: else others' disks were faster.
void Node::NoteSynced(const LogWork& work) {
  if (work.entries.empty()) return;
  uint64_t now = 0;
  for (InFlight& entry : in_flight_) {
    if (entry.index > work.entries.back().index) break;
    if (!entry.timed || entry.times.synced != 0) continue;
    if (now == 0) now = Ticks::Now();
    entry.times.synced = now;
  }
}

Status Node::WriteLog(const LogWork& work, bool sync) {
  LogBatch batch;
  if (work.has_hard_state) batch.hard_state = &work.hard_state;
  if (!work.entries.empty()) batch.entries = &work.entries;
  if (work.conf_state) batch.conf_state = &*work.conf_state;
  if (work.snapshot) {
    batch.snapshot = &*work.snapshot;
    batch.state_dir = &work.stage->state_dir();
  }
  batch.sync = sync;
  const int64_t start_ns = sync ? clock_->MonotonicNs() : 0;
  sync_since_ns_.store(start_ns, std::memory_order_relaxed);
  const Status written = log_->Write(batch);
  sync_since_ns_.store(0, std::memory_order_relaxed);
  KIWI_RETURN_IF_ERROR(written);
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
  sync_times_.Record(static_cast<uint64_t>(std::max<int64_t>(0, ns)));
  const int64_t smoothed = sync_ns_.load(std::memory_order_relaxed);
  const bool first = smoothed == std::numeric_limits<int64_t>::max();
  const bool stalled = ns > 4 * options_.inline_sync_us * 1000;
  sync_ns_.store(first || stalled ? ns : smoothed + (ns - smoothed) / 8, std::memory_order_relaxed);
}

void Node::Persisted(LogWork work) {
  Consequences consequences;
  {
    MutexLock lock(core_mu_);
    if (work.snapshot) {
      Committed install;
      install.snapshot = *work.snapshot;
      install.stage = std::move(work.stage);
      committed_.push_back(std::move(install));
    }
    NoteSynced(work);
    core_->OnPersisted(work.ready_number);
    SendAll(&work.messages);
    log_busy_ = false;
    // With peers the owner of the log may be about to sleep: the rest is taken now.
    if (peers_ != nullptr) consequences = Settle();
  }
  consequences.log = false;  // the owner looks again
  Dispatch(consequences);
  log_full_.store(log_->SizeBytes() > options_.log_max_bytes);
  if (log_full_.load() && !checkpoint_failed_.load()) WantCheckpoint();
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
    blocked_since_ns_ = 0;
    FailForwarded();
    // Another node's disk may be well.
    if (core_->role() == Role::kLeader && peers_ != nullptr) {
      if (const NodeId next = FurthestPeer().id; next != kNoNode)
        (void)core_->TransferLeadership(next);
    }
  }
  for (InFlight& entry : unknown) FailAll(&entry.proposals, ProposalError::kUnknown);
  queue_.TakeAll(&waiting);
  FailAll(&waiting, ProposalError::kStorage);
  WakeLogThread();
}

// The handover that was tried when the storage failed found nobody to lead, maybe. Who has all that this
// leader has sent since has a disk that takes it.
void Node::LeaveToHealthyDisk() {
  MutexLock lock(core_mu_);
  if (peers_ == nullptr || core_->role() != Role::kLeader) return;
  const Furthest next = FurthestPeer();
  if (next.id == kNoNode || next.match < core_->last_index()) return;
  (void)core_->TransferLeadership(next.id);
}

// Each attempt reads the whole log: only Stop cuts the pause short.
void Node::PauseRecovery() {
  const auto pause = std::chrono::nanoseconds(options_.storage_retry_ms * 1'000'000);
  const uint64_t start = Ticks::Now();  // the time of the wait, which is not clock_'s
  MutexLock lock(wake_mu_);
  while (!stopping_.load()) {
    const auto passed = std::chrono::nanoseconds(Ticks::ToNs(start, Ticks::Now()));
    if (passed >= pause) return;
    log_wanted_ = false;  // or Stop would not wake us; a log that is well again is driven anyway
    wake_.WaitFor(wake_mu_, pause - passed);
  }
}

// On the log thread, while the storage is failed. Proves the disk writable again, then writes anew
// what failed: into new files, never by repeating the sync that failed.
void Node::RecoverStorage() {
  PauseRecovery();
  {
    MutexLock lock(core_mu_);
    RefuseWaiting(ProposalError::kStorage);
    // Composed while the storage failed: it is written, but may not come to be applied.
    for (InFlight& entry : in_flight_) FailAll(&entry.proposals, ProposalError::kUnknown);
    FailForwarded();
  }

  const bool owned = has_failed_work_.load();  // else it was the sync of everysec that failed
  if (!owned && !AcquireLog()) return;         // nobody writes to the log while it is resumed
  Status status = resume_log_();
  if (status.ok()) status = owned ? WriteLog(failed_work_, true) : log_->Sync();
  // The write that failed had reached the disk after all, as a whole.
  if (owned && status.code() == StatusCode::kSnapshotOutOfDate) status = {};
  Consequences consequences;
  {
    MutexLock lock(core_mu_);
    if (status.ok() && !core_->error().ok()) {
      core_->ReadAgain();
      consequences = Settle();
      status = core_->error();
    }
    storage_status_ = status;
    // A write that failed while we looked at the sync alone is for the next try.
    if (status.ok() && owned == has_failed_work_.load()) storage_failed_.store(false);
  }
  Dispatch(consequences);
  if (!owned) ReleaseLog();
  if (storage_failed()) return LeaveToHealthyDisk();
  KIWI_LOG(kInfo, "log storage takes writes again");
  if (owned) {
    has_failed_work_.store(false);
    Persisted(std::exchange(failed_work_, {}));
    DriveLog(LogOwner::kLogThread);
  }
}

// What a peer that is heard of has not got yet stays in the log, as far as the log may grow: entries
// catch it up at less cost than a snapshot.
LogIndex Node::WantedByPeers() {
  if (peers_ == nullptr || log_->SizeBytes() > options_.log_max_bytes / 2) return kNoLimit;
  LogIndex wanted = peers_->WantedLogEnd();
  MutexLock lock(core_mu_);
  for (const RawNode::PeerProgress& peer : core_->Progress()) {
    if (peer.recently_active && peer.match > 0) wanted = std::min(wanted, peer.match);
  }
  return wanted;
}

void Node::CompactLog() {
  SnapshotMeta meta;
  {
    MutexLock lock(core_mu_);
    meta = std::exchange(compact_to_, {});
  }
  if (meta.index == 0) return;
  Status status = log_->CreateSnapshot(meta);
  LogIndex to = meta.index;
  if (status.code() == StatusCode::kSnapshotOutOfDate) {
    // Nothing came since the last one. What was kept for peers then may not be wanted any more.
    const Result<SnapshotMeta> last = log_->GetSnapshot();
    status = last.status();
    if (last.ok()) to = last->index;
  }
  to = std::min(to, WantedByPeers());
  if (status.ok() && to >= log_->FirstIndex()) status = log_->Compact(to);
  if (!status.ok()) {
    KIWI_LOG(kWarn, "log compaction failed index={} error=\"{}\"", meta.index, status.ToString());
  }
  if (status.code() == StatusCode::kIo || status.code() == StatusCode::kNoSpace) {
    {
      MutexLock lock(core_mu_);  // once the log takes writes again
      if (compact_to_.index < meta.index) compact_to_ = meta;
    }
    StorageFailed(status);
  }
  log_full_.store(log_->SizeBytes() > options_.log_max_bytes);
}

}  // namespace kiwi::raft
