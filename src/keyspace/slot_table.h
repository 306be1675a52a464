// The keys of one slot of one database: an extendible hash over the seeded hash's top bits. A full
// leaf splits in two; the directory, an array of pointers, doubles when a leaf needs more bits than
// it has. No rehash of more than a leaf, ever. Order is by hash, so a position in it stays
// meaningful whatever is added or removed.
#pragma once

#include <cstdint>

#include "base/function_ref.h"
#include "keyspace/leaf.h"

namespace kiwi::keyspace {

class SlotTable {
 public:
  // Positions in a leaf's key of rows have 32 bits, so no leaf is deeper.
  static constexpr int kDepthMax = 32;

  SlotTable() = default;
  ~SlotTable();  // frees the objects, too, with their bodies
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;

  size_t count() const { return count_; }
  // The leaf that covers the hash; null: none was needed yet.
  Leaf* LeafFor(uint64_t hash) const {
    if (depth_ == 0) return leaf_;
    return directory_[hash >> (64 - depth_)];
  }
  Object* Find(uint64_t hash, std::string_view key) const;
  // Asks for the cache line that LeafFor(hash) reads.
  void PrefetchLeafPointer(uint64_t hash) const {
    if (depth_ > 0) __builtin_prefetch(directory_ + (hash >> (64 - depth_)));
  }

  // Puts an empty leaf where LeafFor(hash) is null.
  Leaf* AddLeaf(uint64_t hash);
  // Whether the leaf for the hash has to split before one more fits.
  bool NeedsSplit(uint64_t hash) const;
  // Splits the leaf for the hash: the lower half keeps its mark, the upper one is returned with a
  // fresh mark. rehash gives an object's hash.
  Leaf* Split(uint64_t hash, FunctionRef<uint64_t(const Object&)> rehash);
  // The leaf for the hash has room. May move the leaf; returns where it is.
  Leaf* Insert(uint64_t hash, Object* object);
  // Takes the i-th object out of the leaf for the hash; the caller owns it.
  Leaf* RemoveAt(uint64_t hash, size_t i);

  // Leaves in order of hash, from the one that covers `from` on, with the first hash each covers.
  // False from visit stops.
  void ForEachLeaf(uint64_t from, FunctionRef<bool(uint64_t first_hash, Leaf& leaf)> visit) const;
  // Loading: installs a leaf at its place, deepening the directory as needed. False: it overlaps
  // another.
  bool Install(uint64_t first_hash, Leaf* leaf);

  size_t directory_bytes() const;

 private:
  static size_t LeafStart(uint64_t hash, int depth, int directory_depth);
  size_t DirectorySize() const { return size_t{1} << depth_; }
  bool MaySplit(const Leaf& leaf) const;
  void Deepen();
  void Point(uint64_t hash, int depth, Leaf* leaf);
  Leaf* Resized(uint64_t hash, Leaf* leaf, size_t capacity);

  union {
    Leaf* leaf_ = nullptr;  // depth_ == 0
    Leaf** directory_;
  };
  uint32_t count_ = 0;
  int32_t depth_ = 0;
};

static_assert(sizeof(SlotTable) == 16);

}  // namespace kiwi::keyspace
