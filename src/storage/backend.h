// The one interface to everything persistent: an ordered map of byte strings. Implementations:
// memory, rocksdb, leveldb (factory.h). How to add one: src/storage/README.md.
//
// Contract of every implementation (tests/unit/storage/backend_contract_test.cc):
//   - keys are ordered bytewise, unsigned; any bytes are allowed in keys and values;
//   - Write() applies its batch atomically: also after a crash, all of it or none;
//   - writes survive a crash in order: if one is there, so are all that returned before it;
//   - a write with sync, or Sync(), makes itself AND every write before it durable;
//   - after the first failed write or sync the backend is failed: all later writes return that
//     error until Resume() succeeds or it is opened anew (a failed fsync is never retried as
//     success); reads go on;
//   - Open() refuses damage (kCorruption, naming file and offset where known), but cuts off a torn
//     tail of the write-ahead log, which nobody was promised.
// Threads: all functions are thread-safe, save that one Iterator or WriteBatch belongs to one
// thread at a time. A backend outlives its snapshots and iterators.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "metrics/histogram.h"

namespace kiwi::storage {

// Collects mutations; later ones win. Made by Backend::NewBatch, usable with that backend only.
class WriteBatch {
 public:
  virtual ~WriteBatch() = default;
  virtual void Put(std::string_view key, std::string_view value) = 0;
  // The value is the concatenation of the parts: spares building it.
  virtual void PutParts(std::string_view key, const std::string_view* parts, size_t count) = 0;
  virtual void Delete(std::string_view key) = 0;
  // All keys in [begin, end).
  virtual void DeleteRange(std::string_view begin, std::string_view end) = 0;
  virtual void Clear() = 0;
  virtual size_t SizeBytes() const = 0;
};

// A consistent view of the moment it was taken. Release by destroying it.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
};

class Iterator {
 public:
  virtual ~Iterator() = default;
  virtual bool Valid() const = 0;
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view target) = 0;  // to the first key at or after target
  virtual void Next() = 0;
  virtual void Prev() = 0;
  virtual std::string_view key() const = 0;  // valid until the next move
  virtual std::string_view value() const = 0;
  // Not ok: the walk met damage or a read error; Valid() is false then.
  virtual Status status() const = 0;
};

struct ReadOptions {
  const Snapshot* snapshot = nullptr;  // null: the latest
  std::string lower;                   // iterators: first key, inclusive; empty: no bound
  std::string upper;                   // exclusive; empty: no bound
};

struct WriteOptions {
  bool sync = false;
};

struct Stats {
  uint64_t disk_bytes = 0;    // live files
  uint64_t memory_bytes = 0;  // write buffers and caches
  uint64_t wal_bytes = 0;
  // Since it was opened; of backends on a disk.
  uint64_t writes = 0;          // batches
  uint64_t bytes_written = 0;   // of the batches, as they were given
  uint64_t errors = 0;          // writes and syncs that failed
  metrics::HistogramSum syncs;  // synced writes, and syncs alone
};

class Backend {
 public:
  virtual ~Backend() = default;

  virtual std::unique_ptr<WriteBatch> NewBatch() const = 0;
  virtual Status Write(const WriteOptions& options, WriteBatch* batch) = 0;
  virtual Status Sync() = 0;
  // Writes out and frees the write buffers (memtables), so that memory and log files shrink.
  virtual Status Flush() = 0;
  // kNotFound if the key is not there.
  virtual Status Get(const ReadOptions& options, std::string_view key,
                     std::string* value) const = 0;
  virtual std::unique_ptr<Iterator> NewIterator(const ReadOptions& options) const = 0;
  virtual std::unique_ptr<const Snapshot> GetSnapshot() const = 0;
  virtual Stats GetStats() const = 0;
  // After an error whose cause is gone (space is back): proves the disk writable again and takes
  // writes again. What failed stays failed. An error keeps the backend failed.
  virtual Status Resume() = 0;
  virtual std::string_view Name() const = 0;
};

}  // namespace kiwi::storage
