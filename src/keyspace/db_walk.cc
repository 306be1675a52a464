// What Db does with all keys of a database: counting, clearing, walking, picking.
#include <algorithm>
#include <utility>

#include "keyspace/impl.h"
#include "keyspace/keyspace.h"
#include "keyspace/wall_view.h"

namespace kiwi::keyspace {
namespace {

// Databases of at most so many keys note each key as modified when they go; larger ones raise their
// floor, which makes every WATCH on them fail.
constexpr uint64_t kNoteEachMax = 4096;

// Keys that are not live, and leaves without any, that a step of Scan goes past.
constexpr size_t kScanPassMax = 4096;

// Draws of a key that may turn out to be expired.
constexpr int kRandomTries = 100;

template <typename Field>
auto SumOverShards(const Database& database, Field field) {
  decltype(field(std::declval<const DbShard&>())) sum = 0;
  for (const auto& shard : database.shards) {
    if (shard != nullptr) sum += field(*shard);
  }
  return sum;
}

}  // namespace

uint64_t Db::size() const {
  return SumOverShards(keyspace_.impl().database(index_),
                       [](const DbShard& s) { return s.count(); });
}

uint64_t Db::expiring_size() const {
  return SumOverShards(keyspace_.impl().database(index_),
                       [](const DbShard& s) { return s.expiring(); });
}

int64_t Db::average_ttl_ms() const {
  const uint64_t n = expiring_size();
  if (n == 0) return 0;
  const auto sum = SumOverShards(keyspace_.impl().database(index_),
                                 [](const DbShard& s) { return s.expiry_sum(); });
  return std::max<int64_t>(static_cast<int64_t>(sum / static_cast<__int128>(n)) - display_ms(), 0);
}

void Db::NoteAllExpired() const {
  if (moment_.wall == nullptr || expiring_size() == 0) return;
  std::vector<const Object*> found;
  for (const auto& shard : keyspace_.impl().database(index_).shards) {
    if (shard == nullptr || shard->expiring() == 0) continue;
    found.clear();
    shard->CollectDue(display_ms(), WallView::kMaxKeys, &found);
    for (const Object* object : found) moment_.wall->Met(index_, *object, moment_.now_ms);
  }
}

// The keys of `contents` count as modified in this database.
void Db::NoteContents(const Db& contents) {
  Keyspace::Impl& impl = keyspace_.impl();
  if (contents.size() > kNoteEachMax) {
    impl.floors[static_cast<size_t>(index_)] = moment_.log_index;
    return;
  }
  contents.ForEach([&](const Object& object) {
    const uint64_t hash = Hash64(object.key(), impl.options.hash_seed);
    impl.shard(ShardOf(KeySlot(object.key())))
        .cells.Note(ModifiedCells::CellOf(hash, index_), moment_.log_index,
                    impl.tracker.generation());
  });
}

void Db::Clear() {
  Keyspace::Impl& impl = keyspace_.impl();
  NoteContents(*this);
  std::shared_ptr<Database>& place = impl.databases[static_cast<size_t>(index_)];
  for (size_t i = 0; i < place->shards.size(); ++i) {
    if (place->shards[i] != nullptr) impl.shards[i].bytes -= place->shards[i]->bytes();
  }
  impl.dropped_databases.push_back(place->id);
  auto dropped = std::exchange(place, std::make_shared<Database>(impl.next_database_id++));
  impl.reaper.Discard(std::move(dropped));
}

void Keyspace::SwapDatabases(int a, int b, const Moment& moment) {
  if (a == b) return;
  Db first(*this, a, moment);
  Db second(*this, b, moment);
  for (Db* in : {&first, &second}) {
    in->NoteContents(first);
    in->NoteContents(second);
  }
  std::swap(impl_->databases[static_cast<size_t>(a)], impl_->databases[static_cast<size_t>(b)]);
}

void Db::ForEach(FunctionRef<void(const Object&)> visit) const {
  for (const auto& shard : keyspace_.impl().database(index_).shards) {
    if (shard == nullptr || shard->count() == 0) continue;
    shard->ForEachInOrder([&](const Object& object) {
      if (IsLive(object)) visit(object);
      return true;
    });
  }
}

const Object* Db::DrawKey(Random& random) const {
  const uint64_t n = size();
  if (n == 0) return nullptr;
  for (int i = 0; i < kRandomTries; ++i) {
    uint64_t rank = random.Below(n);
    for (const auto& shard : keyspace_.impl().database(index_).shards) {
      const uint64_t count = shard == nullptr ? 0 : shard->count();
      if (rank >= count) {
        rank -= count;
        continue;
      }
      const Object* object = shard->Nth(rank);
      if (IsLive(*object)) return object;
      break;
    }
  }
  return nullptr;
}

const Object* Db::FirstKey() const {
  const Object* first = nullptr;
  for (const auto& shard : keyspace_.impl().database(index_).shards) {
    if (shard == nullptr || first != nullptr) continue;
    shard->ForEachInOrder([&](const Object& object) {
      if (IsLive(object)) first = &object;
      return first == nullptr;
    });
  }
  return first;
}

uint64_t Db::Scan(uint64_t cursor, size_t count, FunctionRef<void(const Object&)> visit) const {
  const Database& database = keyspace_.impl().database(index_);
  count = std::max<size_t>(count, 1);
  uint32_t slot = CursorSlot(cursor);
  uint64_t from = CursorHash(cursor);
  size_t visited = 0;
  size_t passed = 0;
  const auto enough = [&] { return visited >= count || passed >= kScanPassMax; };
  for (; slot < kSlotCount; ++slot, from = 0) {
    const DbShard* shard = database.shards[slot / kSlotsPerShard].get();
    if (shard == nullptr || shard->count() == 0) {
      slot |= kSlotsPerShard - 1;  // the shard's last
      continue;
    }
    uint64_t next = 0;
    shard->table(static_cast<uint16_t>(slot)).ForEachLeaf(from, [&](uint64_t first, Leaf& leaf) {
      passed += leaf.count() == 0;
      shard->VisitInOrder(leaf, from, [&](const Object& object) {
        if (IsLive(object)) {
          ++visited;
          visit(object);
        } else {
          ++passed;
        }
        return true;
      });
      next = leaf.depth() == 0 ? 0 : first + (uint64_t{1} << (64 - leaf.depth()));
      return !enough();
    });
    if (enough()) {
      if (next != 0) return MakeCursor(slot, next);
      return slot + 1 < kSlotCount ? MakeCursor(slot + 1, 0) : 0;
    }
  }
  return 0;
}

uint64_t Db::CountInSlot(uint16_t slot) const {
  const DbShard* shard = keyspace_.impl().FindShard(index_, ShardOf(slot));
  return shard == nullptr ? 0 : shard->table(slot).count();
}

void Db::ForEachInSlot(uint16_t slot, FunctionRef<bool(const Object&)> visit) const {
  const DbShard* shard = keyspace_.impl().FindShard(index_, ShardOf(slot));
  if (shard == nullptr) return;
  shard->ForEachInSlot(slot,
                       [&](const Object& object) { return !IsLive(object) || visit(object); });
}

}  // namespace kiwi::keyspace
