#include "metrics/access.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>

namespace kiwi::metrics {
namespace {

bool SameInConstantTime(std::string_view given, std::string_view secret) {
  unsigned char difference = given.size() == secret.size() ? 0 : 1;
  for (size_t i = 0; i < given.size(); ++i) {
    const char expected = secret.empty() ? '\0' : secret[i % secret.size()];
    difference |= static_cast<unsigned char>(given[i] ^ expected);
  }
  return difference == 0;
}

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = Base64Digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>((bits >> count) & 0xFF));
    }
  }
  return out;
}

// "Bearer x": x, if the scheme is the one asked for (in any case).
std::optional<std::string_view> AfterScheme(std::string_view header, std::string_view scheme) {
  if (header.size() <= scheme.size() || header[scheme.size()] != ' ') return std::nullopt;
  const auto same = [](char a, char b) { return (a | 0x20) == (b | 0x20); };
  if (!std::equal(scheme.begin(), scheme.end(), header.begin(), same)) return std::nullopt;
  header.remove_prefix(std::min(header.find_first_not_of(' ', scheme.size()), header.size()));
  return header;
}

}  // namespace

bool Authorized(const Credentials& credentials, std::string_view header) {
  if (credentials.empty()) return true;
  if (const auto token = AfterScheme(header, "bearer"); token && !credentials.token.empty()) {
    return SameInConstantTime(*token, credentials.token);
  }
  if (const auto basic = AfterScheme(header, "basic"); basic && !credentials.password.empty()) {
    const std::optional<std::string> pair = DecodeBase64(*basic);
    return pair && SameInConstantTime(*pair, credentials.user + ":" + credentials.password);
  }
  return false;
}

bool ReachableFromOutside(std::string_view numeric_address) {
  const std::string address(numeric_address);
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) != 127;
  in6_addr v6{};
  return inet_pton(AF_INET6, address.c_str(), &v6) != 1 || !IN6_IS_ADDR_LOOPBACK(&v6);
}

bool RateLimit::Take(int64_t now_ns) {
  if (per_second_ == 0) return true;
  const auto limit = static_cast<double>(per_second_);
  if (!begun_) tokens_ = limit;
  const double passed_s = begun_ ? static_cast<double>(now_ns - filled_at_ns_) / 1e9 : 0;
  begun_ = true;
  filled_at_ns_ = now_ns;
  tokens_ = std::min(limit, tokens_ + passed_s * limit);
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

}  // namespace kiwi::metrics
