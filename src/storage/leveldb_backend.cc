#include "storage/leveldb_backend.h"

#include <leveldb/cache.h>
#include <leveldb/comparator.h>
#include <leveldb/db.h>
#include <leveldb/env.h>
#include <leveldb/options.h>
#include <leveldb/write_batch.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "storage/bounded_iterator.h"
#include "storage/disk_files.h"
#include "storage/engine.h"
#include "storage/engine_text.h"
#include "storage/leveldb_diagnosis.h"
#include "storage/leveldb_env.h"
#include "storage/managed_backend.h"
#include "storage/wal_order.h"

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

// What a database stands on; outlives it.
struct Resources {
  // The error, with the damaged table's path, which LevelDB does not tell.
  Status Explain(const leveldb::Status& s) const {
    if (!s.IsCorruption()) return FromLevel(s);
    const std::string table = FindDamagedTable(env.get(), path);
    return table.empty() ? FromLevel(s) : FromLevel(s).WithContext(table + " is damaged");
  }

  std::string path;
  NullLogger logger;
  std::unique_ptr<leveldb::Env> env;
  std::unique_ptr<leveldb::Cache> cache;
};

class LevelCursor {
 public:
  LevelCursor(leveldb::DB* db, const leveldb::ReadOptions& options, const Resources* resources,
              std::atomic<int>* views)
      : resources_(resources),
        view_(std::make_unique<View>(views)),
        it_(db->NewIterator(options)) {}

  // LevelDB's iterator would walk on over a damaged block and only keep its error.
  bool Valid() const { return it_->Valid() && it_->status().ok(); }
  void SeekToFirst() { it_->SeekToFirst(); }
  void SeekToLast() { it_->SeekToLast(); }
  void Seek(std::string_view target) { it_->Seek(S(target)); }
  void Next() { it_->Next(); }
  void Prev() { it_->Prev(); }
  std::string_view key() const { return ToView(it_->key()); }
  std::string_view value() const { return ToView(it_->value()); }
  Status status() const { return resources_->Explain(it_->status()); }

 private:
  const Resources* resources_;
  std::unique_ptr<View> view_;
  std::unique_ptr<leveldb::Iterator> it_;
};

leveldb::ReadOptions NativeRead(const ReadOptions& options) {
  leveldb::ReadOptions native;
  native.verify_checksums = true;
  if (options.snapshot != nullptr) {
    native.snapshot = static_cast<const LevelSnapshot*>(options.snapshot)->native();
  }
  return native;
}

class LevelEngine final : public Engine {
 public:
  LevelEngine(const BackendOptions& options, std::unique_ptr<Resources> resources,
              std::unique_ptr<leveldb::DB> db, std::atomic<int>* views)
      : layer_(options.file_layer),
        resources_(std::move(resources)),
        db_(std::move(db)),
        views_(views) {}

  Status Write(const WriteOptions& options, WriteBatch* batch) override {
    auto* level = static_cast<LevelBatch*>(batch);
    if (!level->has_ranges()) {
      ReaderLock lock(ranges_mu_);
      return WriteNative(options.sync, level->simple());
    }
    WriterLock lock(ranges_mu_);
    leveldb::WriteBatch expanded;
    KIWI_RETURN_IF_ERROR(level->Expand(db_.get(), &expanded));
    return WriteNative(options.sync, &expanded);
  }

  Status Sync() override {
    leveldb::WriteBatch empty;
    return WriteNative(true, &empty);
  }

  // LevelDB writes its memtable out at the start of every manual compaction; over a range without
  // keys that is all that it does. It keeps an error for the next write.
  Status Flush() override {
    const Slice nowhere;
    db_->CompactRange(&nowhere, &nowhere);
    leveldb::WriteBatch empty;
    return WriteNative(false, &empty);
  }

  Status Get(const ReadOptions& options, std::string_view key, std::string* value) const override {
    return resources_->Explain(db_->Get(NativeRead(options), S(key), value));
  }
  std::unique_ptr<Iterator> NewIterator(const ReadOptions& options) const override {
    return std::make_unique<BoundedIterator<LevelCursor>>(
        LevelCursor(db_.get(), NativeRead(options), resources_.get(), views_), options.lower,
        options.upper);
  }
  std::unique_ptr<const Snapshot> GetSnapshot() const override {
    return std::make_unique<LevelSnapshot>(db_.get(), views_);
  }

  Stats GetStats() const override {
    Stats stats;
    std::string text;
    if (db_->GetProperty("leveldb.approximate-memory-usage", &text)) {
      stats.memory_bytes = std::strtoull(text.c_str(), nullptr, 10);
    }
    const DiskFiles files(resources_->path, layer_);
    const auto names = files.List();
    if (!names.ok()) return stats;
    for (const std::string& name : *names) {
      const auto size = files.Size(name);
      if (!size.ok()) continue;  // deleted meanwhile
      stats.disk_bytes += *size;
      if (IsWalPath(name)) stats.wal_bytes += *size;
    }
    return stats;
  }

 private:
  Status WriteNative(bool sync, leveldb::WriteBatch* batch) {
    leveldb::WriteOptions native;
    native.sync = sync;
    return FromLevel(db_->Write(native, batch));
  }

  FileLayer* const layer_;
  std::unique_ptr<Resources> resources_;
  std::unique_ptr<leveldb::DB> db_;
  std::atomic<int>* views_;
  // Exclusive from looking a range up until its keys are deleted.
  SharedMutex ranges_mu_;
};

// Orders bytes as LevelDB's own does, under its name, but leaves index keys as they are: a shortened
// one lies above keys that no block has, and a search for one of them would read the block below it,
// which may hold an entry of hundreds of megabytes.
class PlainIndexKeys final : public leveldb::Comparator {
 public:
  int Compare(const leveldb::Slice& a, const leveldb::Slice& b) const override {
    return a.compare(b);
  }
  const char* Name() const override { return leveldb::BytewiseComparator()->Name(); }
  void FindShortestSeparator(std::string*, const leveldb::Slice&) const override {}
  void FindShortSuccessor(std::string*) const override {}
};

leveldb::Options NativeOptions(const BackendOptions& options, Resources* resources) {
  leveldb::Options native;
  native.env = resources->env.get();
  native.info_log = &resources->logger;
  native.block_cache = resources->cache.get();
  native.create_if_missing = true;
  native.paranoid_checks = true;
  // A second memtable may wait to be flushed.
  native.write_buffer_size = std::max(options.write_buffer_bytes / 2, size_t{64} << 10);
  native.max_open_files = options.max_open_files;
  static const PlainIndexKeys plain_index_keys;
  if (options.profile == Profile::kLog) native.comparator = &plain_index_keys;
  native.compression =
      options.profile == Profile::kState ? leveldb::kSnappyCompression : leveldb::kNoCompression;
  return native;
}

// LevelDB itself would be content without it.
Status CheckLogIsThere(const std::string& path, const RecoveryCheck& check) {
  const std::string name = fmt::format("{:06}.log", check.manifest.log_number);
  if (check.manifest.log_number == 0 ||
      std::find(check.files.begin(), check.files.end(), name) != check.files.end()) {
    return {};
  }
  return {StatusCode::kCorruption,
          fmt::format("{}/{} is missing: it is lost, or the end of the MANIFEST is", path, name)};
}

Result<std::unique_ptr<Engine>> OpenEngine(const BackendOptions& options,
                                           const RecoveryCheck& check, std::atomic<int>* views) {
  KIWI_RETURN_IF_ERROR(CheckLogIsThere(options.path, check));
  auto resources = std::make_unique<Resources>();
  resources->path = options.path;
  resources->env =
      NewLevelEnv(options.file_layer != nullptr ? NewLevelLayerEnv(options.file_layer) : nullptr,
                  options.file_layer);
  resources->cache.reset(leveldb::NewLRUCache(options.block_cache_bytes));
  leveldb::DB* native = nullptr;
  const leveldb::Status s =
      leveldb::DB::Open(NativeOptions(options, resources.get()), options.path, &native);
  std::unique_ptr<leveldb::DB> db(native);
  if (!s.ok()) {
    if (s.IsIOError() && SaysLocked(s.ToString())) return LockedError(options.path);
    return resources->Explain(s).WithContext("cannot open " + options.path);
  }
  return std::unique_ptr<Engine>(
      std::make_unique<LevelEngine>(options, std::move(resources), std::move(db), views));
}

std::unique_ptr<WriteBatch> NewBatch() { return std::make_unique<LevelBatch>(); }

}  // namespace

Result<std::unique_ptr<Backend>> OpenLevelDb(const BackendOptions& options) {
  return ManagedBackend::Open({"leveldb", OpenEngine, NewBatch}, options);
}

}  // namespace kiwi::storage
