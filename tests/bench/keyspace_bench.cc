// What one operation on a million keys of 16 bytes with values of 64 bytes costs, the shard's lock
// included.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/random.h"
#include "keyspace/keyspace.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"

namespace kiwi::keyspace {
namespace {

constexpr uint64_t kKeys = 1'000'000;
constexpr int64_t kNowMs = 1'700'000'000'000;

std::string_view MakeKey(char (&buffer)[32], uint64_t n) {
  std::snprintf(buffer, sizeof(buffer), "key:%012llu", static_cast<unsigned long long>(n));
  return {buffer, 16};
}

void Set(Keyspace& keyspace, std::string_view key, uint64_t log_index) {
  static const std::string value(64, 'v');
  ShardSet shards;
  shards.AddKey(key);
  const ShardLock lock(keyspace, shards, LockMode::kExclusive);
  Db db(keyspace, 0, {.now_ms = kNowMs, .log_index = log_index});
  StringSet(db, key, value, kNoExpiry);
}

Keyspace& Filled() {
  static const auto keyspace = [] {
    auto made = std::make_unique<Keyspace>(KeyspaceOptions{.databases = 16, .hash_seed = 1});
    char buffer[32];
    for (uint64_t i = 0; i < kKeys; ++i) Set(*made, MakeKey(buffer, i), i + 1);
    return made;
  }();
  return *keyspace;
}

void BM_KeyAndSlotOnly(benchmark::State& state) {
  Random random(1);
  char buffer[32];
  for (auto _ : state) {
    const std::string_view key = MakeKey(buffer, random.Below(kKeys));
    benchmark::DoNotOptimize(KeySlot(key));
    benchmark::DoNotOptimize(Hash64(key, 1));
  }
}
BENCHMARK(BM_KeyAndSlotOnly);

void BM_Find(benchmark::State& state) {
  Keyspace& keyspace = Filled();
  Random random(2);
  char buffer[32];
  for (auto _ : state) {
    const std::string_view key = MakeKey(buffer, random.Below(kKeys));
    ShardSet shards;
    shards.AddKey(key);
    const ShardLock lock(keyspace, shards, LockMode::kShared);
    const Db db(keyspace, 0, {.now_ms = kNowMs});
    benchmark::DoNotOptimize(db.Find(key));
  }
}
BENCHMARK(BM_Find);

void BM_FindMissing(benchmark::State& state) {
  Keyspace& keyspace = Filled();
  Random random(3);
  char buffer[32];
  for (auto _ : state) {
    const std::string_view key = MakeKey(buffer, kKeys + random.Below(kKeys));
    ShardSet shards;
    shards.AddKey(key);
    const ShardLock lock(keyspace, shards, LockMode::kShared);
    const Db db(keyspace, 0, {.now_ms = kNowMs});
    benchmark::DoNotOptimize(db.Find(key));
  }
}
BENCHMARK(BM_FindMissing);

void BM_SetOver(benchmark::State& state) {
  Keyspace& keyspace = Filled();
  Random random(4);
  char buffer[32];
  uint64_t log_index = kKeys;
  for (auto _ : state) Set(keyspace, MakeKey(buffer, random.Below(kKeys)), ++log_index);
}
BENCHMARK(BM_SetOver);

void BM_InsertAndDelete(benchmark::State& state) {
  Keyspace& keyspace = Filled();
  Random random(5);
  char buffer[32];
  uint64_t log_index = 2 * kKeys;
  for (auto _ : state) {
    const std::string_view key = MakeKey(buffer, kKeys + random.Below(kKeys));
    Set(keyspace, key, ++log_index);
    Db db(keyspace, 0, {.now_ms = kNowMs, .log_index = ++log_index});
    db.Delete(key);
  }
}
BENCHMARK(BM_InsertAndDelete);

void BM_HashSetInLargeHash(benchmark::State& state) {
  Keyspace keyspace({.databases = 1, .hash_seed = 1});
  Db db(keyspace, 0, {.now_ms = kNowMs, .log_index = 1});
  Random random(6);
  char buffer[32];
  HashWriter writer(db, "hash");
  for (uint64_t i = 0; i < 100'000; ++i) writer.Set(MakeKey(buffer, i), "value");
  for (auto _ : state) writer.Set(MakeKey(buffer, random.Below(100'000)), "other");
}
BENCHMARK(BM_HashSetInLargeHash);

}  // namespace
}  // namespace kiwi::keyspace
