#include "keyspace/object.h"

#include <new>

#include "base/check.h"
#include "keyspace/body.h"
#include "keyspace/memory.h"

namespace kiwi::keyspace {
namespace {

constexpr size_t kShortKeyMax = 0xffff;
constexpr size_t kEmbstrMax = 44;  // Redis's bound between embstr and raw

}  // namespace

std::string_view TypeName(Type type) {
  switch (type) {
    case Type::kString:
      return "string";
    case Type::kList:
      return "list";
    case Type::kSet:
      return "set";
    case Type::kZset:
      return "zset";
    case Type::kHash:
      return "hash";
    case Type::kStream:
      return "stream";
  }
  return "none";
}

std::string_view Object::encoding_name() const {
  switch (encoding()) {
    case Encoding::kInt:
      return "int";
    case Encoding::kInline:
      return raw() || value_size_ > kEmbstrMax ? "raw" : "embstr";
    case Encoding::kBlob:
      return "raw";
    case Encoding::kPacked:
    case Encoding::kPackedBlob:
      return "listpack";
    case Encoding::kTable:
      return "hashtable";
  }
  return "unknown";
}

uint8_t Object::FlagsFor(const Shape& shape, size_t key_size) {
  return static_cast<uint8_t>((shape.expire_at_ms != kNoExpiry ? kExpiryFlag : 0) |
                              (shape.raw ? kRawFlag : 0) |
                              (key_size > kShortKeyMax ? kLongKeyFlag : 0));
}

size_t Object::SizeFor(const Shape& shape, size_t key_size, size_t value_size) {
  return sizeof(Object) + KeyOffsetFor(FlagsFor(shape, key_size)) + key_size + value_size;
}

Object::Object(const Shape& shape, size_t key_size, size_t value_size)
    : type_encoding_(static_cast<uint8_t>(static_cast<uint8_t>(shape.type) |
                                          static_cast<uint8_t>(shape.encoding) << 4)),
      flags_(FlagsFor(shape, key_size)),
      key_size_(static_cast<uint16_t>(key_size)),
      value_size_(static_cast<uint32_t>(value_size)),
      access_(shape.access_s) {
  if (has_expiry()) OverwriteExpiry(shape.expire_at_ms);
  if ((flags_ & kLongKeyFlag) != 0) {
    const auto size = static_cast<uint32_t>(key_size);
    std::memcpy(data() + KeyOffset() - sizeof(size), &size, sizeof(size));
  }
}

Object* Object::New(const Shape& shape, std::string_view key, size_t value_size) {
  KIWI_CHECK(key.size() <= UINT32_MAX && value_size <= UINT32_MAX, "object too large");
  void* memory = Allocate(SizeFor(shape, key.size(), value_size));
  auto* object = new (memory) Object(shape, key.size(), value_size);
  std::memcpy(object->data() + object->KeyOffset(), key.data(), key.size());
  return object;
}

void Object::Free(Object* object) { std::free(object); }

bool Object::ReuseAs(const Shape& shape, size_t value_size) {
  const size_t key_bytes = key_size();
  if (KeyOffsetFor(FlagsFor(shape, key_bytes)) != KeyOffset()) return false;
  if (AllocationSize(SizeFor(shape, key_bytes, value_size)) != node_bytes()) return false;
  new (this) Object(shape, key_bytes, value_size);
  return true;
}

Body* Object::body() const {
  if (!HasBody(encoding())) return nullptr;
  Body* body;
  std::memcpy(&body, data() + ValueOffset(), sizeof(body));
  return body;
}

size_t Object::node_bytes() const {
  return AllocationSize(sizeof(Object) + ValueOffset() + value_size_);
}

size_t Object::memory_bytes() const {
  const Body* beside = body();
  return node_bytes() + (beside != nullptr ? beside->memory_bytes() : 0);
}

}  // namespace kiwi::keyspace
