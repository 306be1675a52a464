// A key with its value: one allocation that holds a header, the expiry time if there is one, the
// key's bytes and, for small values, the value's bytes.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi::keyspace {

enum class Type : uint8_t { kString = 0, kList = 1, kSet = 2, kZset = 3, kHash = 4, kStream = 5 };

// "string", "hash", … as TYPE answers.
std::string_view TypeName(Type type);

inline constexpr int64_t kNoExpiry = -1;

// Read-only outside keyspace/. Valid while the lock of its shard is held, and until the next
// mutation of the same key (which may move it).
class Object {
 public:
  Type type() const;
  // As OBJECT ENCODING answers: int, embstr, raw, listpack, hashtable.
  std::string_view encoding_name() const;
  std::string_view key() const;
  bool has_expiry() const;
  int64_t expire_at_ms() const;  // kNoExpiry if none
  size_t memory_bytes() const;   // all allocations of key and value
};

}  // namespace kiwi::keyspace
