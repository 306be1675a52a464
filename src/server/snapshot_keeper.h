// The state's side of Raft snapshots: sends the last checkpoint, stages one that comes in, puts it
// in the present state's place. What makes the change count is the log's (raft::LogBatch::state_dir).
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "keyspace/checkpoint.h"
#include "keyspace/keyspace.h"
#include "keyspace/reaper.h"
#include "raft/node/snapshot.h"
#include "server/state_store.h"
#include "storage/backend_options.h"

namespace kiwi::server {

struct SnapshotKeeperOptions {
  std::string data_dir;
  storage::BackendOptions backend;  // of a state, its path left empty
  keyspace::KeyspaceOptions keyspace;
  int load_threads = 2;
};

// Thread-safe, save that readers and stages belong to one thread at a time each. It outlives them.
class SnapshotKeeper {
 public:
  // The keyspace and its checkpointer, on the store's backend, outlive it.
  SnapshotKeeper(SnapshotKeeperOptions options, std::shared_ptr<StateStore> store,
                 keyspace::Checkpointer* checkpointer);

  // As raft::StateMachine says.
  Result<std::unique_ptr<raft::SnapshotReader>> OpenSnapshot(size_t chunk_bytes);
  Result<std::unique_ptr<raft::SnapshotStage>> StageSnapshot();
  Status InstallSnapshot(raft::SnapshotStage& stage);

  storage::Stats StateStats() const KIWI_EXCLUDES(mu_);

 private:
  class Stage;
  std::shared_ptr<StateStore> store() const KIWI_EXCLUDES(mu_);

  const SnapshotKeeperOptions options_;
  keyspace::Checkpointer* const checkpointer_;
  std::atomic<bool> staging_{false};

  mutable Mutex mu_;
  std::shared_ptr<StateStore> store_ KIWI_GUARDED_BY(mu_);
  keyspace::Reaper reaper_;  // closes and removes what was replaced
};

}  // namespace kiwi::server
