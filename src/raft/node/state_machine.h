// What the log drives. Implemented by the server (the keyspace behind it).
#pragma once

#include <span>
#include <string>

#include "base/status.h"
#include "raft/core/types.h"
#include "raft/node/proposal.h"

namespace kiwi::raft {

class StateMachine {
 public:
  virtual ~StateMachine() = default;

  // Applies one committed normal entry with data, in log order, exactly once; calls are serialised,
  // on varying threads. `local` are the proposals that make up the entry, in the order of its
  // records, if this node proposed it and its clients still wait; else empty. An error means that
  // the entry cannot be understood: the node stops rather than diverge.
  virtual Status Apply(const Entry& entry, std::span<Proposal* const> local) = 0;

  // Freezes the state as of meta.index, between two Apply calls: quick. Then RunCheckpoint, on a
  // thread of its own, makes it durable while Apply goes on.
  virtual void BeginCheckpoint(const SnapshotMeta& meta) = 0;
  virtual Status RunCheckpoint() = 0;
};

}  // namespace kiwi::raft
