#include "keyspace/key_walk.h"

#include <algorithm>
#include <utility>

#include "keyspace/impl.h"
#include "keyspace/wall_view.h"

namespace kiwi::keyspace {
namespace {

// Visiting a leaf or a slot without keys costs about as much as a key.
constexpr size_t kStepCost = 1;

}  // namespace

void KeyList::Clear() {
  bytes_.clear();
  ends_.clear();
}

void KeyList::Add(std::string_view key) {
  bytes_.append(key);
  ends_.push_back(bytes_.size());
}

void KeyList::ForEach(FunctionRef<void(std::string_view key)> visit) const {
  size_t begin = 0;
  for (const size_t end : ends_) {
    visit(std::string_view(bytes_).substr(begin, end - begin));
    begin = end;
  }
}

KeyWalk::KeyWalk(const Db& db, const KeyWalkLimits& limits)
    : keyspace_(db.keyspace()),
      db_index_(db.index()),
      moment_(db.moment()),
      limits_(limits),
      database_(keyspace_.impl().databases[static_cast<size_t>(db_index_)]) {
  // As of the beginning, not of when the first key that expires is met.
  if (moment_.wall != nullptr && db.expiring_size() > 0) moment_.wall->now_ms();
  MutexLock lock(keyspace_.impl().walks_mu);
  database_->key_walks.push_back(this);
}

KeyWalk::~KeyWalk() {
  Keyspace::Impl& impl = keyspace_.impl();
  ShardSet all;
  all.AddAll();
  const ShardLock shards(keyspace_, all, LockMode::kShared);
  MutexLock lock(impl.walks_mu);
  std::erase(database_->key_walks, this);
  if (std::find(impl.databases.begin(), impl.databases.end(), database_) == impl.databases.end()) {
    impl.reaper.Discard(std::move(database_));
  }
}

bool KeyWalk::IsLive(std::string_view key, int64_t expire_at_ms) {
  if (expire_at_ms == kNoExpiry) return true;
  if (moment_.wall != nullptr) moment_.wall->Met(db_index_, key, expire_at_ms, moment_.now_ms);
  return expire_at_ms > moment_.now_ms;
}

KeyWalk::Step KeyWalk::Next(KeyList* keys) {
  for (keys->Clear(); shard_ < kShardCount && keys->size() == 0;) {
    Part& part = parts_[static_cast<size_t>(shard_)];
    keyspace_.BetweenHolds();
    {
      ShardSet one;
      one.AddSlot(static_cast<uint16_t>(shard_ * kSlotsPerShard));
      const ShardLock lock(keyspace_, one, LockMode::kShared);
      if (overflowed_.load(std::memory_order_relaxed)) return Step::kOverflow;
      if (!Visit(part, keys)) continue;
      part.frontier = kPassed;
    }
    // The applier notes nothing here any more.
    for (const auto& [key, note] : part.notes) {
      if (note.existed && IsLive(key, note.expire_at_ms)) keys->Add(key);
    }
    part.notes = {};
    ++shard_;
  }
  return keys->size() == 0 ? Step::kEnd : Step::kMore;
}

// False: the shard has more, behind the frontier.
bool KeyWalk::Visit(Part& part, KeyList* keys) {
  const DbShard* shard = database_->shards[static_cast<size_t>(shard_)].get();
  if (shard == nullptr || shard->count() == 0) return true;
  size_t cost = 0;
  const auto spent = [&] {
    return cost >= limits_.keys_per_hold || keys->bytes() >= limits_.bytes_per_hold;
  };
  const auto visit = [&](const Object& object) {
    if (!part.notes.empty() && part.notes.contains(object.key())) return;
    if (IsLive(object.key(), object.expire_at_ms())) keys->Add(object.key());
  };
  const uint64_t begin = std::max(part.frontier, MakeCursor(shard_ * kSlotsPerShard, 0));
  uint64_t from = CursorHash(begin);
  const uint32_t end = static_cast<uint32_t>(shard_ + 1) * kSlotsPerShard;
  for (uint32_t slot = CursorSlot(begin); slot < end; ++slot, from = 0) {
    if (spent()) {
      part.frontier = MakeCursor(slot, from);
      return false;
    }
    uint64_t next = 0;
    bool left = false;
    shard->table(static_cast<uint16_t>(slot)).ForEachLeaf(from, [&](uint64_t first, Leaf& leaf) {
      if ((left = spent())) {
        next = first;
        return false;
      }
      for (size_t i = 0; i < leaf.count(); ++i) visit(*leaf.at(i));
      cost += leaf.count() + kStepCost;
      return true;
    });
    cost += kStepCost;
    if (left) {
      part.frontier = MakeCursor(slot, next);
      return false;
    }
  }
  return true;
}

void KeyWalk::Remember(uint16_t slot, uint64_t hash, std::string_view key, const Note& note) {
  if (overflowed_.load(std::memory_order_relaxed)) return;
  Part& part = parts_[static_cast<size_t>(ShardOf(slot))];
  if (MakeCursor(slot, hash) < part.frontier) return;
  if (part.notes.contains(key)) return;
  noted_bytes_ += key.size();
  if (++noted_keys_ > limits_.noted_keys || noted_bytes_ > limits_.noted_bytes) {
    overflowed_.store(true, std::memory_order_relaxed);
    return;
  }
  part.notes.emplace(key, note);
}

void KeyWalk::KeyCreated(uint16_t slot, uint64_t hash, std::string_view key) {
  Remember(slot, hash, key, {.existed = false, .expire_at_ms = kNoExpiry});
}

void KeyWalk::KeyRemoved(uint16_t slot, uint64_t hash, const Object& object) {
  Remember(slot, hash, object.key(), {.existed = true, .expire_at_ms = object.expire_at_ms()});
}

}  // namespace kiwi::keyspace
