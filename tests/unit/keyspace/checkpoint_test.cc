#include "keyspace/checkpoint.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "test_backend.h"
#include "workload.h"

namespace kiwi::keyspace {
namespace {

constexpr KeyspaceOptions kOptions = {.databases = 2, .hash_seed = 7};

// Small batches, so that there are many moments at which a run can be interrupted.
constexpr CheckpointOptions kSmallBatches = {.batch_bytes = 4096, .queue_bytes_max = 64 << 20};

void Begin(Keyspace& keyspace, Checkpointer& checkpointer, uint64_t applied_index) {
  ShardSet all;
  all.AddAll();
  const ShardLock lock(keyspace, all, LockMode::kExclusive);
  checkpointer.Begin(
      {.applied_index = applied_index, .host = "host " + std::to_string(applied_index)});
}

struct Loaded {
  std::unique_ptr<Keyspace> keyspace;
  std::unique_ptr<Checkpointer> checkpointer;
  CheckpointMeta meta;
};

Loaded LoadFrom(storage::Backend& backend, const CheckpointOptions& options = {}) {
  Loaded loaded;
  loaded.keyspace = std::make_unique<Keyspace>(KeyspaceOptions{.databases = 2});
  loaded.checkpointer = std::make_unique<Checkpointer>(loaded.keyspace.get(), &backend, options);
  Result<CheckpointMeta> meta = loaded.checkpointer->Load(2);
  EXPECT_TRUE(meta.ok()) << meta.status().ToString();
  if (meta.ok()) loaded.meta = meta.value();
  return loaded;
}

TEST(Checkpoint, AnEmptyBackendLoadsAsNothing) {
  TestBackend backend;
  const Loaded loaded = LoadFrom(backend);
  EXPECT_EQ(loaded.meta.applied_index, 0u);
  EXPECT_EQ(loaded.keyspace->Digest(0), (std::array<uint8_t, 20>{}));
}

TEST(Checkpoint, AnEmptyKeyspaceKeepsItsMeta) {
  TestBackend backend;
  Keyspace keyspace(kOptions);
  Checkpointer checkpointer(&keyspace, &backend);
  ASSERT_TRUE(checkpointer.Load(1).ok());
  Begin(keyspace, checkpointer, 5);
  ASSERT_TRUE(checkpointer.Run().ok());
  const Loaded loaded = LoadFrom(backend);
  EXPECT_EQ(loaded.meta.applied_index, 5u);
  EXPECT_EQ(loaded.meta.host, "host 5");
  EXPECT_EQ(loaded.keyspace->options().hash_seed, 7u);
}

class CheckpointProperty : public testing::TestWithParam<uint64_t> {};

// Changes fall between any two rows of the run; what is loaded is the state at Begin.
TEST_P(CheckpointProperty, LoadsTheStateAtBeginWhateverHappensAfterIt) {
  Workload workload(GetParam());
  TestBackend backend;
  auto keyspace = std::make_unique<Keyspace>(kOptions);
  auto checkpointer = std::make_unique<Checkpointer>(keyspace.get(), &backend);
  ASSERT_TRUE(checkpointer->Load(1).ok());
  for (int round = 0; round < 12; ++round) {
    workload.Steps(*keyspace, round == 0 ? 3000 : 200);
    const std::string at_begin = Picture(*keyspace);
    Begin(*keyspace, *checkpointer, workload.log_index());
    const uint64_t index_at_begin = workload.log_index();
    int changes_left = 300;
    backend.before_put = [&] {
      while (changes_left > 0 && workload.random().OneIn(2)) {
        --changes_left;
        workload.Step(*keyspace);
      }
    };
    const Status status = checkpointer->Run();
    backend.before_put = nullptr;
    ASSERT_TRUE(status.ok()) << status.ToString();
    ASSERT_GT(backend.writes, 0);

    ASSERT_EQ(backend.careless_metas, 0);
    const size_t rows = backend.Rows();
    Loaded loaded = LoadFrom(backend);
    ASSERT_EQ(backend.Rows(), rows) << "a clean checkpoint leaves nothing to remove";
    ASSERT_EQ(loaded.meta.applied_index, index_at_begin);
    ASSERT_EQ(Picture(*loaded.keyspace), at_begin) << "round " << round;
    if (round % 4 == 3) {  // go on from what was loaded
      checkpointer = std::move(loaded.checkpointer);
      keyspace = std::move(loaded.keyspace);
    }
  }
}

// The run stops after any number of writes, as at a crash; what is loaded is the old or the new state,
// and the next checkpoint on top of it is right as well.
TEST_P(CheckpointProperty, ACrashLeavesTheOldStateOrTheNew) {
  for (int crash_after = 0;; crash_after += 1 + crash_after / 4) {
    Workload workload(GetParam());
    TestBackend backend;
    Keyspace keyspace(kOptions);
    Checkpointer checkpointer(&keyspace, &backend, kSmallBatches);
    ASSERT_TRUE(checkpointer.Load(1).ok());
    workload.Steps(keyspace, 400);
    Begin(keyspace, checkpointer, workload.log_index());
    const std::string old_state = Picture(keyspace);
    ASSERT_TRUE(checkpointer.Run().ok());

    workload.Steps(keyspace, 200);
    const std::string new_state = Picture(keyspace);
    Begin(keyspace, checkpointer, workload.log_index());
    backend.writes_left = crash_after;
    backend.before_put = [&] {
      if (workload.random().OneIn(4)) workload.Step(keyspace);
    };
    const Status status = checkpointer.Run();
    const bool complete = backend.writes_left > 0;
    backend.before_put = nullptr;
    backend.writes_left = 1 << 30;

    Loaded loaded = LoadFrom(backend);
    const std::string state = Picture(*loaded.keyspace);
    if (status.ok()) {
      ASSERT_EQ(state, new_state) << "after " << crash_after << " writes";
    } else {
      ASSERT_TRUE(state == old_state || state == new_state) << "after " << crash_after << " writes";
    }
    const size_t rows = backend.Rows();
    workload.Steps(*loaded.keyspace, 100);
    const std::string next_state = Picture(*loaded.keyspace);
    Begin(*loaded.keyspace, *loaded.checkpointer, workload.log_index());
    ASSERT_TRUE(loaded.checkpointer->Run().ok());
    ASSERT_EQ(Picture(*LoadFrom(backend).keyspace), next_state);
    ASSERT_GT(rows, 0u);
    if (complete) break;
  }
}

// The disk is full for some runs, the process goes on, then a run succeeds.
TEST_P(CheckpointProperty, AFailedRunIsMadeUpForByTheNext) {
  Workload workload(GetParam());
  TestBackend backend;
  Keyspace keyspace(kOptions);
  Checkpointer checkpointer(&keyspace, &backend, kSmallBatches);
  ASSERT_TRUE(checkpointer.Load(1).ok());
  std::string valid_state = Picture(keyspace);
  workload.Steps(keyspace, 500);
  int failures = 0;
  for (int round = 0; round < 40; ++round) {
    workload.Steps(keyspace, 20);
    const std::string at_begin = Picture(keyspace);
    Begin(keyspace, checkpointer, workload.log_index());
    backend.writes_left =
        workload.random().OneIn(4)
            ? 1 << 30
            : static_cast<int>(workload.random().Below(workload.random().OneIn(2) ? 4 : 40));
    backend.before_put = [&] {
      if (workload.random().OneIn(8)) workload.Step(keyspace);
    };
    const Status status = checkpointer.Run();
    backend.before_put = nullptr;
    backend.writes_left = 1 << 30;
    if (status.ok()) {
      valid_state = at_begin;
    } else {
      ++failures;
      ASSERT_EQ(status.code(), StatusCode::kNoSpace) << status.ToString();
    }
    // What the backend holds at this moment, as a crash would find it (Load removes rows, so on a copy).
    TestBackend copy;
    auto batch = copy.NewBatch();
    auto it = backend.NewIterator({});
    for (it->SeekToFirst(); it->Valid(); it->Next()) batch->Put(it->key(), it->value());
    ASSERT_TRUE(copy.Write({}, batch.get()).ok());
    ASSERT_EQ(Picture(*LoadFrom(copy).keyspace), valid_state) << "round " << round;
  }
  EXPECT_GT(failures, 5);
}

// A key is written twice and deleted. The row of its first value went with an unsynced deletion, which
// is lost when the disk fails at any moment of the checkpoint that knows of the key's end.
TEST(Checkpoint, WhatAFailingDiskBringsBackStaysDead) {
  for (int writes = 0;; ++writes) {
    TestBackend backend;
    Keyspace keyspace(kOptions);
    Checkpointer checkpointer(&keyspace, &backend);
    ASSERT_TRUE(checkpointer.Load(1).ok());
    uint64_t log_index = 0;
    const auto db = [&] { return Db(keyspace, 0, {.now_ms = 1, .log_index = ++log_index}); };
    const auto checkpoint = [&] {
      Begin(keyspace, checkpointer, log_index);
      return checkpointer.Run();
    };
    const auto set = [&](std::string_view value) {
      Db at = db();
      StringSet(at, "key", value, kNoExpiry);
    };
    set("first");
    ASSERT_TRUE(checkpoint().ok());
    const std::map<std::string, std::string> first = backend.AllRows();
    set("second");
    ASSERT_TRUE(checkpoint().ok());

    db().Delete("key");
    backend.writes_left = writes;
    const Status status = checkpoint();
    backend.writes_left = 1 << 30;
    if (backend.failures == 0) {
      ASSERT_TRUE(status.ok());
      EXPECT_GT(writes, 2) << "each of its writes has failed once";
      break;
    }
    backend.PutBack(first);
    ASSERT_TRUE(checkpoint().ok());
    EXPECT_EQ(LoadFrom(backend).keyspace->Digest(0), keyspace.Digest(0))
        << "failed after " << writes << " writes";
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CheckpointProperty, testing::Range<uint64_t>(1, 5));

// The applier went on between Begin and Run for longer than the queue is deep.
TEST(Checkpoint, WhatChangesBeforeTheRunStartsIsNotLost) {
  TestBackend backend;
  Keyspace keyspace(kOptions);
  Checkpointer checkpointer(&keyspace, &backend, {.batch_bytes = 4096, .queue_bytes_max = 1000});
  ASSERT_TRUE(checkpointer.Load(1).ok());
  Workload workload(3);
  workload.Steps(keyspace, 280);
  const std::string at_begin = Picture(keyspace);
  Begin(keyspace, checkpointer, 1);
  workload.Steps(keyspace, 1000);
  ASSERT_TRUE(checkpointer.Run().ok());
  EXPECT_EQ(Picture(*LoadFrom(backend).keyspace), at_begin);
}

// --- what a run costs ---

class CheckpointCost : public testing::Test {
 protected:
  CheckpointCost() : checkpointer_(&keyspace_, &backend_) {
    EXPECT_TRUE(checkpointer_.Load(1).ok());
  }
  Db At() { return Db(keyspace_, 0, {.now_ms = 1, .log_index = ++log_index_}); }
  Checkpointer::Progress Checkpoint() {
    Begin(keyspace_, checkpointer_, log_index_);
    EXPECT_TRUE(checkpointer_.Run().ok());
    return checkpointer_.progress();
  }

  TestBackend backend_;
  Keyspace keyspace_{kOptions};
  Checkpointer checkpointer_;
  uint64_t log_index_ = 0;
};

TEST_F(CheckpointCost, NothingChangedWritesNoRow) {
  for (int i = 0; i < 10000; ++i) {
    Db db = At();
    StringSet(db, "key" + std::to_string(i), "value", kNoExpiry);
  }
  EXPECT_GT(Checkpoint().pages_written, 300u);
  EXPECT_EQ(Checkpoint().pages_written, 0u);
  Db db = At();
  StringSet(db, "key77", "other", kNoExpiry);
  EXPECT_EQ(Checkpoint().pages_written, 2u) << "a page, and a block of modification cells";
}

TEST_F(CheckpointCost, AFieldOfALargeHashWritesItsPiece) {
  {
    Db db = At();
    HashWriter writer(db, "hash");
    for (int i = 0; i < 10000; ++i) writer.Set("field" + std::to_string(i), std::string(100, 'v'));
  }
  EXPECT_GT(Checkpoint().pages_written, 10000u / 64);
  {
    Db db = At();
    HashWriter writer(db, "hash");
    writer.Set("field5000", "changed");
  }
  const Checkpointer::Progress progress = Checkpoint();
  EXPECT_EQ(progress.pages_written, 3u) << "a piece, the page, the cells";
  EXPECT_LT(progress.bytes_written, 20'000u);
}

TEST_F(CheckpointCost, AppendingToALargeStringWritesItsTail) {
  Db first = At();
  StringSet(first, "string", std::string(20 << 20, 's'), kNoExpiry);
  EXPECT_GT(Checkpoint().bytes_written, 20u << 20);
  Db second = At();
  StringAppend(second, "string", "tail");
  EXPECT_LT(Checkpoint().bytes_written, 300'000u);
  const Loaded loaded = LoadFrom(backend_);
  Db db(*loaded.keyspace, 0, {});
  EXPECT_EQ(StringLength(*db.Find("string")), (20u << 20) + 4);
}

TEST_F(CheckpointCost, FlushingADatabaseWritesAlmostNothing) {
  for (int i = 0; i < 10000; ++i) {
    Db db = At();
    StringSet(db, "key" + std::to_string(i), "value", kNoExpiry);
  }
  Checkpoint();
  Db db = At();
  db.Clear();
  EXPECT_LE(Checkpoint().pages_written, 1u);
  EXPECT_LT(backend_.Rows(), 600u) << "only the modification cells remain";
  EXPECT_EQ(Picture(*LoadFrom(backend_).keyspace), Picture(keyspace_));
}

TEST_F(CheckpointCost, ADeletedLargeValueLeavesNoRow) {
  Checkpoint();
  const size_t empty = backend_.Rows();
  {
    Db db = At();
    StringSet(db, "string", std::string(3 << 20, 's'), kNoExpiry);
  }
  Checkpoint();
  EXPECT_GT(backend_.Rows(), empty + 12);
  At().Delete("string");
  Checkpoint();
  EXPECT_EQ(backend_.Rows(), empty + 1) << "the block of modification cells";
}

TEST_F(CheckpointCost, KeysAndFieldsOfMegabytesAreStoredInParts) {
  const std::string long_key(3 << 20, 'k');
  {
    Db db = At();
    StringSet(db, long_key, "value", kNoExpiry);
    HashWriter writer(db, "hash");
    writer.Set("large", std::string(5 << 20, 'v'));
    writer.Set("small", "v");
  }
  Checkpoint();
  EXPECT_EQ(Picture(*LoadFrom(backend_).keyspace), Picture(keyspace_));
  At().Delete(long_key);
  {
    Db db = At();
    HashWriter writer(db, "hash");
    writer.Set("large", "not any more");
  }
  Checkpoint();
  const size_t rows = backend_.Rows();
  EXPECT_EQ(Picture(*LoadFrom(backend_).keyspace), Picture(keyspace_));
  EXPECT_EQ(backend_.Rows(), rows);
  EXPECT_LE(rows, 6u) << "no part is left behind";
}

}  // namespace
}  // namespace kiwi::keyspace
