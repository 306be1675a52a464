#include "server/allocator.h"

#include <malloc.h>

#include <cstddef>

// Of jemalloc, if it is linked in (sanitizer builds bring an allocator of their own).
extern "C" {
[[gnu::weak]] int mallctl(const char* name, void* old, size_t* old_length, void* fresh,
                          size_t fresh_length);
[[gnu::weak]] void malloc_stats_print(void (*write)(void*, const char*), void* opaque,
                                      const char* options);
}

namespace kiwi::server {
namespace {

template <typename T>
T Read(const char* name) {
  T value{};
  size_t length = sizeof(value);
  return mallctl(name, &value, &length, nullptr, 0) == 0 ? value : T{};
}

}  // namespace

AllocatorFigures ReadAllocator() {
  AllocatorFigures figures;
  if (mallctl == nullptr) {
    const struct mallinfo2 info = mallinfo2();
    figures.name = "libc";
    figures.allocated = info.uordblks + info.hblkhd;
    figures.active = figures.allocated;
    figures.resident = info.arena + info.hblkhd;
    return figures;
  }
  uint64_t epoch = 1;
  size_t length = sizeof(epoch);
  mallctl("epoch", &epoch, &length, &epoch, length);  // refreshes the figures
  const std::string version = Read<const char*>("version") ? Read<const char*>("version") : "";
  figures.name = "jemalloc-" + version.substr(0, version.find('-'));
  figures.allocated = Read<size_t>("stats.allocated");
  figures.active = Read<size_t>("stats.active");
  figures.resident = Read<size_t>("stats.resident");
  return figures;
}

std::string ReadAllocatorReport() {
  std::string report;
  if (malloc_stats_print != nullptr) {
    malloc_stats_print(
        [](void* out, const char* text) { static_cast<std::string*>(out)->append(text); }, &report,
        "");
  }
  return report;
}

void ReleaseFreeMemory() {
  if (mallctl == nullptr) {
    malloc_trim(0);
    return;
  }
  mallctl("arena.4096.purge", nullptr, nullptr, nullptr, 0);  // 4096: all arenas
}

}  // namespace kiwi::server
