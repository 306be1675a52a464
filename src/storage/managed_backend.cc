#include "storage/managed_backend.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "storage/disk_files.h"
#include "storage/recovery_check.h"

namespace kiwi::storage {
namespace {

Status ClosedError() {
  return {StatusCode::kIo, "storage is closed: it could not be opened again after an error"};
}

class ClosedIterator final : public Iterator {
 public:
  bool Valid() const override { return false; }
  void SeekToFirst() override {}
  void SeekToLast() override {}
  void Seek(std::string_view) override {}
  void Next() override {}
  void Prev() override {}
  std::string_view key() const override { return {}; }
  std::string_view value() const override { return {}; }
  Status status() const override { return ClosedError(); }
};

// Of nothing; keeps the backend closed while it lives, as no engine could read at it later.
class ClosedSnapshot final : public Snapshot {
 public:
  explicit ClosedSnapshot(std::atomic<int>* views) : view_(views) {}

 private:
  View view_;
};

// Opening writes what the logs hold once more, and some small files.
constexpr uint64_t kSpareBytes = uint64_t{1} << 20;

}  // namespace

Result<std::unique_ptr<Backend>> ManagedBackend::Open(const EngineKind& kind,
                                                      const BackendOptions& options) {
  std::unique_ptr<ManagedBackend> backend(new ManagedBackend(kind, options));
  KIWI_ASSIGN_OR_RETURN(backend->lock_, DirectoryLock::Take(options.path));
  {
    WriterLock lock(backend->gate_);
    KIWI_RETURN_IF_ERROR(backend->OpenEngine());
  }
  return std::unique_ptr<Backend>(std::move(backend));
}

ManagedBackend::~ManagedBackend() {
  KIWI_CHECK(views_ == 0, "a backend outlives its snapshots and iterators");
}

Status ManagedBackend::OpenEngine() {
  KIWI_ASSIGN_OR_RETURN(const RecoveryCheck check,
                        CheckBeforeRecovery(options_.path, options_.file_layer));
  KIWI_ASSIGN_OR_RETURN(engine_, kind_.open(options_, check, &views_));
  return {};
}

Status ManagedBackend::Write(const WriteOptions& options, WriteBatch* batch) {
  ReaderLock lock(gate_);
  if (!failure_.ok()) return failure_.Get();
  Engine& engine = *engine_;  // the lambda's analysis does not see the lock
  Status status = meter_.Measure(options.sync, batch->SizeBytes(),
                                 [&] { return engine.Write(options, batch); });
  // What the engine refuses unseen leaves it as it was.
  return status.code() == StatusCode::kInvalidArgument ? status
                                                       : failure_.Record(std::move(status));
}

Status ManagedBackend::Sync() {
  ReaderLock lock(gate_);
  if (!failure_.ok()) return failure_.Get();
  Engine& engine = *engine_;
  return failure_.Record(meter_.Measure(true, 0, [&engine] { return engine.Sync(); }));
}

Status ManagedBackend::Flush() {
  ReaderLock lock(gate_);
  if (!failure_.ok()) return failure_.Get();
  return failure_.Record(engine_->Flush());
}

Status ManagedBackend::Get(const ReadOptions& options, std::string_view key,
                           std::string* value) const {
  ReaderLock lock(gate_);
  return engine_ ? engine_->Get(options, key, value) : ClosedError();
}

std::unique_ptr<Iterator> ManagedBackend::NewIterator(const ReadOptions& options) const {
  ReaderLock lock(gate_);
  if (!engine_) return std::make_unique<ClosedIterator>();
  return engine_->NewIterator(options);
}

std::unique_ptr<const Snapshot> ManagedBackend::GetSnapshot() const {
  ReaderLock lock(gate_);
  if (!engine_) return std::make_unique<ClosedSnapshot>(&views_);
  return engine_->GetSnapshot();
}

Stats ManagedBackend::GetStats() const {
  ReaderLock lock(gate_);
  Stats stats = engine_ ? engine_->GetStats() : Stats();
  meter_.FillIn(&stats);
  return stats;
}

Status ManagedBackend::Resume() {
  WriterLock lock(gate_);
  if (failure_.ok()) return {};
  if (views_ != 0) {
    return {StatusCode::kBusy, "cannot resume while iterators or snapshots are open"};
  }
  const uint64_t logged = engine_ ? engine_->GetStats().wal_bytes : 0;
  KIWI_RETURN_IF_ERROR(DiskFiles(options_.path, options_.file_layer)
                           .ProveWritable(logged + kSpareBytes)
                           .WithContext("cannot resume, the disk still refuses"));
  engine_.reset();
  KIWI_RETURN_IF_ERROR(OpenEngine().WithContext("cannot resume"));
  failure_.Reset();
  return {};
}

}  // namespace kiwi::storage
