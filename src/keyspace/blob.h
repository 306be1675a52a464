// A long run of bytes beside its object: strings, and packed blocks that outgrew a page.
#pragma once

#include <string_view>
#include <vector>

#include "keyspace/body.h"

namespace kiwi::keyspace {

class Blob final : public Body {
 public:
  static constexpr size_t kPieceBytes = 256 * 1024;

  explicit Blob(const BodyIdentity& identity) : Body(identity) {}
  ~Blob() override;

  std::string_view bytes() const { return {data_, size_}; }
  size_t size() const { return size_; }

  // Keeps what is there; new bytes are undefined and count as changed. exact: no spare capacity.
  // Growing by a little is O(1), amortised.
  void Resize(size_t size, bool exact, PieceObserver& observer);
  // Tells the observer that [offset, offset + size), as far as it exists, is about to change.
  void WillChange(size_t offset, size_t size, PieceObserver& observer);
  char* mutable_data() { return data_; }
  // Loading: sets the size of an empty blob, all of whose pieces follow.
  void Restore(size_t size);

  size_t memory_bytes() const override;
  size_t piece_count() const override { return size_ == 0 ? 1 : (size_ - 1) / kPieceBytes + 1; }
  Mark& mark(size_t piece) override { return piece == 0 ? first_ : more_[piece - 1]; }
  std::unique_ptr<PieceImage> Freeze(size_t piece) const override;
  Body* Clone(const BodyIdentity& identity) const override;
  size_t allocation_count() const override { return 1; }

 private:
  char* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  Mark first_;
  std::vector<Mark> more_;
};

}  // namespace kiwi::keyspace
