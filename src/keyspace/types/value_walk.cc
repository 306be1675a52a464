#include "keyspace/types/value_walk.h"

#include <utility>

#include "keyspace/types/packed_hash.h"

namespace kiwi::keyspace {

void StringWalk::AppendTo(std::string* out) {
  out->reserve(out->size() + size_);
  while (walk_.Next(out)) {
  }
}

HashWalk::HashWalk(Keyspace& keyspace, const Object& object, size_t begin, size_t end)
    : begin_(object.encoding() == Encoding::kTable ? begin : 0),
      end_(object.encoding() == Encoding::kTable ? end : HashReader(object).size()) {
  if (object.encoding() == Encoding::kTable) {
    auto& table = static_cast<HashTable&>(*object.body());
    table_ = std::make_unique<TableWalk>(keyspace, table, begin_, end_);
  } else if (object.encoding() == Encoding::kPackedBlob) {
    auto& blob = static_cast<Blob&>(*object.body());
    blob_ = std::make_unique<BlobWalk>(keyspace, blob, 0, blob.size());
  } else {
    block_ = object.value();
  }
}

std::string HashWalk::TakeBlock() {
  while (blob_ != nullptr && blob_->Next(&block_)) {
  }
  return std::move(block_);
}

void HashWalk::ForEach(FunctionRef<void(HashField)> visit) {
  if (table_ == nullptr) {
    const std::string block = TakeBlock();
    return PackedHash(block).ForEach([&](HashField field) {
      visit(field);
      return true;
    });
  }
  size_t position = begin_ - begin_ % HashTable::kPieceFields;
  std::vector<std::unique_ptr<FieldsImage>> images;
  while (table_->Next(&images)) {
    for (const auto& image : images) {
      for (size_t i = 0; i < image->count(); ++i, ++position) {
        if (position >= begin_ && position < end_) visit(image->At(i));
      }
    }
  }
}

std::shared_ptr<FieldNode> HoldField(const Object& object, std::string_view field) {
  if (object.encoding() != Encoding::kTable) return nullptr;
  const auto& table = static_cast<const HashTable&>(*object.body());
  const size_t i = table.Find(field);
  return i == HashTable::kNotFound ? nullptr : table.Hold(i);
}

HashImage::HashImage(HashWalk& walk) {
  fields_.reserve(walk.size());
  if (walk.table_ == nullptr) {
    block_ = walk.TakeBlock();
    PackedHash(block_).ForEach([&](HashField field) {
      fields_.push_back(field);
      return true;
    });
    return;
  }
  std::vector<std::unique_ptr<FieldsImage>> images;
  while (walk.table_->Next(&images)) {
    for (auto& image : images) {
      for (size_t i = 0; i < image->count(); ++i) fields_.push_back(image->At(i));
      images_.push_back(std::move(image));
    }
  }
}

}  // namespace kiwi::keyspace
