#include "keyspace/checkpoint.h"

#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "keyspace/checkpoint_loader.h"
#include "keyspace/checkpoint_writer.h"

namespace kiwi::keyspace {

struct Checkpointer::Impl {
  Impl(Keyspace* k, storage::Backend* b, const CheckpointOptions& o)
      : keyspace(k),
        options(o),
        backend(b),
        writer(std::make_shared<CheckpointWriter>(keyspace, backend, options)),
        serving(writer.get()) {}

  enum class Phase { kIdle, kBegun, kRunning, kGivenUp };  // given up: begun, and never to run

  Keyspace* const keyspace;
  const CheckpointOptions options;

  mutable Mutex mu;
  CondVar ended;
  storage::Backend* backend KIWI_GUARDED_BY(mu);
  std::shared_ptr<CheckpointWriter> writer KIWI_GUARDED_BY(mu);
  const CheckpointWriter* serving;  // the same, for the applier; constant but for TakeOver
  Phase phase KIWI_GUARDED_BY(mu) = Phase::kIdle;
  uint64_t begun_index KIWI_GUARDED_BY(mu) = 0;
  Progress last KIWI_GUARDED_BY(mu);
};

Checkpointer::Checkpointer(Keyspace* keyspace, storage::Backend* backend,
                           const CheckpointOptions& options)
    : impl_(std::make_unique<Impl>(keyspace, backend, options)) {}
Checkpointer::~Checkpointer() = default;

Result<CheckpointMeta> Checkpointer::Load(int threads) {
  MutexLock lock(impl_->mu);
  CheckpointLoader loader(impl_->keyspace, impl_->backend);
  KIWI_RETURN_IF_ERROR(loader.Load(threads));
  const StoredMeta& meta = loader.meta();
  impl_->writer->SetStored(meta.generation);
  impl_->last.generation = meta.generation;
  impl_->last.applied_index = meta.applied_index;
  return CheckpointMeta{.applied_index = meta.applied_index, .host = meta.host};
}

void Checkpointer::Begin(CheckpointMeta meta) {
  MutexLock lock(impl_->mu);
  KIWI_CHECK(impl_->phase == Impl::Phase::kIdle, "one checkpoint at a time");
  impl_->phase = Impl::Phase::kBegun;
  impl_->begun_index = meta.applied_index;
  impl_->writer->Begin(meta.applied_index, std::move(meta.host));
}

Status Checkpointer::Run() {
  const int64_t begin_ns = SystemClock().MonotonicNs();
  std::shared_ptr<CheckpointWriter> writer;
  {
    MutexLock lock(impl_->mu);
    if (impl_->phase == Impl::Phase::kGivenUp) {
      impl_->phase = Impl::Phase::kIdle;
      return {StatusCode::kAborted, "checkpoint: another state took the place of this one"};
    }
    KIWI_CHECK(impl_->phase == Impl::Phase::kBegun, "Begin comes first");
    impl_->phase = Impl::Phase::kRunning;
    writer = impl_->writer;
  }
  const Status status = writer->Run();
  MutexLock lock(impl_->mu);
  impl_->phase = Impl::Phase::kIdle;
  impl_->ended.NotifyAll();
  if (!status.ok()) return status.WithContext("checkpoint");
  impl_->last.generation = writer->generation();
  impl_->last.applied_index = impl_->begun_index;
  impl_->last.duration_ms = (SystemClock().MonotonicNs() - begin_ns) / 1'000'000;
  return {};
}

void Checkpointer::TakeOver(Checkpointer& loaded) {
  Progress last;
  storage::Backend* backend = nullptr;
  {
    MutexLock lock(loaded.impl_->mu);
    last = loaded.impl_->last;
    backend = loaded.impl_->backend;
  }
  std::shared_ptr<CheckpointWriter> old;
  {
    MutexLock lock(impl_->mu);
    impl_->writer->Cancel();
    while (impl_->phase == Impl::Phase::kRunning) impl_->ended.Wait(impl_->mu);
    if (impl_->phase == Impl::Phase::kBegun) impl_->phase = Impl::Phase::kGivenUp;
    old = impl_->writer;
  }
  auto fresh = std::make_shared<CheckpointWriter>(impl_->keyspace, backend, impl_->options);
  fresh->SetStored(static_cast<uint32_t>(last.generation));
  {
    ShardSet all;
    all.AddAll();
    const ShardLock lock(*impl_->keyspace, all, LockMode::kExclusive);
    old->Detach();
    impl_->keyspace->TakeContents(*loaded.impl_->keyspace);
  }
  MutexLock lock(impl_->mu);
  impl_->serving = fresh.get();
  impl_->writer = std::move(fresh);
  impl_->backend = backend;
  impl_->last = last;
}

bool Checkpointer::FallsBehind() const { return impl_->serving->falls_behind(); }

Checkpointer::Progress Checkpointer::progress() const {
  MutexLock lock(impl_->mu);
  Progress progress = impl_->last;
  progress.running = impl_->writer->running();
  progress.pages_written = impl_->writer->rows_written();
  progress.bytes_written = impl_->writer->bytes_written();
  return progress;
}

}  // namespace kiwi::keyspace
