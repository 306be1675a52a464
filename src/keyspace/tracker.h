// Which generation the keyspace is in, and what a running checkpoint must be told before it
// changes.
//
// Generation g is the time between the checkpoints that froze g-1 and g. A unit (leaf, piece, block
// of cells) remembers the generation in which it last changed; the first change in a generation
// puts it on a list. A unit that a running checkpoint has frozen and not yet written is handed to
// it, as it was, right before it changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "base/mutex.h"
#include "keyspace/body.h"
#include "keyspace/leaf.h"

namespace kiwi::keyspace {

// Where a leaf's page is filed.
struct LeafPlace {
  uint32_t db = 0;
  uint16_t slot = 0;
  uint32_t prefix = 0;  // the top 32 bits of the first hash that it covers
};

// The running checkpoint, as the mutations see it. Called under the unit's exclusive shard lock.
class CheckpointSink {
 public:
  virtual ~CheckpointSink() = default;
  // Keeps the unit's present state if the running checkpoint still needs it.
  virtual void KeepLeaf(const LeafPlace& place, Leaf& leaf) = 0;
  virtual void KeepPiece(Body& body, size_t piece) = 0;
};

// Rows that the next checkpoint makes void: of a dropped piece, or all of a body.
struct VoidRows {
  static constexpr uint32_t kAllPieces = 0xffffffff;
  uint32_t db = 0;
  uint64_t body = 0;
  uint32_t piece = kAllPieces;
  uint32_t generation = 0;  // of the piece's row
};

class ChangeTracker final : public PieceObserver {
 public:
  uint32_t generation() const { return generation_; }

  // True: the leaf had not changed in this generation before, so it goes on its shard's list.
  bool LeafChanging(const LeafPlace& place, Leaf& leaf) {
    Mark& mark = leaf.mark();
    if (mark.changed == generation_) return false;
    if (sink_ != nullptr) sink_->KeepLeaf(place, leaf);
    mark.changed = generation_;
    return true;
  }
  void PieceChanging(Body& body, size_t piece) override;
  void PieceDropping(Body& body, size_t piece) override;
  // The body has left the keyspace.
  void BodyDropped(const Body& body);
  // All that a running checkpoint still needs of the body is kept: it is about to be renewed.
  void SettleBody(Body& body);

  BodyIdentity NewBody(uint32_t db, int shard);
  uint64_t next_body_id() const { return next_body_id_.load(std::memory_order_relaxed); }
  void set_next_body_id(uint64_t id) { next_body_id_.store(id, std::memory_order_relaxed); }

  // --- with all shards held ---
  void set_sink(CheckpointSink* sink) { sink_ = sink; }
  void set_generation(uint32_t generation) { generation_ = generation; }
  std::vector<VoidRows> TakeVoidRows();
  // Goes on as another one, whose keyspace's contents take the place of what this one tracked.
  void TakeOver(ChangeTracker& other);

 private:
  void MarkPiece(Body& body, size_t piece);

  uint32_t generation_ = 1;
  CheckpointSink* sink_ = nullptr;
  std::atomic<uint64_t> next_body_id_{1};
  Mutex mu_;
  std::vector<VoidRows> void_rows_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::keyspace
