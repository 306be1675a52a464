// SCAN, KEYS, RANDOMKEY: what they promise while keys come and go.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "keyspace/keyspace.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"

namespace kiwi::keyspace {
namespace {

Db At(Keyspace& keyspace, uint64_t log_index = 1, int64_t now_ms = 1000) {
  return Db(keyspace, 0, {.now_ms = now_ms, .log_index = log_index});
}

std::vector<std::string> Keys(Keyspace& keyspace) {
  std::vector<std::string> keys;
  At(keyspace).ForEach([&](const Object& object) { keys.emplace_back(object.key()); });
  return keys;
}

class ScanProperty : public testing::TestWithParam<uint64_t> {};

TEST_P(ScanProperty, VisitsWhatStaysExactlyOnceWhateverComesAndGoes) {
  Random random(GetParam());
  Keyspace keyspace({.databases = 1, .hash_seed = random.Next()});
  const std::string tag = GetParam() % 2 == 0 ? "{one slot}" : "";
  std::set<std::string> staying;
  for (int i = 0; i < 2000; ++i) {
    staying.insert(tag + "stays" + std::to_string(i));
    Db db = At(keyspace);
    StringSet(db, tag + "stays" + std::to_string(i), "v", kNoExpiry);
  }
  std::map<std::string, int> visits;
  uint64_t cursor = 0;
  int calls = 0;
  do {
    cursor = At(keyspace).Scan(cursor, 1 + random.Below(30),
                               [&](const Object& object) { ++visits[std::string(object.key())]; });
    for (int i = 0; i < 40; ++i) {
      const std::string key = tag + "passing" + std::to_string(random.Below(5000));
      Db db = At(keyspace);
      if (random.OneIn(2)) {
        StringSet(db, key, "v", kNoExpiry);
      } else {
        db.Delete(key);
      }
    }
    ASSERT_LT(++calls, 100000);
  } while (cursor != 0);
  for (const std::string& key : staying) ASSERT_EQ(visits[key], 1) << key;
}

INSTANTIATE_TEST_SUITE_P(Seeds, ScanProperty, testing::Range<uint64_t>(0, 4));

TEST(Scan, TakesAnyNumberAsACursor) {
  Keyspace keyspace({.databases = 1});
  for (int i = 0; i < 100; ++i) {
    Db db = At(keyspace);
    StringSet(db, std::to_string(i), "v", kNoExpiry);
  }
  Random random(1);
  for (int i = 0; i < 1000; ++i) At(keyspace).Scan(random.Next(), 10, [](const Object&) {});
  EXPECT_EQ(At(keyspace).Scan(~uint64_t{0}, 10, [](const Object&) {}), 0u);
}

TEST(Scan, SkipsExpiredKeysAndStaysInItsDatabase) {
  Keyspace keyspace({.databases = 2});
  Db db = At(keyspace);
  StringSet(db, "expired", "v", 999);
  StringSet(db, "live", "v", 5000);
  Db other(keyspace, 1, {});
  StringSet(other, "elsewhere", "v", kNoExpiry);
  std::vector<std::string> seen;
  EXPECT_EQ(db.Scan(0, 10, [&](const Object& o) { seen.emplace_back(o.key()); }), 0u);
  EXPECT_EQ(seen, (std::vector<std::string>{"live"}));
  EXPECT_EQ(db.size(), 2u) << "an expired key stays until a mutation removes it";
}

// The order is a function of the set of keys and the seed: not of the history, and it is the one in
// which SCAN goes.
TEST(Order, DependsOnTheSetOfKeysAlone) {
  Random random(3);
  std::vector<std::string> keys;
  for (int i = 0; i < 3000; ++i) keys.push_back((i % 2 ? "{t}" : "") + std::to_string(i));
  std::vector<std::vector<std::string>> orders;
  for (int run = 0; run < 3; ++run) {
    Keyspace keyspace({.databases = 1, .hash_seed = 99});
    for (size_t i = keys.size(); i > 1; --i) std::swap(keys[i - 1], keys[random.Below(i)]);
    for (const std::string& key : keys) {
      Db db = At(keyspace);
      StringSet(db, key, "v", kNoExpiry);
      if (run == 1) {  // a larger history
        StringSet(db, key + "gone", "v", kNoExpiry);
      }
    }
    if (run == 1) {
      for (const std::string& key : keys) At(keyspace).Delete(key + "gone");
    }
    orders.push_back(Keys(keyspace));
    std::vector<std::string> scanned;
    uint64_t cursor = 0;
    do {
      cursor =
          At(keyspace).Scan(cursor, 7, [&](const Object& o) { scanned.emplace_back(o.key()); });
    } while (cursor != 0);
    EXPECT_EQ(scanned, orders.back());
  }
  EXPECT_EQ(orders[0], orders[1]);
  EXPECT_EQ(orders[0], orders[2]);
}

TEST(RandomKey, DependsOnTheKeysAndTheSeedAndReachesAll) {
  Keyspace a({.databases = 1, .hash_seed = 5});
  Keyspace b({.databases = 1, .hash_seed = 5});
  for (int i = 0; i < 200; ++i) {
    Db db_a = At(a);
    StringSet(db_a, "k" + std::to_string(i), "v", kNoExpiry);
    Db db_b = At(b);
    StringSet(db_b, "k" + std::to_string(199 - i), "v", kNoExpiry);
  }
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 5000; ++seed) {
    Random random_a(seed);
    Random random_b(seed);
    const std::string key(At(a).DrawKey(random_a)->key());
    ASSERT_EQ(key, At(b).DrawKey(random_b)->key());
    seen.insert(key);
  }
  EXPECT_EQ(seen.size(), 200u);
}

TEST(RandomKey, OfKeysThatHaveExpiredNoneIsDrawnAndTheFirstLiveOneIsFound) {
  Keyspace keyspace({.databases = 1});
  Random random(1);
  EXPECT_EQ(At(keyspace).DrawKey(random), nullptr);
  EXPECT_EQ(At(keyspace).FirstKey(), nullptr);
  for (int i = 0; i < 1000; ++i) {
    Db db = At(keyspace);
    StringSet(db, "expired" + std::to_string(i), "v", 999);
  }
  EXPECT_EQ(At(keyspace).DrawKey(random), nullptr);
  EXPECT_EQ(At(keyspace).FirstKey(), nullptr);
  Db db = At(keyspace);
  StringSet(db, "live", "v", kNoExpiry);
  EXPECT_EQ(At(keyspace).FirstKey()->key(), "live");
}

// A call must not go through a million expired keys to find its ten.
TEST(Scan, GoesPastABoundedNumberOfExpiredKeys) {
  Keyspace keyspace({.databases = 1});
  for (int i = 0; i < 20000; ++i) {
    Db db = At(keyspace);
    StringSet(db, "expired" + std::to_string(i), "v", 999);
  }
  int calls = 0;
  uint64_t cursor = 0;
  do {
    cursor = At(keyspace).Scan(cursor, 10, [](const Object&) { FAIL() << "they have expired"; });
    ++calls;
  } while (cursor != 0);
  EXPECT_GT(calls, 3);
}

TEST(Slots, CountAndWalkTheKeysOfASlot) {
  Keyspace keyspace({.databases = 1});
  for (int i = 0; i < 500; ++i) {
    Db db = At(keyspace);
    StringSet(db, "{a}" + std::to_string(i), "v", kNoExpiry);
    StringSet(db, "{b}" + std::to_string(i), "v", kNoExpiry);
  }
  const uint16_t slot = KeySlot("{a}");
  EXPECT_EQ(At(keyspace).CountInSlot(slot), 500u);
  int n = 0;
  At(keyspace).ForEachInSlot(slot, [&](const Object& object) {
    EXPECT_EQ(KeySlot(object.key()), slot);
    return ++n < 123;
  });
  EXPECT_EQ(n, 123);
}

TEST(Expiry, IsCollectedWhenDueAndNotBefore) {
  Keyspace keyspace({.databases = 2});
  const int64_t now_ms = 1'700'000'000'000;
  for (int i = 0; i < 1000; ++i) {
    Db db(keyspace, i % 2, {.now_ms = now_ms});
    StringSet(db, "k" + std::to_string(i), "v", now_ms + 1 + i);
  }
  const auto collect = [&](int64_t at_ms) {
    std::vector<Keyspace::ExpiredKey> expired;
    for (int shard = 0; shard < kShardCount; ++shard) {
      keyspace.CollectExpired(shard, at_ms, 1000, &expired);
    }
    return expired;
  };
  EXPECT_TRUE(collect(now_ms).empty());
  EXPECT_EQ(collect(now_ms + 300).size(), 300u);
  EXPECT_EQ(collect(now_ms + 300).size(), 300u) << "collecting removes nothing";
  for (const auto& gone : collect(now_ms + 300)) {
    EXPECT_TRUE(Db(keyspace, gone.db, {.now_ms = now_ms}).Delete(gone.key));
  }
  EXPECT_TRUE(collect(now_ms + 300).empty());
  EXPECT_EQ(Db(keyspace, 0, {.now_ms = now_ms}).expiring_size(), 350u);
  // One that was due gets more time, one gets less.
  Db db(keyspace, 0, {.now_ms = now_ms});
  EXPECT_TRUE(db.SetExpiry("k300", now_ms + 100'000));
  EXPECT_TRUE(db.SetExpiry("k998", now_ms + 5));
  EXPECT_EQ(collect(now_ms + 300).size(), 1u);
  EXPECT_EQ(collect(now_ms + 1000).size(), 699u);
  EXPECT_EQ(collect(now_ms + 200'000).size(), 700u);
  EXPECT_GT(db.average_ttl_ms(), 300);
  EXPECT_LT(db.average_ttl_ms(), 2000);
}

TEST(Expiry, ALimitCutsAndKeepsTheOrderOfTime) {
  Keyspace keyspace({.databases = 1});
  for (int i = 0; i < 300; ++i) {
    Db db = At(keyspace);
    StringSet(db, "{t}" + std::to_string(i), "v", 2000 + (i * 37) % 300);
  }
  std::vector<Keyspace::ExpiredKey> expired;
  keyspace.CollectExpired(KeySlot("{t}") / kSlotsPerShard, 5000, 100, &expired);
  ASSERT_EQ(expired.size(), 100u);
  int64_t last_ms = 0;
  for (const auto& gone : expired) {
    const int64_t at_ms = At(keyspace).FindNoTouch(gone.key)->expire_at_ms();
    EXPECT_LE(last_ms, at_ms);
    last_ms = at_ms;
  }
}

TEST(Hash, ScanVisitsWhatStaysWhileOthersAreDeleted) {
  Random random(11);
  Keyspace keyspace({.databases = 1, .hash_seed = 1, .hash_max_listpack_entries = 8});
  {
    Db db = At(keyspace);
    HashWriter writer(db, "h");
    for (int i = 0; i < 3000; ++i) writer.Set("f" + std::to_string(i), "v");
  }
  std::set<std::string> seen;
  uint64_t cursor = 0;
  do {
    Db db = At(keyspace);
    cursor = HashReader(*db.Find("h")).Scan(cursor, 10, [&](HashField field) {
      seen.insert(std::string(field.field));
    });
    HashWriter writer(db, "h");
    for (int i = 0; i < 5; ++i) writer.Delete("f" + std::to_string(1000 + random.Below(2000)));
    writer.Set("new" + std::to_string(random.Below(100)), "v");
  } while (cursor != 0);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(seen.contains("f" + std::to_string(i)));
}

// A hash's order depends on its history; the digest does not.
TEST(Digest, IsEqualForEqualDataWhateverTheOrder) {
  const auto build = [](bool backwards, int64_t expiry_ms) {
    auto keyspace = std::make_unique<Keyspace>(
        KeyspaceOptions{.databases = 2, .hash_seed = backwards ? 1u : 2u});
    for (int i = 0; i < 100; ++i) {
      Db db = At(*keyspace);
      const std::string n = std::to_string(backwards ? 99 - i : i);
      StringSet(db, "s" + n, "v" + n, kNoExpiry);
      HashWriter(db, "h").Set("f" + n, n);
    }
    Db db = At(*keyspace);
    db.SetExpiry("s1", expiry_ms);
    return keyspace;
  };
  const auto digest = build(false, 5000)->Digest(1000);
  EXPECT_EQ(digest, build(true, 5000)->Digest(1000));
  EXPECT_NE(digest, build(false, 5001)->Digest(1000)) << "the expiry counts";
  auto other = build(false, 5000);
  Db db = At(*other);
  HashWriter(db, "h").Set("f1", "changed");
  EXPECT_NE(digest, other->Digest(1000));
  auto moved = build(false, 5000);
  moved->SwapDatabases(0, 1, {});
  EXPECT_NE(digest, moved->Digest(1000)) << "the database counts";
  EXPECT_EQ(Keyspace({.databases = 1}).Digest(0), (std::array<uint8_t, 20>{}));
}

TEST(Encoding, IsNamedAsInRedis) {
  Keyspace keyspace({.databases = 1});
  Db db = At(keyspace);
  const auto encoding = [&](std::string_view key) { return db.Find(key)->encoding_name(); };
  StringSet(db, "k", "12345", kNoExpiry);
  EXPECT_EQ(encoding("k"), "int");
  StringSet(db, "k", "-9223372036854775808", kNoExpiry);
  EXPECT_EQ(encoding("k"), "int");
  for (const char* text : {"007", "-0", "+1", "9223372036854775808", " 1", "1.0", "", "-"}) {
    StringSet(db, "k", text, kNoExpiry);
    EXPECT_EQ(encoding("k"), "embstr") << text;
    EXPECT_EQ(StringAsInt(*db.Find("k")), std::nullopt) << text;
  }
  StringSet(db, "k", std::string(44, 'x'), kNoExpiry);
  EXPECT_EQ(encoding("k"), "embstr");
  StringSet(db, "k", std::string(45, 'x'), kNoExpiry);
  EXPECT_EQ(encoding("k"), "raw");
  StringSet(db, "k", "1", kNoExpiry);
  StringAppend(db, "k", "2");
  EXPECT_EQ(encoding("k"), "raw");
  EXPECT_EQ(StringAsInt(*db.Find("k")), 12);
  db.SetExpiry("k", 100'000);
  EXPECT_EQ(encoding("k"), "raw");
  StringSetRange(db, "new", 3, "x");
  EXPECT_EQ(encoding("new"), "raw");
}

}  // namespace
}  // namespace kiwi::keyspace
