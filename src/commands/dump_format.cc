#include "commands/dump_format.h"

#include <limits>
#include <optional>
#include <unordered_set>

#include "base/coding.h"
#include "base/crc64.h"
#include "base/numbers.h"
#include "commands/listpack.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"

namespace kiwi::commands {
namespace {

using keyspace::Type;

constexpr uint16_t kVersion = 10;
constexpr size_t kFooterBytes = 10;  // version, checksum
constexpr size_t kMaxStringBytes = size_t{512} << 20;

enum : uint8_t { kTypeString = 0, kTypeHash = 4, kTypeHashListpack = 16 };

// A length begins with two bits that say how it goes on.
enum : uint8_t { kLength6 = 0, kLength14 = 1, kLength32Or64 = 2, kPackedString = 3 };
constexpr uint8_t kLength32 = 0x80;
constexpr uint8_t kLength64 = 0x81;
enum : uint8_t { kInt8 = 0, kInt16 = 1, kInt32 = 2, kLzf = 3 };

void PutLength(std::string* out, uint64_t n) {
  if (n < (1u << 6)) {
    out->push_back(static_cast<char>(n));
  } else if (n < (1u << 14)) {
    PutBigEndian(out, static_cast<uint16_t>(n | (1u << 14)));
  } else if (n <= std::numeric_limits<uint32_t>::max()) {
    out->push_back(static_cast<char>(kLength32));
    PutBigEndian(out, static_cast<uint32_t>(n));
  } else {
    out->push_back(static_cast<char>(kLength64));
    PutBigEndian(out, n);
  }
}

template <typename T>
void PutPackedInt(std::string* out, uint8_t kind, int64_t value) {
  out->push_back(static_cast<char>(kPackedString << 6 | kind));
  PutFixed(out, static_cast<T>(value));
}

template <typename T>
bool FitsIn(int64_t value) {
  return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
}

void PutString(std::string* out, std::string_view bytes) {
  int64_t value = 0;
  if (bytes.size() <= 11 && ParseInt64(bytes, &value) && FitsIn<int32_t>(value)) {
    if (FitsIn<int8_t>(value)) return PutPackedInt<int8_t>(out, kInt8, value);
    if (FitsIn<int16_t>(value)) return PutPackedInt<int16_t>(out, kInt16, value);
    return PutPackedInt<int32_t>(out, kInt32, value);
  }
  PutLength(out, bytes.size());
  out->append(bytes);
}

void PutFooter(std::string* out) {
  PutFixed(out, kVersion);
  PutFixed(out, Crc64Jones(*out));
}

// A length, or with *packed the kind of a packed string.
bool GetLength(std::string_view* in, uint64_t* n, bool* packed) {
  if (in->empty()) return false;
  const auto first = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  *packed = first >> 6 == kPackedString;
  *n = first & 0x3f;
  if (first >> 6 == kLength6 || *packed) return true;
  if (first >> 6 == kLength14) {
    uint8_t low = 0;
    if (!GetBigEndian(in, &low)) return false;
    *n = *n << 8 | low;
    return true;
  }
  if (first == kLength64) return GetBigEndian(in, n);
  uint32_t n32 = 0;
  if (first != kLength32 || !GetBigEndian(in, &n32)) return false;
  *n = n32;
  return true;
}

bool GetPlainLength(std::string_view* in, uint64_t* n) {
  bool packed = false;
  return GetLength(in, n, &packed) && !packed;
}

template <typename T>
bool GetPackedInt(std::string_view* in, std::string* out) {
  T value = 0;
  if (!GetFixed(in, &value)) return false;
  *out = std::to_string(value);
  return true;
}

// LZF: a byte below 32 announces that many literals and one; any other holds the length and the
// upper part of the distance of a copy from what has been written.
bool DecompressLzf(std::string_view in, size_t size, std::string* out) {
  constexpr size_t kMaxGrowth = 264;  // no byte stands for more
  if (size > kMaxStringBytes || size / kMaxGrowth > in.size()) return false;
  out->reserve(size);
  while (!in.empty()) {
    const auto control = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    if (control < 32) {
      const size_t literals = size_t{control} + 1;
      if (literals > in.size()) return false;
      out->append(in.substr(0, literals));
      in.remove_prefix(literals);
    } else {
      size_t length = control >> 5;
      uint8_t byte = 0;
      if (length == 7) {
        if (!GetBigEndian(&in, &byte)) return false;
        length += byte;
      }
      if (!GetBigEndian(&in, &byte)) return false;
      const size_t distance = (size_t{control & 0x1fu} << 8 | byte) + 1;
      if (distance > out->size()) return false;
      for (size_t i = 0; i < length + 2; ++i) out->push_back((*out)[out->size() - distance]);
    }
    if (out->size() > size) return false;
  }
  return out->size() == size;
}

bool GetLzf(std::string_view* in, std::string* out) {
  uint64_t compressed = 0;
  uint64_t size = 0;
  if (!GetPlainLength(in, &compressed) || !GetPlainLength(in, &size)) return false;
  if (compressed > in->size()) return false;
  const std::string_view block = in->substr(0, compressed);
  in->remove_prefix(compressed);
  return DecompressLzf(block, size, out);
}

bool GetString(std::string_view* in, std::string* out) {
  uint64_t n = 0;
  bool packed = false;
  if (!GetLength(in, &n, &packed)) return false;
  if (!packed) {
    if (n > in->size() || n > kMaxStringBytes) return false;
    out->assign(in->substr(0, n));
    in->remove_prefix(n);
    return true;
  }
  switch (n) {
    case kInt8:
      return GetPackedInt<int8_t>(in, out);
    case kInt16:
      return GetPackedInt<int16_t>(in, out);
    case kInt32:
      return GetPackedInt<int32_t>(in, out);
    case kLzf:
      return GetLzf(in, out);
    default:
      return false;
  }
}

bool GetPairs(std::string_view* in, DumpedValue* value) {
  uint64_t count = 0;
  if (!GetPlainLength(in, &count)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    auto& [field, content] = value->fields.emplace_back();
    if (!GetString(in, &field) || !GetString(in, &content)) return false;
  }
  return true;
}

bool GetListpackPairs(std::string_view* in, DumpedValue* value) {
  std::string block;
  std::vector<std::string> elements;
  if (!GetString(in, &block) || !DecodeListpack(block, &elements)) return false;
  if (elements.size() % 2 != 0) return false;
  for (size_t i = 0; i < elements.size(); i += 2) {
    value->fields.emplace_back(std::move(elements[i]), std::move(elements[i + 1]));
  }
  return true;
}

bool FieldsAreValid(const DumpedValue& value) {
  std::unordered_set<std::string_view> seen;
  for (const auto& [field, content] : value.fields) {
    if (!seen.insert(field).second) return false;
  }
  return !value.fields.empty();
}

}  // namespace

std::string EncodeStringDump(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() + 32);
  out.push_back(static_cast<char>(kTypeString));
  PutString(&out, bytes);
  PutFooter(&out);
  return out;
}

std::string EncodeHashDump(size_t size, FunctionRef<void(VisitField)> for_each) {
  std::string out;
  out.push_back(static_cast<char>(kTypeHash));
  PutLength(&out, size);
  for_each([&](keyspace::HashField pair) {
    PutString(&out, pair.field);
    PutString(&out, pair.value);
  });
  PutFooter(&out);
  return out;
}

bool VerifyDump(std::string_view payload) {
  if (payload.size() < kFooterBytes) return false;
  std::string_view footer = payload.substr(payload.size() - kFooterBytes);
  uint16_t version = 0;
  uint64_t checksum = 0;
  if (!GetFixed(&footer, &version) || !GetFixed(&footer, &checksum)) return false;
  return version <= kVersion && checksum == Crc64Jones(payload.substr(0, payload.size() - 8));
}

bool DecodeDump(std::string_view payload, DumpedValue* value) {
  std::string_view in = payload.substr(0, payload.size() - kFooterBytes);
  uint8_t type = 0;
  if (!GetBigEndian(&in, &type)) return false;
  switch (type) {
    case kTypeString:
      value->type = Type::kString;
      return GetString(&in, &value->string);
    case kTypeHash:
      value->type = Type::kHash;
      return GetPairs(&in, value) && FieldsAreValid(*value);
    case kTypeHashListpack:
      value->type = Type::kHash;
      return GetListpackPairs(&in, value) && FieldsAreValid(*value);
    default:
      return false;
  }
}

}  // namespace kiwi::commands
