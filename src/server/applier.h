// The one writer of the keyspace: applies committed entries, in log order, on every node, and answers
// the clients whose batches this node proposed. Begins and runs checkpoints.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "commands/command.h"
#include "keyspace/checkpoint.h"
#include "keyspace/keyspace.h"
#include "raft/node/entry_codec.h"
#include "raft/node/forwarding.h"
#include "raft/node/state_machine.h"
#include "server/transaction.h"

namespace kiwi::server {

class Executor;
class SnapshotKeeper;
struct Item;
class Applier;
class Batch;

// The entry that is being applied.
struct ApplyPosition {
  keyspace::Moment moment;
  uint64_t seed = 0;
  uint64_t ordinal = 0;  // of the next record within the entry: each gets a seed of its own
};

// A proposal of this node: applies itself from what it still holds in parsed form, the very
// arguments that it encoded, in the order of its records.
class LocalProposal : public raft::Proposal {
 public:
  // False: the applier must not wait, and would have to, for a shard or for the disk of a checkpoint
  // that falls behind: the next call goes on from there.
  virtual bool ApplyLocal(Applier& applier, ApplyPosition& position) = 0;
};

class Applier final : public raft::StateMachine {
 public:
  // All outlive it. clock_ms: the replicated clock of what the keyspace holds.
  Applier(keyspace::Keyspace* keyspace, keyspace::Checkpointer* checkpointer,
          SnapshotKeeper* snapshots, int64_t clock_ms);
  // Before the node starts.
  void SetExecutor(Executor* executor) { executor_ = executor; }
  // Likewise: what this node's clients wait for in other nodes' entries.
  void SetForwarded(raft::NodeId self, raft::ForwardedProposals* forwarded) {
    node_id_ = self;
    forwarded_ = forwarded;
  }

  // Likewise: of a member, from now on: kMemberCommand.
  using SetClientAddress = std::function<void(raft::NodeId id, std::string host, int port)>;
  void SetOnClientAddress(SetClientAddress fn) { set_client_address_ = std::move(fn); }

  Status Apply(const raft::Entry& entry, std::span<raft::Proposal* const> local) override;
  Status ApplyWithoutWaiting(const raft::Entry& entry,
                             std::span<raft::Proposal* const> local) override;
  void BeginCheckpoint(const raft::SnapshotMeta& meta, const raft::Membership& membership) override;
  bool BeginCheckpointWithoutWaiting(const raft::SnapshotMeta& meta,
                                     const raft::Membership& membership) override;
  Status RunCheckpoint() override;
  Result<std::unique_ptr<raft::SnapshotReader>> OpenSnapshot(size_t chunk_bytes) override;
  Result<std::unique_ptr<raft::SnapshotStage>> StageSnapshot() override;
  Status InstallSnapshot(raft::SnapshotStage& stage) override;

  // For proposals: one write under the exclusive locks of its keys. False: as ApplyLocal; nothing
  // was done.
  bool RunWrite(ApplyPosition& position, const commands::Command& command, commands::Args args,
                int db, protocol::ReplyWriter& reply);
  bool ApplyBatch(ApplyPosition& position, Batch& batch);

 private:
  // How far the entry that is being applied has come.
  struct Progress {
    raft::LogIndex index = 0;  // 0: none is under way
    ApplyPosition position;
    size_t proposals = 0;  // of `local`, wholly applied
    size_t replayed = 0;   // bytes of the records that are being replayed
  };

  Status ApplyEntry(const raft::Entry& entry, std::span<raft::Proposal* const> local,
                    keyspace::LockWait wait);
  Status ApplyRecords(std::string_view records, std::span<raft::Proposal* const> local);
  // kBusy: as ApplyWithoutWaiting.
  Status Replay(ApplyPosition& position, std::string_view records);
  // This thread must not wait, and what it changes next might have to be written by itself.
  bool MustLeave() const {
    return wait_ == keyspace::LockWait::kNever && checkpointer_->FallsBehind();
  }
  void Freeze(const raft::SnapshotMeta& meta, const raft::Membership& membership);
  size_t PrefetchItems(const Batch& batch, size_t first);
  bool ApplyItem(ApplyPosition& position, Batch& batch, Item& item);
  void NoteMember(commands::Args args);
  bool DeleteExpired(ApplyPosition& position, Batch& batch);
  Status ReplayTransaction(ApplyPosition& position, const raft::TransactionRecord& record);

  keyspace::Keyspace* const keyspace_;
  keyspace::Checkpointer* const checkpointer_;
  SnapshotKeeper* const snapshots_;
  Executor* executor_ = nullptr;
  raft::NodeId node_id_ = raft::kNoNode;
  raft::ForwardedProposals* forwarded_ = nullptr;
  SetClientAddress set_client_address_;
  // Serialised by the node's apply lock.
  int64_t clock_ms_;  // the replicated clock: the greatest stamp of an applied entry
  keyspace::LockWait wait_ = keyspace::LockWait::kLong;
  Progress progress_;
  raft::RecordReader reader_;
  std::string discarded_replies_;
};

// What a checkpoint keeps for Raft, in CheckpointMeta::host (docs/formats.md).
struct CheckpointHost {
  raft::SnapshotMeta meta;  // the index is CheckpointMeta's own
  int64_t clock_ms = 0;     // the replicated clock at that index
  raft::Membership membership;
};
std::string EncodeCheckpointHost(const CheckpointHost& host);
Result<CheckpointHost> DecodeCheckpointHost(uint64_t applied_index, std::string_view bytes);

}  // namespace kiwi::server
