#include "server/snapshot_keeper.h"

#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "keyspace/snapshot_sink.h"
#include "keyspace/snapshot_source.h"
#include "server/applier.h"

namespace kiwi::server {
namespace {

class Reader final : public raft::SnapshotReader {
 public:
  Reader(std::shared_ptr<StateStore> store, std::unique_ptr<keyspace::SnapshotSource> source,
         raft::SnapshotMeta meta)
      : store_(std::move(store)), source_(std::move(source)), meta_(std::move(meta)) {}

  const raft::SnapshotMeta& meta() const override { return meta_; }
  uint64_t id() const override { return source_->stream(); }
  uint64_t estimated_bytes() const override {
    const storage::Stats stats = store_->backend().GetStats();
    return stats.disk_bytes + stats.memory_bytes;
  }
  Result<std::string> Read(uint64_t position) override { return source_->Read(position); }

 private:
  const std::shared_ptr<StateStore> store_;  // outlives the source's view
  const std::unique_ptr<keyspace::SnapshotSource> source_;
  const raft::SnapshotMeta meta_;
};

}  // namespace

class SnapshotKeeper::Stage final : public raft::SnapshotStage {
 public:
  Stage(SnapshotKeeper* keeper, std::shared_ptr<StateStore> store)
      : keeper_(*keeper), store_(std::move(store)), sink_(&store_->backend()) {}
  ~Stage() override {
    if (!finished_) store_->Retire();
    checkpointer_.reset();
    keeper_.staging_.store(false);
  }

  Status Write(std::string_view chunk) override {
    KIWI_RETURN_IF_ERROR(sink_.Write(chunk));
    if (host_.meta.index != 0 || !sink_.has_meta()) return {};
    const keyspace::CheckpointMeta stored = sink_.meta();
    Result<CheckpointHost> host = DecodeCheckpointHost(stored.applied_index, stored.host);
    if (!host.ok()) return {StatusCode::kSerialization, std::string(host.status().message())};
    host_ = std::move(*host);
    return {};
  }
  uint64_t position() const override { return sink_.position(); }
  uint64_t id() const override { return sink_.stream(); }
  const raft::SnapshotMeta& meta() const override { return host_.meta; }
  int64_t clock_ms() const override { return host_.clock_ms; }
  const raft::Membership* membership() const override { return &host_.membership; }
  bool complete() const override { return sink_.complete(); }
  const std::string& state_dir() const override { return store_->name(); }

  Status Finish() override {
    KIWI_RETURN_IF_ERROR(sink_.Finish());
    keyspace_ = std::make_unique<keyspace::Keyspace>(keeper_.options_.keyspace);
    checkpointer_ = std::make_unique<keyspace::Checkpointer>(keyspace_.get(), &store_->backend());
    KIWI_ASSIGN_OR_RETURN([[maybe_unused]] const keyspace::CheckpointMeta loaded,
                          checkpointer_->Load(keeper_.options_.load_threads));
    if (keeper_.options_.backend.name != "memory") {
      KIWI_RETURN_IF_ERROR(SyncDirectory(keeper_.options_.data_dir));
    }
    finished_ = true;
    return {};
  }
  void NotTaken() override { finished_ = false; }

 private:
  friend class SnapshotKeeper;
  SnapshotKeeper& keeper_;
  std::shared_ptr<StateStore> store_;
  keyspace::SnapshotSink sink_;
  CheckpointHost host_;
  // Loaded by Finish.
  std::unique_ptr<keyspace::Keyspace> keyspace_;
  std::unique_ptr<keyspace::Checkpointer> checkpointer_;
  bool finished_ = false;
};

SnapshotKeeper::SnapshotKeeper(SnapshotKeeperOptions options, std::shared_ptr<StateStore> store,
                               keyspace::Checkpointer* checkpointer)
    : options_(std::move(options)), checkpointer_(checkpointer), store_(std::move(store)) {}

std::shared_ptr<StateStore> SnapshotKeeper::store() const {
  MutexLock lock(mu_);
  return store_;
}

storage::Stats SnapshotKeeper::StateStats() const { return store()->backend().GetStats(); }

Result<std::unique_ptr<raft::SnapshotReader>> SnapshotKeeper::OpenSnapshot(size_t chunk_bytes) {
  std::shared_ptr<StateStore> from = store();
  KIWI_ASSIGN_OR_RETURN(
      std::unique_ptr<keyspace::SnapshotSource> source,
      keyspace::SnapshotSource::Open(from->backend(), EntropySeed(), chunk_bytes));
  const keyspace::CheckpointMeta stored = source->meta();
  KIWI_ASSIGN_OR_RETURN(CheckpointHost host,
                        DecodeCheckpointHost(stored.applied_index, stored.host));
  return std::unique_ptr<raft::SnapshotReader>(
      std::make_unique<Reader>(std::move(from), std::move(source), std::move(host.meta)));
}

Result<std::unique_ptr<raft::SnapshotStage>> SnapshotKeeper::StageSnapshot() {
  if (staging_.exchange(true)) {
    return Status(StatusCode::kBusy, "another snapshot is being staged");
  }
  const std::string name = NewStateDirName();
  Result<std::shared_ptr<StateStore>> store =
      StateStore::Open(options_.backend, options_.data_dir, name);
  if (!store.ok()) {
    // Senders try again and again.
    if (options_.backend.name != "memory") (void)RemoveStateDir(options_.data_dir, name);
    staging_.store(false);
    return store.status().WithContext("cannot stage a snapshot");
  }
  return std::unique_ptr<raft::SnapshotStage>(std::make_unique<Stage>(this, std::move(*store)));
}

Status SnapshotKeeper::InstallSnapshot(raft::SnapshotStage& snapshot) {
  Stage& stage = static_cast<Stage&>(snapshot);
  KIWI_CHECK(stage.finished_ && stage.checkpointer_ != nullptr, "a finished stage, and once");
  checkpointer_->TakeOver(*stage.checkpointer_);
  stage.checkpointer_.reset();
  std::shared_ptr<StateStore> old;
  {
    MutexLock lock(mu_);
    old = std::exchange(store_, stage.store_);
  }
  KIWI_LOG(kInfo, "snapshot installed index={} term={} state={}", stage.meta().index,
           stage.meta().term, stage.store_->name());
  old->Retire();
  reaper_.Discard(std::move(old));
  return {};
}

}  // namespace kiwi::server
