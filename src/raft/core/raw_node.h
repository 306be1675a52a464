// The Raft core: a deterministic state machine. No I/O, no threads, no clock; ticks, messages and
// proposals go in, a Ready comes out. Not thread-safe: the host serialises all calls.
//
// The host's loop, for each Ready (dissertation 10.2.1: disk in parallel with sends):
//   1. send ready.messages now;
//   2. hand {snapshot, entries, hard_state} to storage as ONE atomic batch, numbered ready.number;
//   3. apply ready.committed_entries in order (for kConfChange: ApplyConfChange);
//   4. Advance(ready.number): the core may make the next Ready (persisting may still be under way);
//   5. when the batch is durable: OnPersisted(ready.number); only then may ready's
//      messages_after_persist leave. The leader's own acknowledgement is such a message and stays
//      inside the core.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "raft/core/message.h"
#include "raft/core/storage.h"
#include "raft/core/types.h"

namespace kiwi::raft {

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

struct CoreOptions {
  NodeId id = kNoNode;
  // In ticks; the timeout is drawn anew from [election_ticks, 2 * election_ticks) each time.
  int election_ticks = 10;
  // Of a group of up to eight. A leader of more has longer intervals, at most half the election.
  int heartbeat_ticks = 1;
  bool pre_vote = true;
  bool check_quorum = true;
  // A leader's lease lasts election_ticks less this from the last quorum of heartbeats sent.
  int lease_margin_ticks = 1;
  uint64_t max_message_bytes = 1 << 20;           // of entries in one append message
  size_t max_inflight_messages = 256;             // per follower in replicate state
  uint64_t max_inflight_bytes = 64ULL << 20;      // per follower
  uint64_t max_uncommitted_bytes = 256ULL << 20;  // proposals beyond are refused with kBusy
  uint64_t max_committed_bytes = 16ULL << 20;     // of committed entries in one Ready
  // Durable entries that stay in memory, for the applier and for followers a little behind.
  uint64_t max_tail_bytes = 1 << 20;
  size_t max_tail_entries = 1024;
  LogIndex applied = 0;  // what the state machine already holds at start
  // The log may have lost entries at its end that this node has acknowledged, but no vote and no
  // term, and no membership change: it neither votes nor campaigns until a leader has given them
  // back. Without effect in a group of one voter, which nobody can help.
  bool distrusted = false;
  uint64_t random_seed = 1;
};

struct SoftState {
  NodeId leader = kNoNode;
  Role role = Role::kFollower;
  bool operator==(const SoftState&) const = default;
};

// A read may be served once the state machine has applied `index`.
struct ReadState {
  uint64_t token = 0;  // as ReadIndex() returned it
  LogIndex index = 0;
};

struct Ready {
  uint64_t number = 0;                  // ascending from 1
  std::optional<SoftState> soft_state;  // set when it changed
  // Set when term or vote changed; a changed commit index alone is not worth a write and comes with
  // the next entries, or with the membership that ApplyConfChange returned.
  std::optional<HardState> hard_state;
  std::optional<SnapshotMeta> snapshot;         // install before entries
  std::vector<Entry> entries;                   // to persist; replaces what conflicts
  std::vector<Message> messages;                // send at once
  std::vector<Message> messages_after_persist;  // send after this Ready is durable
  std::vector<Entry> committed_entries;         // durable on a quorum and here; apply in order
  std::vector<ReadState> read_states;
  std::vector<uint64_t> read_tokens_dropped;  // leadership lost: answer kNotLeader or retry
};

struct ProposeResult {
  Term term = 0;
  LogIndex index = 0;  // if an entry of another term commits at this index, the proposal is lost
};

class Core;

class RawNode {
 public:
  // `log` outlives the node. Every node of a cluster begins with the same stored ConfState (index
  // 0), whether it is a member of it or joins later, or with a snapshot: changes build on it. Fails
  // if the stored state cannot be read or contradicts itself (kCorruption), or if the options are
  // out of range (kConfig). A node that has lost its log must join under another id: the leader
  // counts on what it acknowledged.
  static Result<std::unique_ptr<RawNode>> Create(const CoreOptions& options, const LogReader* log);
  ~RawNode();

  // Once a tick of the host's monotonic clock. After a pause the host makes up for the ticks it
  // missed before it calls anything else: the lease counts in ticks.
  //
  // Several at once: the host did not get to run. All of that time has passed, for the lease above
  // all; but what peers sent meanwhile may lie unread, so they are judged by no more of it than a
  // heartbeat interval, and so is the leader.
  void Tick(uint64_t count = 1);
  // Starts an election at once (ignoring the timer); a group of one voter elects itself as soon as
  // its vote is durable. kAborted: not a voter. kBusy: a committed membership change is not applied
  // yet, or the present leader may hold a lease (never in a group that was always of one).
  Status Campaign();
  // kNotLeader (also during a transfer), kBusy (uncommitted bytes over the limit; nothing
  // appended).
  Result<ProposeResult> Propose(Payload data);
  // What Propose of so many bytes would say now.
  Status CanPropose(uint64_t bytes) const;
  // kNotLeader; kBusy (the leader has committed nothing in its term yet, or a change is pending);
  // kInvalidArgument (the change leads nowhere, e.g. leaves no voter).
  Result<ProposeResult> ProposeConfChange(const ConfChange& change);
  // For each kConfChange entry handed out, in order, before OnApplied of its index. Returns the
  // configuration that the committed change leads to; the host persists it with the next batch. A
  // change that is contained already (replayed after a restart, overtaken by a snapshot) changes
  // nothing.
  Result<ConfState> ApplyConfChange(const ConfChange& change);
  // kInvalidArgument: the message is malformed or contradicts what is certain; it was ignored.
  Status Step(Message message);
  // kNotLeader when no leader is known. The answer is a ReadState, or a dropped token.
  Result<uint64_t> ReadIndex();
  // A linearizable read may be served now at committed() without asking anybody: this node leads,
  // has committed an entry of its term, and its lease holds (always, in a group of one voter).
  bool LeaseReadAllowed() const;
  // Until when that holds if nothing is heard: ticks since Create. 0: it does not hold; kNoLimit:
  // as long as the group is this one voter.
  uint64_t LeaseEndTick() const;
  Status TransferLeadership(NodeId target);
  // The link to `id` broke, or a message to it was dropped: the leader goes back to probing.
  void ReportUnreachable(NodeId id);
  // What became of a kSnapshot message: true once `id` has the state, false as soon as the transfer
  // is given up. Each one must be reported; until then `id` is sent nothing but heartbeats.
  void ReportSnapshot(NodeId id, bool success);

  bool HasReady() const;
  Ready TakeReady();
  void Advance(uint64_t ready_number);
  // All Readys up to this one are durable. Late and repeated answers are harmless (ABA: an answer
  // for entries since replaced acknowledges nothing).
  void OnPersisted(uint64_t ready_number);
  // The state machine holds everything up to `index`.
  void OnApplied(LogIndex index);
  // Entries that the log refused with kBusy can be had now, at least during this call and the Ready
  // that follows it.
  void OnEntriesFetched();

  NodeId id() const;
  Role role() const;
  NodeId leader() const;
  Term term() const;
  LogIndex commit_index() const;
  LogIndex applied_index() const;
  LogIndex last_index() const;
  LogIndex first_index() const;
  const ConfState& conf_state() const;
  // CoreOptions::distrusted, and no leader has caught this node up yet.
  bool distrusted() const;
  // An operator takes the log for what it is: acknowledged entries may be lost for good.
  void Trust();
  // The first failure to read the log, or ok. Behind it nothing more is handed out to be applied:
  // the host stops the node, or asks to ReadAgain once the log may be read.
  const Status& error() const;
  void ReadAgain();

  struct PeerProgress {
    NodeId id;
    LogIndex match;
    LogIndex next;
    std::string state;  // "probe", "replicate", "snapshot"
    bool recently_active;
    bool learner;
    LogIndex pending_snapshot;  // the one under way to it, or 0
  };
  std::vector<PeerProgress> Progress() const;  // empty unless leader
  // For checkers of invariants only.
  const Core& core() const { return *core_; }

 private:
  explicit RawNode(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace kiwi::raft
