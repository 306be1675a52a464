#include "config/members.h"

#include <arpa/inet.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cctype>

#include "base/numbers.h"

namespace kiwi::config {
namespace {

constexpr size_t kNameMax = 253;  // RFC 1035
constexpr size_t kLabelMax = 63;

Status Refuse(std::string_view member, std::string_view why) {
  return {StatusCode::kConfig, fmt::format("\"{}\" {}", member, why)};
}

Result<MemberAddress> ParseMember(std::string_view text) {
  const size_t at = text.find('@');
  const size_t colon = text.rfind(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || colon <= at + 1) {
    return Refuse(text, "is not id@host:port");
  }
  int64_t id = 0;
  if (!ParseInt64(text.substr(0, at), &id) || id < 1) {
    return Refuse(text, "has no id above 0 before its @");
  }
  int64_t port = 0;
  if (!ParseInt64(text.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return Refuse(text, "has no port from 1 to 65535 behind its last colon");
  }
  std::string_view host = text.substr(at + 1, colon - at - 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  MemberAddress member{
      .id = static_cast<uint64_t>(id), .host = std::string(host), .port = static_cast<int>(port)};
  if (IsWildcardAddress(host)) return Refuse(text, "is no address that a node is reached by");
  if (!IsHost(member.host)) return Refuse(text, "has neither an address nor a host's name");
  return member;
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kLabelMax && label.front() != '-' &&
         label.back() != '-' && std::all_of(label.begin(), label.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_';
         });
}

}  // namespace

Result<std::vector<MemberAddress>> ParseMembers(std::string_view text) {
  std::vector<MemberAddress> members;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    KIWI_ASSIGN_OR_RETURN(MemberAddress member, ParseMember(text.substr(0, comma)));
    members.push_back(std::move(member));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return members;
}

std::string FindUnfitMembers(const std::vector<MemberAddress>& members, uint64_t self) {
  if (members.empty()) return {};
  for (size_t i = 0; i < members.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (members[i].id == members[j].id) {
        return fmt::format("node {} is named twice", members[i].id);
      }
      if (members[i].host == members[j].host && members[i].port == members[j].port) {
        return fmt::format("nodes {} and {} have one address", members[j].id, members[i].id);
      }
    }
  }
  if (members.size() == 2) {
    return "two members are no better than one: without either of them there is no majority, and "
           "no service";
  }
  const bool named = std::any_of(members.begin(), members.end(),
                                 [self](const MemberAddress& m) { return m.id == self; });
  return named ? "" : fmt::format("this node, raft.node-id {}, is missing", self);
}

bool IsNumericAddress(const std::string& text) {
  unsigned char bytes[16];
  // A zone ("%eth0") is the system's to know.
  return inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, text.substr(0, text.find('%')).c_str(), bytes) == 1;
}

bool IsHost(const std::string& text) {
  if (IsNumericAddress(text)) return true;
  // What ends in a number is an address, and here a wrong one.
  std::string_view name = text;
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kNameMax) return false;
  const std::string_view last = name.substr(name.rfind('.') + 1);
  if (std::all_of(last.begin(), last.end(), [](unsigned char c) { return std::isdigit(c) != 0; })) {
    return false;
  }
  while (true) {
    const size_t dot = name.find('.');
    if (!IsLabel(name.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    name.remove_prefix(dot + 1);
  }
}

bool IsWildcardAddress(std::string_view text) {
  return text == "*" || text == "::*" || text == "0.0.0.0" || text == "::";
}

}  // namespace kiwi::config
