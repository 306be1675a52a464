// A leaf of a slot's table: up to 32 objects whose hashes share their top `depth` bits, found by
// 8-bit fingerprints compared 16 at a time. A leaf is also the unit of the checkpoint (a page).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "keyspace/body.h"
#include "keyspace/object.h"

namespace kiwi::keyspace {

inline constexpr uint32_t kNeverDue = 0xffffffff;

// Expiry times in a leaf's header, where 32 bits must do: units of 256 ms since 2020, rounded
// down, saturating at both ends. A lower bound is all that the header promises.
uint32_t DueUnits(int64_t at_ms);

class Leaf {
 public:
  // Above this a leaf splits; only hashes that collide in all bits a table may use make it larger.
  static constexpr size_t kSplitCount = 32;

  static Leaf* New(int depth, size_t capacity);
  static void Free(Leaf* leaf);  // not the objects
  // The same leaf with room for at least `capacity` (>= count), old pointers to it being invalid.
  static Leaf* Resize(Leaf* leaf, size_t capacity);
  // The capacity that holds n at the least memory.
  static size_t CapacityFor(size_t n);

  size_t count() const { return count_; }
  size_t capacity() const;
  int depth() const { return static_cast<int>(depth_); }
  void set_depth(int depth) { depth_ = static_cast<uint32_t>(depth) & 0x3f; }
  size_t memory_bytes() const;

  Object* at(size_t i) const { return pointers()[i]; }
  void set(size_t i, Object* object) { pointers()[i] = object; }
  // Asks for all its cache lines at once: which one holds the wanted pointer is known only after the
  // first has come.
  void Prefetch() const {
    for (size_t offset = 0; offset < 320; offset += 64) {
      __builtin_prefetch(reinterpret_cast<const char*>(this) + offset);
    }
  }
  // Asks for the object that Find(hash) will most likely look at first.
  void PrefetchObject(uint64_t hash) const;
  static constexpr size_t kNotFound = ~size_t{0};
  size_t Find(uint64_t hash, std::string_view key) const;
  void Add(uint64_t hash, Object* object);  // count() < capacity()
  void RemoveAt(size_t i);                  // the last takes its place

  Mark& mark() { return mark_; }
  const Mark& mark() const { return mark_; }

  // No object expires before it; kNeverDue: none expires at all. Lowered under the exclusive lock;
  // raised to the exact value under the shared lock, where all threads compute the same.
  uint32_t min_due() const { return min_due_.load(std::memory_order_relaxed); }
  void LowerMinDue(uint32_t due) {
    if (due < min_due()) min_due_.store(due, std::memory_order_relaxed);
  }
  uint32_t RecomputeMinDue() const;

 private:
  explicit Leaf(int depth, unsigned step)
      : count_(0), depth_(static_cast<uint32_t>(depth) & 0x3f), step_(step & 0x1f) {}
  static size_t StepCapacity(unsigned step);
  static unsigned StepFor(size_t n);
  static size_t BytesFor(size_t capacity);

  uint8_t* fingerprints() const {
    return reinterpret_cast<uint8_t*>(const_cast<Leaf*>(this)) + sizeof(Leaf);
  }
  Object** pointers() const {
    return reinterpret_cast<Object**>(fingerprints() + ((capacity() + 7) & ~size_t{7}));
  }

  Mark mark_;
  mutable std::atomic<uint32_t> min_due_{kNeverDue};
  uint32_t count_ : 21;
  uint32_t depth_ : 6;
  uint32_t step_ : 5;
};

static_assert(sizeof(Leaf) == 16);

}  // namespace kiwi::keyspace
