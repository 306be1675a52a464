#include "keyspace/edit.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "keyspace/key_walk.h"
#include "keyspace/memory.h"

namespace kiwi::keyspace {
namespace {

int64_t Signed(size_t n) { return static_cast<int64_t>(n); }

}  // namespace

Edit::Edit(Db& db, std::string_view key)
    : impl_(db.keyspace_.impl()),
      db_index_(db.index()),
      key_(key),
      slot_(KeySlot(key)),
      hash_(Hash64(key, impl_.options.hash_seed)),
      log_index_(db.moment().log_index),
      now_s_(static_cast<uint32_t>(db.moment().now_ms / 1000)),
      database_(impl_.database(db_index_)),
      shard_(database_.shards[static_cast<size_t>(ShardOf(slot_))].get()) {
  if (shard_ == nullptr) return;
  object_ = shard_->table(slot_).Find(hash_, key_);
  if (object_ != nullptr && object_->ExpiredAt(db.moment().now_ms)) Remove();
}

void Edit::NoteModified() {
  impl_.shard(ShardOf(slot_))
      .cells.Note(ModifiedCells::CellOf(hash_, db_index_), log_index_, impl_.tracker.generation());
}

void Edit::Touch() {
  shard_->LeafChanging(slot_, hash_, *shard_->table(slot_).LeafFor(hash_));
  NoteModified();
}

BodyIdentity Edit::NewBody() { return impl_.tracker.NewBody(database_.id, ShardOf(slot_)); }

void Edit::Adopt(Body& body) {
  if (body.db() == database_.id) {
    body.set_home(ShardOf(slot_));
    return;
  }
  impl_.tracker.SettleBody(body);
  body.Renew(NewBody());
}

void Edit::Add(Object* fresh) {
  if (shard_ == nullptr) shard_ = &impl_.MakeShard(database_, ShardOf(slot_));
  for (KeyWalk* walk : database_.key_walks) walk->KeyCreated(slot_, hash_, key_);
  shard_->Insert(slot_, hash_, fresh);
  NoteModified();
  object_ = fresh;
}

void Edit::Swap(Object* fresh) {
  Leaf& leaf = *shard_->table(slot_).LeafFor(hash_);
  const size_t i = leaf.Find(hash_, key_);
  KIWI_CHECK(i != Leaf::kNotFound && leaf.at(i) == object_, "the key was changed behind the edit");
  shard_->ReplaceAt(leaf, slot_, i, fresh);
  shard_->AddBytes(Signed(fresh->memory_bytes()) - Signed(object_->memory_bytes()));
  object_ = fresh;
}

void Edit::Put(const Object::Shape& shape, std::string_view value) {
  if (object_ != nullptr) {
    Touch();
    const int64_t old_expiry = object_->expire_at_ms();
    if (object_->body() == nullptr && object_->ReuseAs(shape, value.size())) {
      std::memmove(object_->mutable_value(), value.data(), value.size());
      if (old_expiry != shape.expire_at_ms) {
        Leaf& leaf = *shard_->table(slot_).LeafFor(hash_);
        shard_->ExpiryChanged(leaf, slot_, old_expiry, shape.expire_at_ms);
      }
      return;
    }
  }
  Object* fresh = Object::New(shape, key_, value.size());
  std::memcpy(fresh->mutable_value(), value.data(), value.size());
  if (object_ == nullptr) {
    Add(fresh);
  } else {
    Object* old = object_;
    Swap(fresh);
    impl_.FreeObject(old);
  }
}

void Edit::PutBody(const Object::Shape& shape, Body* body) {
  Object* fresh = Object::New(shape, key_, sizeof(body));
  fresh->set_body(body);
  if (object_ == nullptr) {
    Add(fresh);
    return;
  }
  Touch();
  Object* old = object_;
  Swap(fresh);
  impl_.FreeObject(old);
}

void Edit::Reshape(const Object::Shape& shape, size_t value_size) {
  Touch();
  if (shape.expire_at_ms == object_->expire_at_ms() && object_->ReuseAs(shape, value_size)) return;
  Object* fresh = Object::New(shape, key_, value_size);
  const std::string_view old_value = object_->value();
  std::memcpy(fresh->mutable_value(), old_value.data(), std::min(value_size, old_value.size()));
  Object* old = object_;
  Swap(fresh);
  Object::Free(old);
}

Object* Edit::Release() {
  for (KeyWalk* walk : database_.key_walks) walk->KeyRemoved(slot_, hash_, *object_);
  Leaf& leaf = *shard_->table(slot_).LeafFor(hash_);
  Object* released = shard_->RemoveAt(slot_, hash_, leaf.Find(hash_, key_));
  NoteModified();
  object_ = nullptr;
  return released;
}

void Edit::Remove() { impl_.FreeObject(Release()); }

}  // namespace kiwi::keyspace
