// DEBUG DIGEST: three 64-bit hashes, of which 20 bytes are shown, summed over what has no order.
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/coding.h"
#include "keyspace/impl.h"
#include "keyspace/keyspace.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"

namespace kiwi::keyspace {
namespace {

class Lanes {
 public:
  // The sum of hashes does not depend on the order of the calls.
  void Add(std::string_view bytes) {
    for (size_t i = 0; i < lanes_.size(); ++i) lanes_[i] += Hash64(bytes, kSeeds[i]);
  }
  std::array<uint8_t, 20> Bytes() const {
    std::array<uint8_t, 20> bytes;
    std::memcpy(bytes.data(), lanes_.data(), bytes.size());
    return bytes;
  }
  // All of it, to be hashed in turn.
  std::string_view Raw() const {
    return {reinterpret_cast<const char*>(lanes_.data()), sizeof(lanes_)};
  }

 private:
  static constexpr std::array<uint64_t, 3> kSeeds = {0x6b69776931, 0x6b69776932, 0x6b69776933};
  std::array<uint64_t, 3> lanes_{};
};

void AddValue(const Object& object, Lanes* lanes) {
  std::string bytes(TypeName(object.type()));
  if (object.type() == Type::kHash) {
    lanes->Add(bytes);
    HashReader(object).ForEach([&](HashField field) {
      bytes.clear();
      PutLengthPrefixed(&bytes, field.field);
      bytes.append(field.value);
      lanes->Add(bytes);
    });
    return;
  }
  StringScratch scratch;
  bytes.append(1, ':').append(StringBytes(object, scratch));
  lanes->Add(bytes);
}

}  // namespace

std::array<uint8_t, 20> Keyspace::ValueDigest(const Object& object) {
  Lanes lanes;
  AddValue(object, &lanes);
  if (object.has_expiry()) lanes.Add("!expires");
  return lanes.Bytes();
}

std::array<uint8_t, 20> Keyspace::Digest(int64_t now_ms) const {
  Lanes all;
  std::string bytes;
  for (int db = 0; db < databases(); ++db) {
    Db(const_cast<Keyspace&>(*this), db, {.now_ms = now_ms}).ForEach([&](const Object& object) {
      Lanes value;
      AddValue(object, &value);
      bytes.clear();
      PutVarint(&bytes, static_cast<uint64_t>(db));
      PutVarint(&bytes, ZigZag(object.expire_at_ms()));
      PutLengthPrefixed(&bytes, object.key());
      bytes.append(value.Raw());
      all.Add(bytes);
    });
  }
  return all.Bytes();
}

}  // namespace kiwi::keyspace
