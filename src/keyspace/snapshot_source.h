// A checkpoint as a stream of chunks: the sender's half of a snapshot. Reads one consistent view of
// the backend, so that checkpoints written and cleaned up meanwhile neither change it nor wait.
//
// What is sent: the rows of the valid generation, the newest of each unit, of the databases that its
// meta names. Rows of bodies that are gone and wait for their removal go along: telling them needs
// all pages in memory, and the load at the other end removes them anyway.
//
// Memory: a chunk, a row (at most a megabyte), and 64 bytes for each chunk read, which is what makes
// reading again from an earlier one cheap. One thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "keyspace/checkpoint.h"
#include "keyspace/meta.h"
#include "keyspace/rows.h"
#include "keyspace/snapshot_format.h"
#include "storage/backend.h"

namespace kiwi::keyspace {

class SnapshotSource {
 public:
  // Of the last complete checkpoint in the backend, which must outlive it. kUnavailable: there is
  // none. `stream` tells this stream from all others; chunks have at most chunk_bytes.
  static Result<std::unique_ptr<SnapshotSource>> Open(const storage::Backend& backend,
                                                      uint64_t stream, size_t chunk_bytes);

  uint64_t stream() const { return stream_; }
  CheckpointMeta meta() const { return {.applied_index = meta_.applied_index, .host = meta_.host}; }

  // The chunk at 0, or where one read before ended; empty where the last one ended. Another
  // position is kInvalidArgument. kCorruption, kIo: of the backend.
  Result<std::string> Read(uint64_t position);

 private:
  // Where the rest of the records begins: behind record_at bytes of the current one.
  struct Place {
    uint64_t position = 0;
    uint32_t record_at = 0;
    bool on_header = false;
    bool on_end = false;
    std::array<char, RowKey::kBytes> key{};  // of the current row, if neither
    SnapshotTotals totals;                   // the current row included
  };

  SnapshotSource(uint64_t stream, size_t chunk_bytes);
  Status GoTo(const Place& place);
  Status NextRecord();
  bool Wanted(const RowKey& key) const;

  const uint64_t stream_;
  const size_t payload_bytes_max_;
  std::string meta_row_;
  StoredMeta meta_;
  std::vector<uint32_t> databases_;  // ids, ascending
  std::unique_ptr<const storage::Snapshot> view_;
  std::unique_ptr<storage::Iterator> rows_;

  std::vector<Place> places_;  // where each chunk begins, and the next one
  std::optional<uint64_t> end_;
  Place here_;
  std::string record_;          // the current one; empty behind the end
  std::optional<RowKey> unit_;  // of the last row taken
};

}  // namespace kiwi::keyspace
