#include "keyspace/leaf.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <new>

#include "base/check.h"
#include "keyspace/memory.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace kiwi::keyspace {
namespace {

// The capacities that fill jemalloc's size classes 48, 64, 96 … 304; then doubling.
constexpr std::array<uint8_t, 9> kSteps = {3, 5, 8, 12, 16, 19, 23, 26, 32};
constexpr unsigned kStepMax = 24;

constexpr int64_t kDueEpochMs = 1577836800000;  // 2020-01-01T00:00:00Z
constexpr int kDueShift = 8;

// A bit for each of the 16 bytes at p that equals b.
uint32_t MatchGroup(const uint8_t* p, uint8_t b) {
#if defined(__SSE2__)
  const __m128i group = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return static_cast<uint32_t>(
      _mm_movemask_epi8(_mm_cmpeq_epi8(group, _mm_set1_epi8(static_cast<char>(b)))));
#else
  uint32_t mask = 0;
  for (unsigned i = 0; i < 16; ++i) mask |= static_cast<uint32_t>(p[i] == b) << i;
  return mask;
#endif
}

}  // namespace

uint32_t DueUnits(int64_t at_ms) {
  if (at_ms <= kDueEpochMs) return 0;
  const int64_t units = (at_ms - kDueEpochMs) >> kDueShift;
  return static_cast<uint32_t>(std::min<int64_t>(units, kNeverDue - 1));
}

size_t Leaf::StepCapacity(unsigned step) {
  return step < kSteps.size() ? kSteps[step] : kSplitCount << (step - kSteps.size() + 1);
}

unsigned Leaf::StepFor(size_t n) {
  unsigned step = 0;
  while (StepCapacity(step) < n) ++step;
  KIWI_CHECK(step <= kStepMax && n < (size_t{1} << 21), "too many keys of one hash");
  return step;
}

// The fingerprints are read 16 at a time: room for the last group is part of the size.
size_t Leaf::BytesFor(size_t capacity) {
  return sizeof(Leaf) + ((capacity + 7) & ~size_t{7}) + capacity * sizeof(Object*);
}

size_t Leaf::CapacityFor(size_t n) { return StepCapacity(StepFor(n)); }
size_t Leaf::capacity() const { return StepCapacity(step_); }
size_t Leaf::memory_bytes() const { return AllocationSize(BytesFor(capacity())); }

Leaf* Leaf::New(int depth, size_t capacity) {
  const unsigned step = StepFor(capacity);
  void* memory = Allocate(BytesFor(StepCapacity(step)));
  std::memset(static_cast<char*>(memory) + sizeof(Leaf), 0, (StepCapacity(step) + 7) & ~size_t{7});
  return new (memory) Leaf(depth, step);
}

void Leaf::Free(Leaf* leaf) { std::free(leaf); }

Leaf* Leaf::Resize(Leaf* leaf, size_t capacity) {
  Leaf* resized = New(leaf->depth(), capacity);
  resized->mark_ = leaf->mark_;
  resized->min_due_.store(leaf->min_due(), std::memory_order_relaxed);
  resized->count_ = leaf->count_;
  std::memcpy(resized->fingerprints(), leaf->fingerprints(), leaf->count_);
  std::memcpy(resized->pointers(), leaf->pointers(), leaf->count_ * sizeof(Object*));
  Free(leaf);
  return resized;
}

void Leaf::PrefetchObject(uint64_t hash) const {
  for (size_t base = 0; base < count_; base += 16) {
    const uint32_t mask = MatchGroup(fingerprints() + base, static_cast<uint8_t>(hash));
    if (mask == 0) continue;
    const size_t i = base + static_cast<size_t>(std::countr_zero(mask));
    if (i >= count_) return;
    const auto* object = reinterpret_cast<const char*>(at(i));
    __builtin_prefetch(object);
    __builtin_prefetch(object + 64);
    return;
  }
}

size_t Leaf::Find(uint64_t hash, std::string_view key) const {
  const auto fingerprint = static_cast<uint8_t>(hash);
  const uint8_t* fingerprints_begin = fingerprints();
  Object* const* objects = pointers();
  for (size_t base = 0; base < count_; base += 16) {
    uint32_t mask = MatchGroup(fingerprints_begin + base, fingerprint);
    if (count_ - base < 16) mask &= (1u << (count_ - base)) - 1;
    for (; mask != 0; mask &= mask - 1) {
      const size_t i = base + static_cast<size_t>(std::countr_zero(mask));
      if (objects[i]->key() == key) return i;
    }
  }
  return kNotFound;
}

void Leaf::Add(uint64_t hash, Object* object) {
  KIWI_DCHECK(count_ < capacity(), "the leaf is full");
  fingerprints()[count_] = static_cast<uint8_t>(hash);
  pointers()[count_] = object;
  count_ = (count_ + 1) & 0x1fffff;
}

void Leaf::RemoveAt(size_t i) {
  count_ = (count_ - 1) & 0x1fffff;
  fingerprints()[i] = fingerprints()[count_];
  pointers()[i] = pointers()[count_];
}

uint32_t Leaf::RecomputeMinDue() const {
  uint32_t due = kNeverDue;
  for (size_t i = 0; i < count_; ++i) {
    if (at(i)->has_expiry()) due = std::min(due, DueUnits(at(i)->expire_at_ms()));
  }
  min_due_.store(due, std::memory_order_relaxed);
  return due;
}

}  // namespace kiwi::keyspace
