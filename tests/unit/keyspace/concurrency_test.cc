// One applier, readers and a checkpoint at the same time: for the thread sanitizer, and that what is
// stored is the state at Begin.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "keyspace/checkpoint.h"
#include "test_backend.h"
#include "workload.h"

namespace kiwi::keyspace {
namespace {

TEST(Concurrency, ApplierReadersAndCheckpointsDoNotDisturbEachOther) {
  TestBackend backend;
  Keyspace keyspace({.databases = 2, .hash_seed = 3});
  Checkpointer checkpointer(&keyspace, &backend,
                            {.batch_bytes = 16 << 10, .queue_bytes_max = 64 << 10});
  ASSERT_TRUE(checkpointer.Load(1).ok());
  Workload workload(17);
  workload.Steps(keyspace, 500);

  std::atomic<bool> stop{false};
  std::atomic<uint64_t> found{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&, r] {
      Random random(static_cast<uint64_t>(r));
      while (!stop) {
        const uint64_t n = random.Below(600);
        const std::string key = (n < 300 ? "{one}" : "k") + std::to_string(n);
        ShardSet shards;
        shards.AddKey(key);
        const ShardLock lock(keyspace, shards, LockMode::kShared);
        const Db db(keyspace, static_cast<int>(random.Below(2)), {.now_ms = 1500 + r});
        const Object* object = db.Find(key);
        if (object == nullptr) continue;
        ++found;
        if (object->type() == Type::kHash) {
          HashReader(*object).ForEach([&](HashField field) { found += field.value.size() > 100; });
        } else {
          StringScratch scratch;
          found += StringBytes(*object, scratch).size() > 1'000'000;
        }
        std::vector<Keyspace::ExpiredKey> expired;
        keyspace.CollectExpired(KeySlot(key) / kSlotsPerShard, 50'000, 10, &expired);
      }
    });
  }
  // The applier and Begin take turns at a lock, as the node's applier does both.
  Mutex apply_mu;
  std::thread applier([&] {
    while (!stop) {
      const MutexLock lock(apply_mu);
      workload.Step(keyspace);
    }
  });

  for (int round = 0; round < 8; ++round) {
    std::array<uint8_t, 20> at_begin;
    {
      const MutexLock apply_lock(apply_mu);
      ShardSet all;
      all.AddAll();
      const ShardLock lock(keyspace, all, LockMode::kExclusive);
      checkpointer.Begin({.applied_index = workload.log_index(), .host = ""});
      at_begin = keyspace.Digest(0);
    }
    const Status status = checkpointer.Run();
    ASSERT_TRUE(status.ok()) << status.ToString();
    Keyspace loaded({.databases = 2});
    Checkpointer loader(&loaded, &backend);
    const auto meta = loader.Load(2);
    ASSERT_TRUE(meta.ok()) << meta.status().ToString();
    ASSERT_EQ(loaded.Digest(0), at_begin) << "round " << round;
  }
  stop = true;
  applier.join();
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(found, 0u);
}

}  // namespace
}  // namespace kiwi::keyspace
