#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kiwi::runtime {

// Critical is internal: Raft, and applying commits. A client can be any of the others.
enum class Priority : uint8_t { kCritical = 0, kHigh = 1, kNormal = 2, kLow = 3 };
inline constexpr size_t kPriorityCount = 4;

constexpr std::string_view PriorityName(Priority p) {
  constexpr std::array<std::string_view, kPriorityCount> kNames = {"critical", "high", "normal",
                                                                   "low"};
  return kNames[static_cast<size_t>(p)];
}

}  // namespace kiwi::runtime
