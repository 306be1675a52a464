// Values too large for a page: they lie beside their object and have checkpoint rows of their own,
// cut into pieces, so that a change writes the piece it falls into and not the whole.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/function_ref.h"

namespace kiwi::keyspace {

// When a unit of the checkpoint (a leaf or a piece) was last changed and last stored, in
// generations. Written under the shard's exclusive lock, and by the one checkpoint writer under the
// shared lock, which never run at the same time.
struct Mark {
  uint32_t changed = 0;
  uint32_t stored : 31 = 0;          // the generation in its newest row's key; 0: no row
  uint32_t stored_in_parts : 1 = 0;  // that row is cut into several
};

// A piece as it was at one moment, safe to read without any lock.
class PieceImage {
 public:
  virtual ~PieceImage() = default;
  virtual size_t size() const = 0;
  // Calls emit with the bytes, in order, in as many parts as it likes.
  virtual void Emit(FunctionRef<void(std::string_view)> emit) const = 0;
};

// What a body's rows are filed under.
struct BodyIdentity {
  uint32_t db = 0;    // of the Database that holds it
  uint64_t id = 0;    // unique in the keyspace, never used again
  uint32_t born = 0;  // the generation in which it was made
  uint8_t shard = 0;  // where its object lives
};

class BodyWalk;

// Reference counted: the object holds one reference, a running checkpoint or a walk another. Only
// what holds it through the object changes it, under the shard's exclusive lock.
class Body {
 public:
  explicit Body(const BodyIdentity& identity)
      : home_(identity.shard), db_(identity.db), born_(identity.born), id_(identity.id) {}
  virtual ~Body() = default;
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;

  uint32_t db() const { return db_; }
  uint64_t id() const { return id_; }
  uint32_t born() const { return born_; }
  // The shard whose lock guards it. Changes with the old and the new one held exclusively, so that
  // who holds one, and finds it here, knows that it stays.
  int home() const { return home_.load(std::memory_order_acquire); }
  void set_home(int shard) { home_.store(static_cast<uint8_t>(shard), std::memory_order_release); }
  // Forgets its rows: it will be stored whole, under the new identity.
  void Renew(const BodyIdentity& identity);

  virtual size_t memory_bytes() const = 0;
  virtual size_t piece_count() const = 0;
  virtual Mark& mark(size_t piece) = 0;
  virtual std::unique_ptr<PieceImage> Freeze(size_t piece) const = 0;
  virtual Body* Clone(const BodyIdentity& identity) const = 0;
  // Allocations to give back: what decides whether a thread of its own frees it.
  virtual size_t allocation_count() const = 0;

  // Walks over it (body_walk.h) are told before a piece changes or goes. The shard is held
  // exclusively.
  void TellWalks(size_t piece);
  bool walked() const { return walks_ != nullptr; }

  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  // True: that was the last one, and the caller deletes it.
  [[nodiscard]] bool Unref() { return refs_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

 private:
  std::atomic<uint32_t> refs_{1};
  std::atomic<uint8_t> home_;
  uint32_t db_;
  uint32_t born_;
  uint64_t id_;
  friend class BodyWalk;
  BodyWalk* walks_ = nullptr;  // changed with the shard held, shared, and Impl::walks_mu
};

struct BodyUnref {
  void operator()(Body* body) const {
    if (body->Unref()) delete body;
  }
};
using BodyRef = std::unique_ptr<Body, BodyUnref>;

// Told before a piece changes or goes away, so that a running checkpoint, or a walk, can keep what it
// was.
class PieceObserver {
 public:
  virtual ~PieceObserver() = default;
  // Before each change of a piece, and for a piece that has just been added.
  virtual void PieceChanging(Body& body, size_t piece) = 0;
  virtual void PieceDropping(Body& body, size_t piece) = 0;
};

}  // namespace kiwi::keyspace
