#include "keyspace/types/hash_table.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/coding.h"
#include "base/hash.h"
#include "keyspace/memory.h"
#include "keyspace/types/packed_hash.h"

namespace kiwi::keyspace {

FieldsImage::FieldsImage(std::vector<FieldNode*> nodes) : nodes_(std::move(nodes)) {
  for (FieldNode* node : nodes_) node->Ref();
}

FieldsImage::~FieldsImage() {
  for (FieldNode* node : nodes_) node->Unref();
}

size_t FieldsImage::size() const {
  size_t size = 0;
  for (const FieldNode* node : nodes_) size += PackedHash::EntryBytes(node->field(), node->value());
  return size;
}

void FieldsImage::Emit(FunctionRef<void(std::string_view)> emit) const {
  char length[kMaxVarint64Bytes];
  const auto emit_string = [&](std::string_view s) {
    emit({length, static_cast<size_t>(EncodeVarint(length, s.size()) - length)});
    emit(s);
  };
  for (const FieldNode* node : nodes_) {
    emit_string(node->field());
    emit_string(node->value());
  }
}

FieldNode* FieldNode::New(std::string_view field, std::string_view value) {
  KIWI_CHECK(field.size() <= UINT32_MAX && value.size() <= UINT32_MAX, "field too large");
  void* memory = Allocate(sizeof(FieldNode) + field.size() + value.size());
  auto* node = new (memory) FieldNode(field.size(), value.size());
  char* bytes = static_cast<char*>(memory) + sizeof(FieldNode);
  std::memcpy(bytes, field.data(), field.size());
  std::memcpy(bytes + field.size(), value.data(), value.size());
  return node;
}

void FieldNode::Unref() {
  if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) std::free(this);
}

size_t FieldNode::memory_bytes() const {
  return AllocationSize(sizeof(FieldNode) + field_size_ + value_size_);
}

HashTable::~HashTable() {
  for (size_t i = 0; i < size_; ++i) NodeAt(i)->Unref();
}

uint32_t HashTable::HashOf(std::string_view field) const {
  return static_cast<uint32_t>(Hash64(field, hash_seed_) >> 32);
}

size_t HashTable::Find(std::string_view field) const {
  const uint32_t position = index_.Find(
      HashOf(field), [&](uint32_t candidate) { return NodeAt(candidate)->field() == field; });
  return position == FieldIndex::kNone ? kNotFound : position;
}

void HashTable::Append(FieldNode* node) {
  if (size_ % kPieceFields == 0) {
    chunks_.push_back(std::make_unique<Chunk>());
    marks_.emplace_back();
  }
  (*chunks_.back())[size_ % kPieceFields] = node;
  index_.Insert(HashOf(node->field()), static_cast<uint32_t>(size_));
  node_bytes_ += node->memory_bytes();
  ++size_;
}

void HashTable::Add(std::string_view field, std::string_view value, PieceObserver& observer) {
  if (size_ % kPieceFields != 0) observer.PieceChanging(*this, size_ / kPieceFields);
  Append(FieldNode::New(field, value));
  observer.PieceChanging(*this, (size_ - 1) / kPieceFields);
}

bool HashTable::Restore(std::string_view field, std::string_view value) {
  if (Find(field) != kNotFound) return false;
  Append(FieldNode::New(field, value));
  return true;
}

void HashTable::SetValue(size_t i, std::string_view value, PieceObserver& observer) {
  observer.PieceChanging(*this, i / kPieceFields);
  FieldNode*& place = (*chunks_[i / kPieceFields])[i % kPieceFields];
  FieldNode* old = place;
  place = FieldNode::New(old->field(), value);
  node_bytes_ += place->memory_bytes();
  node_bytes_ -= old->memory_bytes();
  old->Unref();
}

void HashTable::RemoveAt(size_t i, PieceObserver& observer) {
  const size_t last = size_ - 1;
  observer.PieceChanging(*this, i / kPieceFields);
  const bool piece_goes = last % kPieceFields == 0;
  if (piece_goes) {
    observer.PieceDropping(*this, last / kPieceFields);
  } else {
    observer.PieceChanging(*this, last / kPieceFields);
  }
  FieldNode* gone = NodeAt(i);
  index_.Erase(HashOf(gone->field()), static_cast<uint32_t>(i));
  if (i != last) {
    FieldNode* moved = NodeAt(last);
    index_.Move(HashOf(moved->field()), static_cast<uint32_t>(last), static_cast<uint32_t>(i));
    (*chunks_[i / kPieceFields])[i % kPieceFields] = moved;
  }
  node_bytes_ -= gone->memory_bytes();
  gone->Unref();
  --size_;
  if (piece_goes) {
    chunks_.pop_back();
    marks_.pop_back();
  }
}

size_t HashTable::memory_bytes() const {
  return AllocationSize(sizeof(HashTable)) + node_bytes_ + index_.memory_bytes() +
         chunks_.size() * AllocationSize(sizeof(Chunk)) +
         chunks_.capacity() * sizeof(std::unique_ptr<Chunk>) + marks_.capacity() * sizeof(Mark);
}

std::unique_ptr<PieceImage> HashTable::Freeze(size_t piece) const {
  std::vector<FieldNode*> nodes;
  const size_t end = std::min(size_, (piece + 1) * kPieceFields);
  for (size_t i = piece * kPieceFields; i < end; ++i) nodes.push_back(NodeAt(i));
  return std::make_unique<FieldsImage>(std::move(nodes));
}

Body* HashTable::Clone(const BodyIdentity& identity) const {
  auto* clone = new HashTable(identity, hash_seed_);
  for (size_t i = 0; i < size_; ++i) {
    NodeAt(i)->Ref();
    clone->Append(NodeAt(i));
  }
  clone->Renew(identity);
  return clone;
}

}  // namespace kiwi::keyspace
