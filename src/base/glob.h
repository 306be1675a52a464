// Redis's glob patterns, as KEYS, SCAN, PSUBSCRIBE and CONFIG GET take them:
//   *      any bytes, none included          ?       exactly one byte
//   [ab]   one of them                       [^ab]   one that is none of them
//   [a-c]  a range, in either direction      \x      x itself
// Bytes, not characters. An unterminated class reaches to the end of the pattern; "[]" matches
// nothing; a backslash at the very end stands for itself.
#pragma once

#include <string_view>

namespace kiwi {

// True when the pattern covers the whole of `text`. Backtracks to the last star only, so the cost
// is bounded by |pattern| * |text| whatever the pattern: "a*a*a*a*b" cannot blow up.
bool GlobMatch(std::string_view pattern, std::string_view text, bool ignore_case = false);

// True when the pattern matches everything ("*"), so that callers need not match at all.
inline bool GlobMatchesAll(std::string_view pattern) {
  return !pattern.empty() && pattern.find_first_not_of('*') == std::string_view::npos;
}

// True when the pattern matches only itself: no *, ?, [ or backslash in it.
inline bool GlobIsLiteral(std::string_view pattern) {
  return pattern.find_first_of("*?[\\") == std::string_view::npos;
}

}  // namespace kiwi
