// Smooth weighted round robin: of those that are ready, each is picked in proportion to its weight,
// spread evenly (weights 3, 2, 1 give a b a c b a, not a a a b b c), so nothing with a weight
// starves.
#pragma once

#include <array>
#include <cstddef>

namespace kiwi::runtime {

// Not thread-safe; each drainer keeps its own.
template <size_t N>
class SmoothWeights {
 public:
  // ready(i) says whether i can be picked. N when none is, or none that is has a weight.
  template <typename Ready>
  size_t Pick(const std::array<int, N>& weights, Ready ready) {
    int total = 0;
    size_t best = N;
    for (size_t i = 0; i < N; ++i) {
      if (weights[i] <= 0 || !ready(i)) continue;
      credit_[i] += weights[i];
      total += weights[i];
      if (best == N || credit_[i] > credit_[best]) best = i;
    }
    if (best != N) credit_[best] -= total;
    return best;
  }

 private:
  std::array<int, N> credit_ = {};
};

}  // namespace kiwi::runtime
