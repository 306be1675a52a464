#include "keyspace/types/packed_hash.h"

#include "base/check.h"

namespace kiwi::keyspace {

std::string_view PackedHash::Read(std::string_view* rest) {
  std::string_view s;
  const bool read = GetLengthPrefixed(rest, &s);
  KIWI_CHECK(read, "a packed hash is cut short");
  return s;
}

std::optional<PackedHash::Place> PackedHash::Find(std::string_view field) const {
  std::string_view rest = block_.substr(kHeaderBytes);
  while (!rest.empty()) {
    Place place;
    place.begin = block_.size() - rest.size();
    const std::string_view here = Read(&rest);
    place.value_begin = block_.size() - rest.size();
    place.value = Read(&rest);
    place.end = block_.size() - rest.size();
    if (here == field) return place;
  }
  return std::nullopt;
}

void PackedHash::ForEach(FunctionRef<bool(HashField)> visit) const {
  std::string_view rest = block_.substr(kHeaderBytes);
  while (!rest.empty()) {
    const std::string_view field = Read(&rest);
    const std::string_view value = Read(&rest);
    if (!visit({field, value})) return;
  }
}

bool PackedHash::Valid() const {
  if (block_.size() <= kHeaderBytes) return false;
  std::string_view rest = block_.substr(kHeaderBytes);
  uint64_t n = 0;
  for (; !rest.empty(); ++n) {
    std::string_view s;
    if (!GetLengthPrefixed(&rest, &s) || !GetLengthPrefixed(&rest, &s)) return false;
  }
  return n == size();
}

}  // namespace kiwi::keyspace
