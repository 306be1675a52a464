// Finds a field's position in a hash's dense array by the field's hash: open addressing in segments
// of at most 1024 places. A full segment splits by the next bit of the hash; only a directory of
// pointers ever doubles, so that growth never pauses for a whole hash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/function_ref.h"

namespace kiwi::keyspace {

class FieldIndex {
 public:
  static constexpr uint32_t kNone = 0xffffffff;

  FieldIndex();
  ~FieldIndex();
  FieldIndex(const FieldIndex&) = delete;
  FieldIndex& operator=(const FieldIndex&) = delete;

  // The position with this hash that matches; kNone if there is none.
  uint32_t Find(uint32_t hash, FunctionRef<bool(uint32_t position)> matches) const;
  void Insert(uint32_t hash, uint32_t position);
  void Erase(uint32_t hash, uint32_t position);
  // The field at `from` has moved to `to`.
  void Move(uint32_t hash, uint32_t from, uint32_t to);

  size_t memory_bytes() const { return segment_bytes_ + directory_.capacity() * sizeof(Segment*); }
  size_t segment_count() const { return directory_.size(); }

 private:
  struct Place {
    uint32_t position_plus_1;  // 0: empty
    uint32_t hash;
  };
  struct Segment {
    uint32_t capacity;  // a power of two
    uint32_t count;
    int depth;
    Place* places() { return reinterpret_cast<Place*>(this + 1); }
  };

  Segment* NewSegment(uint32_t capacity, int depth);
  void FreeSegment(Segment* segment);
  Segment*& SegmentFor(uint32_t hash);
  Segment* SegmentFor(uint32_t hash) const;
  Place* PlaceOf(uint32_t hash, uint32_t position);
  static void Put(Segment* segment, Place place);
  void MakeRoom(uint32_t hash);
  void Split(Segment* segment);
  void Replace(Segment* segment, Segment* lower, Segment* upper);

  int depth_ = 0;
  size_t count_ = 0;
  size_t segment_bytes_ = 0;
  std::vector<Segment*> directory_;  // 1 << depth_
};

}  // namespace kiwi::keyspace
