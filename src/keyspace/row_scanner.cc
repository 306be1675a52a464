#include "keyspace/row_scanner.h"

#include <utility>

namespace kiwi::keyspace {

RowScanner::RowScanner(const storage::Backend& backend, std::string begin, std::string end,
                       uint32_t valid_generation, std::vector<std::string>* garbage)
    : valid_generation_(valid_generation), garbage_(garbage) {
  const std::string first = begin;
  it_ = backend.NewIterator({.lower = std::move(begin), .upper = std::move(end)});
  it_->Seek(first);
}

bool RowScanner::Fail(const RowKey& key, std::string_view why) {
  status_ = Status(StatusCode::kCorruption, key.ToString() + ": " + std::string(why));
  return false;
}

bool RowScanner::Next() {
  if (!status_.ok()) return false;
  if (std::exchange(on_row_, false)) it_->Next();
  for (; it_->Valid(); it_->Next()) {
    RowKey key;
    if (!RowKey::Decode(it_->key(), &key)) {
      status_ = Status(StatusCode::kCorruption, "a row has a malformed key");
      return false;
    }
    if (key.generation > valid_generation_ || (any_ && key.SameUnit(key_))) {
      garbage_->emplace_back(it_->key());
      continue;
    }
    key_ = key;
    any_ = true;
    on_row_ = true;
    return ReadParts();
  }
  status_ = it_->status();
  return false;
}

bool RowScanner::ReadParts() {
  if (key_.part != 0) return Fail(key_, "its first part is missing");
  if (const Status s = UnframeRow(it_->key(), it_->value(), &parts_, &bytes_); !s.ok()) {
    return Fail(key_, s.message());
  }
  if (parts_ == 1) return true;
  joined_.assign(bytes_);
  RowKey expected = key_;
  for (uint32_t part = 1; part < parts_; ++part) {
    expected.part = part;
    it_->Next();
    if (!it_->Valid() || it_->key() != expected.Encode()) {
      return Fail(expected, it_->status().ok() ? "missing" : it_->status().message());
    }
    uint32_t same_parts = 0;
    std::string_view bytes;
    if (const Status s = UnframeRow(it_->key(), it_->value(), &same_parts, &bytes); !s.ok()) {
      return Fail(expected, s.message());
    }
    if (same_parts != parts_) return Fail(expected, "it belongs to another row");
    joined_.append(bytes);
  }
  bytes_ = joined_;
  return true;
}

}  // namespace kiwi::keyspace
