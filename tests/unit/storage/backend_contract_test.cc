// The contract of storage::Backend, told once and run on every implementation.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "storage/factory.h"
#include "testing/temp_dir.h"

namespace kiwi::storage {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

class BackendContract : public ::testing::TestWithParam<std::tuple<std::string, Profile>> {
 protected:
  void SetUp() override { Open(); }

  bool on_disk() const { return std::get<0>(GetParam()) != "memory"; }
  BackendOptions options() const {
    BackendOptions options;
    options.name = std::get<0>(GetParam());
    options.path = dir_.Child("a/new/directory");
    options.profile = std::get<1>(GetParam());
    options.write_buffer_bytes = 256 << 10;  // small: many flushes
    return options;
  }
  void Open() {
    auto opened = OpenBackend(options());
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    backend_ = std::move(opened).value();
  }
  void Reopen() {
    if (!on_disk()) return;
    backend_.reset();
    Open();
  }

  Status Put(std::string_view key, std::string_view value, bool sync = false) {
    const auto batch = backend_->NewBatch();
    batch->Put(key, value);
    return backend_->Write({sync}, batch.get());
  }
  Status Delete(std::string_view key) {
    const auto batch = backend_->NewBatch();
    batch->Delete(key);
    return backend_->Write({}, batch.get());
  }
  std::string Get(std::string_view key, const Snapshot* snapshot = nullptr) {
    std::string value;
    ReadOptions read;
    read.snapshot = snapshot;
    const Status status = backend_->Get(read, key, &value);
    if (status.code() == StatusCode::kNotFound) return "(none)";
    return status.ok() ? value : status.ToString();
  }
  Pairs Scan(const ReadOptions& read = {}) {
    Pairs pairs;
    const auto it = backend_->NewIterator(read);
    for (it->SeekToFirst(); it->Valid(); it->Next()) pairs.emplace_back(it->key(), it->value());
    EXPECT_TRUE(it->status().ok()) << it->status().ToString();
    return pairs;
  }
  Pairs ScanBack(const ReadOptions& read = {}) {
    Pairs pairs;
    const auto it = backend_->NewIterator(read);
    for (it->SeekToLast(); it->Valid(); it->Prev()) pairs.emplace_back(it->key(), it->value());
    return pairs;
  }
  static ReadOptions Between(std::string lower, std::string upper) {
    ReadOptions read;
    read.lower = std::move(lower);
    read.upper = std::move(upper);
    return read;
  }

  testing::TempDir dir_;
  std::unique_ptr<Backend> backend_;
};

TEST_P(BackendContract, WhatIsPutIsRead) {
  EXPECT_EQ(Get("a"), "(none)");
  ASSERT_TRUE(Put("a", "1").ok());
  ASSERT_TRUE(Put("a", "2").ok());
  ASSERT_TRUE(Put("b", "").ok());
  EXPECT_EQ(Get("a"), "2");
  EXPECT_EQ(Get("b"), "");
  ASSERT_TRUE(Delete("a").ok());
  ASSERT_TRUE(Delete("never there").ok());
  EXPECT_EQ(Get("a"), "(none)");
  Reopen();
  EXPECT_EQ(Get("a"), "(none)");
  EXPECT_EQ(Get("b"), "");
}

TEST_P(BackendContract, KeysAreAnyBytesInUnsignedOrder) {
  const std::vector<std::string> keys = {"",
                                         std::string(1, '\0'),
                                         std::string("\0\0", 2),
                                         "a",
                                         "a\x7f",
                                         "a\x80",
                                         "b",
                                         "\x80",
                                         "\xff",
                                         "\xff\xff"};
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) {
    ASSERT_TRUE(Put(*key, "v" + *key).ok());
  }
  for (int round = 0; round < 2; ++round) {
    const Pairs pairs = Scan();
    ASSERT_EQ(pairs.size(), keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      EXPECT_EQ(pairs[i].first, keys[i]);
      EXPECT_EQ(pairs[i].second, "v" + keys[i]);
    }
    const Pairs back = ScanBack();
    EXPECT_EQ(Pairs(back.rbegin(), back.rend()), pairs);
    Reopen();
  }
}

TEST_P(BackendContract, PartsAreOneValue) {
  const auto batch = backend_->NewBatch();
  std::vector<std::string_view> parts(20, "xy");
  parts[3] = "";
  batch->PutParts("many", parts.data(), parts.size());
  batch->PutParts("few", parts.data(), 2);
  batch->PutParts("none", nullptr, 0);
  ASSERT_TRUE(backend_->Write({}, batch.get()).ok());
  std::string joined;
  for (const std::string_view part : parts) joined += part;
  EXPECT_EQ(Get("many"), joined);
  EXPECT_EQ(Get("few"), "xyxy");
  EXPECT_EQ(Get("none"), "");
}

TEST_P(BackendContract, InABatchLaterOnesWin) {
  ASSERT_TRUE(Put("k3", "old").ok());
  const auto batch = backend_->NewBatch();
  batch->Put("k1", "a");
  batch->Delete("k1");
  batch->Delete("k2");
  batch->Put("k2", "b");
  batch->DeleteRange("k2", "k9");  // what was before it, in the batch and below
  batch->Put("k4", "c");
  batch->DeleteRange("k5", "k5");  // empty
  batch->DeleteRange("k9", "k1");  // the wrong way round: empty
  ASSERT_TRUE(backend_->Write({}, batch.get()).ok());
  EXPECT_EQ(Scan(), (Pairs{{"k4", "c"}}));

  batch->Clear();
  EXPECT_EQ(backend_->NewBatch()->SizeBytes(), batch->SizeBytes());
  batch->Put("k6", "d");
  batch->DeleteRange("k4", "k7");
  batch->Put("k5", "e");
  ASSERT_TRUE(backend_->Write({}, batch.get()).ok());
  Reopen();
  EXPECT_EQ(Scan(), (Pairs{{"k5", "e"}}));
}

TEST_P(BackendContract, RangesAreHalfOpen) {
  for (char c = 'a'; c <= 'f'; ++c) ASSERT_TRUE(Put(std::string(1, c), "v").ok());
  const auto batch = backend_->NewBatch();
  batch->DeleteRange("b", "e");
  ASSERT_TRUE(backend_->Write({}, batch.get()).ok());
  EXPECT_EQ(Scan(), (Pairs{{"a", "v"}, {"e", "v"}, {"f", "v"}}));
  ASSERT_TRUE(backend_->Flush().ok());
  Reopen();
  EXPECT_EQ(Scan(), (Pairs{{"a", "v"}, {"e", "v"}, {"f", "v"}}));
}

TEST_P(BackendContract, IteratorsKeepTheirBounds) {
  for (char c = 'a'; c <= 'f'; ++c) ASSERT_TRUE(Put(std::string(1, c), std::string(1, c)).ok());
  EXPECT_EQ(Scan(Between("b", "d")), (Pairs{{"b", "b"}, {"c", "c"}}));
  EXPECT_EQ(ScanBack(Between("b", "d")), (Pairs{{"c", "c"}, {"b", "b"}}));
  EXPECT_EQ(Scan(Between("aa", "cc")), (Pairs{{"b", "b"}, {"c", "c"}}));
  EXPECT_EQ(ScanBack(Between("aa", "cc")), (Pairs{{"c", "c"}, {"b", "b"}}));
  EXPECT_EQ(Scan(Between("", "b")), (Pairs{{"a", "a"}}));
  EXPECT_EQ(ScanBack(Between("e", "")), (Pairs{{"f", "f"}, {"e", "e"}}));
  EXPECT_EQ(ScanBack(Between("", "zz")).size(), 6u);
  EXPECT_TRUE(Scan(Between("g", "z")).empty());
  EXPECT_TRUE(ScanBack(Between("g", "z")).empty());
  EXPECT_TRUE(Scan(Between("c", "c")).empty());

  const auto it = backend_->NewIterator(Between("b", "e"));
  EXPECT_FALSE(it->Valid());
  it->Seek("a");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "b");
  it->Prev();
  EXPECT_FALSE(it->Valid());
  it->Seek("cc");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->key(), "d");
  it->Next();
  EXPECT_FALSE(it->Valid());
  it->Seek("e");
  EXPECT_FALSE(it->Valid());
  EXPECT_TRUE(it->status().ok());
}

TEST_P(BackendContract, SnapshotsAndIteratorsSeeTheirMoment) {
  ASSERT_TRUE(Put("a", "1").ok());
  ASSERT_TRUE(Put("b", "1").ok());
  const auto first = backend_->GetSnapshot();
  const auto open = backend_->NewIterator({});
  ASSERT_TRUE(Put("a", "2").ok());
  ASSERT_TRUE(Delete("b").ok());
  auto second = backend_->GetSnapshot();
  const auto batch = backend_->NewBatch();
  batch->DeleteRange("", "zzz");
  batch->Put("c", "3");
  ASSERT_TRUE(backend_->Write({}, batch.get()).ok());
  ASSERT_TRUE(backend_->Flush().ok());

  EXPECT_EQ(Get("a", first.get()), "1");
  EXPECT_EQ(Get("b", first.get()), "1");
  EXPECT_EQ(Get("c", first.get()), "(none)");
  EXPECT_EQ(Get("a", second.get()), "2");
  EXPECT_EQ(Get("b", second.get()), "(none)");
  ReadOptions read;
  read.snapshot = first.get();
  EXPECT_EQ(Scan(read), (Pairs{{"a", "1"}, {"b", "1"}}));
  read.snapshot = second.get();
  EXPECT_EQ(Scan(read), (Pairs{{"a", "2"}}));
  second.reset();
  EXPECT_EQ(Scan(), (Pairs{{"c", "3"}}));
  Pairs seen;
  for (open->SeekToFirst(); open->Valid(); open->Next()) {
    seen.emplace_back(open->key(), open->value());
  }
  EXPECT_EQ(seen, (Pairs{{"a", "1"}, {"b", "1"}}));
}

TEST_P(BackendContract, AnOrderlyCloseKeepsEverything) {
  ASSERT_TRUE(Put("synced", "1", true).ok());
  ASSERT_TRUE(Put("not synced", "2").ok());
  Reopen();
  EXPECT_EQ(Get("synced"), "1");
  EXPECT_EQ(Get("not synced"), "2");
  ASSERT_TRUE(backend_->Sync().ok());
  ASSERT_TRUE(backend_->Sync().ok());
}

TEST_P(BackendContract, FlushMovesDataOutOfTheLog) {
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Put(std::to_string(i), std::string(1000, 'x')).ok());
  if (on_disk()) {
    EXPECT_GE(backend_->GetStats().wal_bytes, 50000u);
  }
  ASSERT_TRUE(backend_->Flush().ok());
  ASSERT_TRUE(backend_->Flush().ok());
  EXPECT_LT(backend_->GetStats().wal_bytes, 5000u);
  EXPECT_EQ(Scan().size(), 50u);
  EXPECT_GT(backend_->GetStats().memory_bytes, 0u);
  Reopen();
  EXPECT_EQ(Scan().size(), 50u);
}

TEST_P(BackendContract, BehavesLikeAMapUnderRandomUse) {
  const uint64_t seed = 20260726;
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  std::map<std::string, std::string> model;
  const auto key = [&] { return "k" + std::to_string(random.Below(300)); };
  for (int step = 0; step < 1500; ++step) {
    const auto batch = backend_->NewBatch();
    for (uint64_t ops = 1 + random.Below(5); ops > 0; --ops) {
      const std::string k = key();
      const uint64_t what = random.Below(20);
      if (what < 13) {
        const std::string value(random.Below(2000), static_cast<char>('a' + random.Below(26)));
        batch->Put(k, value);
        model[k] = value;
      } else if (what < 18) {
        batch->Delete(k);
        model.erase(k);
      } else {
        const std::string end = key();
        batch->DeleteRange(k, end);
        if (k < end) model.erase(model.lower_bound(k), model.lower_bound(end));
      }
    }
    ASSERT_TRUE(backend_->Write({random.OneIn(50)}, batch.get()).ok());
    if (random.OneIn(400)) {
      ASSERT_TRUE(backend_->Flush().ok());
    }
    if (random.OneIn(500)) Reopen();
    if (random.OneIn(100)) {
      ASSERT_EQ(Scan(), Pairs(model.begin(), model.end()));
      ASSERT_EQ(ScanBack(), Pairs(model.rbegin(), model.rend()));
    }
    const std::string k = key();
    const auto expected = model.find(k);
    ASSERT_EQ(Get(k), expected == model.end() ? "(none)" : expected->second);
  }
  Reopen();
  EXPECT_EQ(Scan(), Pairs(model.begin(), model.end()));
}

TEST_P(BackendContract, ManyThreadsMayReadWriteAndSync) {
  constexpr int kThreads = 4;
  constexpr int kWrites = 200;
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kWrites; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        if (!Put(key, key).ok() || Get(key) != key) ++failures;
        if (i % 50 == 0 && !backend_->Sync().ok()) ++failures;
        if (i % 70 == 0) {
          const auto batch = backend_->NewBatch();
          batch->DeleteRange("zz", "zzz");
          if (!backend_->Write({}, batch.get()).ok()) ++failures;
        }
        if (i % 90 == 0 && Scan().empty()) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(Scan().size(), size_t{kThreads} * kWrites);
}

TEST_P(BackendContract, ADirectoryHasOneUser) {
  if (!on_disk()) return;
  ASSERT_TRUE(Put("a", "1").ok());
  const auto second = OpenBackend(options());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kBusy);
  EXPECT_NE(second.status().message().find(options().path), std::string::npos);
  EXPECT_NE(second.status().message().find("process " + std::to_string(getpid())),
            std::string::npos)
      << second.status().ToString();
  EXPECT_EQ(Get("a"), "1");
  Reopen();
  EXPECT_EQ(Get("a"), "1");
}

TEST_P(BackendContract, ResumeOfAHealthyBackendChangesNothing) {
  ASSERT_TRUE(Put("a", "1").ok());
  ASSERT_TRUE(backend_->Resume().ok());
  EXPECT_EQ(Get("a"), "1");
  ASSERT_TRUE(Put("b", "2", true).ok());
  EXPECT_EQ(backend_->Name(), std::get<0>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(All, BackendContract,
                         ::testing::Combine(::testing::Values("memory", "rocksdb", "leveldb"),
                                            ::testing::Values(Profile::kLog, Profile::kState)),
                         [](const auto& param) {
                           return std::get<0>(param.param) +
                                  (std::get<1>(param.param) == Profile::kLog ? "Log" : "State");
                         });

TEST(Factory, AnUnknownNameListsWhatThereIs) {
  BackendOptions options;
  options.name = "tape";
  const auto opened = OpenBackend(options);
  ASSERT_EQ(opened.status().code(), StatusCode::kConfig);
  for (const char* name : {"tape", "rocksdb", "leveldb", "memory"}) {
    EXPECT_NE(opened.status().message().find(name), std::string::npos);
  }
}

TEST(Factory, AMissingOrImpossiblePathIsAnError) {
  BackendOptions options;
  EXPECT_EQ(OpenBackend(options).status().code(), StatusCode::kConfig);
  options.path = "/proc/no/such/place";
  const Status status = OpenBackend(options).status();
  EXPECT_EQ(status.code(), StatusCode::kIo);
  EXPECT_NE(status.message().find("/proc/no"), std::string::npos);
}

}  // namespace
}  // namespace kiwi::storage
