// The snapshot stream (docs/formats.md): a checkpoint on its way to another backend, as a sequence of
// chunks that check themselves. A stream is the concatenation of its chunks, and a position in it
// counts all of their bytes, so that a file of a stream needs no framing of its own.
//
// What the chunks carry, joined, is a sequence of records: the header, the rows in the order of
// their keys, the end. A record may lie across chunks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace kiwi::keyspace {

inline constexpr uint8_t kSnapshotFormatVersion = 1;

struct ChunkHeader {
  static constexpr size_t kBytes = 34;

  uint64_t stream = 0;    // chunks of different streams do not mix
  uint64_t position = 0;  // of this chunk in its stream
  uint32_t payload_bytes = 0;
  bool last = false;
};

// A chunk around the payload; header.payload_bytes is filled in.
std::string EncodeChunk(ChunkHeader header, std::string_view payload);

// Reads the header alone, as one needs it to find a chunk's end in a file. kCorruption: no chunk;
// kSerialization: of a version that this release does not know.
Status DecodeChunkHeader(std::string_view bytes, ChunkHeader* header);
// `chunk` is exactly one chunk. kCorruption, too, if its checksum does not match.
Status DecodeChunk(std::string_view chunk, ChunkHeader* header, std::string_view* payload);

// What the end record says of the rows before it.
struct SnapshotTotals {
  uint64_t rows = 0;
  uint64_t bytes = 0;   // of keys and values
  uint64_t digest = 0;  // of keys and values, in order

  void Add(std::string_view key, std::string_view value);
  bool operator==(const SnapshotTotals&) const = default;
};

enum class SnapshotRecordKind : uint8_t { kHeader = 'H', kRow = 'R', kEnd = 'E' };

struct SnapshotRecord {
  SnapshotRecordKind kind = SnapshotRecordKind::kRow;
  std::string_view key;    // of a row
  std::string_view value;  // of a row; of the header: the checkpoint's meta row
  SnapshotTotals totals;   // of the end
};

void AppendHeaderRecord(std::string_view meta_row, std::string* out);
void AppendRowRecord(std::string_view key, std::string_view value, std::string* out);
void AppendEndRecord(const SnapshotTotals& totals, std::string* out);

// Takes one record off the input, if all of it is there; else *whole is false and the input stays.
// kSerialization: malformed, or larger than any row is.
Status TakeRecord(std::string_view* in, SnapshotRecord* record, bool* whole);

}  // namespace kiwi::keyspace
