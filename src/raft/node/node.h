// Runs the core on real threads and a real log: composes proposals into entries, persists, applies.
//
// Who does what:
//   - the log owner: at most one thread at a time composes entries, takes Readys and writes the
//     log. That is whoever proposed, for a bounded number of writes: an unsynced write (everysec,
//     no) is only a copy into the page cache, and with fsync always it does so as long as syncs are
//     quick. Else it is the log thread, because it waits for the disk.
//   - the applier: any thread under apply_mu_. A net loop may apply what is fast (the scheduler
//     hook decides which thread is asked); the rest goes to a worker.
//   - the checkpoint thread writes what the applier froze.
//   - in a group with peers, the tick thread is the core's clock, and the transport's thread steps
//     what they send. Neither ever waits for the disk: heartbeats go out whatever it does. What the
//     core wants to read back from there, the log fetcher's thread reads (log_fetcher.h).
// Whoever has called the core takes its Readys (TakeReadys): messages leave at once, what is to be
// persisted gathers in next_work_ for the log owner, what is committed in committed_ for the applier.
// core_mu_ guards the core and is never held over I/O or apply.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "raft/core/raw_node.h"
#include "raft/node/entry_clock.h"
#include "raft/node/forwarding.h"
#include "raft/node/group_meter.h"
#include "raft/node/log_fetcher.h"
#include "raft/node/members.h"
#include "raft/node/peers.h"
#include "raft/node/proposal.h"
#include "raft/node/read_queue.h"
#include "raft/node/state_machine.h"

namespace kiwi::raft {

enum class FsyncMode : uint8_t { kAlways, kEverysec, kNo };
// How a leader makes sure that nobody else leads: by its lease (bounded clock drift), or by asking a
// quorum for each read.
enum class ReadMode : uint8_t { kLease, kReadIndex };

struct NodeOptions {
  CoreOptions core;
  FsyncMode fsync = FsyncMode::kAlways;
  size_t max_entry_bytes = 1 << 20;        // of records composed into one entry
  uint64_t snapshot_entries = 10'000;      // a checkpoint is due after so many entries …
  uint64_t snapshot_bytes = 100ULL << 20;  // … or so many bytes of log
  // Beyond it, composing waits for the log to shrink, or refuses if the last checkpoint failed.
  uint64_t log_max_bytes = 500ULL << 20;
  int64_t storage_retry_ms = 200;      // how often a failed log is tried anew
  int64_t checkpoint_retry_ms = 1000;  // how soon a failed checkpoint is, at the earliest
  // While syncs take less than this, whoever proposed writes and syncs the log by itself: handing
  // over to the log thread and back costs more than such a wait (docs/decisions/012). 0: never.
  int64_t inline_sync_us = 300;
  int64_t tick_ms = 100;
  int64_t clock_ms = 0;  // the replicated clock of what the state machine already holds
  ReadMode read_mode = ReadMode::kLease;
  // Reads and writes wait so long for a leader before they are refused.
  int64_t leader_wait_ms = 1500;
  size_t forward_window_bytes = 32 << 20;  // of writes on their way to the leader
  Membership membership;                   // as the state machine's checkpoint has it
};

// A moment's figures, for RAFT.STATUS and INFO.
struct NodeStatus {
  NodeId id = kNoNode;
  NodeId leader = kNoNode;
  Role role = Role::kFollower;
  Term term = 0;
  LogIndex first_index = 0;
  LogIndex last_index = 0;
  LogIndex commit_index = 0;
  LogIndex applied_index = 0;
  LogIndex snapshot_index = 0;
  uint64_t log_bytes = 0;
  uint64_t entries_composed = 0;
  uint64_t log_writes = 0;
  uint64_t log_syncs = 0;
  uint64_t checkpoints = 0;
  int64_t last_checkpoint_unix_ms = 0;
  bool checkpoint_running = false;
  bool checkpoint_ok = true;
  size_t proposals_waiting = 0;
  std::string storage_error;  // empty while the log takes writes
  ConfState conf_state;
  Membership membership;
  std::vector<RawNode::PeerProgress> peers;  // of a leader
  uint64_t forwards_under_way = 0;
  bool distrusted = false;  // CoreOptions::distrusted, and not caught up yet
};

class Node {
 public:
  // Everything outlives the node. `applied`: what the state machine already holds.
  Node(const NodeOptions& options, Storage* log, std::function<Status()> resume_log,
       std::function<Status()> flush_log, StateMachine* machine, Clock* clock);
  ~Node();  // Stop()

  // schedule_apply(fast): asks for a call of ApplyCommitted soon, on a net loop or a worker if
  // fast, else on a worker. Called from any thread; may be called again before the first was
  // served.
  void SetScheduler(std::function<void(bool fast)> schedule_apply);
  // Before Start; outlives the node's threads. Without it the node is a group of its own.
  void SetPeers(Peers* peers) { peers_ = peers; }

  // Opens the core. A group of one voter elects itself and applies its whole log before this
  // returns, so that the node serves at once. kConfig: the log names others, and there are no peers.
  Status Start();
  // Fails what waits with kShutdown, lets what was proposed finish, syncs the log.
  void Stop();

  // --- any thread ---
  void Propose(Proposal* proposal);
  // In which order what waits goes into the log; as ProposalQueue.
  void SetScheduling(bool weighted, const ProposalQueue::Weights& weights) {
    queue_.SetScheduling(weighted, weights);
  }
  // Composes and writes what was proposed, if the calling thread is the one to do it, and applies
  // it if that is fast. Call once after a round of Propose calls.
  void Kick(bool on_loop);
  // Applies what is committed, and begins a checkpoint that is due, for a bounded time: others may
  // commit as fast as this thread applies. A worker is asked for the rest. on_loop: never waits; what
  // is not fast, or would have to wait for readers, is left to a worker as well.
  void ApplyCommitted(bool on_loop);
  // A linearizable read may run now, at ReadTime(): the replicated clock. Else AwaitRead.
  bool ReadAllowed() const {
    const int64_t until_ns = read_until_ns_.load(std::memory_order_acquire);
    if (until_ns == kAlways) return true;
    return until_ns != 0 && applied_index() >= commit_index_.load(std::memory_order_acquire) &&
           clock_->MonotonicNs() < until_ns;
  }
  // Calls the waiter once a linearizable read may run on this node, whatever its role.
  void AwaitRead(ReadWaiter* waiter) KIWI_EXCLUDES(core_mu_);
  // What is applied here contains all that was acknowledged more than so long ago, as far as is
  // known without asking. Else AwaitRead. By the monotonic clock of this node alone. Where it is
  // asked again and again, the proof is renewed in the background before it is too old.
  bool FreshWithin(int64_t staleness_ns) KIWI_EXCLUDES(core_mu_);
  int64_t ReadTime() const { return entry_clock_.now_ms(); }
  // The wall clock as the group agrees on it (entry_clock.h): what is due by it expires soon.
  Clock& group_clock() { return entry_clock_; }
  LogIndex applied_index() const { return applied_index_.load(std::memory_order_acquire); }
  // Empty when writes are taken, else the reason (for the definite error kStorage).
  std::string storage_error() const KIWI_EXCLUDES(core_mu_);
  // How long the sync of the log that is under way has taken; 0: there is none.
  int64_t sync_age_ns() const {
    const int64_t since_ns = sync_since_ns_.load(std::memory_order_relaxed);
    return since_ns == 0 ? 0 : clock_->MonotonicNs() - since_ns;
  }
  bool storage_failed() const { return storage_failed_.load(std::memory_order_acquire); }
  NodeStatus GetStatus() const KIWI_EXCLUDES(core_mu_);
  GroupFigures GetFigures() const KIWI_EXCLUDES(core_mu_);
  void SetFsyncMode(FsyncMode mode);
  void SetReadMode(ReadMode mode) { read_mode_.store(mode); }
  FsyncMode fsync_mode() const { return fsync_.load(std::memory_order_relaxed); }
  // A durable checkpoint as soon as possible. RequestCheckpoint returns at once; WaitCheckpoint
  // waits until one that was begun after the call is durable, or failed.
  void RequestCheckpoint() KIWI_EXCLUDES(checkpoint_mu_);
  // kAborted soon after given_up is set; the checkpoint goes on.
  Status WaitCheckpoint(const std::atomic<bool>& given_up) KIWI_EXCLUDES(checkpoint_mu_);
  Status WaitCheckpoint() KIWI_EXCLUDES(checkpoint_mu_) { return WaitCheckpoint(stopping_); }
  // Until the log begins behind index 1: a node that joins now gets a snapshot. kAborted soon after
  // given_up is set; the checkpoint goes on.
  Status CheckpointAndCompact(int64_t timeout_ms, const std::atomic<bool>& given_up)
      KIWI_EXCLUDES(core_mu_, checkpoint_mu_);

  // --- the group; any thread ---
  NodeId id() const { return options_.core.id; }
  NodeId leader() const { return leader_.load(std::memory_order_acquire); }
  bool is_leader() const { return leader() == id(); }
  Membership membership() const KIWI_EXCLUDES(core_mu_);
  std::optional<Member> FindMember(NodeId id) const KIWI_EXCLUDES(core_mu_);
  // Where a member's clients reach it. Only from StateMachine::Apply: it is replicated, through an
  // entry of the state machine's. Of a node that is not a member it has no effect.
  void SetClientAddress(NodeId id, std::string host, int port) KIWI_EXCLUDES(core_mu_);
  // How many other members have the log up to `index` on their disks. Only the leader knows; any
  // other node says what must be so of an index that is committed. Index 0: those that are there.
  size_t ReplicasWith(LogIndex index) const KIWI_EXCLUDES(core_mu_) {
    return CountReplicas().With(index);
  }
  // The same of one moment for many indexes: asking for each would copy the progress each time.
  class Replicas {
   public:
    size_t With(LogIndex index) const;

   private:
    friend class Node;
    bool known_ = false;
    size_t assumed_ = 0;  // where it is not known
    size_t active_ = 0;
    std::vector<LogIndex> matches_;
  };
  Replicas CountReplicas() const KIWI_EXCLUDES(core_mu_);
  // As RawNode's. The change holds once applied_index() has reached the result's index, unless an
  // entry of another term came there.
  Result<ProposeResult> ProposeConfChange(const ConfChange& change) KIWI_EXCLUDES(core_mu_);
  Status TransferLeadership(NodeId target) KIWI_EXCLUDES(core_mu_);
  // CoreOptions::distrusted, until a leader has caught this node up, or an operator says that the log
  // is to be taken for what it is.
  bool distrusted() const { return distrusted_.load(); }
  void Trust() KIWI_EXCLUDES(core_mu_);
  // What was written to the log so far is on the disk.
  Status SyncLog() { return log_->Sync(); }
  // Once it has stopped: all of the log is on the disk.
  bool stopped_clean() const { return stopped_clean_.load(); }
  // The group goes on without this node: it neither campaigns nor listens any more.
  void Retire() { retired_.store(true); }
  // Hands the leadership to the peer that is furthest, if this node has it; waits until it is gone.
  void StepDown(int64_t timeout_ms) KIWI_EXCLUDES(core_mu_);

  // --- from the peers; the transport's thread, and the snapshot mover's ---
  void Step(Message message) KIWI_EXCLUDES(core_mu_);
  void OnUnreachable(NodeId peer) KIWI_EXCLUDES(core_mu_);
  void OnForward(NodeId from, std::string proposals) KIWI_EXCLUDES(core_mu_);
  void OnForwardAnswer(std::string_view answer) KIWI_EXCLUDES(core_mu_);
  // The stream to `peer` broke: what was forwarded on it may have arrived or not.
  void OnForwardDown(NodeId peer) KIWI_EXCLUDES(core_mu_);
  void OnForwardUp() KIWI_EXCLUDES(core_mu_);
  void OnTimeTold(NodeId from, int64_t group_ms) {
    if (from == leader()) entry_clock_.Heard(group_ms);
  }
  void ReportSnapshot(NodeId peer, bool success) KIWI_EXCLUDES(core_mu_);
  // A snapshot was received and is ready to be installed; the message is the one that offered it.
  // Whether the core takes it shows in applied_index(); a stage that it does not take is told so.
  Status SnapshotStaged(Message message, std::unique_ptr<SnapshotStage> stage)
      KIWI_EXCLUDES(core_mu_);
  // Of this node, in other nodes' logs: for the state machine.
  ForwardedProposals& forwarded() { return forwarded_; }

 private:
  struct InFlight {  // an entry of ours, composed and not yet committed
    Term term = 0;
    LogIndex index = 0;
    bool slow = false;
    bool timed = false;  // for some of its proposals
    LogTimes times;
    std::vector<Proposal*> proposals;
  };
  struct Committed {
    Entry entry;
    bool ours = false;
    InFlight origin;                       // if ours
    std::shared_ptr<SnapshotStage> stage;  // set: to be installed, there is no entry
    SnapshotMeta snapshot;
  };
  struct LogWork {  // what the next log batch holds
    std::vector<Entry> entries;
    HardState hard_state;
    bool has_hard_state = false;
    bool must_sync = false;  // a vote, a term or a snapshot: synced in every mode
    std::optional<ConfState> conf_state;
    std::optional<SnapshotMeta> snapshot;
    std::shared_ptr<SnapshotStage> stage;  // of the snapshot
    uint64_t ready_number = 0;
    std::vector<Message> messages;  // that wait until it is durable
    bool persists() const {
      return !entries.empty() || has_hard_state || conf_state.has_value() || snapshot.has_value();
    }
    bool empty() const { return !persists() && messages.empty(); }
    size_t entry_bytes() const {
      size_t bytes = 0;
      for (const Entry& entry : entries) bytes += entry.bytes().size();
      return bytes;
    }
  };
  // What a call of the core has made to do for others, once core_mu_ is let go.
  struct Consequences {
    bool log = false;
    bool apply = false;
    bool fast = true;
    std::vector<ReadQueue::Ready> reads;
    std::vector<ReadWaiter*> late_reads;
    Status read_error;  // the core could not read the log
  };

  void ApplyFor(int64_t budget_ns, bool on_loop) KIWI_EXCLUDES(core_mu_, apply_mu_);
  // Stop's end, once the log thread is gone.
  void FinishLog() KIWI_EXCLUDES(core_mu_);
  void FinishApplying() KIWI_EXCLUDES(core_mu_, apply_mu_);
  void LogThread();
  void CheckpointThread();
  bool AcquireLog() { return !log_owned_.exchange(true); }
  // Who owns the log. A proposer may be a net loop: it writes little, compacts nothing, and applies
  // what is committed itself, as whoever starts or stops the node does; else the scheduler is asked.
  enum class LogOwner : uint8_t { kLogThread, kCheckpointThread, kProposer, kLifecycle };
  // What is left when it returns is for the log thread.
  void DriveLog(LogOwner owner) KIWI_EXCLUDES(core_mu_);
  // These let go of the lock while they copy much. False: what waits is too large for a proposer.
  bool Compose(bool by_proposer) KIWI_REQUIRES(core_mu_);
  // `bytes`: of the records in composing_, which is not empty.
  void ComposeEntry(size_t bytes) KIWI_REQUIRES(core_mu_);
  void ForwardToLeader(NodeId leader, size_t bytes) KIWI_REQUIRES(core_mu_);
  // Lets go of the lock for a long copy: heartbeats go on. The core may be another's afterwards.
  template <typename Copy>
  void Unlocked(const Copy& copy) KIWI_REQUIRES(core_mu_);
  void BlockComposing() KIWI_REQUIRES(core_mu_);
  void RefuseWaiting(ProposalError error) KIWI_REQUIRES(core_mu_);
  void RefuseRemote() KIWI_REQUIRES(core_mu_);
  // All that is under way to the leader is unknown. Locked: none is between being added and sent.
  void FailForwarded() KIWI_REQUIRES(core_mu_);
  struct Furthest {
    NodeId id = kNoNode;
    LogIndex match = 0;
  };
  Furthest FurthestPeer() const KIWI_REQUIRES(core_mu_);
  void LeaveToHealthyDisk() KIWI_EXCLUDES(core_mu_);
  void OnEntriesFetched() KIWI_EXCLUDES(core_mu_);
  void TakeReadys() KIWI_REQUIRES(core_mu_);
  void TakeReady() KIWI_REQUIRES(core_mu_);
  void TakeSnapshot(Ready* ready) KIWI_REQUIRES(core_mu_);
  void SendAll(std::vector<Message>* messages) KIWI_REQUIRES(core_mu_);
  void OnSoftState(const SoftState& state) KIWI_REQUIRES(core_mu_);
  void AskReads() KIWI_REQUIRES(core_mu_);
  void RefreshReads() KIWI_EXCLUDES(core_mu_);
  void CatchUpTicks() KIWI_REQUIRES(core_mu_);
  void ApplyConfChange(const Entry& entry) KIWI_EXCLUDES(core_mu_);
  void InstallSnapshot(Committed& committed) KIWI_REQUIRES(apply_mu_);
  // TakeReadys, and what follows from them.
  Consequences Settle() KIWI_REQUIRES(core_mu_);
  void Dispatch(const Consequences& consequences) KIWI_EXCLUDES(core_mu_);
  void TickThread();
  void TellTime() KIWI_REQUIRES(core_mu_);
  void ExpireWaiting(int64_t now_ns, Consequences* consequences) KIWI_REQUIRES(core_mu_);
  void Persisted(LogWork work) KIWI_EXCLUDES(core_mu_);
  void NoteSynced(const LogWork& work) KIWI_REQUIRES(core_mu_);
  void NoteCommitted(InFlight* entry) KIWI_REQUIRES(core_mu_);
  Status WriteLog(const LogWork& work, bool sync);
  bool SyncsAreQuick() const {
    return sync_ns_.load(std::memory_order_relaxed) < options_.inline_sync_us * 1000;
  }
  void NoteSync(int64_t ns);
  void StorageFailed(const Status& status) KIWI_EXCLUDES(core_mu_);
  void RecoverStorage() KIWI_EXCLUDES(core_mu_);
  void PauseRecovery() KIWI_EXCLUDES(wake_mu_);
  void CompactLog() KIWI_EXCLUDES(core_mu_);
  LogIndex WantedByPeers() KIWI_EXCLUDES(core_mu_);
  bool LogWanted() KIWI_EXCLUDES(core_mu_);
  void ReleaseLog() KIWI_EXCLUDES(core_mu_);
  void SyncEverysec() KIWI_EXCLUDES(core_mu_);
  void UpdateReadAllowed() KIWI_REQUIRES(core_mu_);
  void QueueCommitted(std::vector<Entry> entries) KIWI_REQUIRES(core_mu_);
  // False: it is for a thread that may wait. So below.
  bool ApplyOne(Committed& committed, bool on_loop) KIWI_REQUIRES(apply_mu_);
  bool MaybeBeginCheckpoint(bool on_loop) KIWI_REQUIRES(apply_mu_);
  // By this thread, or by one that the scheduler finds: somebody applies just now.
  void BeginCheckpointSoon() KIWI_EXCLUDES(apply_mu_, core_mu_, checkpoint_mu_);
  void CountCheckpoint() KIWI_REQUIRES(checkpoint_mu_);
  void CheckpointDone(LogIndex index, const Status& status, int64_t duration_ns)
      KIWI_EXCLUDES(checkpoint_mu_);
  void WantCheckpoint() KIWI_EXCLUDES(checkpoint_mu_);
  void LookForDueCheckpoint() KIWI_EXCLUDES(apply_mu_, checkpoint_mu_);
  bool CheckpointDue() KIWI_REQUIRES(apply_mu_, checkpoint_mu_);
  void FailAll(std::vector<Proposal*>* proposals, ProposalError error);
  void WakeLogThread();

  const NodeOptions options_;
  Storage* const log_;
  LogFetcher fetcher_;  // the log as the core reads it
  const std::function<Status()> resume_log_;
  const std::function<Status()> flush_log_;
  StateMachine* const machine_;
  Clock* const clock_;
  std::function<void(bool)> schedule_apply_;
  Peers* peers_ = nullptr;
  static constexpr int64_t kAlways = std::numeric_limits<int64_t>::max();

  std::atomic<FsyncMode> fsync_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> retired_{false};
  std::atomic<bool> distrusted_{false};
  std::atomic<bool> stopped_clean_{false};
  std::atomic<int64_t> read_until_ns_{0};             // monotonic; 0: not now, kAlways: while alone
  std::atomic<LogIndex> commit_index_{0};             // at least what any message has told
  std::atomic<int64_t> fresh_ns_{ReadQueue::kNever};  // as ReadQueue's
  std::atomic<bool> refreshing_{false};  // asked for, at most once a tick while there is no answer
  std::atomic<NodeId> leader_{kNoNode};
  std::atomic<ReadMode> read_mode_;
  std::atomic<bool> compose_blocked_{false};  // waits for a leader, or for room on the way to it
  std::atomic<bool> storage_failed_{false};
  std::atomic<bool> log_owned_{false};
  std::atomic<bool> log_dirty_{false};          // written and not yet synced
  std::atomic<bool> log_full_{false};           // over log_max_bytes: composing waits …
  std::atomic<bool> checkpoint_failed_{false};  // … or refuses, as the log does not shrink
  std::atomic<LogIndex> applied_index_{0};
  std::atomic<Term> applied_term_{0};
  std::atomic<uint64_t> entries_composed_{0};
  std::atomic<uint64_t> log_writes_{0};
  std::atomic<uint64_t> log_syncs_{0};
  std::atomic<int64_t> sync_ns_{std::numeric_limits<int64_t>::max()};  // smoothed, of the log
  std::atomic<int64_t> sync_since_ns_{0};  // of the one under way; 0: there is none
  EntryClock entry_clock_;
  ProposalQueue queue_;
  ForwardedProposals forwarded_;

  mutable Mutex core_mu_;
  std::unique_ptr<RawNode> core_ KIWI_GUARDED_BY(core_mu_);
  Random random_ KIWI_GUARDED_BY(core_mu_);
  std::deque<InFlight> in_flight_ KIWI_GUARDED_BY(core_mu_);
  std::deque<Committed> committed_ KIWI_GUARDED_BY(core_mu_);
  std::vector<Proposal*> composing_ KIWI_GUARDED_BY(core_mu_);
  HardState pending_commit_ KIWI_GUARDED_BY(core_mu_);
  bool has_pending_commit_ KIWI_GUARDED_BY(core_mu_) = false;
  HardState written_hard_state_ KIWI_GUARDED_BY(core_mu_);
  ConfState conf_state_ KIWI_GUARDED_BY(core_mu_);
  Status storage_status_ KIWI_GUARDED_BY(core_mu_);
  LogIndex read_barrier_ KIWI_GUARDED_BY(core_mu_) = 0;  // applied at least this before reads
  bool was_leader_ KIWI_GUARDED_BY(core_mu_) = false;
  GroupMeter meter_ KIWI_GUARDED_BY(core_mu_);
  Membership membership_ KIWI_GUARDED_BY(core_mu_);
  LogWork next_work_ KIWI_GUARDED_BY(core_mu_);
  bool log_busy_ KIWI_GUARDED_BY(core_mu_) = false;  // work was taken and is not durable yet
  std::shared_ptr<SnapshotStage> staged_ KIWI_GUARDED_BY(core_mu_);  // offered to the core
  ReadQueue reads_ KIWI_GUARDED_BY(core_mu_);
  int64_t tick_base_ns_ KIWI_GUARDED_BY(core_mu_) = 0;  // when tick 0 was
  uint64_t ticks_ KIWI_GUARDED_BY(core_mu_) = 0;
  int64_t blocked_since_ns_ KIWI_GUARDED_BY(core_mu_) = 0;  // no leader takes writes; 0: one does
  SnapshotMeta compact_to_ KIWI_GUARDED_BY(core_mu_);  // a durable checkpoint; index 0: none waits

  // Written by the log owner alone.
  metrics::HistogramCell<metrics::CoarseBuckets> sync_times_;
  // The log owner's alone.
  LogWork failed_work_;  // kept while the storage is failed: written again once it is resumed
  std::atomic<bool> has_failed_work_{false};

  Mutex apply_mu_;
  std::atomic<bool> apply_wanted_{false};
  std::deque<Committed> applying_ KIWI_GUARDED_BY(apply_mu_);
  metrics::HistogramCell<metrics::CoarseBuckets> apply_times_;  // written under apply_mu_
  bool mid_entry_ KIWI_GUARDED_BY(apply_mu_) = false;  // a loop left the first of them half applied
  uint64_t entries_since_checkpoint_ KIWI_GUARDED_BY(apply_mu_) = 0;
  uint64_t bytes_since_checkpoint_ KIWI_GUARDED_BY(apply_mu_) = 0;

  // The log thread sleeps here; tickets are never lost.
  mutable Mutex wake_mu_;
  CondVar wake_;
  bool log_wanted_ KIWI_GUARDED_BY(wake_mu_) = false;

  mutable Mutex checkpoint_mu_;
  CondVar checkpoint_changed_;
  bool checkpoint_requested_ KIWI_GUARDED_BY(checkpoint_mu_) = false;
  bool checkpoint_begun_ KIWI_GUARDED_BY(checkpoint_mu_) = false;  // frozen, waits for its thread
  SnapshotMeta checkpoint_meta_ KIWI_GUARDED_BY(checkpoint_mu_);
  // Up to where the last one that succeeded reaches.
  LogIndex checkpointed_index_ KIWI_GUARDED_BY(checkpoint_mu_) = 0;
  uint64_t checkpoints_begun_ KIWI_GUARDED_BY(checkpoint_mu_) = 0;
  uint64_t checkpoints_done_ KIWI_GUARDED_BY(checkpoint_mu_) = 0;
  Status checkpoint_status_ KIWI_GUARDED_BY(checkpoint_mu_);
  int64_t checkpoint_unix_ms_ KIWI_GUARDED_BY(checkpoint_mu_) = 0;
  int64_t checkpoint_duration_ns_ KIWI_GUARDED_BY(checkpoint_mu_) = 0;
  int64_t checkpoint_ended_ns_ KIWI_GUARDED_BY(checkpoint_mu_) = 0;
  int64_t checkpoint_retry_ns_ KIWI_GUARDED_BY(checkpoint_mu_) =
      0;  // the last failed; 0: it did not

  std::thread log_thread_;
  std::thread tick_thread_;
  std::thread checkpoint_thread_;
};

}  // namespace kiwi::raft
