#include "keyspace/snapshot_format.h"

#include "base/coding.h"
#include "base/hash.h"

namespace kiwi::keyspace {
namespace {

constexpr std::string_view kMagic = "KWSS";
constexpr uint8_t kLastFlag = 1;
constexpr size_t kCheckedBytes = ChunkHeader::kBytes - sizeof(uint64_t);

// Rows are cut at 1 MiB; the meta grows with the number of databases. Far above both.
constexpr uint64_t kRecordBytesMax = uint64_t{16} << 20;

uint64_t ChunkChecksum(std::string_view head, std::string_view payload) {
  return Hash64(payload, Checksum64(head));
}

}  // namespace

std::string EncodeChunk(ChunkHeader header, std::string_view payload) {
  std::string out;
  out.reserve(ChunkHeader::kBytes + payload.size());
  out.append(kMagic);
  PutFixed(&out, kSnapshotFormatVersion);
  PutFixed(&out, header.last ? kLastFlag : uint8_t{0});
  PutFixed(&out, header.stream);
  PutFixed(&out, header.position);
  PutFixed(&out, static_cast<uint32_t>(payload.size()));
  PutFixed(&out, ChunkChecksum(out, payload));
  out.append(payload);
  return out;
}

Status DecodeChunkHeader(std::string_view bytes, ChunkHeader* header) {
  if (bytes.size() < ChunkHeader::kBytes) {
    return {StatusCode::kCorruption, "snapshot: a chunk is cut short"};
  }
  if (!bytes.starts_with(kMagic)) {
    return {StatusCode::kCorruption, "snapshot: this is not a chunk of a snapshot"};
  }
  bytes.remove_prefix(kMagic.size());
  uint8_t version = 0;
  uint8_t flags = 0;
  GetFixed(&bytes, &version);
  if (version != kSnapshotFormatVersion) {
    return {StatusCode::kSerialization, "snapshot: format version " + std::to_string(version) +
                                            ", this release reads " +
                                            std::to_string(kSnapshotFormatVersion)};
  }
  GetFixed(&bytes, &flags);
  header->last = (flags & kLastFlag) != 0;
  GetFixed(&bytes, &header->stream);
  GetFixed(&bytes, &header->position);
  GetFixed(&bytes, &header->payload_bytes);
  return {};
}

Status DecodeChunk(std::string_view chunk, ChunkHeader* header, std::string_view* payload) {
  KIWI_RETURN_IF_ERROR(DecodeChunkHeader(chunk, header));
  *payload = chunk.substr(ChunkHeader::kBytes);
  if (payload->size() != header->payload_bytes) {
    return {StatusCode::kCorruption, "snapshot: the chunk at " + std::to_string(header->position) +
                                         " does not have the size it says"};
  }
  std::string_view tail = chunk.substr(kCheckedBytes);
  uint64_t checksum = 0;
  GetFixed(&tail, &checksum);
  if (checksum != ChunkChecksum(chunk.substr(0, kCheckedBytes), *payload)) {
    return {StatusCode::kCorruption,
            "snapshot: the chunk at " + std::to_string(header->position) + " fails its checksum"};
  }
  return {};
}

void SnapshotTotals::Add(std::string_view key, std::string_view value) {
  ++rows;
  bytes += key.size() + value.size();
  digest = Hash64(value, Hash64(key, digest));
}

void AppendHeaderRecord(std::string_view meta_row, std::string* out) {
  PutFixed(out, SnapshotRecordKind::kHeader);
  PutLengthPrefixed(out, meta_row);
}

void AppendRowRecord(std::string_view key, std::string_view value, std::string* out) {
  PutFixed(out, SnapshotRecordKind::kRow);
  PutLengthPrefixed(out, key);
  PutLengthPrefixed(out, value);
}

void AppendEndRecord(const SnapshotTotals& totals, std::string* out) {
  PutFixed(out, SnapshotRecordKind::kEnd);
  for (const uint64_t number : {totals.rows, totals.bytes, totals.digest}) PutFixed(out, number);
}

Status TakeRecord(std::string_view* in, SnapshotRecord* record, bool* whole) {
  std::string_view rest = *in;
  *whole = false;
  if (!GetFixed(&rest, &record->kind)) return {};
  switch (record->kind) {
    case SnapshotRecordKind::kHeader:
      *whole = GetLengthPrefixed(&rest, &record->value);
      break;
    case SnapshotRecordKind::kRow:
      *whole = GetLengthPrefixed(&rest, &record->key) && GetLengthPrefixed(&rest, &record->value);
      break;
    case SnapshotRecordKind::kEnd:
      *whole = GetFixed(&rest, &record->totals.rows) && GetFixed(&rest, &record->totals.bytes) &&
               GetFixed(&rest, &record->totals.digest);
      break;
    default:
      return {StatusCode::kSerialization, "snapshot: a record of unknown kind"};
  }
  if (*whole) {
    *in = rest;
  } else if (in->size() > kRecordBytesMax) {
    return {StatusCode::kSerialization, "snapshot: a record without an end"};
  }
  return {};
}

}  // namespace kiwi::keyspace
