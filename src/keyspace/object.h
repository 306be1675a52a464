// A key with its value: one allocation that holds a header, the expiry time if there is one, the
// key's bytes and, for small values, the value's bytes.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace kiwi::keyspace {

class Body;

enum class Type : uint8_t { kString = 0, kList = 1, kSet = 2, kZset = 3, kHash = 4, kStream = 5 };

// "string", "hash", … as TYPE answers.
std::string_view TypeName(Type type);

inline constexpr int64_t kNoExpiry = -1;

// How the value is kept. The numbers are part of the stored format.
enum class Encoding : uint8_t {
  kInt = 0,         // string: 8 bytes, a signed integer
  kInline = 1,      // string: the bytes
  kBlob = 2,        // string: a Blob beside the object
  kPacked = 3,      // hash: a packed block (types/packed_hash.h)
  kPackedBlob = 4,  // hash: a packed block in a Blob
  kTable = 5,       // hash: a HashTable
};
inline constexpr uint8_t kEncodingCount = 6;

constexpr bool HasBody(Encoding e) {
  return e == Encoding::kBlob || e == Encoding::kPackedBlob || e == Encoding::kTable;
}

// Values of more bytes lie beside their object: a page holds up to 32 objects, and is written
// whole.
inline constexpr size_t kInlineValueMax = 1024;

// Read-only outside keyspace/. Valid while the lock of its shard is held, and until the next
// mutation of the same key (which may move it).
class Object {
 public:
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  Type type() const { return static_cast<Type>(type_encoding_ & 0x0f); }
  // As OBJECT ENCODING answers: int, embstr, raw, listpack, hashtable.
  std::string_view encoding_name() const;
  std::string_view key() const { return {data() + KeyOffset(), key_size()}; }
  bool has_expiry() const { return (flags_ & kExpiryFlag) != 0; }
  int64_t expire_at_ms() const {  // kNoExpiry if none
    if (!has_expiry()) return kNoExpiry;
    int64_t at;
    std::memcpy(&at, data(), sizeof(at));
    return at;
  }
  bool ExpiredAt(int64_t now_ms) const { return has_expiry() && expire_at_ms() <= now_ms; }
  size_t memory_bytes() const;  // all allocations of key and value
  // Seconds since the epoch of the last access that was noted; 0: unknown.
  uint32_t last_access_s() const { return access_.load(std::memory_order_relaxed); }

  // --- for keyspace/ only ---

  // What an object is made of.
  struct Shape {
    Type type = Type::kString;
    Encoding encoding = Encoding::kInline;
    bool raw = false;  // a short string that OBJECT ENCODING calls raw, as after APPEND
    int64_t expire_at_ms = kNoExpiry;
    uint32_t access_s = 0;
  };

  // The value's bytes are the caller's to fill.
  static Object* New(const Shape& shape, std::string_view key, size_t value_size);
  static void Free(Object* object);  // not the body
  // The bytes that New would ask for.
  static size_t SizeFor(const Shape& shape, size_t key_size, size_t value_size);

  // Gives the object another shape and value size in place, when its size class stays and its key
  // does not move. False: nothing was changed.
  bool ReuseAs(const Shape& shape, size_t value_size);
  void OverwriteExpiry(int64_t at_ms) { std::memcpy(data(), &at_ms, sizeof(at_ms)); }

  Shape shape() const { return {type(), encoding(), raw(), expire_at_ms(), last_access_s()}; }
  Encoding encoding() const { return static_cast<Encoding>(type_encoding_ >> 4); }
  bool raw() const { return (flags_ & kRawFlag) != 0; }
  void set_raw() { flags_ |= kRawFlag; }
  std::string_view value() const { return {data() + ValueOffset(), value_size_}; }
  char* mutable_value() { return data() + ValueOffset(); }
  Body* body() const;  // null if the value is inside
  void set_body(Body* body) { std::memcpy(mutable_value(), &body, sizeof(body)); }
  size_t node_bytes() const;  // this allocation
  void NoteAccess(uint32_t second) const {
    if (access_.load(std::memory_order_relaxed) != second) {
      access_.store(second, std::memory_order_relaxed);
    }
  }

 private:
  static constexpr uint8_t kExpiryFlag = 1;
  static constexpr uint8_t kRawFlag = 2;
  static constexpr uint8_t kLongKeyFlag = 4;  // the key's length stands before it, in 4 bytes

  Object(const Shape& shape, size_t key_size, size_t value_size);
  static uint8_t FlagsFor(const Shape& shape, size_t key_size);
  static size_t KeyOffsetFor(uint8_t flags) {
    return ((flags & kExpiryFlag) ? 8u : 0u) + ((flags & kLongKeyFlag) ? 4u : 0u);
  }

  size_t KeyOffset() const { return KeyOffsetFor(flags_); }
  size_t ValueOffset() const { return KeyOffset() + key_size(); }
  size_t key_size() const {
    if ((flags_ & kLongKeyFlag) == 0) return key_size_;
    uint32_t size;
    std::memcpy(&size, data() + KeyOffset() - sizeof(size), sizeof(size));
    return size;
  }
  const char* data() const { return reinterpret_cast<const char*>(this) + sizeof(Object); }
  char* data() { return reinterpret_cast<char*>(this) + sizeof(Object); }

  uint8_t type_encoding_;
  uint8_t flags_;
  uint16_t key_size_;
  uint32_t value_size_;
  mutable std::atomic<uint32_t> access_;
};

static_assert(sizeof(Object) == 12);

}  // namespace kiwi::keyspace
