// Rows of the checkpoint, as docs/formats.md describes them: what they are filed under, and the frame
// around what they hold. A row of more than a megabyte is cut into parts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "keyspace/body.h"
#include "storage/backend.h"

namespace kiwi::keyspace {

enum class RowKind : uint8_t {
  kCells = 'C',
  kMeta = 'M',
  kPage = 'P',
  kPiece = 'V',
};

// Newer generations of the same unit sort before older ones.
struct RowKey {
  static constexpr size_t kBytes = 25;

  RowKind kind = RowKind::kPage;
  uint32_t db = 0;
  uint64_t id = 0;  // pages: slot << 32 | prefix; pieces: the body's; cells: shard << 8 | block
  uint32_t piece = 0;
  uint32_t generation = 0;
  uint32_t part = 0;

  std::string Encode() const;
  static bool Decode(std::string_view bytes, RowKey* key);
  bool SameUnit(const RowKey& other) const {
    return kind == other.kind && db == other.db && id == other.id && piece == other.piece;
  }
  RowKey WithPart(uint32_t other) const {
    RowKey key = *this;
    key.part = other;
    return key;
  }
  // For messages.
  std::string ToString() const;
};

inline constexpr std::string_view kMetaKey = "M";

// The first key of a kind, and the first behind it.
std::string KindBegin(RowKind kind);
std::string KindEnd(RowKind kind);

// The frame: version, number of parts, bytes, checksum over them and the key.
std::string FrameRow(std::string_view encoded_key, uint32_t parts, std::string_view bytes);
Status UnframeRow(std::string_view encoded_key, std::string_view row, uint32_t* parts,
                  std::string_view* bytes);

// Writes rows in unsynced batches. After a failure it does nothing but return
// the error. One thread at a time.
class RowWriter {
 public:
  static constexpr size_t kPartBytes = 1 << 20;

  RowWriter(storage::Backend* backend, size_t batch_bytes);

  static bool InParts(size_t size) { return size > kPartBytes; }
  void Put(RowKey key, std::string_view bytes);
  void Put(RowKey key, const PieceImage& image);
  // The row, of which there may be parts.
  void Delete(RowKey key, bool in_parts);
  void DeleteKey(std::string_view encoded_key);
  void DeleteRange(std::string_view begin, std::string_view end);
  Status Flush();
  const Status& status() const { return status_; }

  uint64_t rows() const { return rows_; }
  uint64_t bytes() const { return bytes_; }

 private:
  void PutPart(RowKey key, uint32_t parts, std::string_view bytes);
  void FlushIfLarge();

  storage::Backend* const backend_;
  const size_t batch_bytes_;
  std::unique_ptr<storage::WriteBatch> batch_;
  Status status_;
  bool empty_ = true;
  uint64_t rows_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace kiwi::keyspace
