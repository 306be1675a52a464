// What one value cannot show: whether the values fit each other.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "config/value.h"

namespace kiwi::config {

struct Conflict {
  size_t option = 0;  // index into kOptions of the one to change
  std::string reason;
  std::string allowed = {};         // what would be; empty: the reason says it
  std::optional<size_t> with = {};  // the other one, which may be the one that was given
};

// `values` by index into kOptions. The first conflict found.
std::optional<Conflict> FindConflict(std::span<const Value> values);

}  // namespace kiwi::config
