// Allocation sizes. What is asked for is rounded up to jemalloc's size classes here, so that the
// spare bytes of a class are used and accounted without asking the allocator.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdlib>

#include "base/check.h"

namespace kiwi::keyspace {

// The smallest size class that holds n bytes: four a doubling above 128, multiples of 16 below.
constexpr size_t AllocationSize(size_t n) {
  if (n <= 8) return 8;
  if (n <= 128) return (n + 15) & ~size_t{15};
  const size_t spacing = size_t{1} << (std::bit_width(n - 1) - 3);
  return (n + spacing - 1) & ~(spacing - 1);
}

static_assert(AllocationSize(92) == 96 && AllocationSize(129) == 160);
static_assert(AllocationSize(256) == 256 && AllocationSize(257) == 320);

// Never null. Running out of memory ends the process: the log holds what was acknowledged.
inline void* Allocate(size_t n) {
  void* p = std::malloc(AllocationSize(n));
  KIWI_CHECK(p != nullptr, "out of memory");
  return p;
}

}  // namespace kiwi::keyspace
