// Keys whose time has come by the wall clock and not yet by the replicated one.
#include "keyspace/wall_view.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "keyspace/keyspace.h"
#include "keyspace/types/string_value.h"

namespace kiwi::keyspace {
namespace {

class CountingClock final : public Clock {
 public:
  explicit CountingClock(int64_t wall_ms) : wall_ms_(wall_ms) {}
  int64_t WallMs() override {
    ++reads;
    return wall_ms_;
  }
  int64_t WallUs() override { return WallMs() * 1000; }
  int64_t MonotonicNs() override { return 0; }
  int reads = 0;

 private:
  const int64_t wall_ms_;
};

// The replicated clock stands at 1000, the wall clock at 2000.
class WallViewTest : public testing::Test {
 protected:
  void Set(const std::string& key, int64_t expire_at_ms) {
    Db db(keyspace_, 0, {.now_ms = 1, .log_index = 1});
    StringSet(db, key, "v", expire_at_ms);
  }
  Db Read() { return Db(keyspace_, 0, {.now_ms = 1000, .wall = &wall_}); }
  std::vector<std::string> Noted() const {
    std::vector<std::string> keys;
    for (const WallView::Key& key : wall_.expired()) keys.push_back(key.key);
    return keys;
  }

  Keyspace keyspace_{KeyspaceOptions{.databases = 1, .hash_seed = 7}};
  CountingClock clock_{2000};
  WallView wall_{&clock_};
};

TEST_F(WallViewTest, AReadOfKeysThatNeverExpireReadsNoClock) {
  Set("stays", kNoExpiry);
  EXPECT_NE(Read().Find("stays"), nullptr);
  EXPECT_EQ(Read().Find("missing"), nullptr);
  EXPECT_EQ(clock_.reads, 0);
  EXPECT_FALSE(wall_.due());
}

TEST_F(WallViewTest, TheClockIsReadOnce) {
  Set("a", 5000);
  Set("b", 6000);
  EXPECT_NE(Read().Find("a"), nullptr);
  EXPECT_NE(Read().Find("b"), nullptr);
  EXPECT_EQ(Read().display_ms(), 2000);
  EXPECT_EQ(clock_.reads, 1);
  EXPECT_FALSE(wall_.due());
  EXPECT_TRUE(Noted().empty());
}

TEST_F(WallViewTest, AKeyBetweenTheClocksIsDue) {
  Set("at the wall clock", 2000);
  Set("after it", 2001);
  EXPECT_NE(Read().Find("after it"), nullptr);
  EXPECT_FALSE(wall_.due());
  EXPECT_NE(Read().Find("at the wall clock"), nullptr) << "the replicated clock decides";
  EXPECT_TRUE(wall_.due());
  EXPECT_EQ(Noted(), std::vector<std::string>{"at the wall clock"});
}

TEST_F(WallViewTest, AKeyExpiredByTheReplicatedClockIsGoneAndNotDue) {
  Set("gone", 1000);
  EXPECT_EQ(Read().Find("gone"), nullptr);
  EXPECT_FALSE(wall_.due()) << "the answer is known";
  EXPECT_EQ(Noted(), std::vector<std::string>{"gone"}) << "to be deleted with others that are due";
}

TEST_F(WallViewTest, WalksTellOfWhatTheyMeet) {
  Set("due", 1500);
  Set("lives", 5000);
  Set("stays", kNoExpiry);
  int visited = 0;
  Read().ForEach([&](const Object&) { ++visited; });
  EXPECT_EQ(visited, 3);
  EXPECT_EQ(Noted(), std::vector<std::string>{"due"});
}

TEST_F(WallViewTest, AWholeDatabaseTellsOfWhatIsDue) {
  Set("lives", 500'000'000'000);
  Read().NoteAllExpired();
  EXPECT_FALSE(wall_.due());
  Set("due", 1500);
  Read().NoteAllExpired();
  EXPECT_TRUE(wall_.due());
  EXPECT_EQ(Noted(), std::vector<std::string>{"due"});
}

TEST_F(WallViewTest, WhatIsNotedIsBounded) {
  for (int i = 0; i < 1000; ++i) Set("due" + std::to_string(i), 1500);
  Read().ForEach([](const Object&) {});
  EXPECT_TRUE(wall_.due());
  EXPECT_EQ(wall_.expired().size(), WallView::kMaxKeys);
  WallView other(&clock_);
  Set(std::string(WallView::kMaxBytes * 2, 'x'), 1500);
  const Db db(keyspace_, 0, {.now_ms = 1000, .wall = &other});
  db.Find(std::string(WallView::kMaxBytes * 2, 'x'));
  db.Find("due1");
  EXPECT_EQ(other.expired().size(), 1u) << "the first always, whatever its size";
}

TEST_F(WallViewTest, AccessesAreNotedAsOfTheReadsSecond) {
  Set("a", kNoExpiry);
  const Db db(keyspace_, 0, {.now_ms = 1000, .access_s = 77});
  EXPECT_EQ(db.Find("a")->last_access_s(), 77u);
}

}  // namespace
}  // namespace kiwi::keyspace
