#include "base/glob.h"

#include <utility>

namespace kiwi {
namespace {

unsigned char Fold(char c, bool ignore_case) {
  const auto byte = static_cast<unsigned char>(c);
  return ignore_case && byte >= 'A' && byte <= 'Z' ? static_cast<unsigned char>(byte + 32) : byte;
}

// `pattern` begins behind the '['. Says in *used how many bytes the class took, its ']' included.
bool ClassMatches(std::string_view pattern, char text, bool ignore_case, size_t* used) {
  const unsigned char wanted = Fold(text, ignore_case);
  size_t i = 0;
  const bool negated = !pattern.empty() && pattern[0] == '^';
  if (negated) ++i;
  bool found = false;
  while (i < pattern.size() && pattern[i] != ']') {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      found |= pattern[i + 1] == text;  // an escaped byte is never folded, as in Redis
      i += 2;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      unsigned char low = Fold(pattern[i], ignore_case);
      unsigned char high = Fold(pattern[i + 2], ignore_case);
      if (static_cast<unsigned char>(pattern[i]) > static_cast<unsigned char>(pattern[i + 2])) {
        std::swap(low, high);
      }
      found |= wanted >= low && wanted <= high;
      i += 3;
    } else {
      found |= Fold(pattern[i], ignore_case) == wanted;
      ++i;
    }
  }
  *used = i < pattern.size() ? i + 1 : i;
  return found != negated;
}

// Whether the pattern's first element, which is not a star, matches this byte; its length in *used.
bool ElementMatches(std::string_view pattern, char text, bool ignore_case, size_t* used) {
  switch (pattern[0]) {
    case '?':
      *used = 1;
      return true;
    case '[': {
      const bool matches = ClassMatches(pattern.substr(1), text, ignore_case, used);
      ++*used;
      return matches;
    }
    case '\\':
      if (pattern.size() >= 2) {
        *used = 2;
        return Fold(pattern[1], ignore_case) == Fold(text, ignore_case);
      }
      [[fallthrough]];
    default:
      *used = 1;
      return Fold(pattern[0], ignore_case) == Fold(text, ignore_case);
  }
}

}  // namespace

bool GlobMatch(std::string_view pattern, std::string_view text, bool ignore_case) {
  constexpr size_t kNoStar = static_cast<size_t>(-1);
  size_t p = 0;
  size_t t = 0;
  size_t after_star = kNoStar;  // where the pattern goes on behind the last star met,
  size_t star_text = 0;         // and where in the text that part is being tried
  while (t < text.size()) {
    size_t used = 0;
    if (p < pattern.size() && pattern[p] == '*') {
      while (p < pattern.size() && pattern[p] == '*') ++p;
      if (p == pattern.size()) return true;
      after_star = p;
      star_text = t;
    } else if (p < pattern.size() &&
               ElementMatches(pattern.substr(p), text[t], ignore_case, &used)) {
      p += used;
      ++t;
    } else if (after_star != kNoStar) {
      p = after_star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace kiwi
