#include "storage/rocksdb_backend.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "base/log.h"
#include "storage/disk_files.h"
#include "storage/engine.h"
#include "storage/engine_text.h"
#include "storage/managed_backend.h"
#include "storage/rocksdb_diagnosis.h"
#include "storage/rocksdb_files.h"

namespace kiwi::storage {
namespace {

using rocksdb::Slice;

Slice S(std::string_view s) { return ToSlice<Slice>(s); }

Status FromRocks(const rocksdb::Status& s) {
  if (s.ok()) return {};
  const std::string text = "rocksdb: " + s.ToString();
  if (s.IsNotFound()) return {StatusCode::kNotFound, text};
  if (s.IsCorruption()) return {StatusCode::kCorruption, text};
  if (s.IsNoSpace()) return {StatusCode::kNoSpace, text};
  if (s.IsInvalidArgument() || s.IsNotSupported()) return {StatusCode::kInvalidArgument, text};
  if (s.IsBusy() || s.IsTryAgain()) return {StatusCode::kBusy, text};
  return {StatusCode::kIo, text};
}

// RocksDB's lines go to our log: no LOG files that grow in the data directory. What it calls a
// warning is mostly routine (a memtable is full); its errors come back as statuses, too.
class LogForwarder final : public rocksdb::Logger {
 public:
  LogForwarder() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const rocksdb::InfoLogLevel level, const char* format, va_list args) override {
    if (level < GetInfoLogLevel()) return;
    std::array<char, 512> line{};
    std::vsnprintf(line.data(), line.size(), format, args);
    std::replace(line.begin(), line.end(), '\n', ' ');
    if (level >= rocksdb::InfoLogLevel::ERROR_LEVEL) {
      KIWI_LOG(kWarn, "rocksdb {}", line.data());
    } else {
      KIWI_LOG(kDebug, "rocksdb {}", line.data());
    }
  }
  void Logv(const char*, va_list) override {}
};

class RocksBatch final : public WriteBatch {
 public:
  void Put(std::string_view key, std::string_view value) override {
    Take(batch_.Put(S(key), S(value)));
  }
  void PutParts(std::string_view key, const std::string_view* parts, size_t count) override {
    constexpr size_t kOnStack = 8;
    std::array<Slice, kOnStack> few;
    std::vector<Slice> many;
    Slice* slices = few.data();
    if (count > kOnStack) {
      many.resize(count);
      slices = many.data();
    }
    for (size_t i = 0; i < count; ++i) slices[i] = S(parts[i]);
    const Slice key_slice = S(key);
    Take(batch_.Put(rocksdb::SliceParts(&key_slice, 1),
                    rocksdb::SliceParts(slices, static_cast<int>(count))));
  }
  void Delete(std::string_view key) override { Take(batch_.Delete(S(key))); }
  void DeleteRange(std::string_view begin, std::string_view end) override {
    if (begin < end) Take(batch_.DeleteRange(S(begin), S(end)));
  }
  void Clear() override {
    batch_.Clear();
    error_ = {};
  }
  size_t SizeBytes() const override { return batch_.GetDataSize(); }

  rocksdb::WriteBatch* native() { return &batch_; }
  // A mutation that RocksDB refused (it bounds keys, values and batches to 4 GB).
  const rocksdb::Status& error() const { return error_; }

 private:
  void Take(const rocksdb::Status& s) {
    if (!s.ok()) error_ = s;
  }

  rocksdb::WriteBatch batch_;
  rocksdb::Status error_;
};

class RocksSnapshot final : public Snapshot {
 public:
  RocksSnapshot(rocksdb::DB* db, std::atomic<int>* views)
      : view_(views), db_(db), native_(db->GetSnapshot()) {}
  ~RocksSnapshot() override { db_->ReleaseSnapshot(native_); }
  const rocksdb::Snapshot* native() const { return native_; }

 private:
  View view_;
  rocksdb::DB* db_;
  const rocksdb::Snapshot* native_;
};

rocksdb::ReadOptions NativeRead(const ReadOptions& options) {
  rocksdb::ReadOptions native;
  native.verify_checksums = true;
  if (options.snapshot != nullptr) {
    native.snapshot = static_cast<const RocksSnapshot*>(options.snapshot)->native();
  }
  return native;
}

class RocksIterator final : public Iterator {
 public:
  RocksIterator(rocksdb::DB* db, const ReadOptions& options, std::atomic<int>* views)
      : view_(views),
        lower_(options.lower),
        upper_(options.upper),
        lower_slice_(lower_),
        upper_slice_(upper_) {
    rocksdb::ReadOptions native = NativeRead(options);
    if (!lower_.empty()) native.iterate_lower_bound = &lower_slice_;
    if (!upper_.empty()) native.iterate_upper_bound = &upper_slice_;
    it_.reset(db->NewIterator(native));
  }
  bool Valid() const override { return it_->Valid(); }
  void SeekToFirst() override { it_->SeekToFirst(); }
  void SeekToLast() override { it_->SeekToLast(); }
  void Seek(std::string_view target) override { it_->Seek(S(target)); }
  void Next() override { it_->Next(); }
  void Prev() override { it_->Prev(); }
  std::string_view key() const override { return ToView(it_->key()); }
  std::string_view value() const override { return ToView(it_->value()); }
  Status status() const override { return FromRocks(it_->status()); }

 private:
  View view_;
  const std::string lower_;
  const std::string upper_;
  const Slice lower_slice_;
  const Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

class RocksEngine final : public Engine {
 public:
  RocksEngine(std::unique_ptr<rocksdb::Env> env, std::unique_ptr<rocksdb::DB> db,
              std::atomic<int>* views)
      : env_(std::move(env)), db_(std::move(db)), views_(views) {}

  Status Write(const WriteOptions& options, WriteBatch* batch) override {
    auto* rocks = static_cast<RocksBatch*>(batch);
    if (!rocks->error().ok()) {
      return {StatusCode::kInvalidArgument, "rocksdb: " + rocks->error().ToString()};
    }
    rocksdb::WriteOptions native;
    native.sync = options.sync;
    return FromRocks(db_->Write(native, rocks->native()));
  }

  Status Sync() override { return FromRocks(db_->SyncWAL()); }
  Status Flush() override { return FromRocks(db_->Flush(rocksdb::FlushOptions())); }

  Status Get(const ReadOptions& options, std::string_view key, std::string* value) const override {
    return FromRocks(db_->Get(NativeRead(options), S(key), value));
  }
  std::unique_ptr<Iterator> NewIterator(const ReadOptions& options) const override {
    return std::make_unique<RocksIterator>(db_.get(), options, views_);
  }
  std::unique_ptr<const Snapshot> GetSnapshot() const override {
    return std::make_unique<RocksSnapshot>(db_.get(), views_);
  }

  Stats GetStats() const override {
    Stats stats;
    uint64_t part = 0;
    for (const auto* property : {"rocksdb.cur-size-all-mem-tables", "rocksdb.block-cache-usage",
                                 "rocksdb.estimate-table-readers-mem"}) {
      if (db_->GetIntProperty(property, &part)) stats.memory_bytes += part;
    }
    if (db_->GetIntProperty("rocksdb.total-sst-files-size", &part)) stats.disk_bytes = part;
    rocksdb::VectorLogPtr logs;
    if (db_->GetSortedWalFiles(logs).ok()) {
      for (const auto& log : logs) stats.wal_bytes += log->SizeFileBytes();
    }
    stats.disk_bytes += stats.wal_bytes;
    return stats;
  }

 private:
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;
  std::atomic<int>* views_;
};

rocksdb::Options NativeOptions(const BackendOptions& options, rocksdb::Env* env) {
  rocksdb::Options native;
  native.env = env;
  native.create_if_missing = true;
  native.paranoid_checks = true;
  native.max_open_files = options.max_open_files;
  native.max_background_jobs = options.background_threads;
  native.info_log = std::make_shared<LogForwarder>();
  native.stats_dump_period_sec = 0;
  native.stats_persist_period_sec = 0;
  native.skip_stats_update_on_db_open = true;
  // The torn tail is cut off before (recovery_check.h). The milder modes drop acknowledged records
  // behind damage that looks like a torn tail.
  native.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  native.track_and_verify_wals_in_manifest = true;
  // One memtable takes writes, one is flushed, and one more keeps writes from waiting for the flush.
  constexpr int kMemtables = 3;
  native.write_buffer_size = std::max(options.write_buffer_bytes / kMemtables, size_t{64} << 10);
  native.max_write_buffer_number = kMemtables;
  native.compression = rocksdb::kNoCompression;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes);
  if (options.profile == Profile::kState) {
    native.compression = rocksdb::kLZ4Compression;
    native.level_compaction_dynamic_level_bytes = true;
    table.block_size = 16 << 10;
  } else {
    // One writer: the concurrent insert's bookkeeping would be pure cost.
    native.allow_concurrent_memtable_write = false;
    native.enable_write_thread_adaptive_yield = false;
    // Entries are deleted by range, soon. Compacting them before that would write them once more
    // for nothing; so many files as a log between two checkpoints makes are left alone.
    native.level0_file_num_compaction_trigger = 16;
    native.level0_slowdown_writes_trigger = 64;
    native.level0_stop_writes_trigger = 128;
    // An index key between two blocks that is shortened lies above keys that no block has: a search
    // for one of them would read the block below it, which may hold an entry of hundreds of megabytes.
    table.index_shortening = rocksdb::BlockBasedTableOptions::IndexShorteningMode::kNoShortening;
  }
  native.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return native;
}

Result<std::unique_ptr<Engine>> OpenEngine(const BackendOptions& options, const RecoveryCheck&,
                                           std::atomic<int>* views) {
  std::shared_ptr<rocksdb::FileSystem> files = options.file_layer != nullptr
                                                   ? NewRocksLayerFiles(options.file_layer)
                                                   : rocksdb::FileSystem::Default();
  std::unique_ptr<rocksdb::Env> env =
      rocksdb::NewCompositeEnv(NewRocksOrderedWals(std::move(files)));
  const rocksdb::Options native_options = NativeOptions(options, env.get());
  rocksdb::DB* native = nullptr;
  const rocksdb::Status s = rocksdb::DB::Open(native_options, options.path, &native);
  std::unique_ptr<rocksdb::DB> db(native);
  if (!s.ok()) {
    if (s.IsIOError() && SaysLocked(s.ToString())) return LockedError(options.path);
    Status status = FromRocks(s).WithContext("cannot open " + options.path);
    if (!s.IsCorruption()) return status;
    const std::string table =
        FindDamagedTable(native_options, DiskFiles(options.path, options.file_layer));
    return table.empty() ? status : status.WithContext(table + " is damaged");
  }
  return std::unique_ptr<Engine>(
      std::make_unique<RocksEngine>(std::move(env), std::move(db), views));
}

std::unique_ptr<WriteBatch> NewBatch() { return std::make_unique<RocksBatch>(); }

}  // namespace

Result<std::unique_ptr<Backend>> OpenRocksDb(const BackendOptions& options) {
  return ManagedBackend::Open({"rocksdb", OpenEngine, NewBatch}, options);
}

}  // namespace kiwi::storage
