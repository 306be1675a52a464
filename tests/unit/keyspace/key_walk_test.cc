// A walk over all keys answers what was there when it began, whatever is done meanwhile.
#include "keyspace/key_walk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "keyspace/types/string_value.h"
#include "keyspace/wall_view.h"
#include "workload.h"

namespace kiwi::keyspace {
namespace {

ShardSet All() {
  ShardSet all;
  all.AddAll();
  return all;
}

using Keys = std::multiset<std::string>;

Keys LiveKeys(const Db& db) {
  Keys keys;
  db.ForEach([&](const Object& object) { keys.emplace(object.key()); });
  return keys;
}

void AddTo(const KeyList& list, Keys* keys) {
  list.ForEach([&](std::string_view key) { keys->emplace(key); });
}

// What is left of it.
KeyWalk::Step Finish(KeyWalk& walk, Keys* keys) {
  KeyList list;
  KeyWalk::Step step;
  while ((step = walk.Next(&list)) == KeyWalk::Step::kMore) AddTo(list, keys);
  return step;
}

// An applier whose clock goes on, so that keys expire, and walks that begin and go on at any time.
class Story {
 public:
  explicit Story(uint64_t seed)
      : random_(seed), keyspace_({.databases = 2, .hash_seed = random_.Next()}) {
    for (uint64_t i = 0; i < random_.Below(400); ++i) Change();
  }

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      if (random_.OneIn(10) && walks_.size() < 3) Begin();
      if (random_.OneIn(2) && !walks_.empty()) GoOn(random_.Below(walks_.size()));
      for (uint64_t n = random_.Below(6); n > 0; --n) Change();
    }
    while (!walks_.empty()) GoOn(0);
    EXPECT_GT(ended_, 0);
  }

 private:
  struct Walk {
    Keys expected;
    Keys seen;
    std::unique_ptr<KeyWalk> walk;
  };

  void Begin() {
    auto begun = std::make_unique<Walk>();
    const ShardLock lock(keyspace_, All(), LockMode::kShared);
    const Db db(keyspace_, static_cast<int>(random_.Below(2)), {.now_ms = now_ms_});
    begun->expected = LiveKeys(db);
    begun->walk = std::make_unique<KeyWalk>(
        db, KeyWalkLimits{.keys_per_hold = 1 + random_.Below(40), .bytes_per_hold = 1000});
    walks_.push_back(std::move(begun));
  }

  void GoOn(size_t i) {
    KeyList keys;
    Walk& walk = *walks_[i];
    const KeyWalk::Step step = walk.walk->Next(&keys);
    ASSERT_NE(step, KeyWalk::Step::kOverflow);
    AddTo(keys, &walk.seen);
    if (step == KeyWalk::Step::kMore) return;
    ASSERT_EQ(walk.seen, walk.expected);
    walks_.erase(walks_.begin() + static_cast<std::ptrdiff_t>(i));
    ++ended_;
  }

  std::string Key() {
    const uint64_t n = random_.Below(250);
    return (n < 120 ? "{one}" : "k") + std::to_string(n);
  }

  void Change() {
    now_ms_ += static_cast<int64_t>(random_.Below(3));
    const Moment moment{.now_ms = now_ms_, .log_index = ++log_index_};
    const ShardLock lock(keyspace_, All(), LockMode::kExclusive);
    Db db(keyspace_, static_cast<int>(random_.Below(2)), moment);
    Db other(keyspace_, static_cast<int>(random_.Below(2)), moment);
    const int64_t later = now_ms_ + 1 + static_cast<int64_t>(random_.Below(100));
    switch (random_.Below(9)) {
      case 0:
      case 1:
        return StringSet(db, Key(), "v", random_.OneIn(2) ? later : kNoExpiry);
      case 2:
        db.Delete(Key());
        return;
      case 3:
        db.Rename(Key(), other, Key());
        return;
      case 4:
        db.Copy(Key(), other, Key());
        return;
      case 5:
        db.SetExpiry(Key(), random_.OneIn(5) ? now_ms_ : later);
        return;
      case 6:
        db.ClearExpiry(Key());
        return;
      case 7:
        db.DeleteExpired(Key());
        return;
      default:
        if (!random_.OneIn(40)) return;
        if (random_.OneIn(2)) return db.Clear();
        return keyspace_.SwapDatabases(0, 1, moment);
    }
  }

  Random random_;
  Keyspace keyspace_;
  int64_t now_ms_ = 1000;
  uint64_t log_index_ = 0;
  std::vector<std::unique_ptr<Walk>> walks_;
  int ended_ = 0;
};

class KeyWalkProperty : public testing::TestWithParam<uint64_t> {};

TEST_P(KeyWalkProperty, VisitsTheKeysOfItsBeginningOnceEach) {
  for (uint64_t i = 0; i < 250; ++i) {
    const uint64_t seed = GetParam() * 250 + i;
    SCOPED_TRACE("seed " + std::to_string(seed));
    Story(seed).Run(120);
    if (HasFatalFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, KeyWalkProperty, testing::Range<uint64_t>(0, 8));

class FewKeys : public testing::Test {
 protected:
  FewKeys() {
    for (int i = 0; i < 500; ++i) Set("k" + std::to_string(i), kNoExpiry);
  }
  Db At(int64_t now_ms = 1000, WallView* wall = nullptr) {
    return Db(keyspace_, 0, {.now_ms = now_ms, .log_index = 1, .wall = wall});
  }
  void Set(const std::string& key, int64_t expire_at_ms) {
    Db db = At(100);
    StringSet(db, key, "v", expire_at_ms);
  }
  std::unique_ptr<KeyWalk> Begin(const KeyWalkLimits& limits, WallView* wall = nullptr) {
    const ShardLock lock(keyspace_, All(), LockMode::kShared);
    return std::make_unique<KeyWalk>(At(1000, wall), limits);
  }

  Keyspace keyspace_{{.databases = 1, .hash_seed = 7}};
};

TEST_F(FewKeys, AHoldVisitsNoMoreThanItsBound) {
  const auto walk = Begin({.keys_per_hold = 10});
  KeyList keys;
  size_t seen = 0;
  while (walk->Next(&keys) == KeyWalk::Step::kMore) {
    EXPECT_LE(keys.size(), 10 + Leaf::kSplitCount);
    seen += keys.size();
  }
  EXPECT_EQ(seen, 500u);
}

TEST_F(FewKeys, WhatChangesBeyondTheLimitsEndsTheWalk) {
  for (const KeyWalkLimits& limits :
       {KeyWalkLimits{.noted_keys = 5}, KeyWalkLimits{.noted_bytes = 50}}) {
    const auto walk = Begin(limits);
    Keys keys;
    for (int i = 0; i < 100; ++i) Set("new" + std::to_string(i), kNoExpiry);
    EXPECT_EQ(Finish(*walk, &keys), KeyWalk::Step::kOverflow);
    for (int i = 0; i < 100; ++i) At().Delete("new" + std::to_string(i));
  }
  Keys keys;
  EXPECT_EQ(Finish(*Begin({}), &keys), KeyWalk::Step::kEnd);
  EXPECT_EQ(keys, LiveKeys(At()));
}

TEST_F(FewKeys, ADatabaseThatWasFlushedIsFreedBehindTheWalk) {
  auto walk = Begin({});
  const Keys before = LiveKeys(At());
  At().Clear();
  Set("fresh", kNoExpiry);
  Keys keys;
  EXPECT_EQ(Finish(*walk, &keys), KeyWalk::Step::kEnd);
  EXPECT_EQ(keys, before);
  walk.reset();
  EXPECT_EQ(LiveKeys(At()), (Keys{"fresh"}));
}

// A key that is due by the wall clock alone must not be shown: whether it is met, or was removed
// behind the beginning.
TEST_F(FewKeys, TheWallViewIsToldOfKeysThatAreDue) {
  ManualClock clock(5000);
  for (const bool removed : {false, true}) {
    Set("due", 3000);
    WallView wall(&clock);
    const auto walk = Begin({}, &wall);
    EXPECT_FALSE(wall.due());
    if (removed) At(4000).Delete("due");
    Keys keys;
    EXPECT_EQ(Finish(*walk, &keys), KeyWalk::Step::kEnd);
    EXPECT_EQ(keys.count("due"), 1u) << "alive by the replicated clock";
    EXPECT_TRUE(wall.due());
    ASSERT_EQ(wall.expired().size(), 1u);
    EXPECT_EQ(wall.expired()[0].key, "due");
  }
}

// For the thread sanitizer, too: an applier that always keeps exactly one of two keys.
TEST(KeyWalkThreads, SeesOneMomentBesideAnApplier) {
  constexpr int kPairs = 2000;
  Keyspace keyspace({.databases = 1, .hash_seed = 11});
  const auto name = [](int i, bool second) { return (second ? "b" : "a") + std::to_string(i); };
  std::vector<bool> second(kPairs);
  {
    Db db(keyspace, 0, {.now_ms = 1});
    for (int i = 0; i < kPairs; ++i) StringSet(db, name(i, false), "v", kNoExpiry);
  }
  std::atomic<bool> stop{false};
  std::thread applier([&] {
    Random random(5);
    for (uint64_t index = 1; !stop; ++index) {
      const auto i = random.Below(kPairs);
      const std::string from = name(static_cast<int>(i), second[i]);
      const std::string to = name(static_cast<int>(i), !second[i]);
      ShardSet shards;
      shards.AddKey(from);
      shards.AddKey(to);
      const ShardLock lock(keyspace, shards, LockMode::kExclusive);
      Db db(keyspace, 0, {.now_ms = 1, .log_index = index});
      ASSERT_TRUE(db.Rename(from, db, to));
      second[i] = !second[i];
    }
  });
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      for (int round = 0; round < 30; ++round) {
        std::unique_ptr<KeyWalk> walk;
        {
          const ShardLock lock(keyspace, All(), LockMode::kShared);
          walk = std::make_unique<KeyWalk>(Db(keyspace, 0, {.now_ms = 1}),
                                           KeyWalkLimits{.keys_per_hold = 50});
        }
        Keys keys;
        ASSERT_EQ(Finish(*walk, &keys), KeyWalk::Step::kEnd);
        ASSERT_EQ(keys.size(), size_t{kPairs});
        for (int i = 0; i < kPairs; ++i) {
          ASSERT_EQ(keys.count(name(i, false)) + keys.count(name(i, true)), 1u);
        }
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  stop = true;
  applier.join();
}

}  // namespace
}  // namespace kiwi::keyspace
