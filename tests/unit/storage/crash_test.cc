// What a power cut, a failing disk and a full disk leave, on a file layer that is as hard as they are.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include "base/random.h"
#include "storage/factory.h"
#include "storage/file_layer.h"
#include "testing/temp_dir.h"

namespace kiwi::storage {
namespace {

class Crash : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { Open(); }
  void TearDown() override { backend_.reset(); }

  BackendOptions options() {
    BackendOptions options;
    options.name = GetParam();
    options.path = dir_.path();
    options.profile = Profile::kLog;
    options.write_buffer_bytes = write_buffer_bytes_;
    options.file_layer = &layer_;
    return options;
  }
  Status TryOpen() {
    auto opened = OpenBackend(options());
    if (!opened.ok()) return opened.status();
    backend_ = std::move(opened).value();
    return {};
  }
  void Open() {
    const Status status = TryOpen();
    // Nothing below can go on without a backend; the framework reports what is thrown.
    if (!status.ok()) throw std::runtime_error(status.ToString());
  }
  void PowerCut(FileLayer::Tails tails = FileLayer::Tails::kDrop) {
    layer_.Crash(tails);
    backend_.reset();
    Open();
  }

  Status Put(std::string_view key, std::string_view value, bool sync = false) {
    const auto batch = backend_->NewBatch();
    batch->Put(key, value);
    return backend_->Write({sync}, batch.get());
  }
  std::string Get(std::string_view key) {
    std::string value;
    const Status status = backend_->Get({}, key, &value);
    if (status.code() == StatusCode::kNotFound) return "(none)";
    return status.ok() ? value : status.ToString();
  }
  // Keys 0, 1, 2 ... that are there without a gap.
  int Consecutive() {
    int n = 0;
    while (Get(std::to_string(n)) != "(none)") ++n;
    return n;
  }

  testing::TempDir dir_;
  FileLayer layer_{7};
  size_t write_buffer_bytes_ = 4 << 20;
  std::unique_ptr<Backend> backend_;
};

TEST_P(Crash, LosesWhatWasNotSyncedAndKeepsWhatWas) {
  ASSERT_TRUE(Put("a", "1", true).ok());
  ASSERT_TRUE(Put("b", "2").ok());
  EXPECT_EQ(Get("b"), "2");
  PowerCut();
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), "(none)");
}

TEST_P(Crash, ASyncCoversAllWritesBeforeIt) {
  ASSERT_TRUE(Put("a", "1").ok());
  ASSERT_TRUE(Put("b", "2").ok());
  ASSERT_TRUE(backend_->Sync().ok());
  ASSERT_TRUE(Put("c", "3").ok());
  PowerCut();
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), "2");
  EXPECT_EQ(Get("c"), "(none)");
}

// LevelDB's case: the sync goes to the newest log only, while older writes lie in the one that was
// switched away when the memtable was full.
TEST_P(Crash, ASyncCoversWritesFromBeforeALogSwitch) {
  backend_.reset();
  write_buffer_bytes_ = 128 << 10;
  Open();
  const std::string value(10000, 'x');
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 15; ++i) {
      ASSERT_TRUE(Put(std::to_string(round * 15 + i), value).ok());
    }
    if (round % 3 == 0) {
      ASSERT_TRUE(backend_->Sync().ok()) << round;
    }
    const int synced = (round / 3 * 3 + 1) * 15;
    if (round % 5 == 4) {
      PowerCut();
      ASSERT_GE(Consecutive(), synced) << "round " << round;
      for (int i = 0; i < (round + 1) * 15; ++i) {  // fill what was rightly lost
        ASSERT_TRUE(Put(std::to_string(i), value).ok());
      }
      ASSERT_TRUE(backend_->Sync().ok());
    }
  }
}

TEST_P(Crash, WhatIsLeftIsAPrefixWhateverTheMoment) {
  backend_.reset();
  write_buffer_bytes_ = 128 << 10;
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Open();
    int next = Consecutive();
    int synced = next;
    for (uint64_t steps = 20 + random.Below(60); steps > 0; --steps) {
      const bool sync = random.OneIn(8);
      ASSERT_TRUE(Put(std::to_string(next++), std::string(random.Below(8000), 'v'), sync).ok());
      if (sync) synced = next;
      if (random.OneIn(25)) {
        ASSERT_TRUE(backend_->Flush().ok());
        synced = next;
      }
    }
    layer_.Crash(FileLayer::Tails::kTear);
    backend_.reset();
    Open();
    const int left = Consecutive();
    ASSERT_GE(left, synced);
    ASSERT_LE(left, next);
    // Nothing behind a gap.
    for (int i = left; i < next; ++i) ASSERT_EQ(Get(std::to_string(i)), "(none)") << i;
    backend_.reset();
  }
  Open();
}

TEST_P(Crash, ABatchIsThereWholeOrNotAtAll) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::string tag = std::to_string(seed);
    const auto batch = backend_->NewBatch();
    for (int i = 0; i < 30; ++i) batch->Put(tag + "/" + std::to_string(i), std::string(3000, 'x'));
    ASSERT_TRUE(backend_->Write({}, batch.get()).ok());
    PowerCut(FileLayer::Tails::kTear);
    const bool there = Get(tag + "/0") != "(none)";
    for (int i = 0; i < 30; ++i) {
      ASSERT_EQ(Get(tag + "/" + std::to_string(i)) != "(none)", there) << "seed " << seed;
    }
  }
}

TEST_P(Crash, ALostSyncIsNoticed) {
  // The tests above prove something only if a sync that makes nothing durable fails them.
  layer_.faults().OnlyPathsWith(".log");
  layer_.faults().LieAboutAllSyncs(true);
  ASSERT_TRUE(Put("a", "1", true).ok());
  layer_.faults().Clear();
  PowerCut();
  EXPECT_EQ(Get("a"), "(none)");

  layer_.faults().OnlyPathsWith(".log");
  layer_.faults().LieAboutSync(2);
  ASSERT_TRUE(Put("b", "1", true).ok());
  ASSERT_TRUE(Put("c", "1", true).ok());
  PowerCut();
  EXPECT_EQ(Get("b"), "1");
  EXPECT_EQ(Get("c"), "(none)");
}

TEST_P(Crash, AFailedSyncEndsWritesUntilResume) {
  ASSERT_TRUE(Put("before", "1", true).ok());
  ASSERT_TRUE(Put("unsynced", "1").ok());
  layer_.faults().OnlyPathsWith(".log");
  layer_.faults().FailSync(1);
  const Status failed = Put("failed", "1", true);
  EXPECT_EQ(failed.code(), StatusCode::kIo) << failed.ToString();
  // The disk would work again, but what it lost cannot be told: no write and no sync succeeds.
  EXPECT_EQ(Put("later", "1").code(), StatusCode::kIo);
  EXPECT_EQ(Put("later", "1", true).code(), StatusCode::kIo);
  EXPECT_EQ(backend_->Sync().code(), StatusCode::kIo);
  EXPECT_EQ(backend_->Flush().code(), StatusCode::kIo);
  EXPECT_EQ(Get("before"), "1");
  EXPECT_EQ(Get("later"), "(none)");

  const Status resumed = backend_->Resume();
  ASSERT_TRUE(resumed.ok()) << resumed.ToString();
  EXPECT_EQ(Get("before"), "1");
  EXPECT_EQ(Get("unsynced"), "1");
  ASSERT_TRUE(Put("after", "1", true).ok());
  PowerCut();
  EXPECT_EQ(Get("before"), "1");
  EXPECT_EQ(Get("unsynced"), "1") << "it was written before a sync that succeeded";
  EXPECT_EQ(Get("after"), "1");
  EXPECT_EQ(Get("later"), "(none)");
}

TEST_P(Crash, AFailedSeparateSyncEndsWritesToo) {
  ASSERT_TRUE(Put("a", "1").ok());
  layer_.faults().FailSync(1);
  EXPECT_EQ(backend_->Sync().code(), StatusCode::kIo);
  EXPECT_EQ(backend_->Sync().code(), StatusCode::kIo);
  EXPECT_EQ(Put("b", "1").code(), StatusCode::kIo);
  ASSERT_TRUE(backend_->Resume().ok());
  ASSERT_TRUE(Put("b", "1", true).ok());
  PowerCut();
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), "1");
}

TEST_P(Crash, ResumeFailsAsLongAsTheDiskDoes) {
  ASSERT_TRUE(Put("a", "1", true).ok());
  layer_.faults().FailAllSyncs(true);
  EXPECT_FALSE(Put("b", "1", true).ok());
  EXPECT_FALSE(backend_->Resume().ok());
  EXPECT_FALSE(Put("c", "1").ok());
  EXPECT_FALSE(backend_->Resume().ok());
  layer_.faults().Clear();
  const Status resumed = backend_->Resume();
  ASSERT_TRUE(resumed.ok()) << resumed.ToString();
  EXPECT_EQ(Get("a"), "1");
  ASSERT_TRUE(Put("d", "1", true).ok());
  PowerCut();
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("d"), "1");
}

TEST_P(Crash, ResumeDoesNotTakeTheFilesFromReaders) {
  ASSERT_TRUE(Put("a", "1", true).ok());
  auto it = backend_->NewIterator({});
  auto view = backend_->GetSnapshot();
  it->SeekToFirst();
  layer_.faults().FailSync(1);
  EXPECT_FALSE(Put("b", "2", true).ok());
  EXPECT_EQ(backend_->Resume().code(), StatusCode::kBusy);
  ASSERT_TRUE(it->Valid()) << it->status().ToString();
  EXPECT_EQ(it->value(), "1");
  it.reset();
  EXPECT_EQ(backend_->Resume().code(), StatusCode::kBusy) << "a snapshot is a reader, too";
  EXPECT_EQ(Put("c", "3").code(), StatusCode::kIo) << "and nothing is written meanwhile";
  view.reset();
  const Status resumed = backend_->Resume();
  ASSERT_TRUE(resumed.ok()) << resumed.ToString();
  ASSERT_TRUE(Put("c", "3", true).ok());
  EXPECT_EQ(Get("a"), "1");
}

TEST_P(Crash, AfterAFailedSyncAPowerCutLosesNothingAcknowledged) {
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(Put(std::to_string(i), std::string(1000, 'a'), true).ok());
  layer_.faults().FailSync(1);
  EXPECT_FALSE(Put("failed", std::string(50000, 'b'), true).ok());
  PowerCut(FileLayer::Tails::kTear);
  EXPECT_GE(Consecutive(), 50);
}

TEST_P(Crash, AFullDiskTakesNoWritesUntilThereIsSpace) {
  ASSERT_TRUE(Put("a", "1", true).ok());
  layer_.faults().LimitSpace(10000);
  Status status;
  int written = 0;
  while (status.ok() && written < 1000) {
    status = Put(std::to_string(written), std::string(500, 'x'), true);
    if (status.ok()) ++written;
  }
  EXPECT_EQ(status.code(), StatusCode::kNoSpace) << status.ToString();
  EXPECT_GT(written, 5);
  EXPECT_EQ(Put("b", "1").code(), StatusCode::kNoSpace);
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Consecutive(), written);
  EXPECT_FALSE(backend_->Resume().ok());
  EXPECT_EQ(Get("a"), "1") << "reads go on after a Resume that failed";

  layer_.faults().UnlimitSpace();
  const Status resumed = backend_->Resume();
  ASSERT_TRUE(resumed.ok()) << resumed.ToString();
  EXPECT_EQ(Consecutive(), written);
  ASSERT_TRUE(Put("b", "1", true).ok());
  PowerCut();
  EXPECT_EQ(Get("a"), "1");
  EXPECT_EQ(Get("b"), "1");
  EXPECT_EQ(Consecutive(), written);
}

TEST_P(Crash, ADiskFullInTheBackgroundIsNoticedAndSurvived) {
  backend_.reset();
  write_buffer_bytes_ = 128 << 10;
  Open();
  int acknowledged = 0;
  layer_.faults().LimitSpace(3 << 20);
  Status status;
  while (status.ok() && acknowledged < 5000) {
    status = Put(std::to_string(acknowledged), std::string(3000, 'x'), acknowledged % 10 == 0);
    if (status.ok()) ++acknowledged;
  }
  EXPECT_EQ(status.code(), StatusCode::kNoSpace) << status.ToString();
  EXPECT_EQ(Consecutive(), acknowledged);
  layer_.faults().UnlimitSpace();
  const Status resumed = backend_->Resume();
  ASSERT_TRUE(resumed.ok()) << resumed.ToString();
  ASSERT_TRUE(Put("b", "1", true).ok());
  PowerCut();
  EXPECT_GE(Consecutive(), acknowledged);
}

TEST_P(Crash, FlippedReadsAreErrorsOrRefusalsNeverWrongData) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(Put(std::to_string(i), std::string(2000, 'x')).ok());
  ASSERT_TRUE(backend_->Flush().ok());
  for (int round = 0; round < 10; ++round) {
    backend_.reset();
    layer_.faults().FlipReadBits(2);
    const Status opened = TryOpen();
    if (opened.ok()) {
      for (int i = 0; i < 200; ++i) {
        std::string value;
        const Status status = backend_->Get({}, std::to_string(i), &value);
        ASSERT_NE(status.code(), StatusCode::kNotFound) << i;
        if (status.ok()) {
          ASSERT_EQ(value, std::string(2000, 'x'));
        }
      }
    }
    layer_.faults().Clear();
  }
  backend_.reset();
  Open();
  EXPECT_EQ(Consecutive(), 200);
}

// The real thing: a process that is killed leaves what it had synced, and nothing else.
TEST_P(Crash, AKilledProcessLeavesTheSyncedState) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "ThreadSanitizer does not let a forked process start threads";
#endif
  backend_.reset();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    FileLayer layer;
    BackendOptions mine = options();
    mine.file_layer = &layer;
    auto opened = OpenBackend(mine);
    bool ok = opened.ok();
    for (int i = 0; ok && i < 40; ++i) {
      const auto batch = (*opened)->NewBatch();
      batch->Put(std::to_string(i), "value");
      ok = (*opened)->Write({i == 19}, batch.get()).ok();
    }
    const char answer = ok ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    while (true) pause();
  }
  char answer = 0;
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  kill(child, SIGKILL);
  int ended = 0;
  waitpid(child, &ended, 0);
  close(ready[0]);
  close(ready[1]);
  ASSERT_EQ(answer, 'y');
  layer_.Crash();  // forgets what it knew of the directory
  Open();
  EXPECT_EQ(Consecutive(), 20);
}

INSTANTIATE_TEST_SUITE_P(All, Crash, ::testing::Values("rocksdb", "leveldb"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace kiwi::storage
