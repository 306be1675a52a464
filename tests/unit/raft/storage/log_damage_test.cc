// The durable log on a disk that crashes, fails or rots: acknowledged entries are all served, or the
// log is refused by a message that names what is damaged.
#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "raft/storage/log_record.h"
#include "raft/storage/log_storage.h"
#include "storage/factory.h"
#include "storage/file_layer.h"
#include "testing/damage.h"
#include "testing/temp_dir.h"

namespace kiwi::raft {
namespace {

using kiwi::testing::TempDir;

Entry Make(LogIndex index, Term term) {
  Random random(index * 31 + term);
  std::string data(random.Below(4000), '\0');
  for (char& c : data) c = static_cast<char>(random.Next());
  Entry entry;
  entry.index = index;
  entry.term = term;
  entry.data = std::make_shared<const std::string>(std::move(data));
  return entry;
}

SnapshotMeta Snap(LogIndex index, Term term) {
  SnapshotMeta meta;
  meta.index = index;
  meta.term = term;
  meta.conf_state.voters = {1};
  return meta;
}

std::unique_ptr<storage::Backend> OpenBackendAt(const std::string& name, const std::string& path,
                                                storage::FileLayer* layer, Status* error) {
  storage::BackendOptions options;
  options.name = name;
  options.path = path;
  options.profile = storage::Profile::kLog;
  options.write_buffer_bytes = layer != nullptr ? 512 << 10 : 8 << 20;
  options.file_layer = layer;
  auto opened = storage::OpenBackend(options);
  if (!opened.ok()) *error = opened.status();
  return opened.ok() ? std::move(opened).value() : nullptr;
}

// One mutation of the log, unsynced unless it says otherwise.
Status WriteEntries(LogStorage* log, const std::vector<Entry>& entries, const HardState* hard,
                    bool sync) {
  LogBatch batch;
  batch.entries = &entries;
  batch.hard_state = hard;
  batch.sync = sync;
  return log->Write(batch);
}

class LogDamage : public ::testing::TestWithParam<std::string> {
 protected:
  // An error from the backend's or the log's opening, or from reading all entries.
  Status Check(const std::string& path, LogIndex expected_first, LogIndex expected_last) {
    Status error;
    const auto backend = OpenBackendAt(GetParam(), path, nullptr, &error);
    if (!backend) return error;
    const auto log = LogStorage::Open(backend.get());
    if (!log.ok()) return log.status();
    EXPECT_EQ((*log)->FirstIndex(), expected_first);
    EXPECT_EQ((*log)->LastIndex(), expected_last) << "acknowledged entries are lost silently";
    const auto entries = *(*log)->Entries((*log)->FirstIndex(), (*log)->LastIndex() + 1, kNoLimit);
    for (const Entry& entry : entries) {
      EXPECT_EQ(entry.bytes(), Make(entry.index, entry.term).bytes()) << entry.index;
    }
    return {};
  }

  TempDir dir_;
};

TEST_P(LogDamage, AnyDamagedFileIsNoticed) {
  const std::string pristine = dir_.Child("pristine");
  const std::string copy = dir_.Child("copy");
  LogIndex first = 0;
  LogIndex last = 0;
  {
    Status error;
    const auto backend = OpenBackendAt(GetParam(), dir_.Child("log"), nullptr, &error);
    ASSERT_TRUE(backend) << error.ToString();
    const auto log = std::move(LogStorage::Open(backend.get())).value();
    for (LogIndex i = 1; i <= 150; ++i) {
      const HardState hard{1, 1, i - 1};
      ASSERT_TRUE(WriteEntries(log.get(), {Make(i, 1)}, &hard, i % 5 == 0).ok());
    }
    ASSERT_TRUE(log->CreateSnapshot(Snap(40, 1)).ok());
    ASSERT_TRUE(log->Compact(30).ok());
    ASSERT_TRUE(log->ReleaseSpace().ok());
    for (LogIndex i = 151; i <= 180; ++i) {
      ASSERT_TRUE(WriteEntries(log.get(), {Make(i, 2)}, nullptr, true).ok());
    }
    first = log->FirstIndex();
    last = log->LastIndex();
    kiwi::testing::CopyDirectory(dir_.Child("log"), pristine);
  }
  ASSERT_TRUE(Check(pristine, first, last).ok());
  kiwi::testing::CopyDirectory(dir_.Child("log"), pristine);
  std::vector<std::string> names;
  for (const char* part : {".log", ".sst", ".ldb", "MANIFEST", "CURRENT"}) {
    for (const auto& name : kiwi::testing::FilesLike(pristine, part)) names.push_back(name);
  }
  int refused = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    kiwi::testing::CopyDirectory(pristine, copy);
    Random random(seed * 104729);
    const std::string& name = names[random.Below(names.size())];
    const std::string what = kiwi::testing::DamageFile(copy + "/" + name, &random);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + what);
    const Status status = Check(copy, first, last);
    if (status.ok()) continue;
    ++refused;
    EXPECT_EQ(status.code(), StatusCode::kCorruption) << status.ToString();
    EXPECT_NE(status.message().find(name), std::string_view::npos) << status.ToString();
  }
  EXPECT_GT(refused, 100);
}

// A model of the log runs beside it; the power goes at random moments, with torn tails.
TEST_P(LogDamage, ACrashLosesNothingThatWasSynced) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    storage::FileLayer layer(seed);  // with it, memtables are small and switched often
    const std::string path = dir_.Child(std::to_string(seed));
    LogIndex last = 0;
    LogIndex synced = 0;
    LogIndex base = 0;
    for (int crash = 0; crash < 4; ++crash) {
      Status error;
      auto backend = OpenBackendAt(GetParam(), path, &layer, &error);
      ASSERT_TRUE(backend) << error.ToString();
      auto opened = LogStorage::Open(backend.get(), {2000});
      ASSERT_TRUE(opened.ok()) << opened.status().ToString();
      LogStorage& log = **opened;
      ASSERT_GE(log.LastIndex(), synced);
      ASSERT_LE(log.LastIndex(), last);
      ASSERT_LE(log.FirstIndex(), base + 1);
      last = synced = log.LastIndex();
      for (int step = 0; step < 150; ++step) {
        const bool sync = random.OneIn(10);
        const HardState hard{1, 1, last};
        ASSERT_TRUE(WriteEntries(&log, {Make(last + 1, 1)}, &hard, sync).ok());
        ++last;
        if (sync) synced = last;
        if (random.OneIn(40) && last > base + 5) {
          ASSERT_TRUE(log.CreateSnapshot(Snap(last - 2, 1)).ok());
          synced = last;
          ASSERT_TRUE(log.Compact(last - 4).ok());
          base = last - 4;
        }
        if (random.OneIn(100)) {
          ASSERT_TRUE(log.ReleaseSpace().ok());
          synced = last;
        }
      }
      const auto entries = *log.Entries(log.FirstIndex(), last + 1, kNoLimit);
      for (const Entry& entry : entries) ASSERT_EQ(entry.bytes(), Make(entry.index, 1).bytes());
      layer.Crash(storage::FileLayer::Tails::kTear);
    }
  }
}

TEST_P(LogDamage, AFailedSyncIsResumedWithoutLoss) {
  storage::FileLayer layer;
  Status error;
  const auto backend = OpenBackendAt(GetParam(), dir_.path(), &layer, &error);
  ASSERT_TRUE(backend) << error.ToString();
  const auto log = std::move(LogStorage::Open(backend.get())).value();
  for (LogIndex i = 1; i <= 20; ++i) {
    ASSERT_TRUE(WriteEntries(log.get(), {Make(i, 1)}, nullptr, i == 10).ok());
  }
  layer.faults().FailSync(1);
  EXPECT_EQ(log->Sync().code(), StatusCode::kIo);
  EXPECT_FALSE(WriteEntries(log.get(), {Make(21, 1)}, nullptr, false).ok());
  EXPECT_EQ(log->LastIndex(), 20u);
  const Status resumed = log->Resume();
  ASSERT_TRUE(resumed.ok()) << resumed.ToString();
  EXPECT_EQ(log->LastIndex(), 20u);
  ASSERT_TRUE(WriteEntries(log.get(), {Make(21, 1)}, nullptr, true).ok());
  layer.Crash();
}

// The write's bytes reached the file, only its sync failed: afterwards it has happened.
TEST_P(LogDamage, AfterResumeTheLogIsWhatTheDiskHolds) {
  storage::FileLayer layer;
  Status error;
  const auto backend = OpenBackendAt(GetParam(), dir_.path(), &layer, &error);
  ASSERT_TRUE(backend) << error.ToString();
  const auto log = std::move(LogStorage::Open(backend.get())).value();
  std::vector<Entry> entries;
  for (LogIndex i = 1; i <= 10; ++i) entries.push_back(Make(i, 1));
  ASSERT_TRUE(WriteEntries(log.get(), entries, nullptr, true).ok());
  layer.faults().FailSync(1);
  EXPECT_FALSE(WriteEntries(log.get(), {Make(4, 2), Make(5, 2)}, nullptr, true).ok());
  EXPECT_EQ(log->LastIndex(), 10u);
  const Status resumed = log->Resume();
  ASSERT_TRUE(resumed.ok()) << resumed.ToString();
  EXPECT_EQ(log->LastIndex(), 5u);
  EXPECT_EQ(*log->TermAt(5), 2u);
  EXPECT_EQ(log->Entries(5, 6, 0)->front().bytes(), Make(5, 2).bytes());
  // What memory says and what the disk says are one again.
  ASSERT_TRUE(WriteEntries(log.get(), {Make(6, 3)}, nullptr, true).ok());
  const auto again = LogStorage::Open(backend.get());
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ((*again)->LastIndex(), 6u);
  layer.Crash();
}

// The engine's checksums cannot see what was written wrongly; the records' own do.
TEST_P(LogDamage, WrongRecordsAreNamed) {
  const auto store = [&](const std::string& child,
                         const std::function<void(storage::WriteBatch*)>& spoil) {
    Status error;
    const auto backend = OpenBackendAt(GetParam(), dir_.Child(child), nullptr, &error);
    if (!backend) throw std::runtime_error(error.ToString());
    {
      const auto log = std::move(LogStorage::Open(backend.get())).value();
      const HardState hard{3, 1, 4};
      std::vector<Entry> entries;
      for (LogIndex i = 1; i <= 9; ++i) entries.push_back(Make(i, i < 5 ? 2 : 3));
      EXPECT_TRUE(WriteEntries(log.get(), entries, &hard, true).ok());
      EXPECT_TRUE(log->CreateSnapshot(Snap(3, 2)).ok());
    }
    const auto batch = backend->NewBatch();
    spoil(batch.get());
    EXPECT_TRUE(backend->Write({}, batch.get()).ok());
    const auto log = LogStorage::Open(backend.get());
    EXPECT_EQ(log.status().code(), StatusCode::kCorruption) << child;
    return std::string(log.status().message());
  };
  const auto expect = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  const auto put_entry = [](storage::WriteBatch* batch, const Entry& entry, LogIndex at) {
    const EntryHeader header(entry);
    const std::string_view parts[] = {header.view(), entry.bytes()};
    batch->PutParts(EntryKey(at).view(), parts, 2);
  };

  expect(store("hole", [](auto* b) { b->Delete(EntryKey(5).view()); }), "entry 5 is missing");
  expect(store("first", [](auto* b) { b->Delete(EntryKey(1).view()); }), "entry 1 is missing");
  expect(store("tail", [](auto* b) { b->DeleteRange(EntryKey(4).view(), kEntriesEnd); }),
         "entries up to 4 are committed, but the last one is 3");
  expect(store("all", [](auto* b) { b->DeleteRange(kEntriesBegin, kEntriesEnd); }),
         "the snapshot is at 3, but the last entry is 0");
  expect(store("garbage", [](auto* b) { b->Put(EntryKey(7).view(), std::string(30, 'x')); }),
         "entry 7 has format version");
  expect(store("short", [](auto* b) { b->Put(EntryKey(7).view(), "x"); }), "entry 7 is cut short");
  expect(store("moved", [&](auto* b) { put_entry(b, Make(6, 3), 7); }),
         "entry 7 fails its checksum");
  expect(store("term", [&](auto* b) { put_entry(b, Make(7, 1), 7); }), "entry 7 has term 1");
  expect(store("key", [](auto* b) { b->Put("eee", "x"); }), "wrong length");
  expect(store("hard", [](auto* b) { b->Put(kHardStateKey, std::string("\1xxxxxxxxyyy")); }),
         "hard state");
  expect(store("snapshot", [](auto* b) { b->Put(kSnapshotKey, ""); }), "snapshot meta is empty");
  expect(store("swapped",
               [](auto* b) {
                 std::string record;
                 EncodeRecord(LogBase{3, 2}, &record);
                 b->Put(kHardStateKey, record);
               }),
         "hard state (key 'h') fails its checksum");
  expect(store("base",
               [](auto* b) {
                 std::string record;
                 EncodeRecord(LogBase{8, 3}, &record);
                 b->Put(kBaseKey, record);
               }),
         "compacted, but the snapshot is at 3");
}

INSTANTIATE_TEST_SUITE_P(All, LogDamage, ::testing::Values("rocksdb", "leveldb"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace kiwi::raft
