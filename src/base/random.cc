#include "base/random.h"

#include <sys/random.h>

#include "base/check.h"

namespace kiwi {

uint64_t EntropySeed() {
  uint64_t seed = 0;
  KIWI_CHECK(getrandom(&seed, sizeof(seed), 0) == sizeof(seed), "getrandom failed");
  return seed;
}

}  // namespace kiwi
