#include "storage/leveldb_backend.h"

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/options.h>
#include <leveldb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "storage/bounded_iterator.h"
#include "storage/directory_lock.h"
#include "storage/engine_text.h"
#include "storage/failure_latch.h"
#include "storage/leveldb_env.h"
#include "storage/leveldb_manifest.h"
#include "storage/recovery_check.h"

namespace kiwi::storage {
namespace {

using leveldb::Slice;

Slice S(std::string_view s) { return ToSlice<Slice>(s); }

// LevelDB's own lines have no level and say nothing that an error does not: no LOG file.
class NullLogger final : public leveldb::Logger {
 public:
  void Logv(const char*, std::va_list) override {}
};

// LevelDB has no range deletion. The batch is cut into segments, each followed by a range; Write()
// puts deletions of the keys that it finds in a range at its place.
class LevelBatch final : public WriteBatch {
 public:
  struct Range {
    std::string begin;
    std::string end;
  };

  void Put(std::string_view key, std::string_view value) override {
    segments_.back().Put(S(key), S(value));
  }
  void PutParts(std::string_view key, const std::string_view* parts, size_t count) override {
    joined_.clear();
    for (size_t i = 0; i < count; ++i) joined_.append(parts[i]);
    Put(key, joined_);
  }
  void Delete(std::string_view key) override { segments_.back().Delete(S(key)); }
  void DeleteRange(std::string_view begin, std::string_view end) override {
    if (begin >= end) return;
    ranges_.push_back({std::string(begin), std::string(end)});
    segments_.emplace_back();
  }
  void Clear() override {
    ranges_.clear();
    segments_.resize(1);
    segments_.back().Clear();
  }
  size_t SizeBytes() const override {
    size_t bytes = 0;
    for (const auto& segment : segments_) bytes += segment.ApproximateSize();
    for (const auto& range : ranges_) bytes += range.begin.size() + range.end.size();
    return bytes;
  }

  bool has_ranges() const { return !ranges_.empty(); }
  leveldb::WriteBatch* simple() { return &segments_.front(); }

  // The batch as LevelDB can take it; nobody else may write until it is written.
  Status Expand(leveldb::DB* db, leveldb::WriteBatch* out) const {
    leveldb::ReadOptions read;
    read.verify_checksums = true;
    read.fill_cache = false;
    for (size_t i = 0; i < segments_.size(); ++i) {
      out->Append(segments_[i]);
      if (i == ranges_.size()) break;
      const Range& range = ranges_[i];
      std::unique_ptr<leveldb::Iterator> it(db->NewIterator(read));
      for (it->Seek(range.begin); it->Valid() && ToView(it->key()) < range.end; it->Next()) {
        out->Delete(it->key());
      }
      KIWI_RETURN_IF_ERROR(FromLevel(it->status()));
      DeletePutKeys(range, i, out);
    }
    return {};
  }

 private:
  // Keys that the segments up to `last` put into the range: they are in no database yet.
  void DeletePutKeys(const Range& range, size_t last, leveldb::WriteBatch* out) const {
    struct Collector final : public leveldb::WriteBatch::Handler {
      void Put(const Slice& key, const Slice&) override {
        if (ToView(key) >= range->begin && ToView(key) < range->end) keys.push_back(key.ToString());
      }
      void Delete(const Slice&) override {}
      const Range* range = nullptr;
      std::vector<std::string> keys;
    } collector;
    collector.range = &range;
    for (size_t i = 0; i <= last; ++i) (void)segments_[i].Iterate(&collector);
    for (const std::string& key : collector.keys) out->Delete(key);
  }

  std::vector<leveldb::WriteBatch> segments_ = std::vector<leveldb::WriteBatch>(1);
  std::vector<Range> ranges_;  // the i-th stands behind the i-th segment
  std::string joined_;
};

// Counts what must be gone before the database can be closed and opened again.
class View {
 public:
  explicit View(std::atomic<int>* views) : views_(views) { views_->fetch_add(1); }
  ~View() { views_->fetch_sub(1); }
  View(const View&) = delete;
  View& operator=(const View&) = delete;

 private:
  std::atomic<int>* views_;
};

class LevelSnapshot final : public Snapshot {
 public:
  LevelSnapshot(leveldb::DB* db, std::atomic<int>* views)
      : view_(views), db_(db), native_(db->GetSnapshot()) {}
  ~LevelSnapshot() override { db_->ReleaseSnapshot(native_); }
  const leveldb::Snapshot* native() const { return native_; }

 private:
  View view_;
  leveldb::DB* db_;
  const leveldb::Snapshot* native_;
};

class LevelCursor {
 public:
  LevelCursor(leveldb::DB* db, const leveldb::ReadOptions& options, std::atomic<int>* views)
      : view_(std::make_unique<View>(views)), it_(db->NewIterator(options)) {}

  bool Valid() const { return it_->Valid(); }
  void SeekToFirst() { it_->SeekToFirst(); }
  void SeekToLast() { it_->SeekToLast(); }
  void Seek(std::string_view target) { it_->Seek(S(target)); }
  void Next() { it_->Next(); }
  void Prev() { it_->Prev(); }
  std::string_view key() const { return ToView(it_->key()); }
  std::string_view value() const { return ToView(it_->value()); }
  Status status() const { return FromLevel(it_->status()); }

 private:
  std::unique_ptr<View> view_;
  std::unique_ptr<leveldb::Iterator> it_;
};

// An iterator of a database that is closed after a failed Resume().
class ClosedCursor {
 public:
  explicit ClosedCursor(Status status) : status_(std::move(status)) {}
  bool Valid() const { return false; }
  void SeekToFirst() {}
  void SeekToLast() {}
  void Seek(std::string_view) {}
  void Next() {}
  void Prev() {}
  std::string_view key() const { return {}; }
  std::string_view value() const { return {}; }
  Status status() const { return status_; }

 private:
  Status status_;
};

class LevelBackend final : public Backend {
 public:
  explicit LevelBackend(const BackendOptions& options)
      : options_(options), cache_(leveldb::NewLRUCache(options.block_cache_bytes)) {}
  ~LevelBackend() override {
    KIWI_CHECK(views_ == 0, "a backend outlives its snapshots and iterators");
  }

  Status Open() {
    WriterLock lock(gate_);
    return OpenLocked();
  }

  std::unique_ptr<WriteBatch> NewBatch() const override { return std::make_unique<LevelBatch>(); }

  Status Write(const WriteOptions& options, WriteBatch* batch) override {
    auto* level = static_cast<LevelBatch*>(batch);
    if (!level->has_ranges()) {
      ReaderLock lock(gate_);
      return WriteLocked(options.sync, level->simple());
    }
    WriterLock lock(gate_);
    if (!failure_.ok()) return failure_.Get();
    leveldb::WriteBatch expanded;
    KIWI_RETURN_IF_ERROR(level->Expand(db_.get(), &expanded));
    return WriteLocked(options.sync, &expanded);
  }

  Status Sync() override {
    ReaderLock lock(gate_);
    leveldb::WriteBatch empty;
    return WriteLocked(true, &empty);
  }

  // LevelDB writes its memtable out at the start of every manual compaction; over a range without
  // keys that is all that it does. It keeps an error for the next write.
  Status Flush() override {
    ReaderLock lock(gate_);
    if (!failure_.ok()) return failure_.Get();
    const Slice nowhere;
    db_->CompactRange(&nowhere, &nowhere);
    leveldb::WriteBatch empty;
    return WriteLocked(false, &empty);
  }

  Status Get(const ReadOptions& options, std::string_view key, std::string* value) const override {
    ReaderLock lock(gate_);
    if (!db_) return ClosedError();
    return FromLevel(db_->Get(NativeRead(options), S(key), value));
  }

  std::unique_ptr<Iterator> NewIterator(const ReadOptions& options) const override {
    ReaderLock lock(gate_);
    if (!db_) {
      return std::make_unique<BoundedIterator<ClosedCursor>>(ClosedCursor(ClosedError()), "", "");
    }
    return std::make_unique<BoundedIterator<LevelCursor>>(
        LevelCursor(db_.get(), NativeRead(options), &views_), options.lower, options.upper);
  }

  std::unique_ptr<const Snapshot> GetSnapshot() const override {
    ReaderLock lock(gate_);
    KIWI_CHECK(db_ != nullptr, "a snapshot of a backend that failed to resume");
    return std::make_unique<LevelSnapshot>(db_.get(), &views_);
  }

  Stats GetStats() const override;

  Status Resume() override {
    WriterLock lock(gate_);
    return ResumeLocked();
  }

  std::string_view Name() const override { return "leveldb"; }

 private:
  static Status ClosedError() {
    return {StatusCode::kIo, "leveldb is closed: it could not be opened again after an error"};
  }

  leveldb::Options NativeOptions() const KIWI_REQUIRES(gate_) {
    leveldb::Options native;
    native.create_if_missing = true;
    native.env = env_.get();
    native.paranoid_checks = true;
    native.info_log = &logger_;
    // A second memtable may wait to be flushed.
    native.write_buffer_size = std::max(options_.write_buffer_bytes / 2, size_t{64} << 10);
    native.max_open_files = options_.max_open_files;
    native.block_cache = cache_.get();
    native.compression =
        options_.profile == Profile::kState ? leveldb::kSnappyCompression : leveldb::kNoCompression;
    return native;
  }

  static leveldb::ReadOptions NativeRead(const ReadOptions& options) {
    leveldb::ReadOptions native;
    native.verify_checksums = true;
    if (options.snapshot != nullptr) {
      native.snapshot = static_cast<const LevelSnapshot*>(options.snapshot)->native();
    }
    return native;
  }

  Status WriteLocked(bool sync, leveldb::WriteBatch* batch) KIWI_REQUIRES_SHARED(gate_) {
    if (!failure_.ok()) return failure_.Get();
    leveldb::WriteOptions native;
    native.sync = sync;
    const leveldb::Status s = db_->Write(native, batch);
    return s.ok() ? Status() : failure_.Record(FromLevel(s));
  }

  Status OpenLocked() KIWI_REQUIRES(gate_) {
    if (!lock_) {
      KIWI_ASSIGN_OR_RETURN(lock_, DirectoryLock::Take(options_.path));
    }
    KIWI_ASSIGN_OR_RETURN(const RecoveryCheck check,
                          CheckBeforeRecovery(options_.path, options_.file_layer));
    KIWI_RETURN_IF_ERROR(CheckLevelManifest(options_.path, check));
    env_ = NewLevelEnv(options_.file_layer ? NewLevelLayerEnv(options_.file_layer) : nullptr,
                       options_.file_layer);
    leveldb::DB* db = nullptr;
    const leveldb::Status s = leveldb::DB::Open(NativeOptions(), options_.path, &db);
    db_.reset(db);
    if (s.ok()) return {};
    if (s.IsIOError() && SaysLocked(s.ToString())) return LockedError(options_.path);
    return FromLevel(s).WithContext("cannot open " + options_.path);
  }

  // LevelDB cannot leave its failed state: the database is closed and recovered from its files.
  Status ResumeLocked() KIWI_REQUIRES(gate_) {
    if (views_ != 0) {
      return {StatusCode::kBusy, "cannot resume while iterators or snapshots are open"};
    }
    db_.reset();
    KIWI_RETURN_IF_ERROR(failure_.Record(OpenLocked()).WithContext("cannot resume"));
    failure_.Reset();
    return {};
  }

  const BackendOptions options_;
  mutable NullLogger logger_;
  std::unique_ptr<leveldb::Cache> cache_;
  mutable std::atomic<int> views_{0};
  // Shared by all who use db_; exclusive to replace it, and while a range is looked up and written.
  mutable SharedMutex gate_;
  std::unique_ptr<DirectoryLock> lock_ KIWI_GUARDED_BY(gate_);
  std::unique_ptr<leveldb::Env> env_ KIWI_GUARDED_BY(gate_);
  std::unique_ptr<leveldb::DB> db_ KIWI_GUARDED_BY(gate_);
  FailureLatch failure_;
};

Stats LevelBackend::GetStats() const {
  Stats stats;
  ReaderLock lock(gate_);
  if (!db_) return stats;
  std::string text;
  if (db_->GetProperty("leveldb.approximate-memory-usage", &text)) {
    stats.memory_bytes = std::strtoull(text.c_str(), nullptr, 10);
  }
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator(options_.path, ignored)) {
    const uint64_t bytes = file.file_size(ignored);
    if (ignored) continue;  // deleted meanwhile
    stats.disk_bytes += bytes;
    if (file.path().extension() == ".log") stats.wal_bytes += bytes;
  }
  return stats;
}

}  // namespace

Result<std::unique_ptr<Backend>> OpenLevelDb(const BackendOptions& options) {
  auto backend = std::make_unique<LevelBackend>(options);
  KIWI_RETURN_IF_ERROR(backend->Open());
  return std::unique_ptr<Backend>(std::move(backend));
}

}  // namespace kiwi::storage
