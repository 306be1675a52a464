#include "keyspace/blob.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "keyspace/memory.h"

namespace kiwi::keyspace {
namespace {

class BytesImage final : public PieceImage {
 public:
  explicit BytesImage(std::string_view bytes) : bytes_(bytes) {}
  size_t size() const override { return bytes_.size(); }
  void Emit(FunctionRef<void(std::string_view)> emit) const override { emit(bytes_); }

 private:
  std::string bytes_;
};

}  // namespace

void Body::Renew(const BodyIdentity& identity) {
  db_ = identity.db;
  id_ = identity.id;
  born_ = identity.born;
  set_home(identity.shard);
  for (size_t i = 0; i < piece_count(); ++i) mark(i) = Mark{.changed = born_, .stored = 0};
}

Blob::~Blob() { std::free(data_); }

void Blob::Resize(size_t size, bool exact, PieceObserver& observer) {
  const size_t old_size = size_;
  const size_t pieces = size == 0 ? 1 : (size - 1) / kPieceBytes + 1;
  for (size_t piece = pieces; piece < piece_count(); ++piece) observer.PieceDropping(*this, piece);
  WillChange(std::min(size, old_size), kPieceBytes, observer);  // the piece that is cut or extended
  if (size > capacity_) {
    // Doubling up to a megabyte, then a megabyte at a time and an eighth: as much as appends need.
    size_t wanted = size;
    if (!exact) wanted += std::min(size, (size_t{1} << 20) + size / 8);
    capacity_ = AllocationSize(wanted);
    data_ = static_cast<char*>(std::realloc(data_, capacity_));
    KIWI_CHECK(data_ != nullptr, "out of memory");
  } else if (exact && AllocationSize(size) < capacity_) {
    capacity_ = AllocationSize(size);
    data_ = static_cast<char*>(std::realloc(data_, capacity_));
    KIWI_CHECK(data_ != nullptr, "out of memory");
  }
  size_ = size;
  more_.resize(piece_count() - 1);
  if (size > old_size) WillChange(old_size, size - old_size, observer);  // the added ones
}

void Blob::WillChange(size_t offset, size_t size, PieceObserver& observer) {
  if (size == 0) return;
  // An empty blob has one piece, of no bytes.
  const size_t last = std::min((offset + size - 1) / kPieceBytes, piece_count() - 1);
  for (size_t piece = offset / kPieceBytes; piece <= last; ++piece) {
    observer.PieceChanging(*this, piece);
  }
}

size_t Blob::memory_bytes() const {
  return AllocationSize(sizeof(Blob)) + capacity_ + more_.capacity() * sizeof(Mark);
}

std::unique_ptr<PieceImage> Blob::Freeze(size_t piece) const {
  return std::make_unique<BytesImage>(bytes().substr(piece * kPieceBytes, kPieceBytes));
}

void Blob::Restore(size_t size) {
  capacity_ = AllocationSize(size);
  data_ = static_cast<char*>(Allocate(size));
  size_ = size;
  more_.resize(piece_count() - 1);
}

Body* Blob::Clone(const BodyIdentity& identity) const {
  auto* clone = new Blob(identity);
  clone->Restore(size_);
  std::memcpy(clone->data_, data_, size_);
  clone->Renew(identity);
  return clone;
}

}  // namespace kiwi::keyspace
