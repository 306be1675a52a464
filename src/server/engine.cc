#include "server/engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "keyspace/snapshot_source.h"
#include "server/identity.h"
#include "storage/factory.h"

namespace kiwi::server {
namespace {

// More elections than there can have been since any checkpoint.
constexpr raft::Term kTermsForgotten = 1'000'000;
constexpr int64_t kTellNs = 10'000'000'000;

storage::BackendOptions CommonBackendOptions(const EngineOptions& options) {
  storage::BackendOptions backend;
  backend.name = options.backend;
  backend.file_layer = options.file_layer;
  backend.max_open_files = options.max_open_files;
  backend.background_threads = options.background_threads;
  return backend;
}

// Of the checkpoint there; nothing: there is none.
std::optional<uint64_t> CheckpointIndex(const EngineOptions& options, const std::string& name) {
  const auto store = StateStore::Open(StateBackendOptions(options), options.dir, name);
  if (!store.ok()) return std::nullopt;
  const auto source = keyspace::SnapshotSource::Open((*store)->backend(), 0, 0);
  return source.ok() ? std::optional((*source)->meta().applied_index) : std::nullopt;
}

}  // namespace

storage::BackendOptions LogBackendOptions(const EngineOptions& options) {
  storage::BackendOptions backend = CommonBackendOptions(options);
  backend.profile = storage::Profile::kLog;
  backend.path = options.log_dir.empty() ? options.dir + "/log" : options.log_dir;
  backend.write_buffer_bytes = options.log_buffer_bytes;
  backend.block_cache_bytes = 1 << 20;  // entries are read once, at start
  return backend;
}

storage::BackendOptions StateBackendOptions(const EngineOptions& options) {
  storage::BackendOptions backend = CommonBackendOptions(options);
  backend.profile = storage::Profile::kState;
  backend.write_buffer_bytes = options.state_buffer_bytes;
  backend.block_cache_bytes = options.block_cache_bytes;
  return backend;
}

Result<std::unique_ptr<Engine>> Engine::Open(const EngineOptions& options, Clock* clock) {
  std::unique_ptr<Engine> engine(new Engine);
  engine->dir_ = options.dir;
  KIWI_ASSIGN_OR_RETURN(engine->lock_, DataLock::Take(options.dir));
  KIWI_RETURN_IF_ERROR(WipeIfMarked(options.dir, LogBackendOptions(options).path));
  engine->clock_ = clock;
  KIWI_RETURN_IF_ERROR(engine->OpenLog(options));
  KIWI_RETURN_IF_ERROR(engine->OpenState(options));
  KIWI_RETURN_IF_ERROR(engine->MarkRun(options));
  const int64_t start_ns = clock->MonotonicNs();
  KIWI_RETURN_IF_ERROR(engine->Load(options));
  KIWI_LOG(kInfo, "state loaded applied={} ms={}", engine->applied_index_,
           (clock->MonotonicNs() - start_ns) / 1'000'000);
  if (options.backend != "memory") {
    for (const std::string& name : ListStateDirs(options.dir)) {
      if (name == engine->store_->name()) continue;
      KIWI_LOG(kInfo, "removing a state that does not count name={}", name);
      KIWI_RETURN_IF_ERROR(RemoveStateDir(options.dir, name));
    }
  }

  engine->snapshots_ = std::make_unique<SnapshotKeeper>(
      SnapshotKeeperOptions{.data_dir = options.dir,
                            .backend = StateBackendOptions(options),
                            .keyspace = options.keyspace,
                            .load_threads = options.load_threads},
      std::move(engine->store_), engine->checkpointer_.get());
  engine->applier_ = std::make_unique<Applier>(engine->keyspace_.get(), engine->checkpointer_.get(),
                                               engine->snapshots_.get(), engine->clock_ms_);
  raft::NodeOptions node = options.node;
  node.core.applied = engine->applied_index_;
  node.clock_ms = engine->clock_ms_;
  node.membership = engine->membership_;
  node.core.random_seed = EntropySeed();
  engine->distrust_marked_ = engine->run_mark_ && engine->run_mark_->distrusted();
  node.core.distrusted = engine->distrust_marked_;
  raft::LogStorage* const log = engine->log_.get();
  engine->node_ = std::make_unique<raft::Node>(
      node, log, [log] { return log->Resume(); }, [log] { return log->ReleaseSpace(); },
      engine->applier_.get(), clock);
  engine->applier_->SetForwarded(node.core.id, &engine->node_->forwarded());
  engine->applier_->SetOnClientAddress(
      [node = engine->node_.get()](raft::NodeId id, std::string host, int port) {
        node->SetClientAddress(id, std::move(host), port);
      });
  return engine;
}

Engine::~Engine() {
  if (node_) node_->Stop();
  if (node_ && node_->stopped_clean() && run_mark_ && run_mark_->running()) {
    if (const Status s = run_mark_->End(); !s.ok()) {
      KIWI_LOG(kWarn, "the end of the run is not marked error=\"{}\"", s.ToString());
    }
  }
  node_.reset();
  applier_.reset();
  checkpointer_.reset();
  snapshots_.reset();  // and with it the state's backend
}

Status Engine::OpenLog(const EngineOptions& options) {
  KIWI_ASSIGN_OR_RETURN(log_backend_, storage::OpenBackend(LogBackendOptions(options)));
  KIWI_ASSIGN_OR_RETURN(
      log_, raft::LogStorage::Open(log_backend_.get(), {.cache_bytes = options.log_cache_bytes}));
  KIWI_ASSIGN_OR_RETURN(initial_, log_->GetInitialState());
  return {};
}

Status Engine::MarkRun(const EngineOptions& options) {
  if (options.backend == "memory") return {};
  std::string boot_id = options.boot_id;
  if (boot_id.empty()) {
    // Unknown, each start may be in another life of the machine.
    Result<std::string> id = MachineBootId();
    boot_id = id.ok() ? *std::move(id) : "unknown-" + std::to_string(EntropySeed());
  }
  const bool lax = options.node.fsync != raft::FsyncMode::kAlways;
  KIWI_ASSIGN_OR_RETURN(run_mark_, RunMark::Begin(options.dir, lax, boot_id));
  return {};
}

bool Engine::MaintainTrust() {
  if (!distrust_marked_.load(std::memory_order_relaxed)) return false;
  if (!node_->distrusted()) return true;
  const int64_t now_ns = clock_->MonotonicNs();
  if (node_->leader() != raft::kNoNode) told_ns_ = now_ns;
  if (told_ns_ != 0 && now_ns - told_ns_ < kTellNs) return false;
  told_ns_ = now_ns;
  KIWI_LOG(
      kError,
      "this node may have lost acknowledged writes: the machine has restarted, and raft.fsync was "
      "not always. It neither votes nor leads until a leader has caught it up, and no leader is "
      "known node={}. If a majority is in this state nobody can lead: then an operator has to "
      "decide to go on with what there is, by RAFT.ACCEPT_LOSS on each node of a majority",
      node_->id());
  return false;
}

void Engine::WriteTrust() {
  Status status = node_->SyncLog();
  if (status.ok()) status = run_mark_->Trusted();
  if (status.ok()) {
    distrust_marked_ = false;
  } else {
    KIWI_LOG(kWarn, "trust is not written down error=\"{}\"", status.ToString());
  }
}

Status Engine::AcceptLoss() {
  if (!node_->distrusted()) {
    return {StatusCode::kInvalidArgument, "this node has lost nothing that it knows of"};
  }
  KIWI_LOG(kWarn, "an operator accepts that acknowledged writes may be lost node={}", node_->id());
  node_->Trust();
  return {};
}

Status Engine::OpenState(const EngineOptions& options) {
  KIWI_ASSIGN_OR_RETURN(const std::string name, ChooseState(options));
  KIWI_ASSIGN_OR_RETURN(store_, StateStore::Open(StateBackendOptions(options), options.dir, name));
  return {};
}

Result<std::string> Engine::ChooseState(const EngineOptions& options) const {
  const std::string first = kFirstStateDir;
  if (options.backend == "memory") return first;
  const std::vector<std::string> found = ListStateDirs(options.dir);
  if (const std::string& named = initial_.state_dir; !named.empty()) {
    if (std::find(found.begin(), found.end(), named) != found.end()) return named;
    return Status(StatusCode::kCorruption, "the log in " + LogBackendOptions(options).path +
                                               " names " + options.dir + "/" + named +
                                               " as the state, and it is not there");
  }
  const bool empty_log = initial_.conf_state.voters.empty() && log_->LastIndex() == 0;
  if (!empty_log || found.empty() || found.back() == first) return first;
  // The log was lost, or the first snapshot of a node that joins was staged and not installed.
  std::vector<std::string> complete;
  for (const std::string& name : found) {
    const std::optional<uint64_t> index = CheckpointIndex(options, name);
    if (index == 0 && name == first) return first;
    if (index) complete.push_back(name);
  }
  if (complete.empty()) return first;
  if (complete.size() == 1) return complete.front();
  return Status(StatusCode::kCorruption,
                "there is no log in " + LogBackendOptions(options).path + " to say which of " +
                    options.dir + "/" + complete.front() + " and " + options.dir + "/" +
                    complete.back() + " is the state: move away the one that is not");
}

Status Engine::Load(const EngineOptions& options) {
  keyspace::KeyspaceOptions keyspace = options.keyspace;
  keyspace.hash_seed = options.bootstrap.hash_seed != 0
                           ? options.bootstrap.hash_seed
                           : EntropySeed();  // replaced by the stored one, if there is a checkpoint
  keyspace_ = std::make_unique<keyspace::Keyspace>(keyspace);
  checkpointer_ = std::make_unique<keyspace::Checkpointer>(keyspace_.get(), &store_->backend());
  KIWI_ASSIGN_OR_RETURN(const keyspace::CheckpointMeta meta,
                        checkpointer_->Load(options.load_threads));
  applied_index_ = meta.applied_index;
  const bool fresh_log = initial_.conf_state.voters.empty();
  const std::string* const state_dir =
      initial_.state_dir.empty() && store_->name() != kFirstStateDir ? &store_->name() : nullptr;
  CheckpointHost host;
  if (!meta.host.empty()) {
    KIWI_ASSIGN_OR_RETURN(host, DecodeCheckpointHost(applied_index_, meta.host));
    clock_ms_ = host.clock_ms;
  }
  membership_ = host.membership.members.empty() ? options.bootstrap.membership : host.membership;
  CorrectOwnAddress(options);

  if (meta.host.empty()) {
    if (!fresh_log && log_->FirstIndex() > 1) {
      return {StatusCode::kCorruption,
              "the log begins at " + std::to_string(log_->FirstIndex()) +
                  ", but there is no checkpoint of what came before; restore " + options.dir + "/" +
                  store_->name() + " from a backup"};
    }
    // The seed must be on disk before the first entry: replay depends on it.
    raft::SnapshotMeta begin;
    begin.conf_state.voters = options.bootstrap.voters;
    keyspace::ShardSet all;
    all.AddAll();
    {
      const keyspace::ShardLock lock(*keyspace_, all, keyspace::LockMode::kExclusive);
      checkpointer_->Begin(
          {.applied_index = 0,
           .host = EncodeCheckpointHost({.meta = begin, .membership = membership_})});
    }
    KIWI_RETURN_IF_ERROR(checkpointer_->Run());
  }
  if (fresh_log && applied_index_ == 0) return BeginLog(options, state_dir);
  if (applied_index_ + 1 < log_->FirstIndex()) {
    return {StatusCode::kCorruption, "the log begins at " + std::to_string(log_->FirstIndex()) +
                                         ", but the checkpoint ends at " +
                                         std::to_string(applied_index_)};
  }
  // The log was lost behind a checkpoint (an unsynced log after a crash of the machine, or a
  // deleted log directory): the checkpoint is the newest state that there is.
  if (log_->LastIndex() < applied_index_) {
    return BeginLogBehind(host.meta, options.node.core.id, state_dir);
  }
  return {};
}

// Of a node that is alone: nobody else has been told another one, and whoever joins has to reach it
// where the configuration says now.
void Engine::CorrectOwnAddress(const EngineOptions& options) {
  const raft::NodeId id = options.node.core.id;
  const raft::ConfState& conf = initial_.conf_state;
  const raft::Member* const configured = options.bootstrap.membership.Find(id);
  const raft::Member* const stored = membership_.Find(id);
  if (configured == nullptr || stored == nullptr || membership_.members.size() != 1 ||
      conf.voters != std::vector<raft::NodeId>{id} || !conf.learners.empty()) {
    return;
  }
  raft::Member own = *stored;
  own.raft_host = configured->raft_host;
  own.raft_port = configured->raft_port;
  membership_.Put(own);
}

Status Engine::BeginLog(const EngineOptions& options, const std::string* state_dir) {
  raft::ConfState begin;
  begin.voters = options.bootstrap.voters;
  raft::LogBatch batch;
  batch.conf_state = &begin;
  batch.state_dir = state_dir;
  return log_->Write(batch);
}

Status Engine::BeginLogBehind(const raft::SnapshotMeta& snapshot, raft::NodeId node_id,
                              const std::string* state_dir) {
  KIWI_LOG(kWarn, "log ends at {} before the checkpoint at {}: going on from the checkpoint",
           log_->LastIndex(), applied_index_);
  raft::HardState hard_state = initial_.hard_state;
  const bool alone = snapshot.conf_state.voters == std::vector<raft::NodeId>{node_id};
  if (alone && hard_state.term < snapshot.term) {
    hard_state = {.term = snapshot.term, .vote = node_id};
  } else if (!alone && hard_state.term < snapshot.term) {
    // Terms and votes are always synced: without them the whole log is gone, with all that this node
    // has promised the others. It keeps out of every term that it may have voted in.
    KIWI_LOG(kError,
             "the log in place is not this node's: it forgets what it promised its group, and "
             "takes no part in elections until a leader has caught it up node={}",
             node_id);
    hard_state.term = snapshot.term + kTermsForgotten;
    if (run_mark_) KIWI_RETURN_IF_ERROR(run_mark_->Distrust());
  }
  hard_state.commit = snapshot.index;
  raft::LogBatch batch;
  batch.hard_state = &hard_state;
  batch.snapshot = &snapshot;
  batch.state_dir = state_dir;
  return log_->Write(batch);
}

}  // namespace kiwi::server
