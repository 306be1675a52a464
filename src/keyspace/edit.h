// One key open for writing: finds it, removes it first if it has expired, and keeps everything that
// hangs on a change right: counters, memory, expiry, the checkpoint's marks, the modification
// index.
#pragma once

#include <cstdint>
#include <string_view>

#include "keyspace/impl.h"
#include "keyspace/keyspace.h"

namespace kiwi::keyspace {

// Valid as long as the key's shard is held exclusively and the bytes of the key live. Other keys of
// the shard may change meanwhile, this one only through the Edit.
class Edit {
 public:
  Edit(Db& db, std::string_view key);
  Edit(const Edit&) = delete;
  Edit& operator=(const Edit&) = delete;

  std::string_view key() const { return key_; }
  Object* object() { return object_; }  // null: missing
  const Object* object() const { return object_; }

  // Before each change in place. The key exists.
  void Touch();
  // After one: the value's memory has changed by so much.
  void AddBytes(int64_t delta) { shard_->AddBytes(delta); }
  PieceObserver& observer() { return impl_.tracker; }
  BodyIdentity NewBody();
  // A body that another key held moves here: PutBody follows.
  void Adopt(Body& body);
  uint64_t hash_seed() const { return impl_.options.hash_seed; }
  const KeyspaceOptions& options() const { return impl_.options; }
  uint32_t now_s() const { return now_s_; }

  // The key becomes an object of this shape with these bytes as its value (which may lie in the old
  // one). The old value goes.
  void Put(const Object::Shape& shape, std::string_view value);
  // The same with a body, whose ownership passes.
  void PutBody(const Object::Shape& shape, Body* body);
  // Changes shape and value size, keeping the bytes that both sizes have; the body, if both have
  // one, stays. The key exists.
  void Reshape(const Object::Shape& shape, size_t value_size);
  void Remove();
  // Takes the object out; the caller owns it, with its body, which stays known to the checkpoint.
  Object* Release();

 private:
  void NoteModified();
  void Add(Object* fresh);
  void Swap(Object* fresh);  // in the place of object_, which the caller frees

  Keyspace::Impl& impl_;
  const int db_index_;
  const std::string_view key_;
  const uint16_t slot_;
  const uint64_t hash_;
  const uint64_t log_index_;
  const uint32_t now_s_;
  Database& database_;
  DbShard* shard_;
  Object* object_ = nullptr;
};

}  // namespace kiwi::keyspace
