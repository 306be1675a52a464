// The keys of one shard of one database: a table a slot, with what is counted over them. Guarded by
// the shard's lock.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/hash.h"
#include "keyspace/keyspace.h"
#include "keyspace/slot_table.h"
#include "keyspace/tracker.h"

namespace kiwi::keyspace {

// Where a leaf is to be found again: its slot in the shard, and the top bits of its first hash.
struct DirtyLeaf {
  uint32_t prefix;
  uint32_t slot_in_shard;
  friend auto operator<=>(const DirtyLeaf&, const DirtyLeaf&) = default;
};

class DbShard {
 public:
  // What it shares with the other databases; outlives it.
  struct Shared {
    ChangeTracker* tracker;
    uint64_t hash_seed;
    std::atomic<int64_t>* bytes;  // of the shard over all databases
  };

  DbShard(const Shared& shared, uint32_t db);
  DbShard(const DbShard&) = delete;
  DbShard& operator=(const DbShard&) = delete;

  uint64_t Hash(std::string_view key) const { return Hash64(key, shared_.hash_seed); }
  SlotTable& table(uint16_t slot) { return tables_[slot % kSlotsPerShard]; }
  const SlotTable& table(uint16_t slot) const { return tables_[slot % kSlotsPerShard]; }

  // --- changes ---
  // The leaf is about to change.
  void LeafChanging(uint16_t slot, uint64_t hash, Leaf& leaf);
  void Insert(uint16_t slot, uint64_t hash, Object* object);
  // Takes the i-th object out of the leaf for the hash; the caller owns it.
  Object* RemoveAt(uint16_t slot, uint64_t hash, size_t i);
  // Puts another object of the same key in its place; the caller owns the old one.
  void ReplaceAt(Leaf& leaf, uint16_t slot, size_t i, Object* fresh);
  // An object's expiry went from one time to the other in place (kNoExpiry: none).
  void ExpiryChanged(Leaf& leaf, uint16_t slot, int64_t from_ms, int64_t to_ms);
  void AddBytes(int64_t delta);
  // Loading: a leaf as it was stored. False: it overlaps another.
  bool Install(uint16_t slot, uint64_t first_hash, Leaf* leaf);

  // It belongs to another keyspace from now on, which accounts its bytes. Equal seeds.
  void MoveTo(const Shared& shared);

  // --- reads ---
  uint64_t count() const { return count_; }
  uint64_t expiring() const { return expiring_; }
  // Sum of the expiry times, for averages.
  __int128 expiry_sum() const { return expiry_sum_; }
  int64_t bytes() const { return bytes_; }
  // Visits the leaf's objects of hashes from `from` on, in the order of hash, then key. False from
  // visit stops, and is returned; so below.
  bool VisitInOrder(const Leaf& leaf, uint64_t from, FunctionRef<bool(const Object&)> visit) const;
  bool ForEachInSlot(uint16_t slot, FunctionRef<bool(const Object&)> visit) const;
  void ForEachInOrder(FunctionRef<bool(const Object&)> visit) const;
  // The n-th object in that order; n < count().
  const Object* Nth(uint64_t n) const;
  // Appends up to `limit` due objects.
  void CollectDue(int64_t now_ms, size_t limit, std::vector<const Object*>* out) const;

  // --- the checkpoint's lists ---
  std::vector<DirtyLeaf>& dirty() { return dirty_; }  // changed in this generation
  std::vector<DirtyLeaf>& frozen() {
    return frozen_;
  }  // what the last Begin took, until it is safe

 private:
  void LowerSlotDue(uint16_t slot, uint32_t due);

  Shared shared_;
  const uint32_t db_;
  uint64_t count_ = 0;
  uint64_t expiring_ = 0;
  __int128 expiry_sum_ = 0;
  int64_t bytes_ = 0;
  std::vector<DirtyLeaf> dirty_;
  std::vector<DirtyLeaf> frozen_;
  std::unique_ptr<std::atomic<uint32_t>[]> slot_due_;  // as Leaf::min_due; null: none expires
  std::array<SlotTable, kSlotsPerShard> tables_;
};

}  // namespace kiwi::keyspace
