#include "keyspace/body_walk.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "keyspace/impl.h"

namespace kiwi::keyspace {
namespace {

constexpr size_t kPiecesOfFields = 64;  // under one hold

BodyRef Share(Body& body) {
  body.Ref();
  return BodyRef(&body);
}

}  // namespace

void Body::TellWalks(size_t piece) {
  for (BodyWalk* walk = walks_; walk != nullptr; walk = walk->next_walk_) {
    walk->PieceChanging(piece);
  }
}

BodyWalk::BodyWalk(Keyspace& keyspace, Body& body, size_t begin, size_t end)
    : keyspace_(keyspace),
      body_(Share(body)),
      next_(begin),
      end_(std::min(end, body.piece_count())) {
  MutexLock lock(keyspace_.impl().walks_mu);
  next_walk_ = std::exchange(body.walks_, this);
}

BodyWalk::~BodyWalk() {
  Keyspace::Impl& impl = keyspace_.impl();
  Held([&] {
    MutexLock lock(impl.walks_mu);
    BodyWalk** link = &body_->walks_;
    while (*link != this) link = &(*link)->next_walk_;
    *link = next_walk_;
  });
  // The last that has it frees it, where that holds up nobody.
  Body* const body = body_.release();
  if (body->Unref()) impl.reaper.Discard(std::shared_ptr<Body>(body));
}

void BodyWalk::Held(FunctionRef<void()> run) {
  for (bool done = false; !done;) {
    const int home = body_->home();
    ShardSet one;
    one.AddSlot(static_cast<uint16_t>(home * kSlotsPerShard));
    const ShardLock lock(keyspace_, one, LockMode::kShared);
    done = body_->home() == home;
    if (done) run();
  }
}

void BodyWalk::PieceChanging(size_t piece) {
  if (piece < next_ || piece >= end_ || kept_.contains(piece)) return;
  kept_.emplace(piece, body_->Freeze(piece));
}

bool BodyWalk::Pass(size_t count,
                    FunctionRef<void(size_t piece, std::unique_ptr<PieceImage> kept)> visit) {
  bool any = false;
  keyspace_.BetweenHolds();
  Held([&] {
    for (; next_ < end_ && count > 0; ++next_, --count, any = true) {
      const auto kept = kept_.extract(next_);
      visit(next_, kept.empty() ? nullptr : std::move(kept.mapped()));
    }
  });
  return any;
}

BlobWalk::BlobWalk(Keyspace& keyspace, Blob& blob, size_t offset, size_t size)
    : BodyWalk(keyspace, blob, offset / Blob::kPieceBytes,
               (offset + size + Blob::kPieceBytes - 1) / Blob::kPieceBytes),
      offset_(offset),
      last_(offset + size) {
  KIWI_CHECK(last_ <= blob.size(), "bytes that the blob has");
}

bool BlobWalk::Next(std::string* out) {
  size_t begin = 0;
  std::unique_ptr<PieceImage> image;
  const auto part = [&](std::string_view piece) {
    const size_t from = std::max(offset_, begin) - begin;
    return piece.substr(from, std::min(last_ - begin, piece.size()) - from);
  };
  const bool any = Pass(1, [&](size_t piece, std::unique_ptr<PieceImage> kept) {
    begin = piece * Blob::kPieceBytes;
    image = std::move(kept);
    const auto& blob = static_cast<const Blob&>(body());
    if (image == nullptr) out->append(part(blob.bytes().substr(begin, Blob::kPieceBytes)));
  });
  // The image of a blob's piece is one run of bytes.
  if (image != nullptr) image->Emit([&](std::string_view piece) { out->append(part(piece)); });
  return any;
}

TableWalk::TableWalk(Keyspace& keyspace, HashTable& table, size_t begin, size_t end)
    : BodyWalk(keyspace, table, begin / HashTable::kPieceFields,
               (end + HashTable::kPieceFields - 1) / HashTable::kPieceFields) {}

bool TableWalk::Next(std::vector<std::unique_ptr<FieldsImage>>* images) {
  images->clear();
  return Pass(kPiecesOfFields, [&](size_t piece, std::unique_ptr<PieceImage> kept) {
    if (kept == nullptr) kept = body().Freeze(piece);
    images->emplace_back(static_cast<FieldsImage*>(kept.release()));
  });
}

}  // namespace kiwi::keyspace
