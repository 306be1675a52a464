// The state machine behind RawNode (whose header is the contract). One class, its parts by file:
//   core.cc          creation, roles, time           election.cc     pre-vote, vote, transfer
//   step.cc          one message in                  replication.cc  appends, commit, snapshots
//   read_index.cc    reads and the lease             membership.cc   configuration changes
//   ready.cc         what the host is to do, persistence, application
//   trust.cc         logs that may have lost acknowledged entries
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "raft/core/message.h"
#include "raft/core/progress.h"
#include "raft/core/quorum.h"
#include "raft/core/raft_log.h"
#include "raft/core/raw_node.h"
#include "raft/core/ring.h"
#include "raft/core/types.h"

namespace kiwi::raft {

class Core {
 public:
  static Result<std::unique_ptr<Core>> Create(const CoreOptions& options, const LogReader* log);

  void Tick(uint64_t count);
  Status Campaign();
  Status CanPropose(uint64_t bytes) const;
  Result<ProposeResult> Propose(Payload data);
  Result<ProposeResult> ProposeConfChange(const ConfChange& change);
  Result<ConfState> ApplyConfChange(const ConfChange& change);
  Status Step(Message message);
  Result<uint64_t> ReadIndex();
  bool LeaseReadAllowed() const;
  uint64_t LeaseEndTick() const;
  Status TransferLeadership(NodeId target);
  void ReportUnreachable(NodeId id);
  void ReportSnapshot(NodeId id, bool success);

  bool HasReady() const;
  Ready TakeReady();
  void Advance(uint64_t ready_number);
  void OnPersisted(uint64_t ready_number);
  void OnApplied(LogIndex index);
  void OnEntriesFetched();
  void ReadAgain();

  NodeId id() const { return options_.id; }
  Role role() const { return role_; }
  NodeId leader() const { return leader_; }
  Term term() const { return term_; }
  LogIndex commit() const { return commit_; }
  LogIndex applied() const { return applied_; }
  const RaftLog& log() const { return log_; }
  const ConfState& conf() const { return conf_; }
  const std::vector<Progress>& progress() const { return progress_; }
  const Status& error() const { return error_; }
  bool distrusted() const { return distrusted_; }
  void Trust() { distrusted_ = false; }

 private:
  friend class NodeInvariants;

  enum class ElectionKind : uint8_t { kPreVote, kVote, kTransfer };

  struct PendingRead {
    uint64_t token = 0;
    NodeId from = kNoNode;
    LogIndex index = 0;
    uint64_t round = 0;  // the heartbeat round that must be answered by a quorum
  };
  struct ForwardedRead {
    uint64_t token = 0;
    uint64_t deadline_tick = 0;
  };
  struct SentRound {
    uint64_t round = 0;
    uint64_t tick = 0;
  };
  struct PersistRecord {
    uint64_t number = 0;
    Term term = 0;
    NodeId vote = kNoNode;
  };
  struct ApplyRecord {
    LogIndex last = 0;
    uint64_t bytes = 0;
  };

  Core(const CoreOptions& options, const LogReader* log);
  Status Load(const LogReader& log);
  Status ReplayConfChanges(LogIndex from);
  bool LedAloneBefore() const;

  // core.cc
  void ResetForTerm(Term term);
  void BecomeFollower(Term term, NodeId leader);
  void BecomeLeader();
  void DrawElectionTimeout();
  void TickLeader();
  void PassTimers(int ticks);
  int HeartbeatInterval() const;
  void Send(Message message);
  Progress* FindProgress(NodeId id);
  bool QuorumRecentlyActive();

  // election.cc
  void Hup(ElectionKind kind);
  void StartElection(ElectionKind kind);
  bool Promotable() const;
  bool LeaderMayHoldLease() const;
  void RecordVote(NodeId id, bool granted);
  void CountVotes();
  void CountOwnVote();
  void TellCommit(Message* m) const;
  void LearnCommit(const Message& m);
  void HandleVote(const Message& m);
  void HandleVoteResponse(const Message& m);
  void HandleTimeoutNow(const Message& m);
  Status StartTransfer(NodeId target);
  void SendTimeoutNow(NodeId target);
  void AbortTransfer();

  // step.cc
  Status Check(const Message& m) const;
  // False when the message ends here.
  bool StepTerm(const Message& m);
  void HandleStaleTerm(const Message& m);
  void StepLeader(Message& m);
  void StepFollower(Message& m);

  // replication.cc
  LogIndex AppendOwn(EntryType type, Payload data);
  void AppendForeign(Entry entry);
  void TruncateFrom(LogIndex index);
  void FlushAppends();
  // `force`: also when there is nothing to send but the commit index.
  // `entries`: false for a probe without any.
  bool SendAppend(Progress& pr, bool force, bool entries = true);
  void SendSnapshot(Progress& pr);
  void SendHeartbeats();
  bool MaybeCommit();
  void CommitTo(LogIndex index);
  void AppendEntries(Message& m);
  void MergeEntries(Message& m);
  void HandleHeartbeat(const Message& m);
  void HandleSnapshot(const Message& m);
  void HandleAppendResponse(const Message& m);
  void HandleHeartbeatResponse(const Message& m);
  void AckOwnLog();

  // read_index.cc
  void AddRead(PendingRead read);
  void AnswerRead(const PendingRead& read);
  void ReleaseEarlyReads();
  void StartRound();
  void OnRoundAnswered();
  void DropReads();
  void ExpireForwardedReads();
  void HandleReadIndex(const Message& m);
  void HandleReadIndexResponse(const Message& m);

  // membership.cc
  void SetConf(ConfState conf);
  void RebuildProgress();
  void AfterConfChange();
  void MaybeAutoLeave();
  bool HasUnappliedCommittedChange() const;

  // trust.cc
  void AskLogEnd();
  void HandleLogEnd(const Message& m);
  void HandleLogEndResponse(const Message& m);
  void ProvenEqual(LogIndex index);
  LogIndex ProvenIndex() const { return proven_in_ == term_ ? proven_ : 0; }
  void MaybeTrust();

  // ready.cc
  bool HardStateChanged() const;
  LogIndex ApplicableIndex() const;
  void TakeCommitted(Ready* ready);
  bool IsSingleVoter() const;

  const CoreOptions options_;
  Random random_;
  RaftLog log_;
  Status error_;           // the first failure to read the log, since ReadAgain
  bool fetching_ = false;  // committed entries that the log could not give at once

  Term term_ = 0;
  NodeId vote_ = kNoNode;
  LogIndex commit_ = 0;
  LogIndex handed_out_ = 0;  // to be applied
  LogIndex applied_ = 0;
  Role role_ = Role::kFollower;
  NodeId leader_ = kNoNode;

  ConfState conf_;
  Ring<LogIndex> conf_entries_;  // configuration changes in the log that are not applied yet

  // Time, in ticks.
  uint64_t now_ = 0;
  int election_elapsed_ = 0;
  int heartbeat_elapsed_ = 0;
  int election_timeout_ = 0;
  // Before this tick a leader that this node has answered may hold a lease: an election timeout, and
  // one tick more because the first may come at once.
  uint64_t promise_end_ = 0;

  // While this node's log may lack what it has acknowledged (trust.cc).
  bool distrusted_ = false;
  uint64_t question_ = 0;               // different after each start
  Term proven_in_ = 0;                  // the term of the leader that the next two are about
  LogIndex proven_ = 0;                 // up to here this log is its log
  std::optional<LogIndex> leader_end_;  // where its log ended when it was asked
  LogIndex asked_proven_ = 0;           // what was proven then
  uint64_t ask_again_ = 0;              // at this tick, if nothing more is
  uint64_t patience_ = 0;               // ticks; doubles

  // Candidates.
  std::vector<std::pair<NodeId, Vote>> votes_;
  bool forced_election_ = false;

  // The leader.
  std::vector<Progress> progress_;  // ascending by id, this node included
  bool appends_wanted_ = false;     // a follower may have something to be sent
  bool committed_in_term_ = false;
  LogIndex own_from_ = 0;           // the first entry of the term, if leader
  uint64_t uncommitted_bytes_ = 0;  // of own entries
  NodeId transferee_ = kNoNode;
  int transfer_elapsed_ = 0;
  bool lease_void_ = false;  // a transfer was begun in this term

  // Reads.
  uint64_t next_token_;
  std::vector<PendingRead> early_reads_;  // before the first commit of the term
  Ring<PendingRead> reads_;               // ascending by round
  std::vector<ForwardedRead> forwarded_reads_;
  uint64_t round_ = 0;
  bool round_wanted_ = false;
  Ring<SentRound> sent_rounds_;
  bool lease_known_ = false;
  uint64_t lease_start_ = 0;  // the tick at which the last confirmed round was sent

  // The next Ready, and those whose persistence is under way.
  uint64_t ready_number_ = 0;
  bool ready_taken_ = false;
  std::vector<Message> messages_;
  std::vector<Message> messages_after_persist_;
  std::vector<ReadState> read_states_;
  std::vector<uint64_t> dropped_tokens_;
  SoftState last_soft_;
  HardState last_hard_;
  bool conf_changed_ = false;  // since the last hard state
  Ring<PersistRecord> persisting_;
  Term durable_term_ = 0;
  NodeId durable_vote_ = kNoNode;
  Ring<ApplyRecord> applying_;
  uint64_t applying_bytes_ = 0;
};

}  // namespace kiwi::raft
