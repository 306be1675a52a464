// The large form of a hash: its fields in a dense array, with an index. Fields are immutable once
// made and reference counted, so that a checkpoint keeps a piece (64 fields) by holding on to them.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "keyspace/body.h"
#include "keyspace/types/field_index.h"
#include "keyspace/types/hash_value.h"

namespace kiwi::keyspace {

// One allocation: this header, the field's bytes, the value's.
class FieldNode {
 public:
  static FieldNode* New(std::string_view field, std::string_view value);
  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref();

  std::string_view field() const { return {bytes(), field_size_}; }
  std::string_view value() const { return {bytes() + field_size_, value_size_}; }
  size_t memory_bytes() const;

 private:
  FieldNode(size_t field_size, size_t value_size)
      : field_size_(static_cast<uint32_t>(field_size)),
        value_size_(static_cast<uint32_t>(value_size)) {}
  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }

  std::atomic<uint32_t> refs_{1};
  const uint32_t field_size_;
  const uint32_t value_size_;
};

struct FieldUnref {
  void operator()(FieldNode* node) const { node->Unref(); }
};
using FieldRef = std::unique_ptr<FieldNode, FieldUnref>;

// Holds the fields of a piece; their bytes are read when they are written.
class FieldsImage final : public PieceImage {
 public:
  explicit FieldsImage(std::vector<FieldNode*> nodes);
  ~FieldsImage() override;

  size_t count() const { return nodes_.size(); }
  HashField At(size_t i) const { return {nodes_[i]->field(), nodes_[i]->value()}; }
  size_t size() const override;
  void Emit(FunctionRef<void(std::string_view)> emit) const override;

 private:
  const std::vector<FieldNode*> nodes_;
};

class HashTable final : public Body {
 public:
  static constexpr size_t kPieceFields = 64;
  static constexpr size_t kNotFound = ~size_t{0};

  HashTable(const BodyIdentity& identity, uint64_t hash_seed)
      : Body(identity), hash_seed_(hash_seed) {}
  ~HashTable() override;

  size_t size() const { return size_; }
  FieldRef Hold(size_t i) const {
    NodeAt(i)->Ref();
    return FieldRef(NodeAt(i));
  }
  HashField At(size_t i) const { return {NodeAt(i)->field(), NodeAt(i)->value()}; }
  size_t Find(std::string_view field) const;

  void Add(std::string_view field, std::string_view value, PieceObserver& observer);
  void SetValue(size_t i, std::string_view value, PieceObserver& observer);
  // The last field takes its place.
  void RemoveAt(size_t i, PieceObserver& observer);
  // Loading: appends a field whose piece is not marked as changed. False: it is there already.
  bool Restore(std::string_view field, std::string_view value);

  size_t memory_bytes() const override;
  size_t piece_count() const override { return marks_.size(); }
  Mark& mark(size_t piece) override { return marks_[piece]; }
  std::unique_ptr<PieceImage> Freeze(size_t piece) const override;
  Body* Clone(const BodyIdentity& identity) const override;
  size_t allocation_count() const override { return size_; }

 private:
  using Chunk = std::array<FieldNode*, kPieceFields>;

  FieldNode* NodeAt(size_t i) const { return (*chunks_[i / kPieceFields])[i % kPieceFields]; }
  uint32_t HashOf(std::string_view field) const;
  void Append(FieldNode* node);

  const uint64_t hash_seed_;
  size_t size_ = 0;
  size_t node_bytes_ = 0;
  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<Mark> marks_;
  FieldIndex index_;
};

}  // namespace kiwi::keyspace
