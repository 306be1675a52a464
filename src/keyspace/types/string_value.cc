#include "keyspace/types/string_value.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string>

#include "keyspace/blob.h"
#include "keyspace/edit.h"

namespace kiwi::keyspace {
namespace {

constexpr size_t kIntDigitsMax = 20;

std::optional<int64_t> ParseCanonical(std::string_view s) {
  if (s.empty() || s.size() > kIntDigitsMax) return std::nullopt;
  const std::string_view digits = s[0] == '-' ? s.substr(1) : s;
  if (digits.empty() || digits[0] < '0' || digits[0] > '9') return std::nullopt;
  if (digits[0] == '0' && s.size() > 1) return std::nullopt;  // leading zeros, and -0
  int64_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error != std::errc() || end != s.data() + s.size()) return std::nullopt;
  return value;
}

int64_t IntValue(const Object& object) {
  int64_t value;
  std::memcpy(&value, object.value().data(), sizeof(value));
  return value;
}

const Blob& BlobOf(const Object& object) { return static_cast<const Blob&>(*object.body()); }

void PutInt(Edit& edit, int64_t value, int64_t expire_at_ms) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  edit.Put({.type = Type::kString,
            .encoding = Encoding::kInt,
            .expire_at_ms = expire_at_ms,
            .access_s = edit.now_s()},
           {bytes, sizeof(bytes)});
}

// The string becomes head + bytes, in the raw form.
void PutRaw(Edit& edit, std::string_view head, size_t zeros, std::string_view bytes,
            int64_t expire_at_ms) {
  const size_t size = head.size() + zeros + bytes.size();
  Object::Shape shape{.type = Type::kString,
                      .encoding = size <= kInlineValueMax ? Encoding::kInline : Encoding::kBlob,
                      .raw = true,
                      .expire_at_ms = expire_at_ms,
                      .access_s = edit.now_s()};
  if (size <= kInlineValueMax) {
    std::string value(head);
    value.append(zeros, '\0').append(bytes);
    edit.Put(shape, value);
    return;
  }
  auto* blob = new Blob(edit.NewBody());
  blob->Resize(size, /*exact=*/head.empty(), edit.observer());
  std::memcpy(blob->mutable_data(), head.data(), head.size());
  std::memset(blob->mutable_data() + head.size(), 0, zeros);
  std::memcpy(blob->mutable_data() + head.size() + zeros, bytes.data(), bytes.size());
  edit.PutBody(shape, blob);
}

// Writes bytes at offset of an existing string, padding with zeros up to it.
size_t Overwrite(Edit& edit, size_t offset, std::string_view bytes) {
  Object* object = edit.object();
  const size_t old_size = StringLength(*object);
  const size_t size = std::max(old_size, offset + bytes.size());
  const size_t zeros = offset > old_size ? offset - old_size : 0;
  if (object->encoding() == Encoding::kBlob) {
    edit.Touch();
    auto& blob = static_cast<Blob&>(*object->body());
    const auto before = static_cast<int64_t>(blob.memory_bytes());
    blob.WillChange(offset, bytes.size(), edit.observer());
    blob.Resize(size, /*exact=*/false, edit.observer());
    std::memset(blob.mutable_data() + offset - zeros, 0, zeros);
    std::memcpy(blob.mutable_data() + offset, bytes.data(), bytes.size());
    edit.AddBytes(static_cast<int64_t>(blob.memory_bytes()) - before);
    return size;
  }
  StringScratch scratch;
  const std::string_view old = StringBytes(*object, scratch);
  if (object->encoding() == Encoding::kInt || size > kInlineValueMax) {
    std::string head(old.substr(0, offset));
    std::string tail(bytes);
    if (offset + bytes.size() < old_size) tail.append(old.substr(offset + bytes.size()));
    PutRaw(edit, head, zeros, tail, object->expire_at_ms());
    return size;
  }
  Object::Shape shape = object->shape();
  shape.raw = true;
  edit.Reshape(shape, size);
  char* value = edit.object()->mutable_value();
  std::memset(value + offset - zeros, 0, zeros);
  std::memcpy(value + offset, bytes.data(), bytes.size());
  return size;
}

}  // namespace

std::string_view StringBytes(const Object& object, StringScratch& scratch) {
  switch (object.encoding()) {
    case Encoding::kInt: {
      char* begin = scratch.digits;
      const auto [end, error] =
          std::to_chars(begin, begin + sizeof(scratch.digits), IntValue(object));
      return {begin, static_cast<size_t>(end - begin)};
    }
    case Encoding::kBlob:
      return BlobOf(object).bytes();
    default:
      return object.value();
  }
}

size_t StringLength(const Object& object) {
  if (object.encoding() == Encoding::kInline) return object.value().size();
  StringScratch scratch;
  return StringBytes(object, scratch).size();
}

std::optional<int64_t> StringAsInt(const Object& object) {
  if (object.encoding() == Encoding::kInt) return IntValue(object);
  if (object.encoding() == Encoding::kBlob) return std::nullopt;  // too long for one
  return ParseCanonical(object.value());
}

void StringSet(Db& db, std::string_view key, std::string_view value, int64_t expire_at_ms) {
  Edit edit(db, key);
  if (const auto number = ParseCanonical(value); number.has_value()) {
    PutInt(edit, *number, expire_at_ms);
  } else if (value.size() <= kInlineValueMax) {
    edit.Put({.type = Type::kString,
              .encoding = Encoding::kInline,
              .expire_at_ms = expire_at_ms,
              .access_s = edit.now_s()},
             value);
  } else {
    PutRaw(edit, "", 0, value, expire_at_ms);
  }
}

void StringSetInt(Db& db, std::string_view key, int64_t value, int64_t expire_at_ms) {
  Edit edit(db, key);
  PutInt(edit, value, expire_at_ms);
}

size_t StringAppend(Db& db, std::string_view key, std::string_view bytes) {
  {
    Edit edit(db, key);
    if (edit.object() != nullptr) return Overwrite(edit, StringLength(*edit.object()), bytes);
  }
  StringSet(db, key, bytes, kNoExpiry);
  return bytes.size();
}

size_t StringSetRange(Db& db, std::string_view key, size_t offset, std::string_view bytes) {
  Edit edit(db, key);
  if (edit.object() != nullptr) {
    return bytes.empty() ? StringLength(*edit.object()) : Overwrite(edit, offset, bytes);
  }
  if (bytes.empty()) return 0;
  PutRaw(edit, "", offset, bytes, kNoExpiry);
  return offset + bytes.size();
}

}  // namespace kiwi::keyspace
