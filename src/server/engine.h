// The durable half of a server: the data directory with its log and its checkpoints, the keyspace in
// memory, and the Raft node that drives it. No network.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "keyspace/checkpoint.h"
#include "keyspace/keyspace.h"
#include "raft/node/node.h"
#include "raft/storage/log_storage.h"
#include "server/applier.h"
#include "server/data_lock.h"
#include "server/run_mark.h"
#include "server/snapshot_keeper.h"
#include "server/state_store.h"
#include "storage/backend.h"
#include "storage/backend_options.h"

namespace kiwi::server {

// What a node begins with whose directory is empty.
struct Bootstrap {
  // Of the group; empty: it was joined to one, and waits for a snapshot.
  std::vector<raft::NodeId> voters = {1};
  raft::Membership membership;
  uint64_t hash_seed = 0;  // equal on all that begin together; 0: random, for a group of one
};

struct EngineOptions {
  Bootstrap bootstrap;
  std::string dir = "data";
  std::string log_dir;  // empty: <dir>/log
  std::string backend = "rocksdb";
  size_t log_buffer_bytes = 32 << 20;    // memory of the log's backend
  size_t state_buffer_bytes = 32 << 20;  // memory of the checkpoint's backend
  uint64_t log_cache_bytes = 4 << 20;    // newest entries kept in memory
  size_t block_cache_bytes = 1 << 20;    // the state is read once, at start
  int max_open_files = 256;
  int background_threads = 2;
  int load_threads = 2;
  std::string boot_id;                       // of the machine; empty: as the system tells
  storage::FileLayer* file_layer = nullptr;  // for tests; outlives the engine
  keyspace::KeyspaceOptions keyspace;
  raft::NodeOptions node;
};

// How the backends of such an engine are opened; the state's without its path.
storage::BackendOptions LogBackendOptions(const EngineOptions& options);
storage::BackendOptions StateBackendOptions(const EngineOptions& options);

class Engine {
 public:
  // Locks the directory (kBusy: another server has it), opens the log and the state that it names,
  // loads the last checkpoint, removes what a crash has left of other states. The node is made and
  // not yet started. Errors name what is wrong and where.
  static Result<std::unique_ptr<Engine>> Open(const EngineOptions& options, Clock* clock);
  ~Engine();  // stops the node

  keyspace::Keyspace& keyspace() { return *keyspace_; }
  keyspace::Checkpointer& checkpointer() { return *checkpointer_; }
  raft::Node& node() { return *node_; }
  Applier& applier() { return *applier_; }
  raft::LogStorage& log() { return *log_; }
  const storage::Backend& log_backend() const { return *log_backend_; }
  SnapshotKeeper& snapshots() { return *snapshots_; }
  const std::string& dir() const { return dir_; }
  // A few times a second, one thread; never waits. True: the log is whole again, and WriteTrust is to
  // be called. Tells an operator who has to decide that it is not.
  bool MaintainTrust();
  // Puts the log on the disk and writes down that it is whole. One call at a time, on a thread that
  // may wait; what fails is logged, and MaintainTrust asks for it again.
  void WriteTrust();
  // An operator takes the log for what it is, although it may have lost acknowledged writes.
  Status AcceptLoss();

 private:
  Engine() = default;
  Status OpenLog(const EngineOptions& options);
  Status OpenState(const EngineOptions& options);
  Result<std::string> ChooseState(const EngineOptions& options) const;
  Status Load(const EngineOptions& options);
  void CorrectOwnAddress(const EngineOptions& options);
  Status BeginLog(const EngineOptions& options, const std::string* state_dir);
  Status BeginLogBehind(const raft::SnapshotMeta& snapshot, raft::NodeId node_id,
                        const std::string* state_dir);

  Status MarkRun(const EngineOptions& options);

  std::string dir_;
  Clock* clock_ = nullptr;
  std::unique_ptr<DataLock> lock_;
  std::optional<RunMark> run_mark_;  // none: nothing is on a disk. After Open WriteTrust's
  std::atomic<bool> distrust_marked_{false};
  int64_t told_ns_ = 0;  // of MaintainTrust
  std::unique_ptr<storage::Backend> log_backend_;
  std::unique_ptr<raft::LogStorage> log_;
  raft::InitialState initial_;         // of the log as it was opened
  std::shared_ptr<StateStore> store_;  // as it was opened; later the keeper knows
  std::unique_ptr<keyspace::Keyspace> keyspace_;
  std::unique_ptr<keyspace::Checkpointer> checkpointer_;
  std::unique_ptr<SnapshotKeeper> snapshots_;
  std::unique_ptr<Applier> applier_;
  std::unique_ptr<raft::Node> node_;
  raft::Membership membership_;
  uint64_t applied_index_ = 0;
  int64_t clock_ms_ = 0;  // the replicated clock of the checkpoint
};

}  // namespace kiwi::server
