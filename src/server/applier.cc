#include "server/applier.h"

#include <algorithm>

#include "base/coding.h"
#include "commands/cluster.h"
#include "keyspace/prefetch.h"
#include "server/batch.h"
#include "server/executor.h"
#include "server/session.h"
#include "server/snapshot_keeper.h"

namespace kiwi::server {

using commands::Args;
using commands::Command;
using commands::CommandTable;
using keyspace::LockMode;
using keyspace::LockWait;
using keyspace::ShardLock;
using protocol::ReplyWriter;

namespace {

constexpr uint64_t kHostFormat = 3;
constexpr uint64_t kHostFormatWithClock = 2;  // from here on

Status WouldWait() { return {StatusCode::kBusy, {}}; }

}  // namespace

Applier::Applier(keyspace::Keyspace* keyspace, keyspace::Checkpointer* checkpointer,
                 SnapshotKeeper* snapshots, int64_t clock_ms)
    : keyspace_(keyspace),
      checkpointer_(checkpointer),
      snapshots_(snapshots),
      clock_ms_(clock_ms) {}

Status Applier::Apply(const raft::Entry& entry, std::span<raft::Proposal* const> local) {
  return ApplyEntry(entry, local, LockWait::kLong);
}

Status Applier::ApplyWithoutWaiting(const raft::Entry& entry,
                                    std::span<raft::Proposal* const> local) {
  return ApplyEntry(entry, local, LockWait::kNever);
}

Status Applier::ApplyEntry(const raft::Entry& entry, std::span<raft::Proposal* const> local,
                           LockWait wait) {
  wait_ = wait;
  std::string_view records = entry.bytes();
  raft::Envelope envelope;
  KIWI_RETURN_IF_ERROR(raft::ReadEnvelope(&records, &envelope));
  if (progress_.index != entry.index) {
    clock_ms_ = std::max(clock_ms_, envelope.time_ms);
    progress_ = {.index = entry.index,
                 .position = {.moment = {.now_ms = clock_ms_, .log_index = entry.index},
                              .seed = envelope.seed}};
  }
  const Status status = ApplyRecords(records, local);
  if (status.code() != StatusCode::kBusy) progress_.index = 0;
  return status;
}

Status Applier::ApplyRecords(std::string_view records, std::span<raft::Proposal* const> local) {
  ApplyPosition& position = progress_.position;
  if (local.empty()) return Replay(position, records);
  for (; progress_.proposals < local.size(); ++progress_.proposals) {
    raft::Proposal* const proposal = local[progress_.proposals];
    if (proposal->remote()) {
      KIWI_RETURN_IF_ERROR(Replay(position, proposal->records()));
      proposal->Replayed();
    } else if (!static_cast<LocalProposal*>(proposal)->ApplyLocal(*this, position)) {
      return WouldWait();
    }
    progress_.replayed = 0;
  }
  return {};
}

Status Applier::Replay(ApplyPosition& position, std::string_view all) {
  reader_ = {};
  std::string_view records = all.substr(progress_.replayed);
  for (;; progress_.replayed = all.size() - records.size()) {
    if (!reader_.Next(&records)) return reader_.status();
    if (reader_.kind() == raft::RecordKind::kTransaction) {
      KIWI_RETURN_IF_ERROR(ReplayTransaction(position, reader_.transaction()));
      continue;
    }
    if (reader_.kind() == raft::RecordKind::kOrigin) {
      const raft::Origin& origin = reader_.origin();
      if (origin.node == node_id_ && wait_ == LockWait::kNever) return WouldWait();  // taken once
      raft::Proposal* const ours =
          origin.node == node_id_ ? forwarded_->Take(origin.incarnation, origin.sequence) : nullptr;
      if (ours == nullptr) continue;  // its records are replayed like all others
      records.remove_prefix(origin.length);
      static_cast<LocalProposal*>(ours)->ApplyLocal(*this, position);
      continue;
    }
    const raft::CommandRecord& record = reader_.command();
    const Command* command = CommandTable::Get().Find(record.args);
    if (command == nullptr || !command->Is(commands::kWrite)) {
      return {StatusCode::kSerialization,
              "entry with a command unknown to this build: " + std::string(record.args[0])};
    }
    discarded_replies_.clear();
    ReplyWriter reply(&discarded_replies_, 2);
    if (!RunWrite(position, *command, record.args, static_cast<int>(record.db), reply)) {
      return WouldWait();
    }
  }
}

Status Applier::ReplayTransaction(ApplyPosition& position, const raft::TransactionRecord& record) {
  keyspace::ShardSet shards;
  std::vector<const Command*> resolved;
  for (size_t i = 0; i < record.command_count; ++i) {
    const Command* command = CommandTable::Get().Find(record.commands[i].args);
    if (command == nullptr || !command->Is(commands::kWrite)) {
      return {StatusCode::kSerialization, "transaction with a command unknown to this build: " +
                                              std::string(record.commands[i].args[0])};
    }
    resolved.push_back(command);
    shards.Merge(CommandTable::Shards(*command, record.commands[i].args));
  }
  for (const raft::WatchedKey& watch : record.watches) shards.AddKey(watch.key);
  if (MustLeave()) return WouldWait();
  const ShardLock lock(*keyspace_, shards, LockMode::kExclusive, wait_);
  if (!lock.held()) return WouldWait();
  const uint64_t seed = CommandSeed(position.seed, position.ordinal++);  // spent even if it aborts
  for (const raft::WatchedKey& watch : record.watches) {
    if (WatchedKeyChanged(*keyspace_, position.moment, record.watch_index, watch)) return {};
  }
  for (size_t i = 0; i < resolved.size(); ++i) {
    discarded_replies_.clear();
    ReplyWriter reply(&discarded_replies_, 2);
    keyspace::Db db(*keyspace_, static_cast<int>(record.commands[i].db), position.moment);
    commands::Context context{.args = record.commands[i].args,
                              .db = db,
                              .keyspace = *keyspace_,
                              .reply = reply,
                              .seed = CommandSeed(seed, i)};
    resolved[i]->row->handler(context);
  }
  return {};
}

bool Applier::RunWrite(ApplyPosition& position, const Command& command, Args args, int db_index,
                       ReplyWriter& reply) {
  if (MustLeave()) return false;
  const ShardLock lock(*keyspace_, CommandTable::Shards(command, args), LockMode::kExclusive,
                       wait_);
  if (!lock.held()) return false;
  keyspace::Db db(*keyspace_, db_index, position.moment);
  commands::Context context{.args = args,
                            .db = db,
                            .keyspace = *keyspace_,
                            .reply = reply,
                            .seed = CommandSeed(position.seed, position.ordinal++)};
  command.row->handler(context);
  if (command.Is(commands::kInternal)) [[unlikely]] {
    if (command.full_name == commands::kMemberCommand) NoteMember(args);
  }
  return true;
}

void Applier::NoteMember(Args args) {
  const auto member = commands::ParseMemberCommand(args);
  if (member && set_client_address_) {
    set_client_address_(member->node, std::string(member->host), member->port);
  }
}

bool Applier::ApplyBatch(ApplyPosition& position, Batch& batch) {
  batch.session().NoteWrite(position.moment.log_index);
  if (batch.times.sampled && batch.times.log.committed == 0) {  // the leader's entry
    batch.times.log.committed = Ticks::Now();
  }
  size_t prefetched = batch.applied;
  for (; batch.applied < batch.next; ++batch.applied) {
    if (batch.applied == prefetched) prefetched = PrefetchItems(batch, batch.applied);
    if (!ApplyItem(position, batch, batch.items[batch.applied])) return false;
  }
  if (!DeleteExpired(position, batch)) return false;
  executor_->Complete(batch);
  return true;
}

// For the items from `first` on; returns the first one that it left out.
size_t Applier::PrefetchItems(const Batch& batch, size_t first) {
  if (batch.next - first == 1) return batch.next;
  keyspace::Prefetch prefetch(*keyspace_);
  size_t i = first;
  for (; i < batch.next && !prefetch.full(); ++i) {
    const Item& item = batch.items[i];
    if (item.state != ItemState::kWrite && item.state != ItemState::kRead) continue;
    const int key = item.command->row->keys.first;
    if (key > 0) prefetch.Add(item.db, batch.ArgsOf(item)[static_cast<size_t>(key)]);
  }
  prefetch.Run();
  return i;
}

bool Applier::ApplyItem(ApplyPosition& position, Batch& batch, Item& item) {
  const size_t begin = batch.replies.size();
  ReplyWriter reply(&batch.replies, item.resp_version);
  switch (item.state) {
    case ItemState::kAnswered:
      batch.replies.append(batch.side, item.side_begin, item.side_end - item.side_begin);
      return true;
    case ItemState::kWrite:
      if (!executor_->Timed(*item.command, batch.session(), batch.ArgsOf(item), reply, [&] {
            return RunWrite(position, *item.command, batch.ArgsOf(item), item.db, reply);
          })) {
        return false;
      }
      break;
    case ItemState::kRead:
      if (!executor_->RunRead(*item.command, batch.ArgsOf(item), item.db, position.moment, wait_,
                              batch, reply)) {
        return false;
      }
      break;
    case ItemState::kExec:
      if (MustLeave() ||
          !executor_->RunTransaction(batch.session(), *item.transaction, position.moment,
                                     CommandSeed(position.seed, position.ordinal), wait_, reply)) {
        return false;
      }
      // One without writes has no record, and takes no seed from those that have one.
      position.ordinal += item.transaction->queue.has_write();
      break;
    case ItemState::kWaiting:
      KIWI_CHECK(false, "an item of the pass was not executed");
  }
  if (item.suppressed) {
    batch.rest.TakeBack(begin);
    batch.replies.resize(begin);
  }
  return true;
}

// The last records of a batch whose next item waits for them (Executor::ExpireFirst).
bool Applier::DeleteExpired(ApplyPosition& position, Batch& batch) {
  const Command* const command = CommandTable::Get().FindByName(kExpireCommand);
  for (; batch.applied - batch.next < batch.expired.size(); ++batch.applied) {
    const keyspace::WallView::Key& expired = batch.expired[batch.applied - batch.next];
    const std::string_view args[] = {kExpireCommand, expired.key};
    discarded_replies_.clear();
    ReplyWriter reply(&discarded_replies_, 2);
    if (!RunWrite(position, *command, args, expired.db, reply)) return false;
    if (discarded_replies_ == ":1\r\n") executor_->CountExpired();
  }
  return true;
}

void Applier::BeginCheckpoint(const raft::SnapshotMeta& meta, const raft::Membership& membership) {
  keyspace::ShardSet all;
  all.AddAll();
  const ShardLock lock(*keyspace_, all, LockMode::kExclusive);
  Freeze(meta, membership);
}

bool Applier::BeginCheckpointWithoutWaiting(const raft::SnapshotMeta& meta,
                                            const raft::Membership& membership) {
  keyspace::ShardSet all;
  all.AddAll();
  const ShardLock lock(*keyspace_, all, LockMode::kExclusive, LockWait::kNever);
  if (lock.held()) Freeze(meta, membership);
  return lock.held();
}

// With all shards held exclusively.
void Applier::Freeze(const raft::SnapshotMeta& meta, const raft::Membership& membership) {
  checkpointer_->Begin(
      {.applied_index = meta.index, .host = EncodeCheckpointHost({meta, clock_ms_, membership})});
}

Status Applier::RunCheckpoint() { return checkpointer_->Run(); }

Result<std::unique_ptr<raft::SnapshotReader>> Applier::OpenSnapshot(size_t chunk_bytes) {
  return snapshots_->OpenSnapshot(chunk_bytes);
}

Result<std::unique_ptr<raft::SnapshotStage>> Applier::StageSnapshot() {
  return snapshots_->StageSnapshot();
}

Status Applier::InstallSnapshot(raft::SnapshotStage& stage) {
  KIWI_RETURN_IF_ERROR(snapshots_->InstallSnapshot(stage));
  clock_ms_ = std::max(clock_ms_, stage.clock_ms());
  return {};
}

std::string EncodeCheckpointHost(const CheckpointHost& host) {
  std::string out;
  PutVarint(&out, kHostFormat);
  PutVarint(&out, host.meta.term);
  PutVarint(&out, static_cast<uint64_t>(host.clock_ms));
  raft::EncodeConfState(host.meta.conf_state, &out);
  raft::EncodeMembership(host.membership, &out);
  return out;
}

Result<CheckpointHost> DecodeCheckpointHost(uint64_t applied_index, std::string_view bytes) {
  CheckpointHost host;
  host.meta.index = applied_index;
  uint64_t format = 0;
  uint64_t clock_ms = 0;
  if (!GetVarint(&bytes, &format) || format == 0 || format > kHostFormat ||
      !GetVarint(&bytes, &host.meta.term) ||
      (format >= kHostFormatWithClock && !GetVarint(&bytes, &clock_ms)) || clock_ms > INT64_MAX) {
    return Status(StatusCode::kCorruption, "checkpoint with an unreadable Raft part");
  }
  host.clock_ms = static_cast<int64_t>(clock_ms);
  KIWI_ASSIGN_OR_RETURN(host.meta.conf_state, raft::DecodeConfState(&bytes));
  if (format == kHostFormat) {
    KIWI_ASSIGN_OR_RETURN(host.membership, raft::DecodeMembership(&bytes));
  }
  return host;
}

}  // namespace kiwi::server
