// Strings: integers are kept as such, short ones lie inside the object, long ones beside it.
// All functions: the object is of Type::kString; mutations need the key's shard held exclusively.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "keyspace/keyspace.h"

namespace kiwi::keyspace {

// Holds the digits when the string is kept as an integer.
struct StringScratch {
  char digits[24];
};

// Valid as long as the object and the scratch.
std::string_view StringBytes(const Object& object, StringScratch& scratch);
size_t StringLength(const Object& object);
// The value if it is a canonical 64-bit integer (no leading zeros, no spaces), as Redis's
// string2ll takes it.
std::optional<int64_t> StringAsInt(const Object& object);

// Sets or replaces key (of whatever type); kNoExpiry: no time to live.
void StringSet(Db& db, std::string_view key, std::string_view value, int64_t expire_at_ms);
void StringSetInt(Db& db, std::string_view key, int64_t value, int64_t expire_at_ms);
// Create the key when missing; keep the time to live; return the new length.
size_t StringAppend(Db& db, std::string_view key, std::string_view bytes);
// Pads with zero bytes up to offset.
size_t StringSetRange(Db& db, std::string_view key, size_t offset, std::string_view bytes);

}  // namespace kiwi::keyspace
