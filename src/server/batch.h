// One connection's batch of requests on its way through the server: parsed by the loop, carried by
// the priority channel, executed by whoever drains it, proposed to the log, applied, and handed
// back to the loop. One object a connection, reused: at most one batch of it is under way.
//
// Executing goes in passes. A pass walks the requests in order: what can be answered at once is;
// writes are encoded for the log; a fast read behind a write of the same pass is attached to that
// log position and run there by the applier; anything that must see the writes and is not fast ends
// the pass, as do too many bytes of replies, and a read that meets a key which is past its time by the
// wall clock alone (keyspace/wall_view.h): it runs in the next pass, behind the key's deletion. A
// read on a loop that finds its shards held moves the batch to a worker, where the pass goes on with
// it. After the pass, its replies leave; then the next one.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "commands/command.h"
#include "commands/rest.h"
#include "keyspace/wall_view.h"
#include "net/connection.h"
#include "net/loop.h"
#include "raft/node/read_queue.h"
#include "runtime/priority_channel.h"
#include "server/applier.h"
#include "server/breaker_watch.h"
#include "server/stage_stats.h"
#include "server/transaction.h"

namespace kiwi::server {

class Executor;
class Session;

// Why reads of a batch may run here: nothing says so; the connection asks for no more; a quorum or
// the leader's lease says that they see all that was acknowledged before the batch came.
enum class ReadGrant : uint8_t { kNone, kWeak, kQuorum, kLease };

// Where a request's reply comes from.
enum class ItemState : uint8_t {
  kWaiting,   // not executed yet
  kAnswered,  // at [reply_begin, reply_end) of Batch::side, or already in the replies
  kWrite,     // from applying its record
  kRead,      // read at the pass's log position
  kExec,      // a transaction, at the pass's log position
};

struct Item {
  const commands::Command* command = nullptr;  // null: unknown
  uint32_t first_arg = 0;
  uint32_t arg_count = 0;
  ItemState state = ItemState::kWaiting;
  uint8_t resp_version = 2;      // when it was executed
  bool suppressed = false;       // CLIENT REPLY OFF or SKIP
  bool protocol_error = false;   // args[first_arg] is its text; the connection closes
  bool expiry_proposed = false;  // for a read: it decides by the replicated clock alone
  bool handed_over = false;      // a loop found its shards held: it runs on a worker
  int db = 0;                    // when it was executed
  uint32_t side_begin = 0;
  uint32_t side_end = 0;
  std::unique_ptr<Transaction> transaction;  // kExec
};

class Batch final : public runtime::Task,
                    public net::LoopTask,
                    public LocalProposal,
                    public raft::ReadWaiter {
 public:
  Batch(Session* session, Executor* executor) : session_(session), executor_(executor) {}

  // --- filled by the session, on its loop ---
  std::vector<std::string_view> args;  // of all requests; views into block_
  std::vector<Item> items;
  runtime::Priority batch_priority = runtime::Priority::kNormal;
  bool has_slow = false;   // a request that no net loop may run
  bool has_write = false;  // a request that may write, EXEC included
  bool has_keys = false;   // a request on the keyspace: the circuit breaker decides about it
  // A request not on the keyspace that may take its time (WAIT, DEBUG, RAFT …): how long the batch
  // takes says nothing of the storage.
  bool has_own_pace = false;
  bool picked = false;  // one in so many, to be timed
  bool timed = false;   // its response time is measured

  // Takes a share in the bytes that the arguments point to: the first `size` of the connection's
  // input, which are consumed.
  void TakeInput(net::Connection& connection, size_t size);
  void Reset();
  size_t bytes_held() const { return input_bytes_; }
  WatchedBatch watched;   // the loop's alone
  int64_t queued_ns = 0;  // when this pass was submitted
  bool held_up = false;   // the channel had refused the pass

  // --- the circuit breaker; set for each pass, on the loop, and then the executor's ---
  struct Guard {
    bool judged = false;   // how the pass ends is counted
    bool refused = false;  // its requests on the keyspace are answered -TRYAGAIN
    bool probe = false;
    bool dequeued = false;
    BatchEnd end = BatchEnd::kDone;
  };
  Guard guard;

  // --- the pass ---
  std::string replies;  // in order; what the loop will write
  std::string side;     // replies of requests executed before an earlier write was applied
  std::string encoded;  // records for the log
  size_t next = 0;      // first item not executed
  size_t pass_begin = 0;
  size_t applied = 0;  // items before it are applied; from `next` on it counts `expired`
  size_t attached_reads = 0;
  // Keys that the next item, a read, found past their time. Their deletion is the end of the pass's
  // records; the item runs again behind it.
  std::vector<keyspace::WallView::Key> expired;
  // What attached reads have left of their replies: written by a worker behind the pass.
  commands::Rest rest{commands::Rest::Where::kHere};
  ReadGrant read_grant = ReadGrant::kNone;
  bool reads_refused = false;  // nobody said so in time
  bool wait_over = false;      // the next item, WAIT, has waited
  bool pass_slow = false;      // applying the pass may take long
  PassTimes times;             // `dequeued` if timed, the rest if sampled

  bool has_pending_writes() const { return !encoded.empty(); }
  bool finished() const { return next >= items.size(); }
  Session& session() { return *session_; }
  const Session& session() const { return *session_; }
  commands::Args ArgsOf(const Item& item) const {
    return {args.data() + item.first_arg, item.arg_count};
  }

  // runtime::Task: executes a pass, on the draining thread.
  void Run() override;
  // net::LoopTask: the pass is done; back on the loop of its connection.
  void RunOnLoop() override;
  // raft::Proposal.
  std::string_view records() const override { return encoded; }
  runtime::Priority priority() const override { return batch_priority; }
  bool slow() const override { return pass_slow; }
  void Failed(raft::ProposalError error) override;
  raft::LogTimes* log_times() override { return times.sampled ? &times.log : nullptr; }
  bool ApplyLocal(Applier& applier, ApplyPosition& position) override;
  // raft::ReadWaiter: the pass goes on.
  void ReadReady(raft::ReadProof proof) override;
  void ReadRefused() override;

 private:
  Session* const session_;
  Executor* const executor_;
  net::InputBlock block_;  // what the arguments point into
  size_t input_bytes_ = 0;
};

}  // namespace kiwi::server
