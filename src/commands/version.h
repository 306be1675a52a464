// The version of Redis whose behaviour Kiwi follows: what HELLO and INFO report, and what clients
// decide their features by.
#pragma once

#include <string_view>

namespace kiwi::commands {

inline constexpr std::string_view kRedisVersion = "7.0.15";

}  // namespace kiwi::commands
