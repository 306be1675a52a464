// Brings what a batch of keys is about to touch into the cache, all keys a step at a time: table,
// directory, leaf, object. One key after the other would wait for four misses in a row each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "keyspace/keyspace.h"

namespace kiwi::keyspace {

class SlotTable;
class Leaf;

// For the applier alone: it reads without shard locks, as only the one writer may.
class Prefetch {
 public:
  // As many as the processor can wait for at once, and then some.
  static constexpr size_t kKeysMax = 16;

  explicit Prefetch(Keyspace& keyspace) : keyspace_(keyspace) {}
  bool full() const { return count_ == kKeysMax; }
  void Add(int db, std::string_view key);  // not when full
  // For the keys added, which are then forgotten.
  void Run();

 private:
  struct Key {
    const SlotTable* table;
    const Leaf* leaf;
    uint64_t hash;
  };

  Keyspace& keyspace_;
  size_t count_ = 0;
  std::array<Key, kKeysMax> keys_;
};

}  // namespace kiwi::keyspace
