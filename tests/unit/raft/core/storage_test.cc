// The conveniences of the storage contract: each is one synced batch of one thing.
#include "raft/core/storage.h"

#include <gtest/gtest.h>

#include <string>

#include "unit/raft/core/test_log.h"

namespace kiwi::raft {
namespace {

class RecordingStorage final : public Storage {
 public:
  Status Write(const LogBatch& batch) override {
    last = batch;
    return Status(StatusCode::kNoSpace, "full");
  }
  Status Sync() override { return Status::Ok(); }
  Status CreateSnapshot(const SnapshotMeta&) override { return Status::Ok(); }
  Status Compact(LogIndex) override { return Status::Ok(); }
  uint64_t SizeBytes() const override { return 0; }
  Result<InitialState> GetInitialState() const override { return InitialState{}; }
  Result<std::vector<Entry>> Entries(LogIndex, LogIndex, uint64_t) const override {
    return std::vector<Entry>();
  }
  Result<Term> TermAt(LogIndex) const override { return Term{0}; }
  LogIndex FirstIndex() const override { return 1; }
  LogIndex LastIndex() const override { return 0; }
  Result<SnapshotMeta> GetSnapshot() const override { return SnapshotMeta{}; }

  LogBatch last;
};

TEST(StorageTest, AConvenienceWritesOneThingSyncedAndTellsWhatBecameOfIt) {
  RecordingStorage storage;
  const auto written = [&storage] {
    const LogBatch& b = storage.last;
    return std::string(b.entries ? "entries " : "") + (b.hard_state ? "hard " : "") +
           (b.conf_state ? "conf " : "") + (b.snapshot ? "snapshot " : "") +
           (b.state_dir ? "dir " : "") + (b.sync ? "sync" : "");
  };
  EXPECT_EQ(storage.Append({}).code(), StatusCode::kNoSpace);
  EXPECT_EQ(written(), "entries sync");
  EXPECT_EQ(storage.SetHardState({}).code(), StatusCode::kNoSpace);
  EXPECT_EQ(written(), "hard sync");
  EXPECT_EQ(storage.SetConfState({}).code(), StatusCode::kNoSpace);
  EXPECT_EQ(written(), "conf sync");
  EXPECT_EQ(storage.ApplySnapshot({}).code(), StatusCode::kNoSpace);
  EXPECT_EQ(written(), "snapshot sync");
  const std::string dir = "state-2";
  EXPECT_EQ(storage.ApplySnapshot({}, &dir).code(), StatusCode::kNoSpace);
  EXPECT_EQ(written(), "snapshot dir sync");
}

}  // namespace
}  // namespace kiwi::raft
