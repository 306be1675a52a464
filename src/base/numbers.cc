#include "base/numbers.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>

namespace kiwi {
namespace {

// The longest long double in fixed notation has 4933 digits; longer texts are not numbers.
constexpr size_t kMaxNumberText = 5 * 1024;

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// strtod and strtold want a terminator and read past what they are given otherwise.
template <typename T, typename Convert>
bool ParseFloating(std::string_view text, Convert convert, T* value) {
  if (text.empty() || text.size() >= kMaxNumberText || IsSpace(text[0])) return false;
  char buffer[kMaxNumberText];
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  char* end = nullptr;
  errno = 0;
  const T parsed = convert(buffer, &end);
  if (end != buffer + text.size() || std::isnan(parsed)) return false;
  if (errno == ERANGE && (std::isinf(parsed) || parsed == 0)) return false;
  if (errno == EINVAL) return false;
  *value = parsed;
  return true;
}

bool AllDigitsCanonical(std::string_view text) {
  if (text.empty()) return false;
  if (text[0] == '0') return text.size() == 1;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

struct Unit {
  std::string_view name;
  uint64_t bytes;
};
constexpr Unit kUnits[] = {
    {"", 1},        {"b", 1},           {"k", 1000},       {"kb", 1ULL << 10},
    {"m", 1000000}, {"mb", 1ULL << 20}, {"g", 1000000000}, {"gb", 1ULL << 30},
};

bool EqualsLower(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((text[i] | 0x20) != lower[i]) return false;
  }
  return true;
}

}  // namespace

bool ParseUint64(std::string_view text, uint64_t* value) {
  if (!AllDigitsCanonical(text)) return false;
  uint64_t parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  *value = parsed;
  return true;
}

bool ParseInt64(std::string_view text, int64_t* value) {
  const bool negative = !text.empty() && text[0] == '-';
  const std::string_view digits = negative ? text.substr(1) : text;
  if (!AllDigitsCanonical(digits) || (negative && digits[0] == '0')) return false;
  int64_t parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  *value = parsed;
  return true;
}

bool ParseDouble(std::string_view text, double* value) {
  // The common forms go without a copy; what from_chars does not take whole is left to strtod.
  double parsed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error == std::errc() && end == text.data() + text.size() && !std::isnan(parsed)) {
    *value = parsed;
    return true;
  }
  return ParseFloating<double>(text, ::strtod, value);
}

bool ParseLongDouble(std::string_view text, long double* value) {
  return ParseFloating<long double>(text, ::strtold, value);
}

bool ParseMemorySize(std::string_view text, uint64_t* bytes) {
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + digits, number);
  if (digits == 0 || parsed.ec != std::errc()) return false;
  for (const Unit& unit : kUnits) {
    if (!EqualsLower(text.substr(digits), unit.name)) continue;
    if (number > std::numeric_limits<uint64_t>::max() / unit.bytes) return false;
    *bytes = number * unit.bytes;
    return true;
  }
  return false;
}

char* FormatDouble(char* out, double value) {
  if (std::isnan(value)) {
    std::memcpy(out, "nan", 3);
    return out + 3;
  }
  if (std::isinf(value)) {
    const std::string_view text = value > 0 ? "inf" : "-inf";
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
  }
  return std::to_chars(out, out + kMaxDoubleChars, value, std::chars_format::general, 17).ptr;
}

std::string HumanDouble(long double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  char buffer[kMaxNumberText];
  const int length = std::snprintf(buffer, sizeof(buffer), "%.17Lf", value);
  std::string text(buffer, static_cast<size_t>(length));
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

}  // namespace kiwi
