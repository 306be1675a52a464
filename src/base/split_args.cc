#include "base/split_args.h"

#include <cstdint>

namespace kiwi {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Of an unquoted word: \v and \f separate only in front of a word, as in Redis.
bool EndsWord(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\0'; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

char Unescape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Reads what stands behind an opening quote at line[*read] and writes it at line[*write]; leaves
// *read behind the closing quote. False when that is missing, or something sticks to it.
bool ReadQuoted(char* line, size_t size, char quote, size_t* read, size_t* write) {
  size_t r = *read;
  while (r < size && line[r] != '\0') {
    const char c = line[r];
    if (c == quote) {
      *read = r + 1;
      return r + 1 >= size || line[r + 1] == '\0' || IsSpace(line[r + 1]);
    }
    if (quote == '"' && c == '\\' && r + 3 < size && line[r + 1] == 'x' &&
        HexDigit(line[r + 2]) >= 0 && HexDigit(line[r + 3]) >= 0) {
      line[(*write)++] = static_cast<char>(HexDigit(line[r + 2]) * 16 + HexDigit(line[r + 3]));
      r += 4;
    } else if (quote == '"' && c == '\\' && r + 1 < size && line[r + 1] != '\0') {
      line[(*write)++] = Unescape(line[r + 1]);
      r += 2;
    } else if (quote == '\'' && c == '\\' && r + 1 < size && line[r + 1] == '\'') {
      line[(*write)++] = '\'';
      r += 2;
    } else {
      line[(*write)++] = c;
      ++r;
    }
  }
  return false;
}

}  // namespace

bool SplitArgsInPlace(char* line, size_t size, std::vector<std::string_view>* args) {
  const size_t before = args->size();
  size_t read = 0;
  for (;;) {
    while (read < size && IsSpace(line[read])) ++read;
    if (read == size || line[read] == '\0') return true;
    const size_t begin = read;
    size_t write = read;
    while (read < size && !EndsWord(line[read])) {
      const char c = line[read++];
      if (c != '"' && c != '\'') {
        line[write++] = c;
        continue;
      }
      if (!ReadQuoted(line, size, c, &read, &write)) {
        args->resize(before);
        return false;
      }
      break;
    }
    args->emplace_back(line + begin, write - begin);
  }
}

bool SplitArgs(std::string_view line, std::vector<std::string>* args) {
  std::string copy(line);
  std::vector<std::string_view> words;
  if (!SplitArgsInPlace(copy.data(), copy.size(), &words)) return false;
  args->assign(words.begin(), words.end());
  return true;
}

std::string QuoteArg(std::string_view word) {
  bool plain = !word.empty();
  for (const char c : word) {
    const auto byte = static_cast<uint8_t>(c);
    plain &= byte > ' ' && byte < 0x7f && c != '"' && c != '\'' && c != '\\';
  }
  if (plain) return std::string(word);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : word) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= ' ' && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out + '"';
}

}  // namespace kiwi
