// The packed form of a small hash: one block of bytes. A 4-byte count, then for each field, in the
// order of insertion: varint length, field, varint length, value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/function_ref.h"
#include "keyspace/types/hash_value.h"

namespace kiwi::keyspace {

class PackedHash {
 public:
  static constexpr size_t kHeaderBytes = 4;

  // Where an entry lies in the block.
  struct Place {
    size_t begin = 0;        // of the entry
    size_t value_begin = 0;  // of the value's length
    size_t end = 0;
    std::string_view value;
  };

  explicit PackedHash(std::string_view block) : block_(block) {}

  uint32_t size() const {
    uint32_t n = 0;
    std::memcpy(&n, block_.data(), sizeof(n));
    return n;
  }
  std::optional<Place> Find(std::string_view field) const;
  // False from visit stops.
  void ForEach(FunctionRef<bool(HashField)> visit) const;
  // Whether the block is well-formed: for blocks from the disk.
  bool Valid() const;

  static size_t EntryBytes(std::string_view field, std::string_view value) {
    return ValueBytes(field) + ValueBytes(value);
  }
  static size_t ValueBytes(std::string_view value) {
    return VarintLength(value.size()) + value.size();
  }
  static char* Write(char* out, std::string_view s) {
    out = EncodeVarint(out, s.size());
    std::memcpy(out, s.data(), s.size());
    return out + s.size();
  }

 private:
  // Advances rest over one string. The block is well-formed.
  static std::string_view Read(std::string_view* rest);

  std::string_view block_;
};

}  // namespace kiwi::keyspace
