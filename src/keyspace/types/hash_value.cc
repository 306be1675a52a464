#include "keyspace/types/hash_value.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "keyspace/blob.h"
#include "keyspace/types/hash_table.h"
#include "keyspace/types/packed_hash.h"

namespace kiwi::keyspace {
namespace {

// Null when the hash is packed.
HashTable* TableOf(const Object& object) {
  return object.encoding() == Encoding::kTable ? static_cast<HashTable*>(object.body()) : nullptr;
}

PackedHash PackedOf(const Object& object) {
  if (object.encoding() == Encoding::kPackedBlob) {
    return PackedHash(static_cast<const Blob*>(object.body())->bytes());
  }
  return PackedHash(object.value());
}

size_t SizeOf(const Object& object) {
  const HashTable* table = TableOf(object);
  return table != nullptr ? table->size() : PackedOf(object).size();
}

std::optional<std::string_view> GetFrom(const Object& object, std::string_view field) {
  if (const HashTable* table = TableOf(object); table != nullptr) {
    const size_t i = table->Find(field);
    if (i == HashTable::kNotFound) return std::nullopt;
    return table->At(i).value;
  }
  const auto place = PackedOf(object).Find(field);
  if (!place.has_value()) return std::nullopt;
  return place->value;
}

}  // namespace

HashReader::HashReader(const Object& object) : object_(object) {}

size_t HashReader::size() const { return SizeOf(object_); }

std::optional<std::string_view> HashReader::Get(std::string_view field) const {
  return GetFrom(object_, field);
}

HashField HashReader::At(size_t i) const {
  if (const HashTable* table = TableOf(object_); table != nullptr) return table->At(i);
  HashField found;
  PackedOf(object_).ForEach([&](HashField field) {
    found = field;
    return i-- > 0;
  });
  return found;
}

void HashReader::ForEach(FunctionRef<void(HashField)> visit) const {
  if (const HashTable* table = TableOf(object_); table != nullptr) {
    for (size_t i = 0; i < table->size(); ++i) visit(table->At(i));
    return;
  }
  PackedOf(object_).ForEach([&](HashField field) {
    visit(field);
    return true;
  });
}

uint64_t HashReader::Scan(uint64_t cursor, size_t count, FunctionRef<void(HashField)> visit) const {
  const HashTable* table = TableOf(object_);
  if (table == nullptr) {
    ForEach(visit);
    return 0;
  }
  uint64_t position = cursor == 0 ? table->size() : std::min<uint64_t>(cursor, table->size());
  for (count = std::max<size_t>(count, 1); position > 0 && count > 0; --count) {
    visit(table->At(--position));
  }
  return position;
}

HashWriter::HashWriter(Db& db, std::string_view key) : edit_(db, key) {
  KIWI_DCHECK(edit_.object() == nullptr || edit_.object()->type() == Type::kHash, "not a hash");
}
HashWriter::~HashWriter() = default;

size_t HashWriter::size() const { return edit_.object() == nullptr ? 0 : SizeOf(*edit_.object()); }

std::optional<std::string_view> HashWriter::Get(std::string_view field) const {
  if (edit_.object() == nullptr) return std::nullopt;
  return GetFrom(*edit_.object(), field);
}

// Replaces old_size bytes at offset of the packed block by new_size bytes, which the caller fills.
char* HashWriter::Splice(size_t offset, size_t old_size, size_t new_size) {
  Object* object = edit_.object();
  const bool in_blob = object->encoding() == Encoding::kPackedBlob;
  auto* blob = in_blob ? static_cast<Blob*>(object->body()) : nullptr;
  const std::string_view block = in_blob ? blob->bytes() : object->value();
  const size_t size = block.size() - old_size + new_size;
  const size_t tail = block.size() - offset - old_size;
  Object::Shape shape = object->shape();
  if (in_blob && size > kInlineValueMax / 2) {
    edit_.Touch();
    const auto before = static_cast<int64_t>(blob->memory_bytes());
    blob->WillChange(offset, block.size() - offset, edit_.observer());
    const auto move_tail = [&] {
      char* data = blob->mutable_data();
      std::memmove(data + offset + new_size, data + offset + old_size, tail);
    };
    if (new_size < old_size) move_tail();
    blob->Resize(size, /*exact=*/true, edit_.observer());
    if (new_size > old_size) move_tail();
    edit_.AddBytes(static_cast<int64_t>(blob->memory_bytes()) - before);
    return blob->mutable_data() + offset;
  }
  if (in_blob || size > kInlineValueMax) {  // from one place to the other
    std::string moved(block.substr(0, offset));
    moved.append(new_size, '\0').append(block.substr(offset + old_size));
    if (in_blob) {
      shape.encoding = Encoding::kPacked;
      edit_.Put(shape, moved);
      return edit_.object()->mutable_value() + offset;
    }
    shape.encoding = Encoding::kPackedBlob;
    blob = new Blob(edit_.NewBody());
    blob->Resize(size, /*exact=*/true, edit_.observer());
    std::memcpy(blob->mutable_data(), moved.data(), size);
    edit_.PutBody(shape, blob);
    return blob->mutable_data() + offset;
  }
  const auto move_tail = [&] {
    char* data = edit_.object()->mutable_value();
    std::memmove(data + offset + new_size, data + offset + old_size, tail);
  };
  edit_.Touch();
  if (new_size < old_size) move_tail();
  edit_.Reshape(shape, size);
  if (new_size > old_size) move_tail();
  return edit_.object()->mutable_value() + offset;
}

void HashWriter::SetPackedCount(uint32_t count) {
  Object* object = edit_.object();
  char* block = object->encoding() == Encoding::kPackedBlob
                    ? static_cast<Blob*>(object->body())->mutable_data()
                    : object->mutable_value();
  if (object->encoding() == Encoding::kPackedBlob) {
    static_cast<Blob*>(object->body())->WillChange(0, sizeof(count), edit_.observer());
  }
  std::memcpy(block, &count, sizeof(count));
}

bool HashWriter::Set(std::string_view field, std::string_view value) {
  const uint32_t value_max = edit_.options().hash_max_listpack_value;
  const bool fits = field.size() <= value_max && value.size() <= value_max;
  if (edit_.object() == nullptr) {
    const char empty[PackedHash::kHeaderBytes] = {};
    edit_.Put({.type = Type::kHash, .encoding = Encoding::kPacked, .access_s = edit_.now_s()},
              {empty, sizeof(empty)});
  }
  if (TableOf(*edit_.object()) == nullptr) {
    if (fits) return SetPacked(field, value);
    ConvertToTable();
  }
  edit_.Touch();
  HashTable* table = TableOf(*edit_.object());
  const auto before = static_cast<int64_t>(table->memory_bytes());
  const size_t i = table->Find(field);
  if (i == HashTable::kNotFound) {
    table->Add(field, value, edit_.observer());
  } else {
    table->SetValue(i, value, edit_.observer());
  }
  edit_.AddBytes(static_cast<int64_t>(table->memory_bytes()) - before);
  return i == HashTable::kNotFound;
}

bool HashWriter::SetPacked(std::string_view field, std::string_view value) {
  const PackedHash packed = PackedOf(*edit_.object());
  const uint32_t count = packed.size();
  if (const auto place = packed.Find(field); place.has_value()) {
    PackedHash::Write(
        Splice(place->value_begin, place->end - place->value_begin, PackedHash::ValueBytes(value)),
        value);
    return false;
  }
  if (count >= edit_.options().hash_max_listpack_entries) {
    ConvertToTable();
    return Set(field, value);
  }
  const size_t end = edit_.object()->encoding() == Encoding::kPackedBlob
                         ? static_cast<Blob*>(edit_.object()->body())->size()
                         : edit_.object()->value().size();
  char* entry = Splice(end, 0, PackedHash::EntryBytes(field, value));
  PackedHash::Write(PackedHash::Write(entry, field), value);
  SetPackedCount(count + 1);
  return true;
}

void HashWriter::ConvertToTable() {
  auto* table = new HashTable(edit_.NewBody(), edit_.hash_seed());
  PackedOf(*edit_.object()).ForEach([&](HashField field) {
    table->Add(field.field, field.value, edit_.observer());
    return true;
  });
  Object::Shape shape = edit_.object()->shape();
  shape.encoding = Encoding::kTable;
  edit_.PutBody(shape, table);
}

bool HashWriter::Delete(std::string_view field) {
  if (edit_.object() == nullptr) return false;
  if (HashTable* table = TableOf(*edit_.object()); table != nullptr) {
    const size_t i = table->Find(field);
    if (i == HashTable::kNotFound) return false;
    if (table->size() == 1) {
      edit_.Remove();
      return true;
    }
    edit_.Touch();
    const auto before = static_cast<int64_t>(table->memory_bytes());
    table->RemoveAt(i, edit_.observer());
    edit_.AddBytes(static_cast<int64_t>(table->memory_bytes()) - before);
    return true;
  }
  const PackedHash packed = PackedOf(*edit_.object());
  const auto place = packed.Find(field);
  if (!place.has_value()) return false;
  const uint32_t count = packed.size();
  if (count == 1) {
    edit_.Remove();
    return true;
  }
  Splice(place->begin, place->end - place->begin, 0);
  SetPackedCount(count - 1);
  return true;
}

}  // namespace kiwi::keyspace
