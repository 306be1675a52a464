#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "keyspace/edit.h"
#include "keyspace/impl.h"
#include "keyspace/keyspace.h"
#include "keyspace/wall_view.h"

namespace kiwi::keyspace {
namespace {

thread_local LookupCounts t_lookups;

}  // namespace

Db::Db(Keyspace& keyspace, int index, const Moment& moment)
    : keyspace_(keyspace), index_(index), moment_(moment) {
  KIWI_CHECK(index >= 0 && index < keyspace.databases(), "no such database");
}

LookupCounts ThreadLookups() { return t_lookups; }

int Db::index() const { return index_; }
const Moment& Db::moment() const { return moment_; }

int64_t Db::display_ms() const {
  return moment_.wall == nullptr ? moment_.now_ms
                                 : std::max(moment_.now_ms, moment_.wall->now_ms());
}

const Object* Db::FindStored(std::string_view key) const {
  Keyspace::Impl& impl = keyspace_.impl();
  const uint16_t slot = KeySlot(key);
  const DbShard* shard = impl.FindShard(index_, ShardOf(slot));
  if (shard == nullptr) return nullptr;
  return shard->table(slot).Find(shard->Hash(key), key);
}

const Object* Db::Live(std::string_view key) const {
  const Object* object = FindStored(key);
  return object == nullptr || !IsLive(*object) ? nullptr : object;
}

bool Db::IsLiveExpiring(const Object& object) const {
  if (moment_.wall != nullptr) moment_.wall->Met(index_, object, moment_.now_ms);
  return !object.ExpiredAt(moment_.now_ms);
}

const Object* Db::Find(std::string_view key) const {
  const Object* object = Live(key);
  if (object == nullptr) {
    ++t_lookups.misses;
    return nullptr;
  }
  ++t_lookups.hits;
  object->NoteAccess(std::max(static_cast<uint32_t>(moment_.now_ms / 1000), moment_.access_s));
  return object;
}

const Object* Db::FindNoTouch(std::string_view key) const { return Live(key); }

bool Db::ModifiedSince(std::string_view key, uint64_t since) const {
  Keyspace::Impl& impl = keyspace_.impl();
  if (impl.floors[static_cast<size_t>(index_)] > since) return true;
  const uint64_t hash = Hash64(key, impl.options.hash_seed);
  return impl.shard(ShardOf(KeySlot(key))).cells.at(ModifiedCells::CellOf(hash, index_)) > since;
}

bool Db::Delete(std::string_view key) {
  Edit edit(*this, key);
  if (edit.object() == nullptr) return false;
  edit.Remove();
  return true;
}

bool Db::DeleteExpired(std::string_view key) {
  const Object* object = FindStored(key);
  if (object == nullptr || !object->ExpiredAt(moment_.now_ms)) return false;
  const Edit removes(*this, key);
  return true;
}

bool Db::SetExpiry(std::string_view key, int64_t at_ms) {
  Edit edit(*this, key);
  if (edit.object() == nullptr) return false;
  if (at_ms <= moment_.now_ms) {
    edit.Remove();
    return true;
  }
  Object::Shape shape = edit.object()->shape();
  shape.expire_at_ms = at_ms;
  edit.Reshape(shape, edit.object()->value().size());
  return true;
}

bool Db::ClearExpiry(std::string_view key) {
  Edit edit(*this, key);
  if (edit.object() == nullptr || !edit.object()->has_expiry()) return false;
  Object::Shape shape = edit.object()->shape();
  shape.expire_at_ms = kNoExpiry;
  edit.Reshape(shape, edit.object()->value().size());
  return true;
}

bool Db::Rename(std::string_view from, Db& to_db, std::string_view to) {
  Edit source(*this, from);
  if (source.object() == nullptr) return false;
  if (index_ == to_db.index_ && from == to) {
    source.Touch();
    return true;
  }
  Object* object = source.Release();
  Edit target(to_db, to);
  if (Body* body = object->body(); body != nullptr) {
    target.Adopt(*body);
    target.PutBody(object->shape(), body);
  } else {
    target.Put(object->shape(), object->value());
  }
  Object::Free(object);
  return true;
}

bool Db::Copy(std::string_view from, Db& to_db, std::string_view to) {
  Edit source(*this, from);
  if (source.object() == nullptr) return false;
  if (index_ == to_db.index_ && from == to) return true;
  Edit target(to_db, to);
  const Object& object = *source.object();
  if (const Body* body = object.body(); body != nullptr) {
    target.PutBody(object.shape(), body->Clone(target.NewBody()));
  } else {
    target.Put(object.shape(), object.value());
  }
  return true;
}

}  // namespace kiwi::keyspace
