#include "keyspace/keyspace.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"
#include "keyspace/impl.h"

namespace kiwi::keyspace {
namespace {

// Bodies of more allocations or bytes than this are freed by the reaper: giving back the pages of a
// megabyte may take a hundred microseconds.
constexpr size_t kFreeInlineMax = 64;
constexpr size_t kFreeInlineMaxBytes = 1 << 20;

}  // namespace

ShardLock::ShardLock(Keyspace& keyspace, ShardSet shards, LockMode mode, LockWait wait)
    : keyspace_(keyspace), bits_(shards.bits()), mode_(mode) {
  for (uint64_t bits = bits_; bits != 0; bits &= bits - 1) {
    if (Take(keyspace_.shard_mutex(std::countr_zero(bits)), wait)) continue;
    Release(bits_ ^ bits);
    held_ = false;
    return;
  }
}

ShardLock::~ShardLock() {
  if (held_) Release(bits_);
}

bool ShardLock::Take(SharedMutex& mu, LockWait wait) KIWI_NO_THREAD_SAFETY_ANALYSIS {
  const bool shared = mode_ == LockMode::kShared;
  if (wait == LockWait::kNever) return shared ? mu.TryLockShared() : mu.TryLock();
  if (!shared) {
    mu.Lock();
  } else if (wait == LockWait::kLong || !mu.TryLockShared()) {
    mu.LockShared();
  }
  return true;
}

void ShardLock::Release(uint64_t held) KIWI_NO_THREAD_SAFETY_ANALYSIS {
  for (uint64_t bits = held; bits != 0; bits &= bits - 1) {
    SharedMutex& mu = keyspace_.shard_mutex(std::countr_zero(bits));
    mode_ == LockMode::kShared ? mu.UnlockShared() : mu.Unlock();
  }
}

Keyspace::Impl::Impl(const KeyspaceOptions& keyspace_options) : options(keyspace_options) {
  KIWI_CHECK(options.databases > 0, "no databases");
  for (int i = 0; i < options.databases; ++i) {
    databases.push_back(std::make_shared<Database>(next_database_id++));
  }
  floors.resize(databases.size());
}

Keyspace::Impl::~Impl() = default;

DbShard::Shared Keyspace::Impl::SharedWith(int shard_index) {
  return {.tracker = &tracker, .hash_seed = options.hash_seed, .bytes = &shard(shard_index).bytes};
}

DbShard& Keyspace::Impl::MakeShard(Database& database, int shard_index) {
  auto& place = database.shards[static_cast<size_t>(shard_index)];
  if (place == nullptr) {
    place = std::make_unique<DbShard>(SharedWith(shard_index), database.id);
  }
  return *place;
}

void Keyspace::Impl::FreeObject(Object* object) {
  if (Body* body = object->body(); body != nullptr) FreeBody(body);
  Object::Free(object);
}

void Keyspace::Impl::FreeBody(Body* body) {
  tracker.BodyDropped(*body);
  if (body->allocation_count() <= kFreeInlineMax && body->memory_bytes() <= kFreeInlineMaxBytes) {
    const BodyRef dropped(body);
  } else {
    reaper.Discard(std::shared_ptr<void>(body, [](Body* b) { BodyUnref()(b); }));
  }
}

Keyspace::Keyspace(const KeyspaceOptions& options) : impl_(std::make_unique<Impl>(options)) {}
Keyspace::~Keyspace() = default;

const KeyspaceOptions& Keyspace::options() const { return impl_->options; }
int Keyspace::databases() const { return static_cast<int>(impl_->databases.size()); }
SharedMutex& Keyspace::shard_mutex(int shard) { return impl_->shard(shard).mu; }

void Keyspace::SetBetweenHolds(std::function<void()> run) { impl_->between_holds = std::move(run); }

void Keyspace::BetweenHolds() {
  if (impl_->between_holds) impl_->between_holds();
}

void Keyspace::SetHashLimits(uint32_t max_listpack_entries, uint32_t max_listpack_value) {
  impl_->options.hash_max_listpack_entries = max_listpack_entries;
  impl_->options.hash_max_listpack_value = max_listpack_value;
}

void Keyspace::TakeContents(Keyspace& loaded) {
  Impl& from = loaded.impl();
  KIWI_CHECK(from.databases.size() == impl_->databases.size(), "as many databases in both");
  impl_->options.hash_seed = from.options.hash_seed;
  impl_->options.hash_max_listpack_entries = from.options.hash_max_listpack_entries;
  impl_->options.hash_max_listpack_value = from.options.hash_max_listpack_value;
  impl_->next_database_id = from.next_database_id;
  impl_->dropped_databases = std::move(from.dropped_databases);
  impl_->tracker.TakeOver(from.tracker);
  for (size_t i = 0; i < from.databases.size(); ++i) {
    for (int shard = 0; shard < kShardCount; ++shard) {
      if (const auto& moved = from.databases[i]->shards[static_cast<size_t>(shard)]; moved) {
        moved->MoveTo(impl_->SharedWith(shard));
      }
    }
    impl_->reaper.Discard(std::exchange(impl_->databases[i], std::move(from.databases[i])));
    impl_->floors[i] = from.floors[i];
  }
  for (size_t shard = 0; shard < impl_->shards.size(); ++shard) {
    impl_->shards[shard].bytes.store(from.shards[shard].bytes.load());
    impl_->shards[shard].cells = std::move(from.shards[shard].cells);
  }
}

void Keyspace::CollectExpired(int shard, int64_t now_ms, size_t limit,
                              std::vector<ExpiredKey>* out) const {
  struct Due {
    int64_t at_ms;
    int db;
    const Object* object;
  };
  std::vector<Due> due;
  std::vector<const Object*> found;
  for (int db = 0; db < databases() && due.size() < limit; ++db) {
    const DbShard* db_shard = impl_->FindShard(db, shard);
    if (db_shard == nullptr || db_shard->expiring() == 0) continue;
    found.clear();
    db_shard->CollectDue(now_ms, limit - due.size(), &found);
    for (const Object* object : found) due.push_back({object->expire_at_ms(), db, object});
  }
  std::sort(due.begin(), due.end(), [](const Due& a, const Due& b) { return a.at_ms < b.at_ms; });
  for (const Due& d : due) out->push_back({d.db, std::string(d.object->key())});
}

uint64_t Keyspace::memory_bytes() const {
  int64_t bytes = static_cast<int64_t>(sizeof(Impl));
  for (const ShardState& shard : impl_->shards)
    bytes += shard.bytes.load(std::memory_order_relaxed);
  return static_cast<uint64_t>(std::max<int64_t>(bytes, 0));
}

size_t Keyspace::pending_frees() const { return impl_->reaper.pending(); }
uint64_t Keyspace::background_frees() const { return impl_->reaper.freed(); }

}  // namespace kiwi::keyspace
