// Hashes: small ones packed in one block inside the object (encoding "listpack"), larger ones as a
// dense array of fields with an index ("hashtable"). The order of fields is part of the state: it
// is the same on every node and survives a restart. The object is of Type::kHash; mutations need
// the key's shard held exclusively.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "keyspace/edit.h"
#include "keyspace/keyspace.h"

namespace kiwi::keyspace {

struct HashField {
  std::string_view field;
  std::string_view value;
};

// Views stay valid until the hash is changed.
class HashReader {
 public:
  explicit HashReader(const Object& object);

  size_t size() const;
  std::optional<std::string_view> Get(std::string_view field) const;
  HashField At(size_t i) const;  // i < size(); O(1) when large, O(i) when packed
  void ForEach(FunctionRef<void(HashField)> visit) const;
  // As Db::Scan: each field that stays throughout is visited at least once. A packed hash is
  // visited whole at once. Visits from the end to the start, because deletion moves the last field
  // into the gap.
  uint64_t Scan(uint64_t cursor, size_t count, FunctionRef<void(HashField)> visit) const;

 private:
  const Object& object_;
};

// Changes the hash at key, creating it at the first Set and deleting the key with the last field.
// The key is missing or a hash (the caller has checked the type). Keeps the time to live.
class HashWriter {
 public:
  HashWriter(Db& db, std::string_view key);
  ~HashWriter();
  HashWriter(const HashWriter&) = delete;
  HashWriter& operator=(const HashWriter&) = delete;

  size_t size() const;
  std::optional<std::string_view> Get(std::string_view field) const;
  bool Set(std::string_view field, std::string_view value);  // true: the field is new
  bool Delete(std::string_view field);                       // true: it was there

 private:
  bool SetPacked(std::string_view field, std::string_view value);
  void SetPackedCount(uint32_t count);
  void ConvertToTable();
  char* Splice(size_t offset, size_t old_size, size_t new_size);

  Edit edit_;
};

}  // namespace kiwi::keyspace
