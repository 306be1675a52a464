// Numbers as text, by Redis's rules, which are stricter than the C library's in some places and
// looser in others. Parsers return false and leave *value alone when the text is not such a number.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

namespace kiwi {

// Enough for any int64_t, its sign included.
inline constexpr size_t kMaxInt64Chars = 20;
// Enough for any double that FormatDouble writes.
inline constexpr size_t kMaxDoubleChars = 40;

// An optional minus and digits, nothing else: no plus, no spaces, no leading zero (so that the text
// is the only one of its number), no overflow, no "-0".
bool ParseInt64(std::string_view text, int64_t* value);
// The same without a sign, over the whole 64 bits.
bool ParseUint64(std::string_view text, uint64_t* value);

// What strtod takes (hexadecimal, "inf", "+1" included) over the whole text, except: empty, a
// leading space, NaN, and a magnitude that overflows or underflows to nothing.
bool ParseDouble(std::string_view text, double* value);
bool ParseLongDouble(std::string_view text, long double* value);

// Bytes: digits and one of "", b, k, kb, m, mb, g, gb in any case; k is 1000 and kb 1024, and so
// on.
bool ParseMemorySize(std::string_view text, uint64_t* bytes);

// Write at `out` without a terminator and return the end.
inline char* FormatInt64(char* out, int64_t value) {
  return std::to_chars(out, out + kMaxInt64Chars, value).ptr;
}
// "%.17g", with "inf", "-inf" and "nan".
char* FormatDouble(char* out, double value);

// As INCRBYFLOAT prints: fixed notation, 17 digits behind the point, trailing zeros cut off.
std::string HumanDouble(long double value);

}  // namespace kiwi
