// The core reads its log through the fetcher: what lies on the disk and is large comes later, and
// never stale.
#include "raft/node/log_fetcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "raft/storage/memory_storage.h"

namespace kiwi::raft {
namespace {

// A memory log that says that all of it lies on the disk, and where a test can do something before a
// read begins.
class DiskStorage final : public Storage {
 public:
  Result<InitialState> GetInitialState() const override { return memory_.GetInitialState(); }
  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const override {
    ++reads;
    if (busy) return Status(StatusCode::kBusy, "the backend has too much to do");
    Result<std::vector<Entry>> entries = memory_.Entries(lo, hi, max_bytes);
    if (after_read) after_read();
    return entries;
  }
  Result<Term> TermAt(LogIndex index) const override { return memory_.TermAt(index); }
  LogIndex FirstIndex() const override { return memory_.FirstIndex(); }
  LogIndex LastIndex() const override { return memory_.LastIndex(); }
  Result<SnapshotMeta> GetSnapshot() const override { return memory_.GetSnapshot(); }
  Status Write(const LogBatch& batch) override { return memory_.Write(batch); }
  Status Sync() override { return memory_.Sync(); }
  Status CreateSnapshot(const SnapshotMeta& meta) override { return memory_.CreateSnapshot(meta); }
  Status Compact(LogIndex index) override { return memory_.Compact(index); }
  uint64_t SizeBytes() const override { return memory_.SizeBytes(); }
  uint64_t BytesOnDisk(LogIndex lo, LogIndex hi, uint64_t max_bytes) const override {
    uint64_t bytes = 0;
    const auto entries = memory_.Entries(lo, hi, max_bytes);
    if (entries.ok()) {
      for (const Entry& entry : *entries) bytes += entry.bytes().size();
    }
    return bytes;
  }

  std::optional<Result<std::vector<Entry>>> TryEntries(LogIndex lo, LogIndex hi,
                                                       uint64_t max_bytes) const override {
    if (locked) return std::nullopt;
    return Entries(lo, hi, max_bytes);
  }

  mutable std::atomic<int> reads{0};
  std::atomic<bool> locked{false};  // a mutation has the disk, until Entries waits for it
  std::atomic<bool> busy{false};
  std::function<void()> after_read;  // on the reader's thread

 private:
  MemoryStorage memory_;
};

class LogFetcherTest : public ::testing::Test {
 protected:
  static constexpr size_t kLarge = 8 << 20;

  void Append(Term term, LogIndex index, size_t bytes) {
    const Entry entry{term, index, EntryType::kNormal,
                      std::make_shared<const std::string>(bytes, static_cast<char>('a' + term))};
    ASSERT_TRUE(log_.Append({entry}).ok());
  }
  void Await(const std::atomic<int>& count, int wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (count < wanted) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "waited in vain";
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  void HoldReadsUntilAllHaveAsked() {
    log_.after_read = [this] { Await(asked_, 1); };
  }

  std::atomic<int> asked_{0};
  DiskStorage log_;
  LogFetcher fetcher_{&log_};
};

TEST_F(LogFetcherTest, WhatIsShortIsReadAtOnce) {
  Append(1, 1, 1000);
  fetcher_.Start([] { FAIL() << "nothing was to be made up for"; });
  const auto entries = fetcher_.Entries(1, 2, kNoLimit);
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ(entries->size(), 1u);
}

TEST_F(LogFetcherTest, WhatIsLongIsRefusedAndThereWhenItIsTold) {
  Append(1, 1, kLarge);
  HoldReadsUntilAllHaveAsked();
  std::atomic<int> told{0};
  fetcher_.Start([&] {
    const auto first = fetcher_.Entries(1, 2, 0);
    EXPECT_TRUE(first.ok());
    const auto second = fetcher_.Entries(1, 2, kNoLimit);  // another follower
    EXPECT_TRUE(second.ok());
    if (first.ok() && second.ok()) {
      EXPECT_EQ(first->size(), 1u);
      EXPECT_EQ(second->front().data, first->front().data) << "the same bytes";
    }
    ++told;
  });
  EXPECT_EQ(fetcher_.Entries(1, 2, 0).status().code(), StatusCode::kBusy);
  EXPECT_EQ(fetcher_.Entries(1, 2, 0).status().code(), StatusCode::kBusy);
  asked_ = 1;
  Await(told, 1);
  fetcher_.Stop();
  EXPECT_EQ(log_.reads, 1) << "one read for all who asked";
}

// The log is compacted while a large entry is read for one follower: another's next one, however
// short, would have to wait for both.
TEST_F(LogFetcherTest, WhatAMutationKeepsLockedIsRefusedAndThereWhenItIsTold) {
  Append(1, 1, 1000);
  log_.locked = true;
  std::atomic<int> told{0};
  fetcher_.Start([&] {
    const auto entries = fetcher_.Entries(1, 2, 0);  // still locked
    EXPECT_TRUE(entries.ok()) << entries.status().ToString();
    ++told;
  });
  EXPECT_EQ(fetcher_.Entries(1, 2, 0).status().code(), StatusCode::kBusy);
  Await(told, 1);
  fetcher_.Stop();
  EXPECT_EQ(log_.reads, 1);
}

TEST_F(LogFetcherTest, WhoAsksForOthersIsServedInTurn) {
  for (LogIndex i = 1; i <= 3; ++i) Append(1, i, kLarge);
  HoldReadsUntilAllHaveAsked();
  std::atomic<int> served{0};
  fetcher_.Start([&] {
    for (LogIndex i = 1; i <= 3; ++i) served += fetcher_.Entries(i, i + 1, 0).ok();
  });
  for (LogIndex i = 1; i <= 3; ++i) EXPECT_FALSE(fetcher_.Entries(i, i + 1, 0).ok());
  asked_ = 1;
  Await(served, 3);
  fetcher_.Stop();
}

TEST_F(LogFetcherTest, WhatAnotherLeaderReplacedMeanwhileIsNotHandedOut) {
  Append(1, 1, kLarge);
  log_.after_read = [&] {
    log_.after_read = nullptr;
    Append(2, 1, kLarge);
  };
  std::atomic<int> got{0};
  fetcher_.Start([&] {
    const auto entries = fetcher_.Entries(1, 2, 0);
    if (!entries.ok()) return;  // it is read again
    EXPECT_EQ(entries->front().term, 2u);
    ++got;
  });
  EXPECT_FALSE(fetcher_.Entries(1, 2, 0).ok());
  Await(got, 1);
  fetcher_.Stop();
  EXPECT_EQ(log_.reads, 2);
}

// The core waits for a read that was refused with kBusy, and nobody would make up for it.
TEST_F(LogFetcherTest, ABackendThatIsBusyHasFailed) {
  Append(1, 1, 1000);
  Append(1, 2, kLarge);
  log_.busy = true;
  EXPECT_EQ(fetcher_.Entries(1, 2, 0).status().code(), StatusCode::kIo) << "not running yet";
  std::atomic<int> told{0};
  fetcher_.Start([&] {
    EXPECT_EQ(fetcher_.Entries(2, 3, 0).status().code(), StatusCode::kIo);
    ++told;
  });
  EXPECT_EQ(fetcher_.Entries(1, 2, 0).status().code(), StatusCode::kIo) << "read at once";
  EXPECT_EQ(fetcher_.Entries(2, 3, 0).status().code(), StatusCode::kBusy) << "the fetcher is at it";
  Await(told, 1);
  fetcher_.Stop();
}

TEST_F(LogFetcherTest, OnceStoppedItReadsAtOnce) {
  Append(1, 1, kLarge);
  fetcher_.Start([] {});
  fetcher_.Stop();
  EXPECT_TRUE(fetcher_.Entries(1, 2, 0).ok());
}

}  // namespace
}  // namespace kiwi::raft
