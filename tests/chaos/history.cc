#include "chaos/history.h"

#include <array>
#include <span>
#include <utility>

#include "base/numbers.h"

namespace kiwi::chaos {
namespace {

struct KindName {
  std::string_view name;
  OpKind kind;
  size_t arguments;
};

constexpr std::array<KindName, 8> kKinds = {{
    {"GET", OpKind::kGet, 0},
    {"SET", OpKind::kSet, 1},
    {"SETNX", OpKind::kSetNx, 1},
    {"SETPX", OpKind::kSetPx, 3},
    {"DEL", OpKind::kDel, 0},
    {"INCR", OpKind::kIncr, 0},
    {"APPEND", OpKind::kAppend, 1},
    {"CAS", OpKind::kCas, 2},
}};

constexpr size_t kFirstArgument = 5;  // behind client, start, end, key and operation

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < line.size();) {
    const size_t end = std::min(line.find(' ', at), line.size());
    if (end > at) words.push_back(line.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// "nil" or "=" and the bytes.
bool ParseValue(std::string_view word, Value* value) {
  if (word == "nil") {
    value->reset();
    return true;
  }
  if (!word.starts_with('=')) return false;
  std::string bytes;
  for (size_t i = 1; i < word.size(); ++i) {
    if (word[i] != '%') {
      bytes.push_back(word[i]);
      continue;
    }
    if (i + 2 >= word.size()) return false;
    const int high = HexDigit(word[i + 1]);
    const int low = HexDigit(word[i + 2]);
    if (high < 0 || low < 0) return false;
    bytes.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  *value = std::move(bytes);
  return true;
}

bool ParseWritten(std::string_view word, std::string* bytes) {
  Value value;
  if (!ParseValue(word, &value) || !value) return false;
  *bytes = *std::move(value);
  return true;
}

bool ParseArguments(std::span<const std::string_view> words, Op* op) {
  switch (op->kind) {
    case OpKind::kGet:
    case OpKind::kDel:
    case OpKind::kIncr:
      return true;
    case OpKind::kSet:
    case OpKind::kSetNx:
    case OpKind::kAppend:
      return ParseWritten(words[0], &op->argument);
    case OpKind::kSetPx:
      return ParseWritten(words[0], &op->argument) && ParseUint64(words[1], &op->gone_after) &&
             ParseUint64(words[2], &op->gone_latest);
    case OpKind::kCas:
      return ParseValue(words[0], &op->expected) && ParseWritten(words[1], &op->argument);
  }
  return false;
}

bool ParseResult(std::string_view word, Op* op) {
  if (word.starts_with('!')) {
    op->outcome = Outcome::kFailed;
    return true;
  }
  if (word == "?") {
    op->outcome = Outcome::kUnknown;
    return true;
  }
  switch (op->kind) {
    case OpKind::kGet:
      return ParseValue(word, &op->value);
    case OpKind::kDel:
    case OpKind::kIncr:
    case OpKind::kAppend:
      return word.starts_with(':') && ParseInt64(word.substr(1), &op->number);
    case OpKind::kSet:
    case OpKind::kSetPx:
      return word == "OK";
    case OpKind::kSetNx:
      op->number = word == "OK" ? 1 : 0;
      return word == "OK" || word == "nil";
    case OpKind::kCas:
      // EXEC may abort when in doubt, so its nil says only that nothing was done.
      if (word == "FAIL") op->outcome = Outcome::kFailed;
      return word == "OK" || word == "FAIL";
  }
  return false;
}

bool ParseLine(std::string_view line, Op* op) {
  const std::vector<std::string_view> words = Words(line);
  if (words.size() < kFirstArgument + 2 || words[words.size() - 2] != "->") return false;
  const size_t arguments = words.size() - kFirstArgument - 2;
  const KindName* found = nullptr;
  for (const KindName& kind : kKinds) {
    if (kind.name == words[4] && kind.arguments == arguments) found = &kind;
  }
  if (found == nullptr || !ParseUint64(words[1], &op->start)) return false;
  op->kind = found->kind;
  op->key = words[3];
  if (!ParseArguments(std::span(words).subspan(kFirstArgument, arguments), op)) return false;
  if (!ParseResult(words.back(), op)) return false;
  if (words[2] == "-") return op->outcome != Outcome::kAnswered;
  return ParseUint64(words[2], &op->end) && op->end >= op->start;
}

std::string ValueText(const Value& value) {
  constexpr size_t kLongest = 60;
  if (!value) return "nil";
  return value->size() <= kLongest ? "=" + *value : "=…" + value->substr(value->size() - kLongest);
}

std::string ResultText(const Op& op) {
  if (op.outcome == Outcome::kUnknown) return "?";
  if (op.outcome == Outcome::kFailed) return "nothing done";
  switch (op.kind) {
    case OpKind::kGet:
      return ValueText(op.value);
    case OpKind::kDel:
    case OpKind::kIncr:
    case OpKind::kAppend:
      return ":" + std::to_string(op.number);
    default:
      return op.kind == OpKind::kSetNx && op.number == 0 ? "nil" : "OK";
  }
}

}  // namespace

Result<std::vector<Op>> ReadHistory(std::istream& in) {
  std::vector<Op> ops;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line.starts_with('#')) continue;
    Op op;
    op.line = number;
    if (!ParseLine(line, &op)) {
      return Status(StatusCode::kInvalidArgument,
                    "line " + std::to_string(number) + " is no operation: " + line.substr(0, 120));
    }
    if (op.outcome != Outcome::kAnswered) op.end = testing::Span::kNever;
    ops.push_back(std::move(op));
  }
  return ops;
}

std::string ToText(const Op& op) {
  std::string text = "line " + std::to_string(op.line) + ": [" + std::to_string(op.start) + ", " +
                     (op.end == testing::Span::kNever ? "-" : std::to_string(op.end)) + "] ";
  for (const KindName& kind : kKinds) {
    if (kind.kind == op.kind) text += kind.name;
  }
  if (op.kind == OpKind::kCas) text += " " + ValueText(op.expected);
  if (!op.argument.empty()) text += " " + ValueText(op.argument);
  return text + " -> " + ResultText(op);
}

}  // namespace kiwi::chaos
