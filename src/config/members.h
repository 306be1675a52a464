// raft.initial-members and the addresses beside it: who begins a group, and whether that makes sense.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace kiwi::config {

struct MemberAddress {
  uint64_t id = 0;  // above 0
  std::string host;
  int port = 0;
};

inline constexpr std::string_view kMembersAllowed =
    "id@host:port,id@host:port,… with one or at least three members; ids above 0, ids and "
    "addresses "
    "distinct";

// "1@host:port,2@[::1]:port"; kConfig says which one is none, and why.
Result<std::vector<MemberAddress>> ParseMembers(std::string_view text);
// Why these cannot begin a group with node `self` among them; empty if they can. None can: it begins
// alone.
std::string FindUnfitMembers(const std::vector<MemberAddress>& members, uint64_t self);

// A numeric IPv4 or IPv6 address.
bool IsNumericAddress(const std::string& text);
// Such an address, or what may be a host's name.
bool IsHost(const std::string& text);
// What listens on every address is none that one can be reached by.
bool IsWildcardAddress(std::string_view text);

}  // namespace kiwi::config
