#include "keyspace/tracker.h"

#include <utility>

namespace kiwi::keyspace {

void ChangeTracker::PieceChanging(Body& body, size_t piece) {
  if (body.walked()) [[unlikely]]
    body.TellWalks(piece);
  MarkPiece(body, piece);
}

void ChangeTracker::MarkPiece(Body& body, size_t piece) {
  Mark& mark = body.mark(piece);
  if (mark.changed == generation_) return;
  if (sink_ != nullptr) sink_->KeepPiece(body, piece);
  mark.changed = generation_;
}

void ChangeTracker::PieceDropping(Body& body, size_t piece) {
  PieceChanging(body, piece);
  const Mark& mark = body.mark(piece);
  if (mark.stored == 0) return;
  MutexLock lock(mu_);
  void_rows_.push_back({body.db(), body.id(), static_cast<uint32_t>(piece), mark.stored});
}

void ChangeTracker::BodyDropped(const Body& body) {
  if (body.born() == generation_) return;  // no checkpoint has seen it
  MutexLock lock(mu_);
  void_rows_.push_back({body.db(), body.id(), VoidRows::kAllPieces, 0});
}

void ChangeTracker::SettleBody(Body& body) {
  for (size_t piece = 0; piece < body.piece_count(); ++piece) MarkPiece(body, piece);
  BodyDropped(body);
}

BodyIdentity ChangeTracker::NewBody(uint32_t db, int shard) {
  return {.db = db,
          .id = next_body_id_.fetch_add(1, std::memory_order_relaxed),
          .born = generation_,
          .shard = static_cast<uint8_t>(shard)};
}

std::vector<VoidRows> ChangeTracker::TakeVoidRows() {
  MutexLock lock(mu_);
  return std::exchange(void_rows_, {});
}

void ChangeTracker::TakeOver(ChangeTracker& other) {
  generation_ = other.generation_;
  set_next_body_id(other.next_body_id());
  std::vector<VoidRows> void_rows = other.TakeVoidRows();
  MutexLock lock(mu_);
  void_rows_ = std::move(void_rows);
}

}  // namespace kiwi::keyspace
