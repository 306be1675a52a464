// A small, fast, seedable generator (SplitMix64). The same seed gives the same sequence on every
// machine, which replicated random picks (SPOP and the like) and the simulator rely on.
#pragma once

#include <cstdint>

namespace kiwi {

// Not thread-safe: one a thread, or one a call.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // Uniform in [0, bound); bound > 0. The bias of the multiply-shift is below 2^-32 for any bound
  // that fits in 32 bits.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }
  bool OneIn(uint64_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

// From the operating system's entropy; for seeds only.
uint64_t EntropySeed();

}  // namespace kiwi
