// Gives an engine's plain cursor the bounds [lower, upper) of ReadOptions.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "storage/backend.h"

namespace kiwi::storage {

// Cursor: movable, with the functions of Iterator (not virtual), without bounds.
template <typename Cursor>
class BoundedIterator final : public Iterator {
 public:
  BoundedIterator(Cursor cursor, std::string lower, std::string upper)
      : cursor_(std::move(cursor)), lower_(std::move(lower)), upper_(std::move(upper)) {}

  bool Valid() const override { return valid_; }

  void SeekToFirst() override {
    if (lower_.empty()) {
      cursor_.SeekToFirst();
    } else {
      cursor_.Seek(lower_);
    }
    CheckBounds();
  }

  void SeekToLast() override {
    if (upper_.empty()) {
      cursor_.SeekToLast();
    } else {
      cursor_.Seek(upper_);
      if (cursor_.Valid()) {
        cursor_.Prev();
      } else if (cursor_.status().ok()) {
        cursor_.SeekToLast();
      }
    }
    CheckBounds();
  }

  void Seek(std::string_view target) override {
    cursor_.Seek(target < lower_ ? std::string_view(lower_) : target);
    CheckBounds();
  }

  void Next() override {
    cursor_.Next();
    CheckBounds();
  }
  void Prev() override {
    cursor_.Prev();
    CheckBounds();
  }

  std::string_view key() const override { return cursor_.key(); }
  std::string_view value() const override { return cursor_.value(); }
  Status status() const override { return cursor_.status(); }

 private:
  void CheckBounds() {
    valid_ =
        cursor_.Valid() && cursor_.key() >= lower_ && (upper_.empty() || cursor_.key() < upper_);
  }

  Cursor cursor_;
  std::string lower_;
  std::string upper_;
  bool valid_ = false;
};

}  // namespace kiwi::storage
