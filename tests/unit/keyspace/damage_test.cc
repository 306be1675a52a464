// Stored rows that are damaged, missing or made up: Load answers kCorruption and names the row.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "keyspace/checkpoint.h"
#include "keyspace/rows.h"
#include "test_backend.h"
#include "workload.h"

namespace kiwi::keyspace {
namespace {

class Damage : public testing::Test {
 protected:
  Damage() {
    Keyspace keyspace({.databases = 2, .hash_seed = 3});
    Checkpointer checkpointer(&keyspace, &backend_);
    EXPECT_TRUE(checkpointer.Load(1).ok());
    Workload workload(5);
    workload.Steps(keyspace, 290);
    Db db(keyspace, 0, {.now_ms = 1, .log_index = 1000});
    HashWriter writer(db, "table");
    for (int i = 0; i < 600; ++i) writer.Set("field" + std::to_string(i), "value");
    StringSet(db, "string", std::string(600'000, 's'), kNoExpiry);
    ShardSet all;
    all.AddAll();
    {
      const ShardLock lock(keyspace, all, LockMode::kExclusive);
      checkpointer.Begin({.applied_index = 1000, .host = "host"});
    }
    EXPECT_TRUE(checkpointer.Run().ok());
    auto it = backend_.NewIterator({});
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      rows_.emplace_back(it->key(), it->value());
    }
  }

  static void Put(TestBackend& backend, std::string_view key, std::string_view value) {
    auto batch = backend.NewBatch();
    batch->Put(key, value);
    ASSERT_TRUE(backend.Write({}, batch.get()).ok());
  }
  // The stored rows, with one of them replaced, or left out.
  std::unique_ptr<TestBackend> With(size_t row, const std::string* value) {
    auto backend = std::make_unique<TestBackend>();
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (i != row) {
        Put(*backend, rows_[i].first, rows_[i].second);
      } else if (value != nullptr) {
        Put(*backend, rows_[i].first, *value);
      }
    }
    return backend;
  }
  static Status Load(TestBackend& backend) {
    Keyspace keyspace({.databases = 2});
    Checkpointer checkpointer(&keyspace, &backend);
    return checkpointer.Load(2).status();
  }

  TestBackend backend_;
  std::vector<std::pair<std::string, std::string>> rows_;
};

TEST_F(Damage, AFlippedBitInAnyRowIsFoundAndNamed) {
  Random random(1);
  for (size_t row = 0; row < rows_.size(); row += 1 + rows_.size() / 150) {
    std::string value = rows_[row].second;
    value[random.Below(value.size())] ^= static_cast<char>(1 << random.Below(8));
    const Status status = Load(*With(row, &value));
    ASSERT_EQ(status.code(), StatusCode::kCorruption) << "row " << row;
    ASSERT_NE(status.message().find("row "), std::string_view::npos) << status.ToString();
  }
}

TEST_F(Damage, ATruncatedRowIsFound) {
  Random random(2);
  for (size_t row = 0; row < rows_.size(); row += 1 + rows_.size() / 150) {
    const std::string value = rows_[row].second.substr(0, random.Below(rows_[row].second.size()));
    ASSERT_EQ(Load(*With(row, &value)).code(), StatusCode::kCorruption) << "row " << row;
  }
}

TEST_F(Damage, AMissingPageOrPieceIsFound) {
  for (size_t row = 0; row < rows_.size(); row += 1 + rows_.size() / 150) {
    const char kind = rows_[row].first[0];
    if (kind != 'P' && kind != 'V') continue;
    ASSERT_EQ(Load(*With(row, nullptr)).code(), StatusCode::kCorruption) << "row " << row;
  }
}

// Well-framed rows with nonsense in them: no crash, no endless loop, no huge allocation.
TEST_F(Damage, NonsenseUnderAGoodChecksumDoesNotCrash) {
  Random random(3);
  int refused = 0;
  for (int round = 0; round < 400; ++round) {
    const size_t row = random.Below(rows_.size());
    const std::string& key = rows_[row].first;
    uint32_t parts = 0;
    std::string_view bytes;
    ASSERT_TRUE(UnframeRow(key, rows_[row].second, &parts, &bytes).ok());
    std::string changed(bytes);
    for (uint64_t n = 1 + random.Below(3); n > 0 && !changed.empty(); --n) {
      const size_t at = random.Below(std::min<size_t>(changed.size(), 200));
      switch (random.Below(3)) {
        case 0:
          changed[at] = static_cast<char>(random.Next());
          break;
        case 1:
          changed.erase(at, random.Below(8));
          break;
        default:
          changed.insert(at, random.Below(8), static_cast<char>(random.Next()));
          break;
      }
    }
    const std::string framed = FrameRow(key, parts, changed);
    refused += !Load(*With(row, &framed)).ok();
  }
  EXPECT_GT(refused, 50);
}

TEST_F(Damage, ANewerFormatIsRefusedByName) {
  std::string value = FrameRow(kMetaKey, 1, "x");
  value[0] = 9;
  std::string_view framed = std::string_view(value).substr(0, value.size() - 8);
  const uint64_t checksum = Hash64(framed, Checksum64(kMetaKey));
  std::memcpy(value.data() + framed.size(), &checksum, sizeof(checksum));
  TestBackend backend;
  Put(backend, kMetaKey, value);
  const Status status = Load(backend);
  EXPECT_EQ(status.code(), StatusCode::kCorruption);
  EXPECT_NE(status.message().find("version 9"), std::string_view::npos) << status.ToString();
}

TEST_F(Damage, FewerDatabasesThanHoldKeysAreRefused) {
  TestBackend backend;
  Keyspace keyspace({.databases = 4});
  Checkpointer checkpointer(&keyspace, &backend);
  ASSERT_TRUE(checkpointer.Load(1).ok());
  Db db(keyspace, 3, {.now_ms = 1, .log_index = 1});
  StringSet(db, "k", "v", kNoExpiry);
  checkpointer.Begin({.applied_index = 1, .host = ""});
  ASSERT_TRUE(checkpointer.Run().ok());
  EXPECT_EQ(Load(backend).code(), StatusCode::kConfig);
}

}  // namespace
}  // namespace kiwi::keyspace
