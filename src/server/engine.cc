#include "server/engine.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/log.h"
#include "base/random.h"
#include "storage/factory.h"

namespace kiwi::server {

Result<std::unique_ptr<Engine>> Engine::Open(const EngineOptions& options, Clock* clock) {
  std::unique_ptr<Engine> engine(new Engine);
  KIWI_RETURN_IF_ERROR(engine->LockDirectory(options.dir));
  KIWI_RETURN_IF_ERROR(engine->OpenBackends(options));
  const int64_t start_ns = clock->MonotonicNs();
  KIWI_RETURN_IF_ERROR(engine->Load(options));
  KIWI_LOG(kInfo, "state loaded applied={} ms={}", engine->applied_index_,
           (clock->MonotonicNs() - start_ns) / 1'000'000);

  engine->applier_ = std::make_unique<Applier>(engine->keyspace_.get(), engine->checkpointer_.get(),
                                               engine->clock_ms_);
  raft::NodeOptions node = options.node;
  node.core.applied = engine->applied_index_;
  node.clock_ms = engine->clock_ms_;
  node.membership = engine->membership_;
  node.core.random_seed = EntropySeed();
  raft::LogStorage* const log = engine->log_.get();
  engine->node_ = std::make_unique<raft::Node>(
      node, log, [log] { return log->Resume(); }, [log] { return log->ReleaseSpace(); },
      engine->applier_.get(), clock);
  engine->applier_->SetForwarded(node.core.id, &engine->node_->forwarded());
  return engine;
}

Engine::~Engine() {
  if (node_) node_->Stop();
  node_.reset();
  checkpointer_.reset();
  log_.reset();
  log_backend_.reset();
  state_backend_.reset();
  if (lock_fd_ >= 0) close(lock_fd_);  // and with it the lock
}

Status Engine::LockDirectory(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) {
    return {StatusCode::kIo, "cannot make the data directory " + dir + ": " + error.message()};
  }
  const std::string path = dir + "/LOCK";
  lock_fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) {
    return {StatusCode::kIo,
            "cannot write to the data directory: " + path + ": " + std::strerror(errno)};
  }
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    return {StatusCode::kBusy, "the data directory " + dir + " is in use by another server"};
  }
  return {};
}

Status Engine::OpenBackends(const EngineOptions& options) {
  storage::BackendOptions backend;
  backend.name = options.backend;
  backend.file_layer = options.file_layer;
  backend.max_open_files = options.max_open_files;
  backend.background_threads = options.background_threads;

  backend.profile = storage::Profile::kLog;
  backend.path = options.log_dir.empty() ? options.dir + "/log" : options.log_dir;
  backend.write_buffer_bytes = options.log_buffer_bytes;
  backend.block_cache_bytes = 1 << 20;  // entries are read once, at start
  KIWI_ASSIGN_OR_RETURN(log_backend_, storage::OpenBackend(backend));

  backend.profile = storage::Profile::kState;
  backend.path = options.dir + "/state";
  backend.write_buffer_bytes = options.state_buffer_bytes;
  backend.block_cache_bytes = options.block_cache_bytes;
  KIWI_ASSIGN_OR_RETURN(state_backend_, storage::OpenBackend(backend));
  return {};
}

Status Engine::Load(const EngineOptions& options) {
  KIWI_ASSIGN_OR_RETURN(
      log_, raft::LogStorage::Open(log_backend_.get(), {.cache_bytes = options.log_cache_bytes}));
  keyspace::KeyspaceOptions keyspace = options.keyspace;
  keyspace.hash_seed = options.bootstrap.hash_seed != 0
                           ? options.bootstrap.hash_seed
                           : EntropySeed();  // replaced by the stored one, if there is a checkpoint
  keyspace_ = std::make_unique<keyspace::Keyspace>(keyspace);
  checkpointer_ = std::make_unique<keyspace::Checkpointer>(keyspace_.get(), state_backend_.get());
  KIWI_ASSIGN_OR_RETURN(const keyspace::CheckpointMeta meta,
                        checkpointer_->Load(options.load_threads));
  applied_index_ = meta.applied_index;
  KIWI_ASSIGN_OR_RETURN(const raft::InitialState initial, log_->GetInitialState());
  const bool fresh_log = initial.conf_state.voters.empty();
  const bool fresh_state = meta.host.empty();
  CheckpointHost host;
  if (!fresh_state) {
    KIWI_ASSIGN_OR_RETURN(host, DecodeCheckpointHost(applied_index_, meta.host));
    clock_ms_ = host.clock_ms;
  }
  membership_ = host.membership.members.empty() ? options.bootstrap.membership : host.membership;

  if (fresh_state) {
    if (!fresh_log && log_->FirstIndex() > 1) {
      return {StatusCode::kCorruption,
              "the log begins at " + std::to_string(log_->FirstIndex()) +
                  ", but there is no checkpoint of what came before; restore " + options.dir +
                  "/state from a backup"};
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
  if (fresh_log && applied_index_ == 0) {
    raft::ConfState begin;
    begin.voters = options.bootstrap.voters;
    return log_->SetConfState(begin);
  }
  if (applied_index_ + 1 < log_->FirstIndex()) {
    return {StatusCode::kCorruption, "the log begins at " + std::to_string(log_->FirstIndex()) +
                                         ", but the checkpoint ends at " +
                                         std::to_string(applied_index_)};
  }
  if (log_->LastIndex() < applied_index_) {
    // The log was lost behind a checkpoint (an unsynced log after a crash of the machine, or a
    // deleted log directory): the checkpoint is the newest state that there is.
    KIWI_LOG(kWarn, "log ends at {} before the checkpoint at {}: going on from the checkpoint",
             log_->LastIndex(), applied_index_);
    return log_->ApplySnapshot(host.meta);
  }
  return {};
}

}  // namespace kiwi::server
