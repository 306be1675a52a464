#include "keyspace/rows.h"

#include <algorithm>

#include "base/coding.h"
#include "base/hash.h"

namespace kiwi::keyspace {
namespace {

constexpr uint8_t kRowVersion = 1;

uint64_t RowChecksum(std::string_view encoded_key, std::string_view framed) {
  return Hash64(framed, Checksum64(encoded_key));
}

}  // namespace

std::string RowKey::Encode() const {
  std::string out;
  out.reserve(kBytes);
  PutBigEndian(&out, static_cast<uint8_t>(kind));
  PutBigEndian(&out, db);
  PutBigEndian(&out, id);
  PutBigEndian(&out, piece);
  PutBigEndian(&out, ~generation);
  PutBigEndian(&out, part);
  return out;
}

bool RowKey::Decode(std::string_view bytes, RowKey* key) {
  uint8_t kind = 0;
  if (bytes.size() != kBytes || !GetBigEndian(&bytes, &kind) || !GetBigEndian(&bytes, &key->db) ||
      !GetBigEndian(&bytes, &key->id) || !GetBigEndian(&bytes, &key->piece) ||
      !GetBigEndian(&bytes, &key->generation) || !GetBigEndian(&bytes, &key->part)) {
    return false;
  }
  key->kind = static_cast<RowKind>(kind);
  key->generation = ~key->generation;
  return true;
}

std::string RowKey::ToString() const {
  std::string out = "row ";
  out.push_back(static_cast<char>(kind));
  out += " db=" + std::to_string(db);
  if (kind == RowKind::kPage) {
    out += " slot=" + std::to_string(id >> 32) + " prefix=" + std::to_string(id & 0xffffffff);
  } else {
    out += " id=" + std::to_string(id) + " piece=" + std::to_string(piece);
  }
  return out + " generation=" + std::to_string(generation) + " part=" + std::to_string(part);
}

std::string KindBegin(RowKind kind) { return std::string(1, static_cast<char>(kind)); }
std::string KindEnd(RowKind kind) { return std::string(1, static_cast<char>(kind) + 1); }

std::string FrameRow(std::string_view encoded_key, uint32_t parts, std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 16);
  out.push_back(static_cast<char>(kRowVersion));
  PutVarint(&out, parts);
  out.append(bytes);
  PutFixed(&out, RowChecksum(encoded_key, out));
  return out;
}

Status UnframeRow(std::string_view encoded_key, std::string_view row, uint32_t* parts,
                  std::string_view* bytes) {
  if (row.size() < 1 + sizeof(uint64_t)) return {StatusCode::kCorruption, "cut short"};
  std::string_view framed = row.substr(0, row.size() - sizeof(uint64_t));
  std::string_view tail = row.substr(framed.size());
  uint64_t checksum = 0;
  GetFixed(&tail, &checksum);
  if (checksum != RowChecksum(encoded_key, framed)) {
    return {StatusCode::kCorruption, "its checksum does not match"};
  }
  if (static_cast<uint8_t>(framed[0]) != kRowVersion) {
    return {StatusCode::kCorruption, "its format is version " +
                                         std::to_string(static_cast<uint8_t>(framed[0])) +
                                         ", this build knows " + std::to_string(kRowVersion)};
  }
  framed.remove_prefix(1);
  uint64_t count = 0;
  if (!GetVarint(&framed, &count) || count == 0 || count > UINT32_MAX) {
    return {StatusCode::kCorruption, "malformed"};
  }
  *parts = static_cast<uint32_t>(count);
  *bytes = framed;
  return {};
}

RowWriter::RowWriter(storage::Backend* backend, size_t batch_bytes)
    : backend_(backend), batch_bytes_(batch_bytes), batch_(backend->NewBatch()) {}

void RowWriter::PutPart(RowKey key, uint32_t parts, std::string_view bytes) {
  const std::string encoded = key.Encode();
  const std::string framed = FrameRow(encoded, parts, bytes);
  batch_->Put(encoded, framed);
  empty_ = false;
  ++rows_;
  bytes_ += encoded.size() + framed.size();
  FlushIfLarge();
}

void RowWriter::Put(RowKey key, std::string_view bytes) {
  if (!status_.ok()) return;
  const size_t parts = bytes.empty() ? 1 : (bytes.size() - 1) / kPartBytes + 1;
  for (key.part = 0; key.part < parts; ++key.part) {
    PutPart(key, static_cast<uint32_t>(parts), bytes.substr(0, kPartBytes));
    bytes.remove_prefix(std::min(bytes.size(), kPartBytes));
  }
}

void RowWriter::Put(RowKey key, const PieceImage& image) {
  if (!status_.ok()) return;
  const size_t size = image.size();
  const size_t parts = size == 0 ? 1 : (size - 1) / kPartBytes + 1;
  std::string buffer;
  buffer.reserve(std::min(size, kPartBytes));
  key.part = 0;
  image.Emit([&](std::string_view bytes) {
    while (!bytes.empty()) {
      const size_t n = std::min(bytes.size(), kPartBytes - buffer.size());
      buffer.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      if (buffer.size() < kPartBytes) continue;
      PutPart(key, static_cast<uint32_t>(parts), buffer);
      ++key.part;
      buffer.clear();
    }
  });
  if (key.part < parts) PutPart(key, static_cast<uint32_t>(parts), buffer);
}

void RowWriter::Delete(RowKey key, bool in_parts) {
  if (!status_.ok()) return;
  key.part = 0;
  if (in_parts) {
    RowKey end = key;
    end.part = UINT32_MAX;
    batch_->DeleteRange(key.Encode(), end.Encode());
  } else {
    batch_->Delete(key.Encode());
  }
  empty_ = false;
  FlushIfLarge();
}

void RowWriter::DeleteKey(std::string_view encoded_key) {
  if (!status_.ok()) return;
  batch_->Delete(encoded_key);
  empty_ = false;
  FlushIfLarge();
}

void RowWriter::DeleteRange(std::string_view begin, std::string_view end) {
  if (!status_.ok()) return;
  batch_->DeleteRange(begin, end);
  empty_ = false;
  FlushIfLarge();
}

void RowWriter::FlushIfLarge() {
  if (batch_->SizeBytes() >= batch_bytes_) static_cast<void>(Flush());
}

Status RowWriter::Flush() {
  if (status_.ok() && !empty_) {
    status_ = backend_->Write({}, batch_.get());
    batch_->Clear();
    empty_ = true;
  }
  return status_;
}

}  // namespace kiwi::keyspace
