// WATCH rests on this: a key that was modified is never reported as unmodified.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "base/random.h"
#include "keyspace/checkpoint.h"
#include "keyspace/keyspace.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"
#include "test_backend.h"

namespace kiwi::keyspace {
namespace {

class ModifiedProperty : public testing::TestWithParam<uint64_t> {};

TEST_P(ModifiedProperty, NeverMissesAChange) {
  Random random(GetParam());
  TestBackend backend;
  auto keyspace = std::make_unique<Keyspace>(KeyspaceOptions{.databases = 2, .hash_seed = 1});
  auto checkpointer = std::make_unique<Checkpointer>(keyspace.get(), &backend);
  ASSERT_TRUE(checkpointer->Load(1).ok());
  std::map<std::pair<int, std::string>, uint64_t> modified;
  // Large enough, in some runs, that a flush raises the floor instead of noting each key.
  const uint64_t keys = GetParam() % 2 == 0 ? 50 : 9000;
  for (uint64_t index = 1; index < 12000; ++index) {
    Db db(*keyspace, static_cast<int>(random.Below(2)),
          {.now_ms = static_cast<int64_t>(index), .log_index = index});
    const std::string key = std::to_string(random.Below(keys));
    const bool was_there = db.FindNoTouch(key) != nullptr;
    const auto note = [&] { modified[{db.index(), key}] = index; };
    const uint64_t choice = random.Below(1000);
    if (choice == 0) {
      db.ForEach([&](const Object& object) {
        modified[{db.index(), std::string(object.key())}] = index;
      });
      db.Clear();
    } else if (choice == 1) {
      for (const int other : {0, 1}) {
        Db(*keyspace, other, db.moment()).ForEach([&](const Object& object) {
          modified[{0, std::string(object.key())}] = index;
          modified[{1, std::string(object.key())}] = index;
        });
      }
      keyspace->SwapDatabases(0, 1, db.moment());
    } else if (choice < 6) {
      ShardSet all;
      all.AddAll();
      {
        const ShardLock lock(*keyspace, all, LockMode::kExclusive);
        checkpointer->Begin({.applied_index = index, .host = ""});
      }
      ASSERT_TRUE(checkpointer->Run().ok());
      if (choice < 4) {  // and restart
        checkpointer.reset();
        keyspace = std::make_unique<Keyspace>(KeyspaceOptions{.databases = 2});
        checkpointer = std::make_unique<Checkpointer>(keyspace.get(), &backend);
        ASSERT_TRUE(checkpointer->Load(2).ok());
      }
    } else if (choice < 200) {
      if (db.Delete(key)) note();
    } else if (choice < 300) {
      if (db.SetExpiry(key, static_cast<int64_t>(index + random.Below(500)))) note();
    } else if (choice < 400) {
      if (db.ClearExpiry(key)) note();
    } else if (choice < 500) {
      if (was_there && db.FindNoTouch(key)->type() != Type::kString) continue;
      StringAppend(db, key, "x");
      note();
    } else if (choice < 600) {
      const std::string to = std::to_string(random.Below(keys));
      if (db.Rename(key, db, to)) {
        note();
        modified[{db.index(), to}] = index;
      }
    } else if (choice < 700) {
      if (was_there && db.FindNoTouch(key)->type() != Type::kHash) continue;
      HashWriter(db, key).Set("field", std::to_string(index));
      note();
    } else {
      StringSet(db, key, "value", random.OneIn(3) ? static_cast<int64_t>(index + 300) : kNoExpiry);
      note();
    }
    for (int i = 0; i < 3; ++i) {
      const int watched_db = static_cast<int>(random.Below(2));
      const std::string watched = std::to_string(random.Below(keys));
      const auto it = modified.find({watched_db, watched});
      if (it == modified.end()) continue;
      const Db reader(*keyspace, watched_db, {.now_ms = static_cast<int64_t>(index)});
      ASSERT_TRUE(reader.ModifiedSince(watched, it->second - 1)) << watched << " at " << index;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ModifiedProperty, testing::Range<uint64_t>(0, 4));

TEST(ModifiedSince, IsFalseForWhatStaysUntouched) {
  Keyspace keyspace({.databases = 2});
  Db before(keyspace, 0, {.now_ms = 1, .log_index = 5});
  StringSet(before, "watched", "v", kNoExpiry);
  EXPECT_TRUE(before.ModifiedSince("watched", 4));
  EXPECT_FALSE(before.ModifiedSince("watched", 5));
  Db after(keyspace, 0, {.now_ms = 1, .log_index = 6});
  StringSet(after, "{watched}other", "v", kNoExpiry);
  EXPECT_FALSE(after.ModifiedSince("watched", 5)) << "the same slot, another cell";
  Db other(keyspace, 1, {.now_ms = 1, .log_index = 7});
  other.Clear();
  StringSet(other, "watched", "v", kNoExpiry);
  EXPECT_FALSE(after.ModifiedSince("watched", 5)) << "the same key, another database";
  Db flush(keyspace, 0, {.now_ms = 1, .log_index = 8});
  EXPECT_FALSE(flush.ModifiedSince("missing", 5));
  flush.Clear();
  EXPECT_TRUE(flush.ModifiedSince("watched", 5));
  EXPECT_FALSE(flush.ModifiedSince("missing", 5)) << "a flush changes nothing for a missing key";
}

TEST(ModifiedSince, SeesAKeyThatExpiredAway) {
  Keyspace keyspace({.databases = 1});
  Db db(keyspace, 0, {.now_ms = 1, .log_index = 5});
  StringSet(db, "k", "v", 100);
  Db later(keyspace, 0, {.now_ms = 200, .log_index = 6});
  EXPECT_FALSE(later.Delete("k")) << "expired: it counts as missing";
  EXPECT_TRUE(later.ModifiedSince("k", 5));
}

}  // namespace
}  // namespace kiwi::keyspace
