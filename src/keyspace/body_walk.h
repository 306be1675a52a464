// Walks over one large value as it is at one moment, which hold its shard's lock for a few pieces at
// a time.
//
// While a walk is registered with a body, it is told before a piece changes or goes, and keeps an
// image of one that it has not come to: of each at most once, so that what it keeps is no larger
// than the value was. A body that is deleted or replaced stays with the walk, and nobody changes it
// any more. A body that moves to another key (RENAME) may change its shard: the walk follows.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "keyspace/blob.h"
#include "keyspace/body.h"
#include "keyspace/keyspace.h"
#include "keyspace/types/hash_table.h"

namespace kiwi::keyspace {

// Used by one thread, which holds no shard save where it is made.
class BodyWalk {
 public:
  // Of pieces [begin, end), as far as there are so many. The body's shard is held, and stays so
  // until the walk is made. The keyspace outlives it.
  BodyWalk(Keyspace& keyspace, Body& body, size_t begin, size_t end);
  ~BodyWalk();  // takes the body's shard, shared, for an instant
  BodyWalk(const BodyWalk&) = delete;
  BodyWalk& operator=(const BodyWalk&) = delete;

  // The applier, before the change, with the body's shard held exclusively.
  void PieceChanging(size_t piece);

 protected:
  // Passes the next pieces, `count` at most: visit is called with the lock held, and with the image
  // that was kept of the piece, or null if it is unchanged. False: there are no more.
  bool Pass(size_t count, FunctionRef<void(size_t piece, std::unique_ptr<PieceImage> kept)> visit);
  const Body& body() const { return *body_; }

 private:
  friend class Body;
  // Runs it with the body's shard held.
  void Held(FunctionRef<void()> run);

  Keyspace& keyspace_;
  BodyRef body_;
  // Guarded by the lock of the body's shard, as is the list that they hang on.
  size_t next_;
  const size_t end_;
  std::map<size_t, std::unique_ptr<PieceImage>> kept_;  // from next_ on
  BodyWalk* next_walk_;                                 // of the same body
};

// Bytes of a blob.
class BlobWalk final : public BodyWalk {
 public:
  BlobWalk(Keyspace& keyspace, Blob& blob, size_t offset, size_t size);
  // Appends the next bytes, up to a piece. False: there are no more.
  bool Next(std::string* out);

 private:
  const size_t offset_;
  const size_t last_;  // one behind the last byte
};

// Fields of a table, by their positions.
class TableWalk final : public BodyWalk {
 public:
  TableWalk(Keyspace& keyspace, HashTable& table, size_t begin, size_t end);
  // Replaces *images by the next pieces, up to 4096 fields. False: there are no more.
  bool Next(std::vector<std::unique_ptr<FieldsImage>>* images);
};

}  // namespace kiwi::keyspace
