// CLUSTER, and the internal write by which a node tells all others where its clients reach it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands/command.h"

namespace kiwi::commands {

inline constexpr std::string_view kClusterDisabled =
    "ERR This instance has cluster support disabled";

// _member <node> <host> <port>: applied by every node to its membership, not to the keyspace.
inline constexpr std::string_view kMemberCommand = "_member";
struct MemberAddress {
  uint64_t node = 0;
  std::string_view host;
  int port = 0;
};
std::vector<std::string> MakeMemberCommand(const MemberAddress& member);
// None: the arguments make no sense.
std::optional<MemberAddress> ParseMemberCommand(Args args);

}  // namespace kiwi::commands
