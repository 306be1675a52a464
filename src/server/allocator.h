// What the memory allocator knows: jemalloc's figures where the binary is linked with it, else the
// C library's.
#pragma once

#include <cstdint>
#include <string>

namespace kiwi::server {

struct AllocatorFigures {
  std::string name;        // "jemalloc-5.3.0" or "libc"
  uint64_t allocated = 0;  // bytes in use by the program
  uint64_t active = 0;     // bytes in pages that hold any of them
  uint64_t resident = 0;   // bytes of physical memory held
};

AllocatorFigures ReadAllocator();
// A report for people; empty when the allocator has none.
std::string ReadAllocatorReport();
// Gives free pages back to the system.
void ReleaseFreeMemory();

}  // namespace kiwi::server
