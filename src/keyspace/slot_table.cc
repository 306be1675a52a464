#include "keyspace/slot_table.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/check.h"
#include "keyspace/memory.h"

namespace kiwi::keyspace {

SlotTable::~SlotTable() {
  ForEachLeaf(0, [](uint64_t, Leaf& leaf) {
    for (size_t i = 0; i < leaf.count(); ++i) {
      const BodyRef body(leaf.at(i)->body());
      Object::Free(leaf.at(i));
    }
    Leaf::Free(&leaf);
    return true;
  });
  if (depth_ > 0) std::free(directory_);
}

Object* SlotTable::Find(uint64_t hash, std::string_view key) const {
  const Leaf* leaf = LeafFor(hash);
  if (leaf == nullptr) return nullptr;
  leaf->Prefetch();
  const size_t i = leaf->Find(hash, key);
  return i == Leaf::kNotFound ? nullptr : leaf->at(i);
}

// The first directory entry that points to a leaf of the given depth that covers the hash.
size_t SlotTable::LeafStart(uint64_t hash, int depth, int directory_depth) {
  if (depth == 0) return 0;
  return (hash >> (64 - depth)) << (directory_depth - depth);
}

void SlotTable::Point(uint64_t hash, int depth, Leaf* leaf) {
  if (depth_ == 0) {
    leaf_ = leaf;
    return;
  }
  const size_t start = LeafStart(hash, depth, depth_);
  std::fill_n(directory_ + start, size_t{1} << (depth_ - depth), leaf);
}

void SlotTable::Deepen() {
  const size_t old_size = DirectorySize();
  auto** deeper = static_cast<Leaf**>(Allocate(2 * old_size * sizeof(Leaf*)));
  for (size_t i = 0; i < old_size; ++i) {
    deeper[2 * i] = deeper[2 * i + 1] = depth_ == 0 ? leaf_ : directory_[i];
  }
  if (depth_ > 0) std::free(directory_);
  directory_ = deeper;
  ++depth_;
}

Leaf* SlotTable::AddLeaf(uint64_t hash) {
  Leaf* leaf = Leaf::New(depth_, 1);
  Point(hash, depth_, leaf);
  return leaf;
}

// A directory stays in proportion to the keys, even for hashes that collide on purpose: such leaves
// grow instead.
bool SlotTable::MaySplit(const Leaf& leaf) const {
  if (leaf.depth() >= kDepthMax) return false;
  return leaf.depth() < depth_ || DirectorySize() <= 64 + size_t{count_} * 2;
}

bool SlotTable::NeedsSplit(uint64_t hash) const {
  const Leaf* leaf = LeafFor(hash);
  return leaf->count() >= Leaf::kSplitCount && MaySplit(*leaf);
}

Leaf* SlotTable::Split(uint64_t hash, FunctionRef<uint64_t(const Object&)> rehash) {
  Leaf* leaf = LeafFor(hash);
  const int depth = leaf->depth();
  if (depth == depth_) Deepen();
  const uint64_t upper_bit = uint64_t{1} << (63 - depth);
  const uint64_t first_hash = depth == 0 ? 0 : hash >> (64 - depth) << (64 - depth);

  std::vector<std::pair<uint64_t, Object*>> halves[2];
  for (size_t i = 0; i < leaf->count(); ++i) {
    const uint64_t h = rehash(*leaf->at(i));
    halves[(h & upper_bit) != 0].emplace_back(h, leaf->at(i));
  }
  std::array<Leaf*, 2> made{};
  for (size_t half = 0; half < 2; ++half) {
    made[half] = Leaf::New(depth + 1, std::max<size_t>(halves[half].size(), 1));
    for (const auto& [h, object] : halves[half]) made[half]->Add(h, object);
    made[half]->RecomputeMinDue();
    Point(first_hash | (half == 1 ? upper_bit : 0), depth + 1, made[half]);
  }
  made[0]->mark() = leaf->mark();
  Leaf::Free(leaf);
  return made[1];
}

Leaf* SlotTable::Resized(uint64_t hash, Leaf* leaf, size_t capacity) {
  leaf = Leaf::Resize(leaf, capacity);
  Point(hash, leaf->depth(), leaf);
  return leaf;
}

Leaf* SlotTable::Insert(uint64_t hash, Object* object) {
  Leaf* leaf = LeafFor(hash);
  if (leaf->count() == leaf->capacity()) leaf = Resized(hash, leaf, leaf->count() + 1);
  leaf->Add(hash, object);
  ++count_;
  return leaf;
}

Leaf* SlotTable::RemoveAt(uint64_t hash, size_t i) {
  Leaf* leaf = LeafFor(hash);
  leaf->RemoveAt(i);
  --count_;
  // Two steps below, so that a key that comes and goes does not move the leaf each time.
  const size_t wanted = Leaf::CapacityFor(leaf->count() + leaf->count() / 4 + 2);
  if (wanted < leaf->capacity() && wanted <= leaf->capacity() / 2) {
    leaf = Resized(hash, leaf, wanted);
  }
  return leaf;
}

void SlotTable::ForEachLeaf(uint64_t from,
                            FunctionRef<bool(uint64_t first_hash, Leaf& leaf)> visit) const {
  if (depth_ == 0) {
    if (leaf_ != nullptr) visit(0, *leaf_);
    return;
  }
  for (size_t i = from >> (64 - depth_); i < DirectorySize();) {
    Leaf* leaf = directory_[i];
    if (leaf == nullptr) {
      ++i;
      continue;
    }
    const size_t span = size_t{1} << (depth_ - leaf->depth());
    const size_t start = i & ~(span - 1);
    if (!visit(static_cast<uint64_t>(start) << (64 - depth_), *leaf)) return;
    i = start + span;
  }
}

bool SlotTable::Install(uint64_t first_hash, Leaf* leaf) {
  while (depth_ < leaf->depth()) Deepen();
  const size_t start = LeafStart(first_hash, leaf->depth(), depth_);
  const size_t span = size_t{1} << (depth_ - leaf->depth());
  for (size_t i = start; i < start + span; ++i) {
    if ((depth_ == 0 ? leaf_ : directory_[i]) != nullptr) return false;
  }
  Point(first_hash, leaf->depth(), leaf);
  count_ += static_cast<uint32_t>(leaf->count());
  return true;
}

size_t SlotTable::directory_bytes() const {
  return depth_ > 0 ? AllocationSize(DirectorySize() * sizeof(Leaf*)) : 0;
}

}  // namespace kiwi::keyspace
