// Random changes to a keyspace, and a picture of all that it holds.
#pragma once

#include <string>

#include "base/random.h"
#include "keyspace/keyspace.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"

namespace kiwi::keyspace {

// Everything that a checkpoint must preserve, in the order of iteration, so that equal pictures mean
// equal orders, too.
inline std::string Picture(Keyspace& keyspace) {
  std::string picture;
  for (int index = 0; index < keyspace.databases(); ++index) {
    const Db db(keyspace, index, {.now_ms = 0});
    picture += "db " + std::to_string(index) + " size " + std::to_string(db.size()) + " expiring " +
               std::to_string(db.expiring_size()) + "\n";
    db.ForEach([&](const Object& object) {
      picture.append(object.key()).append(" ").append(object.encoding_name());
      picture += " expires " + std::to_string(object.expire_at_ms()) + ":";
      if (object.type() == Type::kHash) {
        HashReader(object).ForEach([&](HashField field) {
          picture.append(" ").append(field.field).append("=").append(field.value);
        });
      } else {
        StringScratch scratch;
        const std::string_view bytes = StringBytes(object, scratch);
        picture += std::to_string(bytes.size()) + " " + std::to_string(Hash64(bytes, 0));
      }
      picture += "\n";
    });
  }
  return picture;
}

class Workload {
 public:
  explicit Workload(uint64_t seed) : random_(seed) {}

  // Under locks of its own.
  void Step(Keyspace& keyspace) {
    ++log_index_;
    ShardSet shards;
    const std::string key = Key();
    const std::string other = Key();
    const bool whole = random_.OneIn(300);
    shards.AddKey(key);
    shards.AddKey(other);
    if (whole) shards.AddAll();
    const ShardLock lock(keyspace, shards, LockMode::kExclusive);
    Db db(keyspace, static_cast<int>(random_.Below(2)), {.now_ms = 1, .log_index = log_index_});
    Db other_db(keyspace, static_cast<int>(random_.Below(2)),
                {.now_ms = 1, .log_index = log_index_});
    if (whole) {
      if (random_.OneIn(3)) {
        db.Clear();
      } else {
        keyspace.SwapDatabases(0, 1, db.moment());
      }
      return;
    }
    switch (random_.Below(12)) {
      case 0:
        db.Delete(key);
        break;
      case 1:
        db.Rename(key, other_db, other);
        break;
      case 2:
        db.Copy(key, other_db, other);
        break;
      case 3:
        db.SetExpiry(key, 1000 + static_cast<int64_t>(random_.Below(100000)));
        break;
      case 4:
        db.ClearExpiry(key);
        break;
      case 5:
      case 6:
      case 7:
        ChangeString(db, key);
        break;
      default:
        ChangeHash(db, key);
        break;
    }
  }
  void Steps(Keyspace& keyspace, int n) {
    for (int i = 0; i < n; ++i) Step(keyspace);
  }
  uint64_t log_index() const { return log_index_; }
  Random& random() { return random_; }

 private:
  // Some in one slot, so that its table becomes deep; the rest everywhere.
  std::string Key() {
    const uint64_t n = random_.Below(600);
    return (n < 300 ? "{one}" : "k") + std::to_string(n);
  }
  void ChangeString(Db& db, const std::string& key) {
    const Object* object = db.FindNoTouch(key);
    const bool string = object != nullptr && object->type() == Type::kString;
    const std::string bytes(random_.Below(random_.OneIn(4) ? 300'000 : 200), Letter());
    if (string && random_.OneIn(3)) {
      StringAppend(db, key, bytes);
    } else if (string && random_.OneIn(2)) {
      StringSetRange(db, key, random_.Below(1000), bytes);
    } else {
      StringSet(db, key, bytes, random_.OneIn(3) ? 5000 : kNoExpiry);
    }
  }
  void ChangeHash(Db& db, const std::string& key) {
    const Object* object = db.FindNoTouch(key);
    if (object != nullptr && object->type() != Type::kHash) return;
    HashWriter writer(db, key);
    const bool shrink = random_.OneIn(3);
    const auto n = static_cast<int>(random_.Below(random_.OneIn(5) ? 600 : 5));
    for (int i = 0; i < n; ++i) {
      const std::string field = "f" + std::to_string(random_.Below(1000));
      if (shrink) {
        writer.Delete(field);
      } else {
        writer.Set(field, std::string(random_.Below(30), Letter()));
      }
    }
  }
  char Letter() { return static_cast<char>('a' + random_.Below(26)); }

  Random random_;
  uint64_t log_index_ = 0;
};

}  // namespace kiwi::keyspace
