// What the log drives. Implemented by the server (the keyspace behind it).
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/status.h"
#include "raft/core/types.h"
#include "raft/node/members.h"
#include "raft/node/proposal.h"
#include "raft/node/snapshot.h"

namespace kiwi::raft {

class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Applies one committed normal entry with data, in log order, exactly once; calls are serialised,
  // on varying threads. `local` are the proposals that make up the entry, in the order of its
  // records, if this node proposed it and its clients still wait; else empty. An error means that
  // the entry cannot be understood: the node stops rather than diverge.
  virtual Status Apply(const Entry& entry, std::span<Proposal* const> local) = 0;

  // The same on a thread that must not wait, for entries whose proposals are not slow. kBusy: it
  // would have had to, and has stopped; the next call, of this or Apply, has the same arguments and
  // goes on from there.
  virtual Status ApplyWithoutWaiting(const Entry& entry, std::span<Proposal* const> local) {
    return Apply(entry, local);
  }

  // Freezes the state as of meta.index, never in the middle of one: quick, but may wait for
  // readers. Then RunCheckpoint, on a thread of its own, makes it durable while Apply goes on.
  virtual void BeginCheckpoint(const SnapshotMeta& meta, const Membership& membership) = 0;
  virtual Status RunCheckpoint() = 0;
  // BeginCheckpoint on a thread that must not wait. False: it would have had to, nothing was done.
  virtual bool BeginCheckpointWithoutWaiting(const SnapshotMeta& meta,
                                             const Membership& membership) {
    BeginCheckpoint(meta, membership);
    return true;
  }

  // --- snapshots; without them (as here) a lagging peer cannot be caught up ---
  // Of the last durable checkpoint, in chunks of at most `chunk_bytes`. kUnavailable: there is
  // none. Any thread; a reader does not outlive the machine.
  virtual Result<std::unique_ptr<SnapshotReader>> OpenSnapshot(size_t /*chunk_bytes*/) {
    return Status(StatusCode::kUnavailable, "this state machine has no snapshots");
  }
  // Any thread. kBusy: one is being staged already.
  virtual Result<std::unique_ptr<SnapshotStage>> StageSnapshot() {
    return Status(StatusCode::kUnavailable, "this state machine takes no snapshots");
  }
  // Puts the finished stage in the present state's place, where Apply would be called: the next
  // entry is the one behind stage.meta().index. The log has recorded meta() and state_dir(), in one
  // synced batch, before; a crash between the two comes up with the new state. Waits for the
  // chunk that a running checkpoint is writing; RunCheckpoint returns kAborted then. Otherwise
  // quick: microseconds a shard. The stage is spent.
  virtual Status InstallSnapshot(SnapshotStage& /*stage*/) {
    return {StatusCode::kUnavailable, "this state machine takes no snapshots"};
  }
};

}  // namespace kiwi::raft
