// Judges a history: is each key's part linearizable? (Linearizability is local: a history is
// linearizable if and only if that of each object is. A bank is one object, a transfer one operation.)
//
// A value with an expiry may be written only once.
//
// A key with an expiry is a register that something sets to absent, once, between the bounds that the
// history gives: so it goes not early, not late, and does not come back.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "chaos/history.h"

namespace kiwi::chaos {

struct Violation {
  std::string key;
  std::string story;  // the operations around the first result that no order explains
};

struct CheckReport {
  size_t operations = 0;
  size_t keys = 0;
  size_t unknown = 0;
  std::vector<Violation> violations;
  std::vector<std::string> undecided;  // keys whose search was given up at its bound
};

struct CheckOptions {
  size_t max_states = 2'000'000;  // remembered a key
  size_t max_stories = 5;         // told of the first violations; each takes some searches more
};

CheckReport Check(const std::vector<Op>& ops, const CheckOptions& options = {});

}  // namespace kiwi::chaos
