// A walk over a large value answers what the value was when it began, whatever is done to it
// meanwhile.
#include "keyspace/body_walk.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"
#include "keyspace/types/value_walk.h"

namespace kiwi::keyspace {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

ShardSet All() {
  ShardSet all;
  all.AddAll();
  return all;
}

Fields FieldsOf(const Object& object) {
  Fields fields;
  HashReader(object).ForEach(
      [&](HashField f) { fields.emplace_back(std::string(f.field), std::string(f.value)); });
  return fields;
}

std::string BytesOf(const Object& object) {
  StringScratch scratch;
  return std::string(StringBytes(object, scratch));
}

// Walks over strings and hashes, a step at a time, while their keys are changed, deleted, renamed.
class Story {
 public:
  explicit Story(uint64_t seed)
      : random_(seed),
        keyspace_({.databases = 2,
                   .hash_seed = random_.Next(),
                   .hash_max_listpack_entries = seed % 3 == 0 ? 100'000u : 16u}) {}

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) {
      for (uint64_t n = random_.Below(8); n > 0; --n) Change();
      if (random_.OneIn(2)) Begin();
      if (!strings_.empty() && random_.OneIn(2)) StepString(random_.Below(strings_.size()));
      if (!tables_.empty() && random_.OneIn(2)) StepTable(random_.Below(tables_.size()));
      if (!packed_.empty() && random_.OneIn(4)) EndPacked();
    }
    while (!strings_.empty()) StepString(0);
    while (!tables_.empty()) StepTable(0);
    while (!packed_.empty()) EndPacked();
  }
  int ended() const { return ended_; }

 private:
  struct OfString {
    std::string expected, seen;
    std::unique_ptr<BlobWalk> walk;
  };
  struct OfTable {
    Fields expected, seen;
    std::unique_ptr<TableWalk> walk;
  };
  struct OfPacked {
    Fields expected;
    std::unique_ptr<HashWalk> walk;
  };

  void Begin() {
    const ShardLock lock(keyspace_, All(), LockMode::kShared);
    const Db db(keyspace_, static_cast<int>(random_.Below(2)), {.now_ms = 1});
    const Object* object = db.Find(Key());
    if (object == nullptr || object->body() == nullptr) return;
    if (object->encoding() == Encoding::kTable) {
      auto& table = static_cast<HashTable&>(*object->body());
      tables_.push_back({.expected = FieldsOf(*object),
                         .seen = {},
                         .walk = std::make_unique<TableWalk>(keyspace_, table, 0, table.size())});
    } else if (object->encoding() == Encoding::kPackedBlob) {
      packed_.push_back(
          {.expected = FieldsOf(*object), .walk = std::make_unique<HashWalk>(keyspace_, *object)});
    } else {
      auto& blob = static_cast<Blob&>(*object->body());
      const size_t offset = random_.OneIn(2) ? 0 : random_.Below(blob.size());
      const size_t size =
          random_.OneIn(2) ? blob.size() - offset : random_.Below(blob.size() - offset + 1);
      strings_.push_back({.expected = BytesOf(*object).substr(offset, size),
                          .seen = "",
                          .walk = std::make_unique<BlobWalk>(keyspace_, blob, offset, size)});
    }
  }

  void StepString(size_t i) {
    if (strings_[i].walk->Next(&strings_[i].seen)) return;
    ASSERT_TRUE(strings_[i].seen == strings_[i].expected);
    strings_.erase(strings_.begin() + static_cast<std::ptrdiff_t>(i));
    ++ended_;
  }
  void StepTable(size_t i) {
    OfTable& table = tables_[i];
    std::vector<std::unique_ptr<FieldsImage>> images;
    if (table.walk->Next(&images)) {
      for (const auto& image : images) {
        for (size_t k = 0; k < image->count(); ++k) {
          table.seen.emplace_back(std::string(image->At(k).field), std::string(image->At(k).value));
        }
      }
      return;
    }
    ASSERT_EQ(table.seen, table.expected);
    tables_.erase(tables_.begin() + static_cast<std::ptrdiff_t>(i));
    ++ended_;
  }
  void EndPacked() {
    Fields seen;
    packed_.back().walk->ForEach(
        [&](HashField f) { seen.emplace_back(std::string(f.field), std::string(f.value)); });
    ASSERT_EQ(seen, packed_.back().expected);
    packed_.pop_back();
    ++ended_;
  }

  std::string Key() { return "k" + std::to_string(random_.Below(6)); }
  std::string Bytes(size_t max) {
    return std::string(random_.Below(max), static_cast<char>('a' + random_.Below(26)));
  }

  void Change() {
    const ShardLock lock(keyspace_, All(), LockMode::kExclusive);
    const Moment moment{.now_ms = 1, .log_index = ++log_index_};
    Db db(keyspace_, static_cast<int>(random_.Below(2)), moment);
    Db other(keyspace_, static_cast<int>(random_.Below(2)), moment);
    const std::string key = Key();
    switch (random_.Below(24)) {
      case 0:
        db.Delete(key);
        return;
      case 1:
      case 2:
        db.Rename(key, other, Key());
        return;
      case 3:
        db.Copy(key, other, Key());
        return;
      case 4:
        db.SetExpiry(key, 1000);
        return;
      case 5:
        if (random_.OneIn(8)) db.Clear();
        return;
      case 6:
        if (random_.OneIn(4)) keyspace_.SwapDatabases(0, 1, moment);
        return;
      default:
        break;
    }
    const Object* object = db.FindNoTouch(key);
    const bool string = object != nullptr ? object->type() == Type::kString : random_.OneIn(2);
    string ? ChangeString(db, key, object) : ChangeHash(db, key);
  }
  void ChangeString(Db& db, const std::string& key, const Object* object) {
    if (object == nullptr || random_.OneIn(10)) {
      return StringSet(db, key, Bytes(700'000), kNoExpiry);
    }
    if (random_.OneIn(3)) {
      StringAppend(db, key, Bytes(400'000));
    } else {
      StringSetRange(db, key, random_.Below(StringLength(*object) + 300'000), Bytes(1000));
    }
  }
  void ChangeHash(Db& db, const std::string& key) {
    HashWriter hash(db, key);
    const bool shrink = random_.OneIn(3);
    for (uint64_t n = random_.Below(hash.size() == 0 ? 9000 : 300); n > 0; --n) {
      const std::string field = "f" + std::to_string(random_.Below(12'000));
      if (!shrink) {
        hash.Set(field, std::to_string(random_.Below(1000)));
      } else if (hash.Delete(field) && hash.size() == 0) {
        return;
      }
      if (keyspace_.options().hash_max_listpack_entries > 1000 && n > 100) n = 100;
    }
  }

  Random random_;
  Keyspace keyspace_;
  uint64_t log_index_ = 0;
  std::vector<OfString> strings_;
  std::vector<OfTable> tables_;
  std::vector<OfPacked> packed_;
  int ended_ = 0;
};

class BodyWalkProperty : public testing::TestWithParam<uint64_t> {};

TEST_P(BodyWalkProperty, AnswersTheValueOfItsBeginning) {
  int ended = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    const uint64_t seed = GetParam() * 10 + i;
    SCOPED_TRACE("seed " + std::to_string(seed));
    Story story(seed);
    story.Run(40);
    if (HasFatalFailure()) return;
    ended += story.ended();
  }
  EXPECT_GT(ended, 30);
}

INSTANTIATE_TEST_SUITE_P(Seeds, BodyWalkProperty, testing::Range<uint64_t>(0, 8));

TEST(BodyWalk, PartOfATableIsWalkedByItsPositions) {
  Keyspace keyspace({.databases = 1, .hash_max_listpack_entries = 4});
  Db db(keyspace, 0, {.now_ms = 1, .log_index = 1});
  {
    HashWriter hash(db, "h");
    for (int i = 0; i < 10'000; ++i) hash.Set("f" + std::to_string(i), "v");
  }
  std::unique_ptr<HashWalk> walk;
  {
    const ShardLock lock(keyspace, All(), LockMode::kShared);
    walk = std::make_unique<HashWalk>(keyspace, *db.Find("h"), 1000, 9001);
  }
  db.Delete("h");
  int next = 1000;
  walk->ForEach([&](HashField f) { EXPECT_EQ(f.field, "f" + std::to_string(next++)); });
  EXPECT_EQ(next, 9001);
}

// For the thread sanitizer, too. The applier keeps each value made of one letter; each write changes
// all of it.
TEST(BodyWalkThreads, SeesOneMomentBesideAnApplier) {
  Keyspace keyspace({.databases = 1, .hash_seed = 5, .hash_max_listpack_entries = 4});
  constexpr size_t kBytes = 1 << 20;
  constexpr int kFields = 6000;
  const auto write = [&](uint64_t index) {
    const std::string letter(1, static_cast<char>('a' + index % 26));
    const ShardLock lock(keyspace, All(), LockMode::kExclusive);
    Db db(keyspace, 0, {.now_ms = 1, .log_index = index});
    if (index % 7 == 0) {
      db.Delete("s");
      db.Rename("h", db, "h2");
      db.Rename("h2", db, "h");
    }
    StringSetRange(db, "s", 0, std::string(kBytes, letter[0]));
    HashWriter hash(db, "h");
    for (int i = 0; i < kFields; ++i) hash.Set("f" + std::to_string(i), letter);
  };
  write(1);
  std::atomic<bool> stop{false};
  std::thread applier([&] {
    for (uint64_t index = 2; !stop; ++index) write(index);
  });
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      for (int round = 0; round < 6; ++round) {
        std::unique_ptr<StringWalk> string;
        std::unique_ptr<HashWalk> hash;
        {
          const ShardLock lock(keyspace, All(), LockMode::kShared);
          const Db db(keyspace, 0, {.now_ms = 1});
          string = std::make_unique<StringWalk>(keyspace, *db.Find("s"), 0, kBytes);
          hash = std::make_unique<HashWalk>(keyspace, *db.Find("h"));
        }
        std::string bytes;
        string->AppendTo(&bytes);
        ASSERT_EQ(bytes.size(), kBytes);
        ASSERT_EQ(bytes.find_first_not_of(bytes[0]), std::string::npos);
        int fields = 0;
        hash->ForEach([&](HashField f) {
          ++fields;
          ASSERT_EQ(f.value, bytes.substr(0, 1));
        });
        ASSERT_EQ(fields, kFields);
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  stop = true;
  applier.join();
}

}  // namespace
}  // namespace kiwi::keyspace
