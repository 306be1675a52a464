// What the storage interface and the Raft log cost over RocksDB itself: one entry of 3 KB a write, as
// a busy node makes them. Run where the disk does not blur it: TMPDIR=/dev/shm storage_bench
#include <benchmark/benchmark.h>
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "raft/storage/log_record.h"
#include "raft/storage/log_storage.h"
#include "storage/backend.h"
#include "storage/factory.h"
#include "testing/temp_dir.h"

namespace kiwi {
namespace {

constexpr size_t kPayload = 3000;
constexpr size_t kWriteBuffer = size_t{192} << 20;
constexpr uint64_t kCompactEvery = 5000;

raft::Entry MakeEntry() {
  static const auto payload = std::make_shared<const std::string>(kPayload, 'p');
  raft::Entry entry;
  entry.term = 1;
  entry.data = payload;
  return entry;
}

std::unique_ptr<storage::Backend> Open(const std::string& name, const std::string& path) {
  storage::BackendOptions options;
  options.name = name;
  options.path = path;
  options.profile = storage::Profile::kLog;
  options.write_buffer_bytes = kWriteBuffer;
  return std::move(storage::OpenBackend(options)).value();
}

// The same tuning as the backend's log profile, on RocksDB's own file system.
std::unique_ptr<rocksdb::DB> OpenDirect(const std::string& path) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = kWriteBuffer / 3;
  options.max_write_buffer_number = 3;
  options.compression = rocksdb::kNoCompression;
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;
  options.stats_dump_period_sec = 0;
  rocksdb::DB* db = nullptr;
  KIWI_CHECK(rocksdb::DB::Open(options, path, &db).ok(), "cannot open RocksDB");
  return std::unique_ptr<rocksdb::DB>(db);
}

void DirectRocksDb(benchmark::State& state) {
  const testing::TempDir dir;
  const auto db = OpenDirect(dir.path());
  raft::Entry entry = MakeEntry();
  rocksdb::WriteBatch batch;
  rocksdb::WriteOptions options;
  options.sync = state.range(0) != 0;
  for (auto _ : state) {
    ++entry.index;
    const raft::EntryKey key(entry.index);
    const raft::EntryHeader header(entry);
    const rocksdb::Slice key_slice(key.view().data(), key.view().size());
    const std::array<rocksdb::Slice, 2> parts = {
        rocksdb::Slice(header.view().data(), header.view().size()), rocksdb::Slice(*entry.data)};
    batch.Clear();
    KIWI_CHECK(
        batch.Put(rocksdb::SliceParts(&key_slice, 1), rocksdb::SliceParts(parts.data(), 2)).ok(),
        "put");
    KIWI_CHECK(db->Write(options, &batch).ok(), "write");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kPayload));
}

void ThroughTheBackend(benchmark::State& state, const std::string& name) {
  const testing::TempDir dir;
  const auto backend = Open(name, dir.path());
  raft::Entry entry = MakeEntry();
  const auto batch = backend->NewBatch();
  const storage::WriteOptions options{state.range(0) != 0};
  for (auto _ : state) {
    ++entry.index;
    const raft::EntryKey key(entry.index);
    const raft::EntryHeader header(entry);
    const std::array<std::string_view, 2> parts = {header.view(), entry.bytes()};
    batch->Clear();
    batch->PutParts(key.view(), parts.data(), parts.size());
    KIWI_CHECK(backend->Write(options, batch.get()).ok(), "write");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kPayload));
}

void ThroughTheRaftLog(benchmark::State& state, const std::string& name) {
  const testing::TempDir dir;
  const auto backend = Open(name, dir.path());
  const auto log = std::move(raft::LogStorage::Open(backend.get())).value();
  std::vector<raft::Entry> entries = {MakeEntry()};
  raft::LogBatch batch;
  batch.entries = &entries;
  batch.sync = state.range(0) != 0;
  raft::SnapshotMeta snapshot;
  snapshot.term = 1;
  for (auto _ : state) {
    ++entries[0].index;
    KIWI_CHECK(log->Write(batch).ok(), "write");
    if (entries[0].index % kCompactEvery == 0) {
      state.PauseTiming();
      snapshot.index = entries[0].index;
      KIWI_CHECK(log->CreateSnapshot(snapshot).ok() && log->Compact(snapshot.index).ok(),
                 "compact");
      state.ResumeTiming();
    }
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kPayload));
}

// The applier's read of what was just written.
void ReadTheTail(benchmark::State& state) {
  const testing::TempDir dir;
  const auto backend = Open("memory", dir.path());
  const auto log = std::move(raft::LogStorage::Open(backend.get())).value();
  std::vector<raft::Entry> entries;
  for (raft::LogIndex i = 1; i <= 1000; ++i) {
    entries.push_back(MakeEntry());
    entries.back().index = i;
  }
  KIWI_CHECK(log->Append(entries).ok(), "append");
  for (auto _ : state) benchmark::DoNotOptimize(log->Entries(991, 1001, raft::kNoLimit));
}

BENCHMARK(DirectRocksDb)->ArgName("sync")->Arg(0)->Arg(1);
BENCHMARK_CAPTURE(ThroughTheBackend, rocksdb, "rocksdb")->ArgName("sync")->Arg(0)->Arg(1);
BENCHMARK_CAPTURE(ThroughTheBackend, leveldb, "leveldb")->ArgName("sync")->Arg(0)->Arg(1);
BENCHMARK_CAPTURE(ThroughTheBackend, memory, "memory")->ArgName("sync")->Arg(0);
BENCHMARK_CAPTURE(ThroughTheRaftLog, rocksdb, "rocksdb")->ArgName("sync")->Arg(0)->Arg(1);
BENCHMARK_CAPTURE(ThroughTheRaftLog, leveldb, "leveldb")->ArgName("sync")->Arg(0)->Arg(1);
BENCHMARK(ReadTheTail);

}  // namespace
}  // namespace kiwi
