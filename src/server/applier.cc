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
using keyspace::ShardLock;
using protocol::ReplyWriter;

namespace {

constexpr uint64_t kHostFormat = 3;
constexpr uint64_t kHostFormatWithClock = 2;  // from here on

}  // namespace

Applier::Applier(keyspace::Keyspace* keyspace, keyspace::Checkpointer* checkpointer,
                 SnapshotKeeper* snapshots, int64_t clock_ms)
    : keyspace_(keyspace),
      checkpointer_(checkpointer),
      snapshots_(snapshots),
      clock_ms_(clock_ms) {}

Status Applier::Apply(const raft::Entry& entry, std::span<raft::Proposal* const> local) {
  std::string_view records = entry.bytes();
  raft::Envelope envelope;
  KIWI_RETURN_IF_ERROR(raft::ReadEnvelope(&records, &envelope));
  clock_ms_ = std::max(clock_ms_, envelope.time_ms);
  ApplyPosition position{.moment = {.now_ms = clock_ms_, .log_index = entry.index},
                         .seed = envelope.seed};
  if (local.empty()) return Replay(position, records);
  for (raft::Proposal* proposal : local) {
    if (proposal->remote()) {
      KIWI_RETURN_IF_ERROR(Replay(position, proposal->records()));
      proposal->Replayed();
    } else {
      static_cast<LocalProposal*>(proposal)->ApplyLocal(*this, position);
    }
  }
  return {};
}

Status Applier::Replay(ApplyPosition& position, std::string_view records) {
  reader_ = {};
  while (reader_.Next(&records)) {
    if (reader_.kind() == raft::RecordKind::kTransaction) {
      KIWI_RETURN_IF_ERROR(ReplayTransaction(position, reader_.transaction()));
      continue;
    }
    if (reader_.kind() == raft::RecordKind::kOrigin) {
      const raft::Origin& origin = reader_.origin();
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
    RunWrite(position, *command, record.args, static_cast<int>(record.db), reply);
  }
  return reader_.status();
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
  const uint64_t seed = CommandSeed(position.seed, position.ordinal++);  // spent even if it aborts
  const ShardLock lock(*keyspace_, shards, LockMode::kExclusive);
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

void Applier::RunWrite(ApplyPosition& position, const Command& command, Args args, int db_index,
                       ReplyWriter& reply) {
  const ShardLock lock(*keyspace_, CommandTable::Shards(command, args), LockMode::kExclusive);
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
}

void Applier::NoteMember(Args args) {
  const auto member = commands::ParseMemberCommand(args);
  if (member && set_client_address_) {
    set_client_address_(member->node, std::string(member->host), member->port);
  }
}

void Applier::ApplyBatch(ApplyPosition& position, Batch& batch) {
  batch.session().NoteWrite(position.moment.log_index);
  size_t prefetched = batch.pass_begin;
  for (size_t i = batch.pass_begin; i < batch.next; ++i) {
    if (i == prefetched) prefetched = PrefetchItems(batch, i);
    ApplyItem(position, batch, batch.items[i]);
  }
  if (!batch.expired.empty()) DeleteExpired(position, batch);
  executor_->Complete(batch);
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

void Applier::ApplyItem(ApplyPosition& position, Batch& batch, Item& item) {
  const size_t begin = batch.replies.size();
  ReplyWriter reply(&batch.replies, item.resp_version);
  switch (item.state) {
    case ItemState::kAnswered:
      batch.replies.append(batch.side, item.side_begin, item.side_end - item.side_begin);
      return;
    case ItemState::kWrite:
      executor_->Timed(*item.command, batch.session(), batch.ArgsOf(item), reply, [&] {
        RunWrite(position, *item.command, batch.ArgsOf(item), item.db, reply);
      });
      break;
    case ItemState::kRead:
      executor_->RunRead(*item.command, batch.ArgsOf(item), item.db, position.moment,
                         batch.session(), reply);
      break;
    case ItemState::kExec:
      // A transaction without writes has no record, and takes no seed from those that have one.
      executor_->RunTransaction(
          batch.session(), *item.transaction, position.moment,
          item.transaction->queue.has_write() ? CommandSeed(position.seed, position.ordinal++) : 0,
          reply);
      break;
    case ItemState::kWaiting:
      KIWI_CHECK(false, "an item of the pass was not executed");
  }
  if (item.suppressed) batch.replies.resize(begin);
}

// The last records of a batch whose next item waits for them (Executor::ExpireFirst).
void Applier::DeleteExpired(ApplyPosition& position, const Batch& batch) {
  const Command* const command = CommandTable::Get().FindByName(kExpireCommand);
  for (const keyspace::WallView::Key& expired : batch.expired) {
    const std::string_view args[] = {kExpireCommand, expired.key};
    discarded_replies_.clear();
    ReplyWriter reply(&discarded_replies_, 2);
    RunWrite(position, *command, args, expired.db, reply);
    if (discarded_replies_ == ":1\r\n") executor_->CountExpired();
  }
}

void Applier::BeginCheckpoint(const raft::SnapshotMeta& meta, const raft::Membership& membership) {
  keyspace::ShardSet all;
  all.AddAll();
  const ShardLock lock(*keyspace_, all, LockMode::kExclusive);
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
