// Random operations against plain maps.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "keyspace/keyspace.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"

namespace kiwi::keyspace {
namespace {

struct ModelString {
  std::string value;
  int64_t expire_at_ms = kNoExpiry;
};

std::string Bytes(const Object& object) {
  StringScratch scratch;
  return std::string(StringBytes(object, scratch));
}

std::string RandomValue(Random& random) {
  switch (random.Below(5)) {
    case 0:
      return std::to_string(static_cast<int64_t>(random.Next()) >> random.Below(64));
    case 1:
      return std::string(random.Below(2000), 'a' + static_cast<char>(random.Below(26)));
    case 2:
      return "0" + std::to_string(random.Below(100));
    default:
      return std::string(random.Below(100), 'x');
  }
}

class StringModel : public testing::TestWithParam<uint64_t> {};

TEST_P(StringModel, AgreesWithAMap) {
  Random random(GetParam());
  Keyspace keyspace({.databases = 2, .hash_seed = random.Next()});
  std::map<std::string, ModelString> model;
  int64_t now_ms = 1'700'000'000'000;
  // Few keys at first, then many, all of one slot in every other run.
  const std::string tag = random.OneIn(2) ? "{tag}" : "";

  const auto live = [&](const std::string& key) -> ModelString* {
    const auto it = model.find(key);
    if (it == model.end()) return nullptr;
    if (it->second.expire_at_ms != kNoExpiry && it->second.expire_at_ms <= now_ms) return nullptr;
    return &it->second;
  };
  for (int step = 0; step < 30000; ++step) {
    if (random.OneIn(16)) now_ms += static_cast<int64_t>(random.Below(400));
    const std::string key = tag + std::to_string(random.Below(step < 5000 ? 50 : 3000));
    Db db(keyspace, 0, {.now_ms = now_ms, .log_index = static_cast<uint64_t>(step) + 1});
    ModelString* known = live(key);
    switch (random.Below(10)) {
      case 0:
      case 1:
      case 2: {
        const int64_t expiry =
            random.OneIn(3) ? now_ms + 1 + static_cast<int64_t>(random.Below(5000)) : kNoExpiry;
        const std::string value = RandomValue(random);
        StringSet(db, key, value, expiry);
        model[key] = {value, expiry};
        break;
      }
      case 3: {
        const std::string more = RandomValue(random);
        if (known == nullptr) model[key] = {};
        model[key].value += more;
        ASSERT_EQ(StringAppend(db, key, more), model[key].value.size());
        break;
      }
      case 4: {
        const size_t offset = random.Below(1500);
        const std::string bytes = "patch" + RandomValue(random);
        if (known == nullptr) model[key] = {};
        std::string& value = model[key].value;
        if (value.size() < offset + bytes.size()) value.resize(offset + bytes.size());
        value.replace(offset, bytes.size(), bytes);
        ASSERT_EQ(StringSetRange(db, key, offset, bytes), value.size());
        break;
      }
      case 5:
        ASSERT_EQ(db.Delete(key), known != nullptr);
        model.erase(key);
        break;
      case 6: {
        const int64_t at_ms = now_ms - 5 + static_cast<int64_t>(random.Below(5000));
        ASSERT_EQ(db.SetExpiry(key, at_ms), known != nullptr);
        if (known != nullptr) known->expire_at_ms = at_ms;
        break;
      }
      case 7:
        ASSERT_EQ(db.ClearExpiry(key), known != nullptr && known->expire_at_ms != kNoExpiry);
        if (known != nullptr) known->expire_at_ms = kNoExpiry;
        break;
      case 8: {
        const std::string to = tag + std::to_string(random.Below(3000));
        ASSERT_EQ(db.Rename(key, db, to), known != nullptr);
        if (known != nullptr && to != key) {
          const ModelString moved = *known;
          model.erase(key);
          model[to] = moved;
        }
        break;
      }
      default: {
        const std::string to = tag + std::to_string(random.Below(3000));
        ASSERT_EQ(db.Copy(key, db, to), known != nullptr);
        if (known != nullptr) model[to] = *known;
        break;
      }
    }
    const Object* object = db.Find(key);
    known = live(key);
    ASSERT_EQ(object != nullptr, known != nullptr) << key << " at step " << step;
    if (object == nullptr) continue;
    ASSERT_EQ(Bytes(*object), known->value) << "step " << step;
    ASSERT_EQ(StringLength(*object), known->value.size());
    ASSERT_EQ(object->expire_at_ms(), known->expire_at_ms);
  }

  // Remove what has expired the way the leader does, then everything must be as in the model.
  Db db(keyspace, 0, {.now_ms = now_ms, .log_index = 1'000'000});
  for (int shard = 0; shard < kShardCount; ++shard) {
    std::vector<Keyspace::ExpiredKey> expired;
    keyspace.CollectExpired(shard, now_ms, 1'000'000, &expired);
    for (const auto& gone : expired) {
      ASSERT_EQ(live(gone.key), nullptr) << "not due";
      db.Delete(gone.key);
    }
  }
  std::erase_if(model, [&](const auto& entry) { return live(entry.first) == nullptr; });
  ASSERT_EQ(db.size(), model.size());
  const auto with_expiry = std::count_if(model.begin(), model.end(), [](const auto& entry) {
    return entry.second.expire_at_ms != kNoExpiry;
  });
  ASSERT_EQ(db.expiring_size(), static_cast<uint64_t>(with_expiry));
  std::set<std::string> seen;
  db.ForEach([&](const Object& object) { seen.insert(std::string(object.key())); });
  ASSERT_EQ(seen.size(), model.size());

  const uint64_t full = keyspace.memory_bytes();
  for (const auto& [key, value] : model) ASSERT_TRUE(db.Delete(key));
  EXPECT_EQ(db.size(), 0u);
  EXPECT_EQ(db.expiring_size(), 0u);
  EXPECT_LT(keyspace.memory_bytes(), full);
  db.Clear();
  EXPECT_EQ(keyspace.memory_bytes(), Keyspace({.databases = 2}).memory_bytes())
      << "memory is accounted to the byte";
}

INSTANTIATE_TEST_SUITE_P(Seeds, StringModel, testing::Range<uint64_t>(0, 6));

class HashModel : public testing::TestWithParam<uint64_t> {};

// The model of a hash's order: new fields at the end; when large, the last fills a gap.
struct OrderedModel {
  std::vector<std::pair<std::string, std::string>> fields;
  bool large = false;

  auto Find(const std::string& field) {
    return std::find_if(fields.begin(), fields.end(),
                        [&](const auto& entry) { return entry.first == field; });
  }
};

TEST_P(HashModel, AgreesWithAnOrderedList) {
  Random random(GetParam());
  Keyspace keyspace({.databases = 1,
                     .hash_seed = random.Next(),
                     .hash_max_listpack_entries = 128,
                     .hash_max_listpack_value = 64});
  const uint64_t field_count = GetParam() % 3 == 0 ? 40 : GetParam() % 3 == 1 ? 150 : 2000;
  OrderedModel model;
  for (uint64_t step = 1; step < 20000; ++step) {
    Db db(keyspace, 0, {.now_ms = 1000, .log_index = step});
    HashWriter writer(db, "hash");
    const std::string field = "f" + std::to_string(random.Below(field_count));
    const auto known = model.Find(field);
    // Grows, then shrinks to nothing, and again.
    const bool growing = step / 4000 % 2 == 0;
    if (random.Below(10) < (growing ? 7u : 3u)) {
      const std::string value(random.Below(random.OneIn(2000) ? 100 : 60), 'v');
      const bool is_new = known == model.fields.end();
      if (value.size() > 64) model.large = true;
      ASSERT_EQ(writer.Set(field, value), is_new);
      if (is_new) {
        model.fields.emplace_back(field, value);
      } else {
        known->second = value;
      }
      if (model.fields.size() > 128) model.large = true;
    } else {
      ASSERT_EQ(writer.Delete(field), known != model.fields.end());
      if (known != model.fields.end()) {
        if (model.large) {
          *known = model.fields.back();
          model.fields.pop_back();
        } else {
          model.fields.erase(known);
        }
        if (model.fields.empty()) model.large = false;
      }
    }
    ASSERT_EQ(writer.size(), model.fields.size());
    const Object* object = db.Find("hash");
    ASSERT_EQ(object != nullptr, !model.fields.empty());
    if (object == nullptr) continue;
    ASSERT_EQ(object->encoding_name(), model.large ? "hashtable" : "listpack");
    const HashReader reader(*object);
    const size_t i = random.Below(model.fields.size());
    ASSERT_EQ(reader.At(i).field, model.fields[i].first) << "step " << step;
    ASSERT_EQ(reader.Get(model.fields[i].first), model.fields[i].second);
    ASSERT_EQ(reader.Get("no such field"), std::nullopt);
  }
  Db db(keyspace, 0, {.now_ms = 1000, .log_index = 1'000'000});
  db.Delete("hash");
  db.Clear();
  EXPECT_EQ(keyspace.memory_bytes(), Keyspace({.databases = 1}).memory_bytes());
}

INSTANTIATE_TEST_SUITE_P(Seeds, HashModel, testing::Range<uint64_t>(0, 6));

}  // namespace
}  // namespace kiwi::keyspace
