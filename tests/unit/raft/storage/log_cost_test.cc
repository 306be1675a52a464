// What reading the log costs is told before it is read.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "raft/storage/log_storage.h"
#include "storage/factory.h"
#include "testing/temp_dir.h"

namespace kiwi::raft {
namespace {

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
