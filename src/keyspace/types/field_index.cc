#include "keyspace/types/field_index.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "keyspace/memory.h"

namespace kiwi::keyspace {
namespace {

constexpr uint32_t kCapacityMin = 8;
constexpr uint32_t kSplitCapacity = 1024;
constexpr int kDepthMax = 22;

bool Full(uint32_t count, uint32_t capacity) { return count >= capacity / 4 * 3; }

}  // namespace

FieldIndex::FieldIndex() { directory_.push_back(NewSegment(kCapacityMin, 0)); }

FieldIndex::~FieldIndex() {
  for (size_t i = 0; i < directory_.size();) {
    Segment* segment = directory_[i];
    i += size_t{1} << (depth_ - segment->depth);
    FreeSegment(segment);
  }
}

FieldIndex::Segment* FieldIndex::NewSegment(uint32_t capacity, int depth) {
  const size_t bytes = sizeof(Segment) + capacity * sizeof(Place);
  auto* segment = static_cast<Segment*>(Allocate(bytes));
  std::memset(static_cast<void*>(segment), 0, bytes);
  segment->capacity = capacity;
  segment->depth = depth;
  segment_bytes_ += AllocationSize(bytes);
  return segment;
}

void FieldIndex::FreeSegment(Segment* segment) {
  segment_bytes_ -= AllocationSize(sizeof(Segment) + segment->capacity * sizeof(Place));
  std::free(segment);
}

FieldIndex::Segment*& FieldIndex::SegmentFor(uint32_t hash) {
  return directory_[depth_ == 0 ? 0 : hash >> (32 - depth_)];
}
FieldIndex::Segment* FieldIndex::SegmentFor(uint32_t hash) const {
  return directory_[depth_ == 0 ? 0 : hash >> (32 - depth_)];
}

uint32_t FieldIndex::Find(uint32_t hash, FunctionRef<bool(uint32_t position)> matches) const {
  Segment* segment = SegmentFor(hash);
  const uint32_t mask = segment->capacity - 1;
  for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
    const Place& place = segment->places()[i];
    if (place.position_plus_1 == 0) return kNone;
    if (place.hash == hash && matches(place.position_plus_1 - 1)) return place.position_plus_1 - 1;
  }
}

FieldIndex::Place* FieldIndex::PlaceOf(uint32_t hash, uint32_t position) {
  Segment* segment = SegmentFor(hash);
  const uint32_t mask = segment->capacity - 1;
  for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
    Place* place = &segment->places()[i];
    KIWI_CHECK(place->position_plus_1 != 0, "a field is missing from its index");
    if (place->position_plus_1 == position + 1) return place;
  }
}

void FieldIndex::Put(Segment* segment, Place place) {
  const uint32_t mask = segment->capacity - 1;
  uint32_t i = place.hash & mask;
  while (segment->places()[i].position_plus_1 != 0) i = (i + 1) & mask;
  segment->places()[i] = place;
  ++segment->count;
}

void FieldIndex::Replace(Segment* segment, Segment* lower, Segment* upper) {
  const auto begin = std::find(directory_.begin(), directory_.end(), segment);
  const auto span = std::ptrdiff_t{1} << (depth_ - segment->depth);
  std::fill(begin, begin + span / 2, lower);
  std::fill(begin + span / 2, begin + span, upper);
  if (span == 1) *begin = lower;
}

void FieldIndex::Split(Segment* segment) {
  if (segment->depth == depth_) {
    std::vector<Segment*> deeper(directory_.size() * 2);
    for (size_t i = 0; i < deeper.size(); ++i) deeper[i] = directory_[i / 2];
    directory_.swap(deeper);
    ++depth_;
  }
  Segment* halves[2] = {NewSegment(segment->capacity, segment->depth + 1),
                        NewSegment(segment->capacity, segment->depth + 1)};
  for (uint32_t i = 0; i < segment->capacity; ++i) {
    const Place place = segment->places()[i];
    if (place.position_plus_1 != 0) Put(halves[place.hash >> (31 - segment->depth) & 1], place);
  }
  Replace(segment, halves[0], halves[1]);
  FreeSegment(segment);
}

void FieldIndex::MakeRoom(uint32_t hash) {
  Segment* segment = SegmentFor(hash);
  if (!Full(segment->count, segment->capacity)) return;
  // A segment whose hashes all collide grows; the directory stays in proportion to the fields.
  if (segment->capacity >= kSplitCapacity && segment->depth < kDepthMax &&
      directory_.size() <= 64 + count_ / 64) {
    Split(segment);
    segment = SegmentFor(hash);
    if (!Full(segment->count, segment->capacity)) return;
  }
  Segment* larger = NewSegment(segment->capacity * 2, segment->depth);
  for (uint32_t i = 0; i < segment->capacity; ++i) {
    if (segment->places()[i].position_plus_1 != 0) Put(larger, segment->places()[i]);
  }
  Replace(segment, larger, larger);
  FreeSegment(segment);
}

void FieldIndex::Insert(uint32_t hash, uint32_t position) {
  MakeRoom(hash);
  Put(SegmentFor(hash), {position + 1, hash});
  ++count_;
}

void FieldIndex::Erase(uint32_t hash, uint32_t position) {
  Place* gone = PlaceOf(hash, position);
  Segment* segment = SegmentFor(hash);
  const uint32_t mask = segment->capacity - 1;
  // Moves up what would not be found behind the gap.
  auto gap = static_cast<uint32_t>(gone - segment->places());
  for (uint32_t i = (gap + 1) & mask; segment->places()[i].position_plus_1 != 0;
       i = (i + 1) & mask) {
    const uint32_t home = segment->places()[i].hash & mask;
    if (((i - home) & mask) < ((i - gap) & mask)) continue;
    segment->places()[gap] = segment->places()[i];
    gap = i;
  }
  segment->places()[gap] = {0, 0};
  --segment->count;
  --count_;
}

void FieldIndex::Move(uint32_t hash, uint32_t from, uint32_t to) {
  PlaceOf(hash, from)->position_plus_1 = to + 1;
}

}  // namespace kiwi::keyspace
