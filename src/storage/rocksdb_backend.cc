#include "storage/rocksdb_backend.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <cstdarg>
#include <cstdio>
#include <utility>

#include "base/log.h"
#include "storage/directory_lock.h"
#include "storage/engine_text.h"
#include "storage/failure_latch.h"
#include "storage/recovery_check.h"
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

// RocksDB's warnings go to our log: no LOG files that grow in the data directory.
class LogForwarder final : public rocksdb::Logger {
 public:
  LogForwarder() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list args) override {
    std::array<char, 512> line{};
    std::vsnprintf(line.data(), line.size(), format, args);
    KIWI_LOG(kWarn, "rocksdb {}", line.data());
  }
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
  explicit RocksSnapshot(rocksdb::DB* db) : db_(db), native_(db->GetSnapshot()) {}
  ~RocksSnapshot() override { db_->ReleaseSnapshot(native_); }
  RocksSnapshot(const RocksSnapshot&) = delete;
  RocksSnapshot& operator=(const RocksSnapshot&) = delete;
  const rocksdb::Snapshot* native() const { return native_; }

 private:
  rocksdb::DB* db_;
  const rocksdb::Snapshot* native_;
};

class RocksIterator final : public Iterator {
 public:
  RocksIterator(rocksdb::DB* db, rocksdb::ReadOptions native, const ReadOptions& options)
      : lower_(options.lower), upper_(options.upper), lower_slice_(lower_), upper_slice_(upper_) {
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
  const std::string lower_;
  const std::string upper_;
  const Slice lower_slice_;
  const Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

rocksdb::ReadOptions NativeRead(const ReadOptions& options) {
  rocksdb::ReadOptions native;
  native.verify_checksums = true;
  if (options.snapshot != nullptr) {
    native.snapshot = static_cast<const RocksSnapshot*>(options.snapshot)->native();
  }
  return native;
}

// What a database stands on, and outlives it.
struct Resources {
  std::unique_ptr<DirectoryLock> lock;
  std::unique_ptr<rocksdb::Env> env;
};

class RocksBackend final : public Backend {
 public:
  RocksBackend(Resources resources, std::unique_ptr<rocksdb::DB> db)
      : resources_(std::move(resources)), db_(std::move(db)) {}

  std::unique_ptr<WriteBatch> NewBatch() const override { return std::make_unique<RocksBatch>(); }

  Status Write(const WriteOptions& options, WriteBatch* batch) override {
    if (!failure_.ok()) return failure_.Get();
    auto* rocks = static_cast<RocksBatch*>(batch);
    if (!rocks->error().ok()) return FromRocks(rocks->error());
    rocksdb::WriteOptions native;
    native.sync = options.sync;
    const rocksdb::Status s = db_->Write(native, rocks->native());
    return s.ok() ? Status() : failure_.Record(FromRocks(s));
  }

  Status Sync() override {
    if (!failure_.ok()) return failure_.Get();
    return failure_.Record(FromRocks(db_->SyncWAL()));
  }

  Status Flush() override {
    if (!failure_.ok()) return failure_.Get();
    return failure_.Record(FromRocks(db_->Flush(rocksdb::FlushOptions())));
  }

  Status Get(const ReadOptions& options, std::string_view key, std::string* value) const override {
    return FromRocks(db_->Get(NativeRead(options), S(key), value));
  }

  std::unique_ptr<Iterator> NewIterator(const ReadOptions& options) const override {
    return std::make_unique<RocksIterator>(db_.get(), NativeRead(options), options);
  }

  std::unique_ptr<const Snapshot> GetSnapshot() const override {
    return std::make_unique<RocksSnapshot>(db_.get());
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

  Status Resume() override {
    KIWI_RETURN_IF_ERROR(FromRocks(db_->Resume()).WithContext("cannot resume"));
    failure_.Reset();
    return {};
  }

  std::string_view Name() const override { return "rocksdb"; }

 private:
  Resources resources_;
  std::unique_ptr<rocksdb::DB> db_;
  FailureLatch failure_;
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
  // One memtable takes writes while the other is flushed.
  native.write_buffer_size = std::max(options.write_buffer_bytes / 2, size_t{64} << 10);
  native.max_write_buffer_number = 2;
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
  }
  native.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return native;
}

}  // namespace

Result<std::unique_ptr<Backend>> OpenRocksDb(const BackendOptions& options) {
  Resources resources;
  KIWI_ASSIGN_OR_RETURN(resources.lock, DirectoryLock::Take(options.path));
  KIWI_RETURN_IF_ERROR(CheckBeforeRecovery(options.path, options.file_layer).status());
  std::shared_ptr<rocksdb::FileSystem> files = options.file_layer != nullptr
                                                   ? NewRocksLayerFiles(options.file_layer)
                                                   : rocksdb::FileSystem::Default();
  resources.env = rocksdb::NewCompositeEnv(NewRocksOrderedWals(std::move(files)));
  rocksdb::DB* db = nullptr;
  const rocksdb::Status s =
      rocksdb::DB::Open(NativeOptions(options, resources.env.get()), options.path, &db);
  if (!s.ok()) {
    if (s.IsIOError() && SaysLocked(s.ToString())) return LockedError(options.path);
    return FromRocks(s).WithContext("cannot open " + options.path);
  }
  return std::unique_ptr<Backend>(
      std::make_unique<RocksBackend>(std::move(resources), std::unique_ptr<rocksdb::DB>(db)));
}

}  // namespace kiwi::storage
