#include "keyspace/page.h"

#include "base/coding.h"
#include "keyspace/blob.h"
#include "keyspace/slot_table.h"
#include "keyspace/types/hash_table.h"
#include "keyspace/types/packed_hash.h"

namespace kiwi::keyspace {
namespace {

constexpr uint8_t kHasExpiry = 1;
constexpr uint8_t kRaw = 2;

void EncodeObject(const Object& object, std::string* out) {
  out->push_back(static_cast<char>(static_cast<uint8_t>(object.type()) |
                                   static_cast<uint8_t>(object.encoding()) << 4));
  out->push_back(
      static_cast<char>((object.has_expiry() ? kHasExpiry : 0) | (object.raw() ? kRaw : 0)));
  PutFixed(out, object.last_access_s());
  if (object.has_expiry()) PutFixed(out, object.expire_at_ms());
  PutLengthPrefixed(out, object.key());
  const Body* body = object.body();
  if (body == nullptr) {
    PutLengthPrefixed(out, object.value());
    return;
  }
  PutVarint(out, body->id());
  PutVarint(out, object.encoding() == Encoding::kTable ? static_cast<const HashTable*>(body)->size()
                                                       : static_cast<const Blob*>(body)->size());
}

bool KnownShape(uint8_t type, uint8_t encoding) {
  switch (static_cast<Encoding>(encoding)) {
    case Encoding::kInt:
    case Encoding::kInline:
    case Encoding::kBlob:
      return static_cast<Type>(type) == Type::kString;
    case Encoding::kPacked:
    case Encoding::kPackedBlob:
    case Encoding::kTable:
      return static_cast<Type>(type) == Type::kHash;
  }
  return false;
}

bool DecodeObject(std::string_view* in, PageEntry* entry) {
  uint8_t type_encoding = 0;
  uint8_t flags = 0;
  if (!GetFixed(in, &type_encoding) || !GetFixed(in, &flags) ||
      !GetFixed(in, &entry->shape.access_s)) {
    return false;
  }
  const uint8_t encoding = type_encoding >> 4;
  if (!KnownShape(type_encoding & 0x0f, encoding) || (flags & ~(kHasExpiry | kRaw)) != 0) {
    return false;
  }
  entry->shape.type = static_cast<Type>(type_encoding & 0x0f);
  entry->shape.encoding = static_cast<Encoding>(encoding);
  entry->shape.raw = (flags & kRaw) != 0;
  entry->shape.expire_at_ms = kNoExpiry;
  if ((flags & kHasExpiry) != 0 && !GetFixed(in, &entry->shape.expire_at_ms)) return false;
  if (!GetLengthPrefixed(in, &entry->key) || entry->key.size() > UINT32_MAX) return false;
  if (HasBody(entry->shape.encoding)) {
    return GetVarint(in, &entry->body_id) && GetVarint(in, &entry->body_size) &&
           entry->body_size > 0 && entry->body_size <= UINT32_MAX;
  }
  if (!GetLengthPrefixed(in, &entry->value) || entry->value.size() > UINT32_MAX) return false;
  if (entry->shape.encoding == Encoding::kInt) return entry->value.size() == sizeof(int64_t);
  return entry->shape.encoding != Encoding::kPacked || PackedHash(entry->value).Valid();
}

}  // namespace

std::string EncodePage(const Leaf& leaf) {
  std::string out;
  size_t estimate = 8;
  for (size_t i = 0; i < leaf.count(); ++i) estimate += leaf.at(i)->node_bytes();
  out.reserve(estimate);
  out.push_back(static_cast<char>(leaf.depth()));
  PutVarint(&out, leaf.count());
  for (size_t i = 0; i < leaf.count(); ++i) EncodeObject(*leaf.at(i), &out);
  return out;
}

Status DecodePage(std::string_view page, PageHead* head,
                  FunctionRef<Status(const PageEntry&)> visit) {
  const Status malformed{StatusCode::kCorruption, "malformed page"};
  uint8_t depth = 0;
  if (!GetFixed(&page, &depth) || !GetVarint(&page, &head->count)) return malformed;
  if (depth > SlotTable::kDepthMax || head->count > page.size()) return malformed;
  head->depth = depth;
  for (uint64_t i = 0; i < head->count; ++i) {
    PageEntry entry;
    if (!DecodeObject(&page, &entry)) return malformed;
    KIWI_RETURN_IF_ERROR(visit(entry));
  }
  return page.empty() ? Status() : malformed;
}

}  // namespace kiwi::keyspace
