// The receiver's half of a snapshot: chunks into an empty backend. Nothing in it is valid before
// Finish has written the meta row, as the last one, behind a sync of all others.
//
// Memory: a write batch and a row. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "keyspace/checkpoint.h"
#include "keyspace/meta.h"
#include "keyspace/snapshot_format.h"
#include "storage/backend.h"

namespace kiwi::keyspace {

class SnapshotSink {
 public:
  // The backend is empty and outlives it.
  explicit SnapshotSink(storage::Backend* backend);

  // kInvalidArgument: not the chunk that begins at position() of this stream; kCorruption: damaged.
  // Both leave everything as it was. Any other error (kSerialization: a format unknown to this
  // release, or contents that cannot be) is returned by all that follows, too.
  Status Write(std::string_view chunk);
  // All that came was whole and the end agrees with it: makes it valid. `host` replaces the
  // checkpoint's own, unless null.
  Status Finish(const std::string* host = nullptr);

  uint64_t position() const { return position_; }
  uint64_t stream() const { return stream_; }  // of the first chunk
  bool has_meta() const { return !meta_row_.empty(); }
  CheckpointMeta meta() const { return {.applied_index = meta_.applied_index, .host = meta_.host}; }
  bool complete() const { return complete_; }

 private:
  Status TakePayload(std::string_view payload, bool last);
  Status TakeRecords(std::string_view* in);
  Status TakeHeader(std::string_view meta_row);
  Status TakeRow(std::string_view key, std::string_view value);
  Status Flush();

  storage::Backend* const backend_;
  std::unique_ptr<storage::WriteBatch> batch_;
  Status failed_;
  uint64_t stream_ = 0;
  uint64_t position_ = 0;
  std::string rest_;  // the beginning of a record whose end is to come
  std::string meta_row_;
  StoredMeta meta_;
  std::string last_key_;
  SnapshotTotals totals_;
  bool ended_ = false;     // the end record came
  bool complete_ = false;  // and it was the last of the last chunk
};

}  // namespace kiwi::keyspace
