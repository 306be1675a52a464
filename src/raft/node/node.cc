#include "raft/node/node.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/ticks.h"
#include "raft/node/entry_codec.h"

namespace kiwi::raft {
namespace {

// Those that a membership names besides `self`.
std::vector<NodeId> Others(const ConfState& state, NodeId self) {
  std::vector<NodeId> others;
  for (const auto* ids : {&state.voters, &state.learners, &state.voters_outgoing}) {
    std::copy_if(ids->begin(), ids->end(), std::back_inserter(others),
                 [self](NodeId id) { return id != self; });
  }
  return others;
}

// How long a caller of ApplyCommitted is kept: a net loop has sockets to serve, others have
// deadlines to look at.
constexpr int64_t kLoopApplyNs = 1'000'000;
constexpr int64_t kApplyNs = 20'000'000;
constexpr int64_t kNoBudget = std::numeric_limits<int64_t>::max();

// Reads no clock before the second entry: most callers find one.
class ApplyBudget {
 public:
  explicit ApplyBudget(int64_t ns) : ns_(static_cast<uint64_t>(ns)) {}
  // To be asked before each entry.
  bool Spent() {
    if (!std::exchange(any_, true)) return false;
    const uint64_t now = Ticks::Now();
    if (since_ == 0) since_ = now;
    return Ticks::ToNs(since_, now) > ns_;
  }

 private:
  const uint64_t ns_;
  bool any_ = false;
  uint64_t since_ = 0;
};

}  // namespace

Node::Node(const NodeOptions& options, Storage* log, std::function<Status()> resume_log,
           std::function<Status()> flush_log, StateMachine* machine, Clock* clock)
    : options_(options),
      log_(log),
      fetcher_(log),
      resume_log_(std::move(resume_log)),
      flush_log_(std::move(flush_log)),
      machine_(machine),
      clock_(clock),
      fsync_(options.fsync),
      read_mode_(options.read_mode),
      entry_clock_(clock, options.clock_ms),
      forwarded_(Random(options.core.random_seed).Next()),
      random_(options.core.random_seed),
      membership_(options.membership) {}

Node::~Node() { Stop(); }

void Node::SetScheduler(std::function<void(bool)> schedule_apply) {
  schedule_apply_ = std::move(schedule_apply);
}

Status Node::Start() {
  CoreOptions core_options = options_.core;
  bool alone = false;
  LogIndex last = 0;
  {
    MutexLock lock(core_mu_);
    KIWI_ASSIGN_OR_RETURN(const InitialState initial, log_->GetInitialState());
    conf_state_ = initial.conf_state;
    written_hard_state_ = initial.hard_state;
    if (const std::vector<NodeId> others = Others(conf_state_, core_options.id);
        peers_ == nullptr && !others.empty()) {
      return {StatusCode::kConfig,
              "this node (" + std::to_string(core_options.id) +
                  ") is a member of a group: its log names node " + std::to_string(others.front()) +
                  " too, and without raft.port it would reach nobody and serve nobody; set "
                  "raft.port as it was, or begin with an empty dir"};
    }
    KIWI_ASSIGN_OR_RETURN(core_, RawNode::Create(core_options, &fetcher_));
    applied_index_ = core_options.applied;
    KIWI_ASSIGN_OR_RETURN(const Term applied_term, log_->TermAt(core_options.applied));
    applied_term_ = applied_term;
    alone = conf_state_.voters == std::vector<NodeId>{core_options.id} &&
            conf_state_.voters_outgoing.empty();
    tick_base_ns_ = clock_->MonotonicNs();
    meter_.Begin(tick_base_ns_);
    distrusted_ = core_->distrusted();
    if (alone) KIWI_RETURN_IF_ERROR(core_->Campaign());
    if (peers_ != nullptr) peers_->MembersChanged(membership_);
  }
  log_thread_ = std::thread([this] { LogThread(); });
  checkpoint_thread_ = std::thread([this] { CheckpointThread(); });
  if (peers_ != nullptr) tick_thread_ = std::thread([this] { TickThread(); });
  if (!alone) {
    fetcher_.Start([this] { OnEntriesFetched(); });
    return {};
  }

  const LogIndex replay_from = core_options.applied;
  do {
    if (storage_failed())
      return {StatusCode::kIo, "the log does not take the vote: " + storage_error()};
    if (AcquireLog()) DriveLog(LogOwner::kLifecycle);
    ApplyFor(kNoBudget, false);
    MutexLock lock(core_mu_);
    UpdateReadAllowed();
    last = core_->last_index();
  } while (!ReadAllowed() || applied_index() < last);
  if (peers_ != nullptr) fetcher_.Start([this] { OnEntriesFetched(); });
  KIWI_LOG(kInfo, "raft leader node={} applied={} replayed={}", core_options.id, applied_index(),
           applied_index() - replay_from);
  return {};
}

void Node::Stop() {
  if (stopping_.exchange(true)) return;
  {
    MutexLock lock(core_mu_);
    if (core_ == nullptr) return;  // it was never started
  }
  std::vector<Proposal*> waiting;
  queue_.TakeAll(&waiting);
  FailAll(&waiting, ProposalError::kShutdown);
  std::vector<ReadWaiter*> reads;
  {
    MutexLock lock(core_mu_);
    FailForwarded();
    reads_.TakeAll(&reads);
  }
  for (ReadWaiter* read : reads) read->ReadRefused();
  WakeLogThread();
  if (tick_thread_.joinable()) tick_thread_.join();
  {
    MutexLock lock(checkpoint_mu_);
    checkpoint_changed_.NotifyAll();
  }
  if (checkpoint_thread_.joinable()) checkpoint_thread_.join();
  if (log_thread_.joinable()) {
    log_thread_.join();
    FinishLog();
  }
  fetcher_.Stop();
  queue_.Close();
  {
    MutexLock lock(core_mu_);
    RefuseWaiting(ProposalError::kShutdown);
    FailForwarded();  // of what was being composed meanwhile
  }
  FinishApplying();
  if (!storage_failed()) {
    const Status s = log_->Sync();
    stopped_clean_ = s.ok();
    if (!s.ok()) KIWI_LOG(kError, "log sync at shutdown failed error=\"{}\"", s.ToString());
  }
  std::deque<InFlight> lost;
  {
    MutexLock lock(core_mu_);
    lost.swap(in_flight_);
  }
  for (InFlight& entry : lost) FailAll(&entry.proposals, ProposalError::kUnknown);
}

// Writes what was composed, and keeps the log: nobody composes any more. A failed disk may have it
// instead.
void Node::FinishLog() {
  for (;;) {
    if (AcquireLog()) {
      if (storage_failed() || !LogWanted()) return;
      DriveLog(LogOwner::kLifecycle);
    } else if (has_failed_work_.load()) {
      return;
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the owner sees that we stop
    }
  }
}

// What is committed of this node's own clients is applied, whoever was to do it: the log fetcher
// that had still to read it, or a loop that is not asked any more. The rest the next start applies.
void Node::FinishApplying() {
  {
    MutexLock lock(core_mu_);
    core_->OnEntriesFetched();  // from now on they are read at once
  }
  for (;;) {
    ApplyFor(kNoBudget, false);
    apply_mu_.Lock();  // whoever applies now has done so then
    bool left = !applying_.empty();
    apply_mu_.Unlock();
    MutexLock lock(core_mu_);
    if (!in_flight_.empty() && in_flight_.front().index <= core_->commit_index()) TakeReadys();
    left = left || !committed_.empty();
    if (!left) return;
  }
}

void Node::FailAll(std::vector<Proposal*>* proposals, ProposalError error) {
  for (Proposal* proposal : *proposals) proposal->Failed(error);
  proposals->clear();
}

void Node::Propose(Proposal* proposal) {
  if (stopping_.load(std::memory_order_relaxed)) {
    proposal->Failed(ProposalError::kShutdown);
  } else if (storage_failed()) {
    proposal->Failed(ProposalError::kStorage);
  } else if (!queue_.Push(proposal)) {
    proposal->Failed(ProposalError::kShutdown);
  }
}

void Node::Kick(bool on_loop) {
  if (queue_.empty()) return;
  // The owner looks at the queue once more after it lets go, so a busy log needs no wake-up.
  if (fsync_mode() == FsyncMode::kAlways && !SyncsAreQuick()) {
    if (!log_owned_.load()) WakeLogThread();
    return;
  }
  if (!AcquireLog()) return;
  DriveLog(LogOwner::kProposer);
  ApplyCommitted(on_loop);
}

void Node::ApplyCommitted(bool on_loop) { ApplyFor(on_loop ? kLoopApplyNs : kApplyNs, on_loop); }

void Node::ApplyFor(int64_t budget_ns, bool on_loop) {
  ApplyBudget budget(budget_ns);
  apply_wanted_.store(true);
  while (apply_wanted_.load()) {
    if (!apply_mu_.TryLock()) return;  // the holder looks at apply_wanted_ after it lets go
    apply_wanted_.store(false);
    bool left_for_worker = false;
    bool freeze_left = false;  // entries need not wait for it
    for (;;) {
      freeze_left = !MaybeBeginCheckpoint(on_loop);
      if (applying_.empty()) {
        MutexLock lock(core_mu_);
        applying_.swap(committed_);
      }
      if (applying_.empty()) break;
      left_for_worker = budget.Spent() || !ApplyOne(applying_.front(), on_loop);
      if (left_for_worker) break;
      applying_.pop_front();
    }
    Consequences consequences;
    {
      MutexLock lock(core_mu_);
      core_->OnApplied(applied_index());
      // Alone there may be more to take: the core hands out what is committed in portions.
      if (peers_ != nullptr || core_->HasReady()) {
        consequences = Settle();
      } else {
        UpdateReadAllowed();
      }
    }
    // What has become committed by it is applied in the next round.
    if (std::exchange(consequences.apply, false)) apply_wanted_.store(true);
    apply_mu_.Unlock();
    Dispatch(consequences);
    if (left_for_worker || freeze_left) schedule_apply_(false);
    if (left_for_worker) return;
  }
}

bool Node::ApplyOne(Committed& committed, bool on_loop) {
  if (on_loop && (!committed.ours || committed.origin.slow)) return false;
  if (committed.stage) {
    InstallSnapshot(committed);
    return true;
  }
  const Entry& entry = committed.entry;
  if (entry.index <= applied_index()) return true;  // contained in the snapshot that came before it
  KIWI_CHECK(entry.index == applied_index() + 1, "entries must be applied in order, each once");
  if (entry.type == EntryType::kConfChange) {
    ApplyConfChange(entry);
  } else if (!entry.bytes().empty()) {
    std::string_view bytes = entry.bytes();
    Envelope envelope;
    Status status = ReadEnvelope(&bytes, &envelope);
    if (status.ok()) entry_clock_.Observe(envelope.time_ms);
    const uint64_t start = Ticks::Now();
    if (status.ok() && on_loop) {
      status = machine_->ApplyWithoutWaiting(entry, committed.origin.proposals);
      mid_entry_ = status.code() == StatusCode::kBusy;
      if (mid_entry_) return false;
    } else if (status.ok()) {
      status = machine_->Apply(entry, committed.origin.proposals);
      mid_entry_ = false;
    }
    apply_times_.Record(Ticks::ToNs(start, Ticks::Now()));
    if (!status.ok()) {
      KIWI_LOG(kError, "entry does not apply index={} error=\"{}\"", entry.index,
               status.ToString());
      KIWI_CHECK(false, "a committed entry cannot be applied by this build: refusing to diverge");
    }
  }
  applied_term_.store(entry.term, std::memory_order_relaxed);
  applied_index_.store(entry.index, std::memory_order_release);
  ++entries_since_checkpoint_;
  bytes_since_checkpoint_ += entry.bytes().size();
  return true;
}

void Node::UpdateReadAllowed() {
  const uint64_t end = core_->LeaseEndTick();
  const bool lease = end == kNoLimit || read_mode_.load() == ReadMode::kLease ? end != 0 : false;
  if (lease && !was_leader_) read_barrier_ = core_->commit_index();
  was_leader_ = lease;
  int64_t until_ns = 0;
  if (lease && applied_index() >= read_barrier_) {
    // Tick n is never counted before its time, so a lease that began at it began no later.
    until_ns = end == kNoLimit
                   ? kAlways
                   : tick_base_ns_ + static_cast<int64_t>(end) * options_.tick_ms * 1'000'000;
  }
  read_until_ns_.store(until_ns, std::memory_order_release);
}

std::string Node::storage_error() const {
  MutexLock lock(core_mu_);
  return storage_status_.ok() ? "" : storage_status_.ToString();
}

void Node::SetFsyncMode(FsyncMode mode) {
  fsync_.store(mode);
  // What was written under a laxer mode becomes durable with the next sync at the latest.
  WakeLogThread();
}

GroupFigures Node::GetFigures() const {
  GroupFigures figures;
  {
    MutexLock lock(core_mu_);
    figures = meter_.figures();
  }
  figures.sync.Add(sync_times_);
  figures.apply.Add(apply_times_);
  return figures;
}

NodeStatus Node::GetStatus() const {
  NodeStatus status;
  {
    MutexLock lock(core_mu_);
    status.id = core_->id();
    status.leader = core_->leader();
    status.role = core_->role();
    status.term = core_->term();
    status.first_index = core_->first_index();
    status.last_index = core_->last_index();
    status.commit_index = core_->commit_index();
    status.conf_state = conf_state_;
    status.membership = membership_;
    status.peers = core_->Progress();
    status.distrusted = core_->distrusted();
    if (!storage_status_.ok()) status.storage_error = storage_status_.ToString();
  }
  status.applied_index = applied_index();
  if (Result<SnapshotMeta> snapshot = log_->GetSnapshot(); snapshot.ok()) {
    status.snapshot_index = snapshot->index;
  }
  status.log_bytes = log_->SizeBytes();
  status.entries_composed = entries_composed_.load();
  status.log_writes = log_writes_.load();
  status.log_syncs = log_syncs_.load();
  status.proposals_waiting = queue_.size();
  status.forwards_under_way = forwarded_.bytes();
  MutexLock lock(checkpoint_mu_);
  status.checkpoints = checkpoints_done_;
  status.checkpoint_running = checkpoints_begun_ != checkpoints_done_;
  status.checkpoint_ok = checkpoint_status_.ok();
  status.last_checkpoint_unix_ms = checkpoint_unix_ms_;
  return status;
}

}  // namespace kiwi::raft
