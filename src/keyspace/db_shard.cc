#include "keyspace/db_shard.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "keyspace/memory.h"

namespace kiwi::keyspace {
namespace {

uint32_t Prefix(uint64_t hash, int depth) {
  return depth == 0 ? 0 : static_cast<uint32_t>(hash >> (64 - depth) << (64 - depth) >> 32);
}

}  // namespace

DbShard::DbShard(const Shared& shared, uint32_t db) : shared_(shared), db_(db) {
  AddBytes(static_cast<int64_t>(AllocationSize(sizeof(DbShard))));
}

void DbShard::AddBytes(int64_t delta) {
  bytes_ += delta;
  // One writer at a time, by the shard's lock; read by anyone.
  shared_.bytes->store(shared_.bytes->load(std::memory_order_relaxed) + delta,
                       std::memory_order_relaxed);
}

void DbShard::LeafChanging(uint16_t slot, uint64_t hash, Leaf& leaf) {
  if (leaf.mark().changed == shared_.tracker->generation()) return;
  const uint32_t prefix = Prefix(hash, leaf.depth());
  if (shared_.tracker->LeafChanging({.db = db_, .slot = slot, .prefix = prefix}, leaf)) {
    dirty_.push_back({.prefix = prefix, .slot_in_shard = slot % uint32_t{kSlotsPerShard}});
  }
}

void DbShard::Insert(uint16_t slot, uint64_t hash, Object* object) {
  SlotTable& slot_table = table(slot);
  const auto bytes_of = [](const Leaf* leaf) {
    return leaf == nullptr ? 0 : static_cast<int64_t>(leaf->memory_bytes());
  };
  Leaf* leaf = slot_table.LeafFor(hash);
  int64_t grown = -bytes_of(leaf) - static_cast<int64_t>(slot_table.directory_bytes());
  if (leaf == nullptr) leaf = slot_table.AddLeaf(hash);
  LeafChanging(slot, hash, *leaf);
  while (slot_table.NeedsSplit(hash)) {
    const uint64_t bit = uint64_t{1} << (63 - slot_table.LeafFor(hash)->depth());
    Leaf* upper = slot_table.Split(hash, [this](const Object& o) { return Hash(o.key()); });
    LeafChanging(slot, hash | bit, *upper);
    grown += bytes_of(slot_table.LeafFor(hash ^ bit));
  }
  leaf = slot_table.Insert(hash, object);
  AddBytes(grown + bytes_of(leaf) +
           static_cast<int64_t>(slot_table.directory_bytes() + object->memory_bytes()));
  ++count_;
  if (object->has_expiry()) ExpiryChanged(*leaf, slot, kNoExpiry, object->expire_at_ms());
}

Object* DbShard::RemoveAt(uint16_t slot, uint64_t hash, size_t i) {
  Leaf* leaf = table(slot).LeafFor(hash);
  LeafChanging(slot, hash, *leaf);
  Object* object = leaf->at(i);
  if (object->has_expiry()) ExpiryChanged(*leaf, slot, object->expire_at_ms(), kNoExpiry);
  const auto before = static_cast<int64_t>(leaf->memory_bytes());
  leaf = table(slot).RemoveAt(hash, i);
  AddBytes(static_cast<int64_t>(leaf->memory_bytes()) - before -
           static_cast<int64_t>(object->memory_bytes()));
  --count_;
  return object;
}

void DbShard::ReplaceAt(Leaf& leaf, uint16_t slot, size_t i, Object* fresh) {
  const Object* old = leaf.at(i);
  if (old->has_expiry() || fresh->has_expiry()) {
    ExpiryChanged(leaf, slot, old->expire_at_ms(), fresh->expire_at_ms());
  }
  leaf.set(i, fresh);
}

void DbShard::LowerSlotDue(uint16_t slot, uint32_t due) {
  if (slot_due_ == nullptr) {
    slot_due_ = std::make_unique<std::atomic<uint32_t>[]>(kSlotsPerShard);
    for (int i = 0; i < kSlotsPerShard; ++i) slot_due_[static_cast<size_t>(i)] = kNeverDue;
  }
  auto& slot_due = slot_due_[slot % kSlotsPerShard];
  if (due < slot_due.load(std::memory_order_relaxed)) {
    slot_due.store(due, std::memory_order_relaxed);
  }
}

void DbShard::ExpiryChanged(Leaf& leaf, uint16_t slot, int64_t from_ms, int64_t to_ms) {
  if (from_ms != kNoExpiry) {
    --expiring_;
    expiry_sum_ -= from_ms;
  }
  if (to_ms == kNoExpiry) return;
  ++expiring_;
  expiry_sum_ += to_ms;
  const uint32_t due = DueUnits(to_ms);
  leaf.LowerMinDue(due);
  LowerSlotDue(slot, due);
}

bool DbShard::Install(uint16_t slot, uint64_t first_hash, Leaf* leaf) {
  if (!table(slot).Install(first_hash, leaf)) return false;
  int64_t bytes = static_cast<int64_t>(leaf->memory_bytes());
  for (size_t i = 0; i < leaf->count(); ++i) {
    const Object& object = *leaf->at(i);
    bytes += static_cast<int64_t>(object.memory_bytes());
    if (object.has_expiry()) ExpiryChanged(*leaf, slot, kNoExpiry, object.expire_at_ms());
  }
  count_ += leaf->count();
  AddBytes(bytes);
  return true;
}

void DbShard::MoveTo(const Shared& shared) {
  KIWI_CHECK(shared.hash_seed == shared_.hash_seed, "its order depends on the seed");
  shared_ = shared;
}

bool DbShard::VisitInOrder(const Leaf& leaf, uint64_t from,
                           FunctionRef<bool(const Object&)> visit) const {
  using Entry = std::pair<uint64_t, const Object*>;
  std::array<Entry, Leaf::kSplitCount> usual;
  std::vector<Entry> large(leaf.count() > usual.size() ? leaf.count() : 0);
  Entry* entries = large.empty() ? usual.data() : large.data();
  size_t n = 0;
  for (size_t i = 0; i < leaf.count(); ++i) {
    const uint64_t hash = Hash(leaf.at(i)->key());
    if (hash >= from) entries[n++] = {hash, leaf.at(i)};
  }
  std::sort(entries, entries + n, [](const Entry& a, const Entry& b) {
    return a.first != b.first ? a.first < b.first : a.second->key() < b.second->key();
  });
  for (size_t i = 0; i < n; ++i) {
    if (!visit(*entries[i].second)) return false;
  }
  return true;
}

bool DbShard::ForEachInSlot(uint16_t slot, FunctionRef<bool(const Object&)> visit) const {
  bool go_on = true;
  table(slot).ForEachLeaf(
      0, [&](uint64_t, const Leaf& leaf) { return go_on = VisitInOrder(leaf, 0, visit); });
  return go_on;
}

void DbShard::ForEachInOrder(FunctionRef<bool(const Object&)> visit) const {
  for (uint16_t slot = 0; slot < kSlotsPerShard; ++slot) {
    if (!ForEachInSlot(slot, visit)) return;
  }
}

const Object* DbShard::Nth(uint64_t n) const {
  const Object* found = nullptr;
  for (const SlotTable& slot_table : tables_) {
    if (n >= slot_table.count()) {
      n -= slot_table.count();
      continue;
    }
    slot_table.ForEachLeaf(0, [&](uint64_t, const Leaf& leaf) {
      if (n >= leaf.count()) {
        n -= leaf.count();
        return true;
      }
      VisitInOrder(leaf, 0, [&](const Object& object) {
        found = &object;
        return n-- > 0;
      });
      return false;
    });
    return found;
  }
  return found;
}

void DbShard::CollectDue(int64_t now_ms, size_t limit, std::vector<const Object*>* out) const {
  if (slot_due_ == nullptr) return;
  const uint32_t now_units = DueUnits(now_ms);
  for (size_t slot = 0; slot < tables_.size(); ++slot) {
    if (slot_due_[slot].load(std::memory_order_relaxed) > now_units) continue;
    uint32_t slot_due = kNeverDue;
    bool whole = true;
    tables_[slot].ForEachLeaf(0, [&](uint64_t, const Leaf& leaf) {
      uint32_t leaf_due = leaf.min_due();
      if (leaf_due <= now_units) {
        for (size_t i = 0; i < leaf.count(); ++i) {
          if (!leaf.at(i)->ExpiredAt(now_ms)) continue;
          if (out->size() >= limit) return whole = false;
          out->push_back(leaf.at(i));
        }
        leaf_due = leaf.RecomputeMinDue();
      }
      slot_due = std::min(slot_due, leaf_due);
      return true;
    });
    if (!whole) return;
    slot_due_[slot].store(slot_due, std::memory_order_relaxed);
  }
}

}  // namespace kiwi::keyspace
