#include "keyspace/checkpoint.h"

#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "keyspace/checkpoint_loader.h"
#include "keyspace/checkpoint_writer.h"

namespace kiwi::keyspace {

struct Checkpointer::Impl {
  Impl(Keyspace* k, storage::Backend* b, const CheckpointOptions& options)
      : keyspace(k), backend(b), writer(k, b, options) {}

  Keyspace* const keyspace;
  storage::Backend* const backend;
  CheckpointWriter writer;
  uint64_t begun_index = 0;

  mutable Mutex mu;
  Progress last KIWI_GUARDED_BY(mu);
};

Checkpointer::Checkpointer(Keyspace* keyspace, storage::Backend* backend,
                           const CheckpointOptions& options)
    : impl_(std::make_unique<Impl>(keyspace, backend, options)) {}
Checkpointer::~Checkpointer() = default;

Result<CheckpointMeta> Checkpointer::Load(int threads) {
  CheckpointLoader loader(impl_->keyspace, impl_->backend);
  KIWI_RETURN_IF_ERROR(loader.Load(threads));
  const StoredMeta& meta = loader.meta();
  impl_->writer.SetStored(meta.generation);
  MutexLock lock(impl_->mu);
  impl_->last.generation = meta.generation;
  impl_->last.applied_index = meta.applied_index;
  return CheckpointMeta{.applied_index = meta.applied_index, .host = meta.host};
}

void Checkpointer::Begin(CheckpointMeta meta) {
  impl_->begun_index = meta.applied_index;
  impl_->writer.Begin(meta.applied_index, std::move(meta.host));
}

Status Checkpointer::Run() {
  const int64_t begin_ns = SystemClock().MonotonicNs();
  const Status status = impl_->writer.Run();
  if (!status.ok()) return status.WithContext("checkpoint");
  MutexLock lock(impl_->mu);
  impl_->last.generation = impl_->writer.generation();
  impl_->last.applied_index = impl_->begun_index;
  impl_->last.duration_ms = (SystemClock().MonotonicNs() - begin_ns) / 1'000'000;
  return {};
}

Checkpointer::Progress Checkpointer::progress() const {
  Progress progress;
  {
    MutexLock lock(impl_->mu);
    progress = impl_->last;
  }
  progress.running = impl_->writer.running();
  progress.pages_written = impl_->writer.rows_written();
  progress.bytes_written = impl_->writer.bytes_written();
  return progress;
}

}  // namespace kiwi::keyspace
