// The insides of Keyspace, for the files of keyspace/ that work on them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "keyspace/db_shard.h"
#include "keyspace/keyspace.h"
#include "keyspace/modified_cells.h"
#include "keyspace/reaper.h"
#include "keyspace/tracker.h"

namespace kiwi::keyspace {

class KeyWalk;

// What a logical database holds at the moment. FLUSHDB puts a fresh one in its place, with an id of
// its own, and SWAPDB exchanges two: neither touches a key.
struct Database {
  explicit Database(uint32_t database_id) : id(database_id) {}
  const uint32_t id;  // never used again
  // Told of keys that are created and removed. Changed with all shards held, shared, and walks_mu.
  std::vector<KeyWalk*> key_walks;
  std::array<std::unique_ptr<DbShard>, kShardCount> shards;  // [i] guarded by shard i's lock
};

struct alignas(64) ShardState {
  SharedMutex mu;
  std::atomic<int64_t> bytes{0};
  ModifiedCells cells;  // guarded by mu
};

struct Keyspace::Impl {
  explicit Impl(const KeyspaceOptions& keyspace_options);
  ~Impl();

  Database& database(int index) { return *databases[static_cast<size_t>(index)]; }
  ShardState& shard(int index) { return shards[static_cast<size_t>(index)]; }
  // Null when nothing was ever put there.
  DbShard* FindShard(int db, int shard_index) {
    return database(db).shards[static_cast<size_t>(shard_index)].get();
  }
  // For writing: made when missing. The shard is held exclusively.
  DbShard& MakeShard(Database& database, int shard_index);
  // What a shard of each database shares with the others.
  DbShard::Shared SharedWith(int shard_index);
  // Frees an object that left the keyspace, with its body.
  void FreeObject(Object* object);
  void FreeBody(Body* body);

  KeyspaceOptions options;
  // Declared before what reports to them.
  ChangeTracker tracker;
  Reaper reaper;
  std::array<ShardState, kShardCount> shards;

  // Changed with all shards held exclusively.
  std::vector<std::shared_ptr<Database>> databases;  // by logical index
  std::vector<uint64_t> floors;                      // a database's keys count as modified up to it
  uint32_t next_database_id = 1;
  std::function<void()> between_holds;
  Mutex walks_mu;  // taken with shards held; walks that begin and end at one time
  std::vector<uint32_t> dropped_databases;  // ids whose rows the next checkpoint makes void
};

constexpr int ShardOf(uint16_t slot) { return slot / kSlotsPerShard; }

// A cursor is a position in the order of keys: the slot above the hash's top bits. Leaves begin at
// multiples of 2^32, so that no bit that is cut off matters.
inline constexpr int kCursorHashBits = 50;

constexpr uint64_t MakeCursor(uint64_t slot, uint64_t hash) {
  return slot << kCursorHashBits | hash >> (64 - kCursorHashBits);
}
constexpr uint32_t CursorSlot(uint64_t cursor) {
  return static_cast<uint32_t>(cursor >> kCursorHashBits);
}
constexpr uint64_t CursorHash(uint64_t cursor) { return cursor << (64 - kCursorHashBits); }

}  // namespace kiwi::keyspace
