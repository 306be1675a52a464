// The applier on a thread that must not wait, beside a checkpoint whose disk is slower than it.
#include "server/applier.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "keyspace/types/string_value.h"
#include "storage/factory.h"

namespace kiwi::server {
namespace {

class ApplierTest : public testing::Test {
 protected:
  static constexpr int kKeys = 4000;

  ApplierTest() {
    keyspace::ShardSet all;
    all.AddAll();
    const keyspace::ShardLock lock(keyspace_, all, keyspace::LockMode::kExclusive);
    keyspace::Db db(keyspace_, 0, {.now_ms = 1});
    for (int i = 0; i < kKeys; ++i) {
      keyspace::StringSet(db, Key(i), std::string(400, 'o'), keyspace::kNoExpiry);
    }
  }
  static std::string Key(int i) { return "key:" + std::to_string(i); }
  // Overwrites the keys in [from, to).
  static raft::Entry EntryOf(raft::LogIndex index, int from, int to) {
    std::string bytes;
    raft::AppendEnvelope({.time_ms = 1, .seed = 1}, &bytes);
    for (int i = from; i < to; ++i) {
      const std::string key = Key(i);
      const std::string_view args[] = {"set", key, "new"};
      raft::AppendCommand(0, args, &bytes);
    }
    return {1, index, raft::EntryType::kNormal,
            std::make_shared<const std::string>(std::move(bytes))};
  }
  bool IsNew(int i) {
    keyspace::ShardSet shard;
    shard.AddKey(Key(i));
    const keyspace::ShardLock lock(keyspace_, shard, keyspace::LockMode::kShared);
    return keyspace::StringLength(*keyspace::Db(keyspace_, 0, {.now_ms = 1}).FindNoTouch(Key(i))) ==
           3;
  }

  std::unique_ptr<storage::Backend> backend_ = storage::OpenBackend({.name = "memory"}).value();
  keyspace::Keyspace keyspace_{keyspace::KeyspaceOptions{}};
  keyspace::Checkpointer checkpointer_{&keyspace_, backend_.get(), {.queue_bytes_max = 1 << 20}};
  Applier applier_{&keyspace_, &checkpointer_, nullptr, 1};
};

TEST_F(ApplierTest, WhatACheckpointFallsBehindWithIsLeftToAThreadThatMayWait) {
  const raft::Entry before = EntryOf(1, 0, 10);
  EXPECT_TRUE(applier_.ApplyWithoutWaiting(before, {}).ok());
  applier_.BeginCheckpoint({.index = 1, .term = 1, .conf_state = {}}, {});

  // The checkpoint's thread does not come to write: what it needs would have to be written here.
  const raft::Entry many = EntryOf(2, 0, kKeys);
  EXPECT_EQ(applier_.ApplyWithoutWaiting(many, {}).code(), StatusCode::kBusy);
  EXPECT_EQ(checkpointer_.progress().pages_written, 0u);
  EXPECT_TRUE(IsNew(10)) << "it begins";
  EXPECT_FALSE(IsNew(kKeys - 1)) << "and stops where much waits";
  EXPECT_EQ(applier_.ApplyWithoutWaiting(many, {}).code(), StatusCode::kBusy) << "still";
  EXPECT_EQ(checkpointer_.progress().pages_written, 0u);

  EXPECT_TRUE(applier_.Apply(many, {}).ok()) << "a worker goes on from there";
  EXPECT_GT(checkpointer_.progress().pages_written, 0u);
  EXPECT_TRUE(IsNew(kKeys - 1));

  EXPECT_TRUE(applier_.RunCheckpoint().ok());
  EXPECT_TRUE(applier_.ApplyWithoutWaiting(EntryOf(3, 0, kKeys), {}).ok()) << "nothing waits";
}

}  // namespace
}  // namespace kiwi::server
