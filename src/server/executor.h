// Executes batches: decides for each request whether it is refused, answered at once, proposed to
// the log, or attached to the log position of a write before it. Runs on whichever thread drains
// the channel; state of a connection is touched only by the thread that runs its batch.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "base/ticks.h"
#include "commands/command.h"
#include "keyspace/keyspace.h"
#include "keyspace/wall_view.h"
#include "raft/node/node.h"
#include "server/batch.h"
#include "server/stats.h"

namespace kiwi::commands {
class ServerView;
}  // namespace kiwi::commands

namespace kiwi::server {

class Breaker;
class Redirect;
class ReplicaWaits;
class Session;

inline constexpr std::string_view kStorageFailedError =
    "MISCONF Errors writing to the Raft log: the disk is full or failing. Writes are refused until "
    "it takes them again; see RAFT.STATUS.";

inline constexpr std::string_view kBehindError =
    "CLUSTERDOWN This node does not keep up with the leader; ask another one";
inline constexpr std::string_view kNoLeaderError = "CLUSTERDOWN The cluster has no leader";
// As a replica of Redis that is not to serve old data.
inline constexpr std::string_view kStaleError =
    "MASTERDOWN This node cannot prove that its data is as fresh as the connection asks; ask "
    "another "
    "one, or see CLIENT CONSISTENCY";
inline constexpr std::string_view kReadOnlyError =
    "READONLY You can't write against a read only replica.";
std::string_view ProposalErrorText(raft::ProposalError error);

// Limits of a pass.
inline constexpr size_t kMaxPassReplyBytes = 1 << 20;  // then the replies leave first
inline constexpr size_t kMaxAttachedReads = 128;       // behind one pass's writes

// The internal write that deletes those of its keys which are past their time at the log position.
inline constexpr std::string_view kExpireCommand = "_expire";

class Executor {
 public:
  // All outlive it.
  Executor(keyspace::Keyspace* keyspace, raft::Node* node, commands::ServerView* server,
           Stats* stats);

  // The loop whose thread this is, while it drains the channel; null on workers.
  static void SetCurrentLoop(net::Loop* loop);
  static net::Loop* CurrentLoop();

  // Before each RunPass: a level that is open by now refuses what it had taken.
  void AskBreaker(Batch& batch);
  // Runs a pass and proposes its writes, or completes it.
  void RunPass(Batch& batch);
  // Hands the batch back to its connection's loop: at once if this is its thread.
  void Complete(Batch& batch);
  // What the reads of an applied pass have left, then Complete.
  void RunRest(Batch& batch);
  // Answers a pass whose writes failed as a whole.
  void FailPass(Batch& batch, raft::ProposalError error);

  // Runs an attached read, or a whole transaction, at a log position. False, with kNever: its
  // shards are held, and nothing was done. What the read leaves is run behind the batch's pass.
  bool RunRead(const commands::Command& command, commands::Args args, int db,
               const keyspace::Moment& moment, keyspace::LockWait wait, Batch& batch,
               protocol::ReplyWriter& reply);
  bool RunTransaction(Session& session, Transaction& transaction, const keyspace::Moment& moment,
                      uint64_t seed, keyspace::LockWait wait, protocol::ReplyWriter& reply);
  // Calls a handler and records it: count, time, error, slow log. call(): whether it was done; else
  // nothing is recorded.
  template <typename Call>
  bool Timed(const commands::Command& command, Session& session, commands::Args args,
             protocol::ReplyWriter& reply, Call call) {
    const size_t begin = reply.buffer().size();
    const uint64_t start = Ticks::Now();
    if (!call()) return false;
    Record(command, session, args, static_cast<int64_t>(Ticks::ToNs(start, Ticks::Now())),
           std::string_view(reply.buffer()).substr(begin));
    return true;
  }
  // A net loop may run it.
  static bool IsFast(const commands::Command& command, size_t arg_count);
  // The circuit breaker decides about it; connections and operators are served in any case.
  static bool OnKeyspace(const commands::Command& command);

  // True on a thread that holds shard locks: a nested read of the keyspace takes none.
  static bool HoldsShards();
  // Of a read that holds its shards already, so that its time is not older than what it sees.
  keyspace::Moment ReadMoment(keyspace::WallView* wall) const {
    return {.now_ms = node_->ReadTime(),
            .access_s = access_s_.load(std::memory_order_relaxed),
            .wall = wall};
  }
  // Some times a second: when reads note that they have used a key.
  void SetAccessSecond(int64_t unix_s) {
    access_s_.store(static_cast<uint32_t>(unix_s), std::memory_order_relaxed);
  }
  // A key was deleted because a read found it expired.
  void CountExpired() { stats_->Local().Add(Counter::kExpiredKeys); }

  void SetMaxMemory(uint64_t bytes) { max_memory_.store(bytes, std::memory_order_relaxed); }
  uint64_t max_memory() const { return max_memory_.load(std::memory_order_relaxed); }
  // Refuses the writes of this node's clients; what the group does by itself goes on.
  void SetReadOnly(bool on) { read_only_.store(on, std::memory_order_relaxed); }
  // on_slow is told of every call that took at least `ns` (slow log, latency monitor); set once,
  // before the first batch. The threshold may change at any time.
  using OnSlow = std::function<void(const commands::Command& command, const Session& session,
                                    commands::Args args, int64_t elapsed_ns)>;
  void SetOnSlow(OnSlow on_slow) { on_slow_ = std::move(on_slow); }
  // resume(batch): puts a batch that waited for its reads back on the way to RunPass. Before the
  // first batch.
  void SetResume(std::function<void(Batch&)> resume) { resume_ = std::move(resume); }
  void Resume(Batch& batch) { resume_(batch); }
  // Before the first batch; they outlive it. Without a redirect, cluster-enabled is no.
  void SetRedirect(const Redirect* redirect) { redirect_ = redirect; }
  void SetReplicaWaits(ReplicaWaits* waits) { replica_waits_ = waits; }
  void SetBreaker(Breaker* breaker) { breaker_ = breaker; }
  void SetSlowThreshold(int64_t ns) { slow_ns_.store(ns, std::memory_order_relaxed); }

 private:
  // The pass goes on with this item: kAwaitRead, once its reads are linearizable; kAwaitReplicas,
  // once other nodes have what WAIT asks for; kHandOver, on a worker.
  enum class Step : uint8_t { kDone, kEndPass, kAwaitRead, kAwaitReplicas, kHandOver };

  Step Execute(Batch& batch, Item& item);
  // The text of the refusal, or empty.
  std::string Refusal(Session& session, const commands::Command& command, commands::Args args);
  Step Refuse(Batch& batch, Item& item, std::string_view refusal);
  static bool IsGuarded(const Session& session, const commands::Command& command);
  Step RefuseByBreaker(Batch& batch, Item& item);
  bool MustWait(const Batch& batch, commands::Args args) const;
  static std::string_view EndWait(Batch& batch);
  void AwaitReplicas(Batch& batch);
  bool ReadsState(const Session& session, const commands::Command& command) const;
  bool ReadsMayRun(Batch& batch) const;
  bool WeakReadsMayRun(const Session& session) const;
  Step RefuseReads(Batch& batch, Item& item);
  static bool WouldWrite(const Session& session, const commands::Command& command);
  Step RefuseWrite(Batch& batch, Item& item);
  Step ExecuteTransactionCommand(Batch& batch, Item& item);
  Step ExecuteExec(Batch& batch, Item& item);
  Step ExecuteWatch(Batch& batch, Item& item);
  Step AnswerRead(Batch& batch, Item& item);
  Step AnswerReadTransaction(Batch& batch, Item& item, std::unique_ptr<Transaction> transaction);
  static keyspace::LockWait WaitOfRead(bool fast);
  Step HandOver(Batch& batch, Item& item);
  void CountLookups(const keyspace::LookupCounts& before, const keyspace::LookupCounts& after);
  bool MustExpireFirst(const Batch& batch, const Item& item, const keyspace::WallView& wall) const;
  Step ExpireFirst(Batch& batch, Item& item, const keyspace::WallView& wall);
  // Call with the shards held; so below.
  void CallRead(const commands::Command& command, commands::Args args, int db,
                const keyspace::Moment& moment, Session& session, protocol::ReplyWriter& reply,
                commands::Rest* rest);
  bool RunRest(commands::Rest& rest, std::string* replies);
  void CallTransaction(Session& session, Transaction& transaction, const keyspace::Moment& moment,
                       uint64_t seed, protocol::ReplyWriter& reply);
  void RunLocal(const commands::Command& command, commands::Args args, Session& session, int db,
                protocol::ReplyWriter& reply);
  void Record(const commands::Command& command, Session& session, commands::Args args,
              int64_t elapsed_ns, std::string_view reply);
  // Where the next reply goes: into the replies, or aside while a write of the pass is pending.
  std::string* ReplyTarget(Batch& batch);
  template <typename Write>
  void Answer(Batch& batch, Item& item, Write write);
  void MarkAnswered(Batch& batch, Item& item, std::string* target, size_t begin);

  keyspace::Keyspace* const keyspace_;
  raft::Node* const node_;
  commands::ServerView* const server_;
  Stats* const stats_;
  Clock* const clock_;
  std::atomic<uint32_t> access_s_{0};
  std::atomic<uint64_t> max_memory_{0};
  std::atomic<bool> read_only_{false};
  std::atomic<int64_t> slow_ns_{std::numeric_limits<int64_t>::max()};
  std::function<void(Batch&)> resume_;
  const Redirect* redirect_ = nullptr;
  ReplicaWaits* replica_waits_ = nullptr;
  Breaker* breaker_ = nullptr;
  OnSlow on_slow_;
};

}  // namespace kiwi::server
