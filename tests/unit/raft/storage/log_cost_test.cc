// What reading the log costs is told before it is read, and who must not wait for it need not.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "raft/storage/log_storage.h"
#include "storage/factory.h"
#include "testing/temp_dir.h"

namespace kiwi::raft {
namespace {

// In memory; runs a test's code while it writes, and while it resumes.
class ObservedBackend final : public storage::Backend {
 public:
  std::function<void()> meanwhile;

  std::unique_ptr<storage::WriteBatch> NewBatch() const override { return inner_->NewBatch(); }
  Status Write(const storage::WriteOptions& options, storage::WriteBatch* batch) override {
    if (meanwhile) meanwhile();
    return inner_->Write(options, batch);
  }
  Status Sync() override { return inner_->Sync(); }
  Status Flush() override { return inner_->Flush(); }
  Status Get(const storage::ReadOptions& options, std::string_view key,
             std::string* value) const override {
    return inner_->Get(options, key, value);
  }
  std::unique_ptr<storage::Iterator> NewIterator(
      const storage::ReadOptions& options) const override {
    return inner_->NewIterator(options);
  }
  std::unique_ptr<const storage::Snapshot> GetSnapshot() const override {
    return inner_->GetSnapshot();
  }
  storage::Stats GetStats() const override { return inner_->GetStats(); }
  Status Resume() override {
    if (meanwhile) meanwhile();
    return inner_->Resume();
  }
  std::string_view Name() const override { return "observed"; }

 private:
  const std::unique_ptr<storage::Backend> inner_ = storage::OpenBackend({.name = "memory"}).value();
};

TEST(LogCost, WhoMustNotWaitIsToldThatAMutationHasTheDisk) {
  ObservedBackend backend;
  const auto log = std::move(LogStorage::Open(&backend, {.cache_bytes = 1000})).value();
  for (LogIndex i = 1; i <= 6; ++i) {
    const Entry entry{1, i, EntryType::kNormal, std::make_shared<const std::string>(400, 'x')};
    ASSERT_TRUE(log->Append({entry}).ok());
  }
  ASSERT_TRUE(log->CreateSnapshot({.index = 3, .term = 1, .conf_state = {}}).ok());
  int looked = 0;
  backend.meanwhile = [&] {
    ++looked;
    EXPECT_FALSE(log->TryEntries(4, 5, 0).has_value()) << "on the disk";
    const auto newest = log->TryEntries(6, 7, 0);
    ASSERT_TRUE(newest.has_value()) << "in memory";
    EXPECT_EQ((*newest)->size(), 1u);
  };
  ASSERT_TRUE(log->Compact(2).ok());
  ASSERT_TRUE(log->Resume().ok());
  EXPECT_EQ(looked, 2);
  const auto free = log->TryEntries(3, 7, kNoLimit);
  ASSERT_TRUE(free.has_value());
  EXPECT_EQ((*free)->size(), 4u);
  EXPECT_EQ(log->TryEntries(1, 2, 0)->status().code(), StatusCode::kCompacted);
}

TEST(LogCost, CountsWhatIsNotInMemory) {
  testing::TempDir dir;
  storage::BackendOptions options;
  options.name = "rocksdb";
  options.path = dir.path();
  options.profile = storage::Profile::kLog;
  auto backend = std::move(storage::OpenBackend(options)).value();
  const auto log = std::move(LogStorage::Open(backend.get(), {.cache_bytes = 1000})).value();
  for (LogIndex i = 1; i <= 4; ++i) {
    const Entry entry{1, i, EntryType::kNormal, std::make_shared<const std::string>(400, 'x')};
    ASSERT_TRUE(log->Append({entry}).ok());
  }
  EXPECT_EQ(log->BytesOnDisk(1, 5, kNoLimit), 800u);  // the last two are kept
  EXPECT_EQ(log->BytesOnDisk(1, 5, 500), 400u);
  EXPECT_EQ(log->BytesOnDisk(2, 4, kNoLimit), 400u);
  EXPECT_EQ(log->BytesOnDisk(3, 5, kNoLimit), 0u);
  EXPECT_EQ(log->BytesOnDisk(1, 6, kNoLimit), 0u) << "there is no such entry";
}

}  // namespace
}  // namespace kiwi::raft
