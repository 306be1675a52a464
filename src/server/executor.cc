#include "server/executor.h"

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "commands/rest.h"
#include "commands/server_view.h"
#include "server/redirect.h"
#include "server/session.h"

namespace kiwi::server {

using commands::Args;
using commands::Command;
using commands::CommandTable;
using keyspace::LockMode;
using keyspace::LockWait;
using keyspace::Moment;
using keyspace::ShardLock;
using protocol::ReplyWriter;

namespace {

thread_local net::Loop* t_loop = nullptr;
thread_local bool t_holds_shards = false;
thread_local Random t_random{EntropySeed()};

// Marks that this thread holds shard locks, for nested reads of the keyspace.
class HoldingShards {
 public:
  HoldingShards() : before_(t_holds_shards) { t_holds_shards = true; }
  ~HoldingShards() { t_holds_shards = before_; }

 private:
  const bool before_;
};

constexpr size_t kFastArguments = 64;  // of a kPerArgument command that a net loop may run

// A read that cannot go in steps, because too much changes meanwhile, holds its shards throughout.
constexpr int kTriesInSteps = 2;

}  // namespace

Executor::Executor(keyspace::Keyspace* keyspace, raft::Node* node, commands::ServerView* server,
                   Stats* stats)
    : keyspace_(keyspace),
      node_(node),
      server_(server),
      stats_(stats),
      clock_(&node->group_clock()) {}

void Executor::SetCurrentLoop(net::Loop* loop) { t_loop = loop; }
net::Loop* Executor::CurrentLoop() { return t_loop; }
bool Executor::HoldsShards() { return t_holds_shards; }

bool Executor::IsFast(const Command& command, size_t arg_count) {
  if (!command.Is(commands::kFast | commands::kCheap)) return false;
  return !command.Is(commands::kPerArgument) || arg_count <= kFastArguments;
}

void Executor::Record(const Command& command, Session& session, Args args, int64_t elapsed_ns,
                      std::string_view reply) {
  StatsBlock& stats = stats_->Local();
  stats.Record(command.id, static_cast<uint64_t>(elapsed_ns));
  stats.Add(Counter::kCommandsProcessed);
  if (!reply.empty() && reply.front() == '-') [[unlikely]] {
    stats.RecordFailed(command.id);
    stats.RecordError(reply.substr(1, reply.find('\r') - 1));
  }
  if (elapsed_ns >= slow_ns_.load(std::memory_order_relaxed)) [[unlikely]] {
    on_slow_(command, session, args, elapsed_ns);
  }
}

void Executor::RunPass(Batch& batch) {
  batch.pass_begin = batch.applied = batch.next;
  batch.attached_reads = 0;
  batch.pass_slow = false;
  batch.encoded.clear();
  batch.expired.clear();
  batch.side.clear();
  while (!batch.finished()) {
    Item& item = batch.items[batch.next];
    const Step step = Execute(batch, item);
    if (step == Step::kAwaitRead) return node_->AwaitRead(&batch);
    if (step == Step::kAwaitReplicas) return AwaitReplicas(batch);
    if (step == Step::kHandOver) return Resume(batch);
    if (step == Step::kEndPass) break;
    ++batch.next;
    if (batch.replies.size() + batch.side.size() > kMaxPassReplyBytes) break;
    if (batch.session().closing()) break;
  }
  if (!batch.has_pending_writes()) {
    Complete(batch);
    return;
  }
  node_->Propose(&batch);
  // A loop kicks once, after all batches of its iteration.
  if (t_loop == nullptr) node_->Kick(false);
}

void Executor::Complete(Batch& batch) {
  if (batch.rest.pending()) [[unlikely]] {
    batch.has_slow = true;
    return Resume(batch);
  }
  if (batch.times.sampled) batch.times.completed = Ticks::Now();
  net::Loop& home = batch.session().loop();
  if (&home == t_loop) {
    batch.RunOnLoop();
  } else {
    home.Post(&batch);
  }
}

bool Executor::RunRest(commands::Rest& rest, std::string* replies) {
  if (!rest.pending()) return true;
  server_->BeforeRest();
  return rest.Run(replies);
}

void Executor::RunRest(Batch& batch) {
  KIWI_CHECK(RunRest(batch.rest, &batch.replies), "a read at a log position cannot run anew");
  Complete(batch);
}

void Executor::FailPass(Batch& batch, raft::ProposalError error) {
  const bool by_storage = error == raft::ProposalError::kStorage ||
                          (error == raft::ProposalError::kUnknown && node_->storage_failed());
  batch.guard.end = by_storage ? BatchEnd::kStorageError : BatchEnd::kProvedNothing;
  const std::string_view text = ProposalErrorText(error);
  batch.times.sampled = false;  // its stages tell nothing
  for (size_t i = batch.pass_begin; i < batch.next; ++i) {
    Item& item = batch.items[i];
    if (item.suppressed) continue;
    if (item.state == ItemState::kAnswered) {
      batch.replies.append(batch.side, item.side_begin, item.side_end - item.side_begin);
    } else {
      ReplyWriter(&batch.replies, item.resp_version).Error(text);
      stats_->Local().RecordError(text);
    }
  }
  Complete(batch);
}

std::string* Executor::ReplyTarget(Batch& batch) {
  return batch.has_pending_writes() ? &batch.side : &batch.replies;
}

// Runs write(reply) where the reply of this request belongs, and marks it answered.
template <typename Write>
void Executor::Answer(Batch& batch, Item& item, Write write) {
  std::string* const target = ReplyTarget(batch);
  const size_t begin = target->size();
  ReplyWriter reply(target, item.resp_version);
  write(reply);
  MarkAnswered(batch, item, target, begin);
}

// The reply was written to the end of `target`, from `begin` on.
void Executor::MarkAnswered(Batch& batch, Item& item, std::string* target, size_t begin) {
  const Session::ReplyGate gate = batch.session().TakeReplyGate();
  item.suppressed = item.suppressed || gate == Session::ReplyGate::kDrop;
  if (item.suppressed) target->resize(begin);
  item.state = ItemState::kAnswered;
  item.side_begin = static_cast<uint32_t>(target == &batch.side ? begin : 0);
  item.side_end = static_cast<uint32_t>(target == &batch.side ? target->size() : 0);
}

Executor::Step Executor::Refuse(Batch& batch, Item& item, std::string_view refusal) {
  const Command& command = *item.command;
  if (!command.Is(commands::kTransaction) || command.full_name != "exec") {
    batch.session().NoteRefused();
  }
  stats_->Local().RecordRejected(command.id);
  stats_->Local().RecordError(refusal);
  Answer(batch, item, [&](ReplyWriter& reply) { reply.Error(refusal); });
  return Step::kDone;
}

// Whether the command looks at the keyspace here and now.
bool Executor::ReadsState(const Session& session, const Command& command) const {
  if (!command.Is(commands::kTransaction)) {
    return command.Is(commands::kReadOnly | commands::kReadsKeyspace) && !session.in_transaction();
  }
  return command.full_name == "watch" ||
         (command.full_name == "exec" && session.in_transaction() &&
          !session.transaction_refused() && !session.queue().has_write());
}

// All requests of a batch came before it runs: one moment at which this node's state was new enough
// serves them all. What the connection asks for may change within the batch.
bool Executor::ReadsMayRun(Batch& batch) const {
  if (batch.read_grant >= ReadGrant::kQuorum) return true;
  if (node_->ReadAllowed()) {
    batch.read_grant = ReadGrant::kLease;
    return true;
  }
  if (!WeakReadsMayRun(batch.session())) return false;
  batch.read_grant = ReadGrant::kWeak;
  return true;
}

Executor::Step Executor::Execute(Batch& batch, Item& item) {
  Session& session = batch.session();
  const Args args = batch.ArgsOf(item);
  item.resp_version = static_cast<uint8_t>(session.resp_version());
  item.db = session.db();
  item.suppressed = false;

  if (item.protocol_error || item.command == nullptr) {
    const std::string error = item.protocol_error ? "ERR " + std::string(args[0])
                                                  : CommandTable::UnknownCommandError(args);
    if (item.protocol_error) session.CloseAfterReply();
    session.NoteRefused();
    stats_->Local().RecordError(error);
    Answer(batch, item, [&](ReplyWriter& reply) { reply.Error(error); });
    return Step::kDone;
  }
  const Command& command = *item.command;
  if (const std::string refusal = Refusal(session, command, args); !refusal.empty()) {
    if (refusal == kStorageFailedError) batch.guard.end = BatchEnd::kProvedNothing;
    return Refuse(batch, item, refusal);
  }
  if (redirect_ != nullptr) [[unlikely]] {
    if (const std::string refusal = redirect_->Check(session, command, args); !refusal.empty()) {
      if (command.full_name == "exec") session.EndTransaction();
      return Refuse(batch, item, refusal);
    }
  }
  if (read_only_.load(std::memory_order_relaxed) && WouldWrite(session, command)) [[unlikely]] {
    return RefuseWrite(batch, item);
  }
  if (batch.guard.refused && IsGuarded(session, command)) [[unlikely]] {
    return RefuseByBreaker(batch, item);
  }
  if (!batch.has_pending_writes() && ReadsState(session, command) && !ReadsMayRun(batch)) {
    return batch.reads_refused ? RefuseReads(batch, item) : Step::kAwaitRead;
  }
  if (command.Is(commands::kTransaction)) return ExecuteTransactionCommand(batch, item);
  if (session.in_transaction() && !session.RunsInsideMulti(command)) {
    session.queue().Add(&command, args);
    Answer(batch, item, [](ReplyWriter& reply) { reply.Simple("QUEUED"); });
    return Step::kDone;
  }
  session.NoteCommand(command);
  const bool pending = batch.has_pending_writes();

  if (command.Is(commands::kWrite)) {
    raft::AppendCommand(static_cast<uint64_t>(item.db), args, &batch.encoded);
    item.state = ItemState::kWrite;
    item.suppressed = session.TakeReplyGate() == Session::ReplyGate::kDrop;
    batch.pass_slow = batch.pass_slow || !IsFast(command, args.size());
    return Step::kDone;
  }
  const bool fast = IsFast(command, args.size());
  if (command.Is(commands::kAwaitsReplicas) && !pending) {
    if (!batch.wait_over && MustWait(batch, args)) return Step::kAwaitReplicas;
    if (const auto error = EndWait(batch); !error.empty()) return Refuse(batch, item, error);
  }
  if (pending && !fast) return Step::kEndPass;  // must see the writes, and not hold up the applier
  if (command.Is(commands::kReadOnly)) {
    if (pending) {
      if (++batch.attached_reads > kMaxAttachedReads) return Step::kEndPass;
      item.state = ItemState::kRead;
      item.suppressed = session.TakeReplyGate() == Session::ReplyGate::kDrop;
      return Step::kDone;
    }
    return AnswerRead(batch, item);
  }
  Answer(batch, item,
         [&](ReplyWriter& reply) { RunLocal(command, args, session, item.db, reply); });
  return Step::kDone;
}

// What a read finds expired by the wall clock alone goes through the log before anybody is told:
// once, so that a clock which the log does not follow cannot hold up the read for ever. While the
// log takes no writes the replicated clock stands still and decides alone: the key lives on, as no
// client can have seen it gone. So it does for weak reads, which need no leader.
bool Executor::MustExpireFirst(const Batch& batch, const Item& item,
                               const keyspace::WallView& wall) const {
  return wall.due() && !item.expiry_proposed && !node_->storage_failed() &&
         batch.session().consistency().level == commands::ReadLevel::kLinearizable;
}

Executor::Step Executor::ExpireFirst(Batch& batch, Item& item, const keyspace::WallView& wall) {
  for (const keyspace::WallView::Key& expired : wall.expired()) {
    const std::string_view args[] = {kExpireCommand, expired.key};
    raft::AppendCommand(static_cast<uint64_t>(expired.db), args, &batch.encoded);
  }
  batch.expired = wall.expired();
  item.expiry_proposed = true;
  return Step::kEndPass;
}

Executor::Step Executor::AnswerRead(Batch& batch, Item& item) {
  const Command& command = *item.command;
  const Args args = batch.ArgsOf(item);
  Session& session = batch.session();
  const size_t begin = batch.replies.size();
  const uint64_t start = Ticks::Now();
  keyspace::LookupCounts before, after;
  for (int tries = 0;; ++tries) {
    ReplyWriter reply(&batch.replies, item.resp_version);
    keyspace::WallView wall(clock_);
    commands::Rest rest(t_loop != nullptr ? commands::Rest::Where::kElsewhere
                                          : commands::Rest::Where::kHere);
    {
      const ShardLock lock(*keyspace_, CommandTable::Shards(command, args), LockMode::kShared,
                           WaitOfRead(IsFast(command, args.size())));
      if (!lock.held()) return HandOver(batch, item);
      before = keyspace::ThreadLookups();
      CallRead(command, args, item.db, ReadMoment(&wall), session, reply,
               tries < kTriesInSteps ? &rest : nullptr);
      after = keyspace::ThreadLookups();  // the rest may run other batches
    }
    if (rest.refused()) [[unlikely]] {
      batch.replies.resize(begin);
      return HandOver(batch, item);
    }
    const bool complete = RunRest(rest, &batch.replies);
    if (MustExpireFirst(batch, item, wall)) [[unlikely]] {
      batch.replies.resize(begin);
      return ExpireFirst(batch, item, wall);
    }
    if (complete) break;
    batch.replies.resize(begin);
  }
  CountLookups(before, after);
  Record(command, session, args, static_cast<int64_t>(Ticks::ToNs(start, Ticks::Now())),
         std::string_view(batch.replies).substr(begin));
  MarkAnswered(batch, item, &batch.replies, begin);
  return Step::kDone;
}

LockWait Executor::WaitOfRead(bool fast) {
  if (t_loop != nullptr) return LockWait::kNever;
  return fast ? LockWait::kBrief : LockWait::kLong;
}

// Nothing of the item was done, no write of the pass is pending: it runs again, on a worker, and so
// does the rest of the batch.
Executor::Step Executor::HandOver(Batch& batch, Item& item) {
  item.handed_over = true;
  batch.has_slow = true;
  return Step::kHandOver;
}

void Executor::CountLookups(const keyspace::LookupCounts& before,
                            const keyspace::LookupCounts& after) {
  StatsBlock& stats = stats_->Local();
  stats.Add(Counter::kKeyspaceHits, after.hits - before.hits);
  stats.Add(Counter::kKeyspaceMisses, after.misses - before.misses);
}

bool Executor::RunRead(const Command& command, Args args, int db_index, const Moment& moment,
                       LockWait wait, Batch& batch, ReplyWriter& reply) {
  Session& session = batch.session();
  return Timed(command, session, args, reply, [&] {
    const keyspace::LookupCounts before = keyspace::ThreadLookups();
    const ShardLock lock(*keyspace_, CommandTable::Shards(command, args), LockMode::kShared, wait);
    if (!lock.held()) return false;
    CallRead(command, args, db_index, moment, session, reply, &batch.rest);
    CountLookups(before, keyspace::ThreadLookups());
    return true;
  });
}

void Executor::CallRead(const Command& command, Args args, int db_index, const Moment& moment,
                        Session& session, ReplyWriter& reply, commands::Rest* rest) {
  const HoldingShards holding;
  keyspace::Db db(*keyspace_, db_index, moment);
  commands::Context context{.args = args,
                            .db = db,
                            .keyspace = *keyspace_,
                            .reply = reply,
                            .seed = t_random.Next(),
                            .session = &session,
                            .server = server_,
                            .rest = rest};
  command.row->handler(context);
}

void Executor::RunLocal(const Command& command, Args args, Session& session, int db_index,
                        ReplyWriter& reply) {
  Timed(command, session, args, reply, [&] {
    keyspace::Db db(*keyspace_, db_index, ReadMoment(nullptr));
    commands::Context context{.args = args,
                              .db = db,
                              .keyspace = *keyspace_,
                              .reply = reply,
                              .seed = t_random.Next(),
                              .session = &session,
                              .server = server_};
    command.row->handler(context);
    return true;
  });
}

Executor::Step Executor::ExecuteTransactionCommand(Batch& batch, Item& item) {
  Session& session = batch.session();
  const Command& command = *item.command;
  session.NoteCommand(command);
  if (!item.expiry_proposed && !item.handed_over) {  // else it has come before
    stats_->Local().Record(command.id, 0);
    stats_->Local().Add(Counter::kCommandsProcessed);
  }
  const std::string_view name = command.full_name;
  if (name == "exec") return ExecuteExec(batch, item);
  if (name == "watch") return ExecuteWatch(batch, item);
  Answer(batch, item, [&](ReplyWriter& reply) {
    if (name == "multi") {
      if (session.in_transaction()) {
        reply.Error("ERR MULTI calls can not be nested");
      } else {
        session.BeginTransaction();
        reply.Ok();
      }
    } else if (name == "discard") {
      if (!session.in_transaction()) {
        reply.Error("ERR DISCARD without MULTI");
      } else {
        session.EndTransaction();
        reply.Ok();
      }
    } else {  // UNWATCH: inside MULTI it is queued, where it has no effect on EXEC's own check
      if (session.in_transaction()) {
        session.queue().Add(&command, batch.ArgsOf(item));
        reply.Simple("QUEUED");
      } else {
        session.Unwatch();
        reply.Ok();
      }
    }
  });
  return Step::kDone;
}

Executor::Step Executor::ExecuteWatch(Batch& batch, Item& item) {
  Session& session = batch.session();
  if (session.in_transaction()) {
    Answer(batch, item,
           [&](ReplyWriter& reply) { reply.Error("ERR WATCH inside MULTI is not allowed"); });
    return Step::kDone;
  }
  // The watch begins behind the connection's own writes.
  if (batch.has_pending_writes()) return Step::kEndPass;
  const Args args = batch.ArgsOf(item);
  const raft::LogIndex watch_index = node_->applied_index();
  keyspace::WallView wall(clock_);
  std::vector<bool> existed;
  for (const std::string_view key : args.subspan(1)) {
    keyspace::ShardSet shards;
    shards.AddKey(key);
    const ShardLock lock(*keyspace_, shards, LockMode::kShared, WaitOfRead(/*fast=*/true));
    if (!lock.held()) return HandOver(batch, item);
    const keyspace::Db db(*keyspace_, item.db, ReadMoment(&wall));
    existed.push_back(db.FindNoTouch(key) != nullptr);
  }
  if (MustExpireFirst(batch, item, wall)) return ExpireFirst(batch, item, wall);
  session.BeginWatch(watch_index);
  for (size_t i = 0; i < existed.size(); ++i) session.AddWatch(args[i + 1], existed[i]);
  Answer(batch, item, [](ReplyWriter& reply) { reply.Ok(); });
  return Step::kDone;
}

Executor::Step Executor::ExecuteExec(Batch& batch, Item& item) {
  Session& session = batch.session();
  if (!session.in_transaction() || session.transaction_refused()) {
    Answer(batch, item, [&](ReplyWriter& reply) {
      const std::string_view error =
          session.in_transaction() ? "EXECABORT Transaction discarded because of previous errors."
                                   : "ERR EXEC without MULTI";
      reply.Error(error);
      stats_->Local().RecordError(error);
      if (session.in_transaction()) session.EndTransaction();
    });
    return Step::kDone;
  }
  const uint64_t limit = max_memory_.load(std::memory_order_relaxed);
  if (session.queue().has_write() &&
      (node_->storage_failed() ||
       (limit != 0 && session.queue().has_deny_oom() && keyspace_->memory_bytes() > limit))) {
    const std::string_view error = node_->storage_failed()
                                       ? kStorageFailedError
                                       : "OOM command not allowed when used memory > 'maxmemory'.";
    if (node_->storage_failed()) batch.guard.end = BatchEnd::kProvedNothing;
    Answer(batch, item, [&](ReplyWriter& reply) {
      reply.Error("EXECABORT Transaction discarded because of: " + std::string(error));
      session.EndTransaction();
    });
    return Step::kDone;
  }
  const bool writes = session.queue().has_write();
  const bool slow = session.queue().slow();
  // Reads alone that are not fast would hold up the applier.
  if (batch.has_pending_writes() && !writes && slow) return Step::kEndPass;

  auto transaction = std::make_unique<Transaction>(session.TakeTransaction());
  transaction->queue.ResolveDatabases(item.db, keyspace_->databases());
  if (!writes && !batch.has_pending_writes()) {
    return AnswerReadTransaction(batch, item, std::move(transaction));
  }
  transaction->AppendRecord(&batch.encoded);
  batch.pass_slow = batch.pass_slow || slow;
  item.transaction = std::move(transaction);
  item.state = ItemState::kExec;
  item.suppressed = session.TakeReplyGate() == Session::ReplyGate::kDrop;
  // What follows may depend on the state that the transaction leaves in the session (SELECT …).
  for (const auto& queued : item.transaction->queue.commands()) {
    if (!queued.command->Is(commands::kWrite | commands::kReadOnly)) {
      ++batch.next;
      return Step::kEndPass;
    }
  }
  return Step::kDone;
}

// Looks at all keys before it runs anything: its commands may do what cannot be done twice.
Executor::Step Executor::AnswerReadTransaction(Batch& batch, Item& item,
                                               std::unique_ptr<Transaction> transaction) {
  Session& session = batch.session();
  keyspace::WallView wall(clock_);
  const ShardLock lock(*keyspace_, transaction->Shards(), LockMode::kShared,
                       WaitOfRead(!transaction->queue.slow()));
  if (!lock.held()) {
    session.RestoreTransaction(std::move(*transaction));
    return HandOver(batch, item);
  }
  const Moment moment = ReadMoment(&wall);
  transaction->NoteExpired(*keyspace_, moment);
  if (MustExpireFirst(batch, item, wall)) {
    session.RestoreTransaction(std::move(*transaction));
    return ExpireFirst(batch, item, wall);
  }
  Answer(batch, item, [&](ReplyWriter& reply) {
    CallTransaction(session, *transaction, moment, t_random.Next(), reply);
  });
  return Step::kDone;
}

bool Executor::RunTransaction(Session& session, Transaction& transaction, const Moment& moment,
                              uint64_t seed, LockWait wait, ReplyWriter& reply) {
  const bool writes = transaction.queue.has_write();
  const ShardLock lock(*keyspace_, transaction.Shards(),
                       writes ? LockMode::kExclusive : LockMode::kShared, wait);
  if (!lock.held()) return false;
  CallTransaction(session, transaction, moment, seed, reply);
  return true;
}

void Executor::CallTransaction(Session& session, Transaction& transaction, const Moment& moment,
                               uint64_t seed, ReplyWriter& reply) {
  const HoldingShards holding;
  const Session::ExecutingTransaction executing(session);
  for (const Watch& watch : transaction.watches) {
    const raft::WatchedKey key{
        .db = static_cast<uint64_t>(watch.db), .existed = watch.existed, .key = watch.key};
    if (WatchedKeyChanged(*keyspace_, moment, transaction.watch_index, key)) {
      reply.NullArray();
      return;
    }
  }
  uint64_t writes = 0;
  reply.Array(transaction.queue.size());
  std::vector<std::string_view> args;
  for (const auto& queued : transaction.queue.commands()) {
    const Command& command = *queued.command;
    args.assign(queued.args.begin(), queued.args.end());
    reply.set_resp_version(session.resp_version());
    if (command.Is(commands::kTransaction)) {  // UNWATCH
      reply.Ok();
      continue;
    }
    const bool write = command.Is(commands::kWrite);
    Timed(command, session, args, reply, [&] {
      keyspace::Db db(*keyspace_, queued.db, moment);
      commands::Context context{.args = args,
                                .db = db,
                                .keyspace = *keyspace_,
                                .reply = reply,
                                .seed = write ? CommandSeed(seed, writes) : t_random.Next(),
                                .session = write ? nullptr : &session,
                                .server = write ? nullptr : server_};
      command.row->handler(context);
      return true;
    });
    writes += write;
  }
}

}  // namespace kiwi::server
