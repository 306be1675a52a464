// The data: databases of keys in memory, split into lock shards by hash slot.
//
// Locking. A shard is 256 consecutive slots, over all databases. Who executes a command first takes
// the shards of all its keys, in ascending order (ShardLock): shared for reads, exclusive for
// writes. Only the applier writes. Nothing in keyspace/ takes a shard lock by itself.
//
// Determinism. Every mutation is a function of the state, the arguments and the Moment; after the
// same log each node holds the same state, in the same order of iteration.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/hash.h"
#include "base/mutex.h"
#include "base/random.h"
#include "keyspace/object.h"

namespace kiwi::keyspace {

inline constexpr int kShardCount = 64;
inline constexpr int kSlotsPerShard = kSlotCount / kShardCount;

// A set of shards, a bit each.
class ShardSet {
 public:
  void AddKey(std::string_view key) { AddSlot(KeySlot(key)); }
  void AddSlot(uint16_t slot) { bits_ |= uint64_t{1} << (slot / kSlotsPerShard); }
  void AddAll() { bits_ = ~uint64_t{0}; }
  void Merge(ShardSet other) { bits_ |= other.bits_; }
  bool empty() const { return bits_ == 0; }
  uint64_t bits() const { return bits_; }

 private:
  uint64_t bits_ = 0;
};

class WallView;  // wall_view.h

// The moment at which a command acts: that of the log entry which is applied, or for a read that of
// the last entry whose effects it may see.
struct Moment {
  int64_t now_ms = 0;        // the replicated clock: keys whose time is at or before it are gone
  uint64_t log_index = 0;    // of the entry that is applied; 0 for reads
  uint32_t access_s = 0;     // of a read: accesses are noted as of this second, if it is later
  WallView* wall = nullptr;  // of a read, told of each object that expires; null in apply
};

// What Db::Find of the calling thread has found, since the thread began.
struct LookupCounts {
  uint64_t hits = 0;
  uint64_t misses = 0;
};
LookupCounts ThreadLookups();

class Keyspace;

enum class LockMode : uint8_t { kShared, kExclusive };

// How long a thread may wait for its shards.
enum class LockWait : uint8_t {
  kLong,   // in its turn
  kBrief,  // likewise, but shared locks are taken beside present readers though a writer waits for
           // them: for reads that are over at once
  kNever,  // not at all (net loops); shared locks as with kBrief
};

// Holds the locks of a set of shards. Taken in ascending order, so that holders cannot deadlock;
// never take a second one while holding one.
class ShardLock {
 public:
  ShardLock(Keyspace& keyspace, ShardSet shards, LockMode mode, LockWait wait = LockWait::kLong);
  ~ShardLock();
  ShardLock(const ShardLock&) = delete;
  ShardLock& operator=(const ShardLock&) = delete;

  // False, only with kNever: somebody else has one of the shards, and nothing is held.
  bool held() const { return held_; }

 private:
  bool Take(SharedMutex& mu, LockWait wait);
  void Release(uint64_t bits);

  Keyspace& keyspace_;
  const uint64_t bits_;
  const LockMode mode_;
  bool held_ = true;
};

struct KeyspaceOptions {
  int databases = 16;
  uint64_t hash_seed = 0;  // cluster state: equal on all nodes, stored with the checkpoint
  // Limits of the packed encodings, as hash-max-listpack-entries / -value. Cluster state too: they
  // decide when a value changes its encoding, and with it the order of its fields.
  uint32_t hash_max_listpack_entries = 512;
  uint32_t hash_max_listpack_value = 64;
};

class Keyspace {
 public:
  explicit Keyspace(const KeyspaceOptions& options);
  ~Keyspace();
  Keyspace(const Keyspace&) = delete;
  Keyspace& operator=(const Keyspace&) = delete;

  const KeyspaceOptions& options() const;
  int databases() const;
  SharedMutex& shard_mutex(int shard);

  // Changes the limits of the packed encodings, for later conversions. All shards held exclusively.
  void SetHashLimits(uint32_t max_listpack_entries, uint32_t max_listpack_value);

  // What long reads do between two holds of their locks, on their threads. Set before the first one;
  // never called by a thread that holds a shard.
  void SetBetweenHolds(std::function<void()> run);
  void BetweenHolds();

  // Exchanges two databases (SWAPDB). All shards held exclusively.
  void SwapDatabases(int a, int b, const Moment& moment);

  // Puts all that another keyspace holds in the place of what this one holds: data, seed, limits,
  // modification cells. Watches stay exact, since the cells are part of the state. `loaded`, which
  // nobody else uses and no checkpoint runs on, is spent: it may only be destroyed. All shards of
  // this one held exclusively, no checkpoint running; what was here is freed in the background.
  void TakeContents(Keyspace& loaded);

  // Keys whose time has come, for the leader's active expiry: up to `limit` of (db, key), those
  // collected ordered by their time. Costs nothing to speak of while none is due. Takes no lock
  // itself: the caller holds the shard (shared is enough).
  struct ExpiredKey {
    int db;
    std::string key;
  };
  void CollectExpired(int shard, int64_t now_ms, size_t limit, std::vector<ExpiredKey>* out) const;

  // Bytes of all objects and tables, as accounted (for maxmemory and INFO). Any thread.
  uint64_t memory_bytes() const;
  // What was flushed or deleted and waits for the thread that frees it. Any thread.
  size_t pending_frees() const;
  uint64_t background_frees() const;  // since the start

  // Equal data gives an equal digest, whatever the order in which it came (DEBUG DIGEST): 20 bytes,
  // all zero when empty. All shards held. Live keys only at now_ms.
  std::array<uint8_t, 20> Digest(int64_t now_ms) const;
  static std::array<uint8_t, 20> ValueDigest(const Object& object);

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// One database as seen and changed at one moment, under the shard locks that the caller holds. A
// cheap value: make one a command.
//
// Reads treat a key that is expired at the moment as missing and leave it in place. Mutations
// remove such a key first.
class Db {
 public:
  Db(Keyspace& keyspace, int index, const Moment& moment);

  Keyspace& keyspace() const { return keyspace_; }
  int index() const;
  const Moment& moment() const;
  // For what is shown and decides nothing (TTL, OBJECT IDLETIME): the later of the replicated clock
  // and, for a read, the wall clock. The former stands still while nobody writes.
  int64_t display_ms() const;

  // --- reads: the key's shard is held, shared or exclusive ---
  const Object* Find(std::string_view key) const;  // null: missing; notes the access (LRU/LFU)
  const Object* FindNoTouch(std::string_view key) const;
  // Tells the moment's wall view of the key, as finding it would, or of what is due in the whole
  // database (all shards held).
  void NoteExpired(std::string_view key) const { FindNoTouch(key); }
  void NoteAllExpired() const;
  // True when the key was changed (set, deleted, expired away, flushed) at a log index above since.
  // May be true without need (neighbours share a cell), never false wrongly.
  bool ModifiedSince(std::string_view key, uint64_t since) const;

  // --- writes: the key's shard is held exclusively ---
  bool Delete(std::string_view key);
  bool DeleteExpired(std::string_view key);  // true if it was there, and past its time
  // The key must exist. at_ms at or before the moment deletes the key (as Redis does).
  bool SetExpiry(std::string_view key, int64_t at_ms);
  bool ClearExpiry(std::string_view key);  // true if there was one
  // Moves the value with its expiry over whatever `to` held, in this or another database. False if
  // `from` is missing. The two shards are held.
  bool Rename(std::string_view from, Db& to_db, std::string_view to);
  // The same, leaving the source. The caller has made sure that `to` does not exist or may go.
  bool Copy(std::string_view from, Db& to_db, std::string_view to);

  // --- whole database: all shards are held ---
  uint64_t size() const;           // keys, those expired but not yet removed included, as in Redis
  uint64_t expiring_size() const;  // keys with a time to live
  int64_t average_ttl_ms() const;
  void Clear();
  // Visits every live key in cursor order.
  void ForEach(FunctionRef<void(const Object&)> visit) const;
  // Uniform enough; null when empty, or when no draw met a live key.
  const Object* DrawKey(Random& random) const;
  const Object* FirstKey() const;  // in that order; null when none is live
  // Visits about `count` keys behind the cursor (0: the start), fewer where thousands have expired
  // or were deleted, and returns the next cursor (0: the end was reached). Each key that stays
  // throughout is visited, exactly once while no key is
  // renamed. Works between any mutations, restarts and on other nodes: the order is by slot, then
  // seeded hash.
  uint64_t Scan(uint64_t cursor, size_t count, FunctionRef<void(const Object&)> visit) const;
  uint64_t CountInSlot(uint16_t slot) const;
  void ForEachInSlot(uint16_t slot, FunctionRef<bool(const Object&)> visit) const;  // false: stop

 private:
  friend class Edit;
  friend class Keyspace;
  const Object* FindStored(std::string_view key) const;
  const Object* Live(std::string_view key) const;
  bool IsLive(const Object& object) const { return !object.has_expiry() || IsLiveExpiring(object); }
  bool IsLiveExpiring(const Object& object) const;
  void NoteContents(const Db& contents);

  Keyspace& keyspace_;
  const int index_;
  const Moment moment_;
};

}  // namespace kiwi::keyspace
