// What the clients of a run asked and were answered, as text: one operation a line,
//
//   <client> <start> <end> <key> <operation> [argument …] -> <result>
//
// Times are microseconds of one monotonic clock; the end of an operation without an answer is "-",
// and its result "?". A value is "=" and its bytes (what is not printable, and %, as %XX); an absent
// one is "nil", a number ":n". "!…" is an error that says that nothing was done. "# …" is a comment.
//
//   3 1000 1450 r:12 SET =v17 -> OK          4 1100 - c:1 INCR -> ?
//   3 2000 2100 r:12 GET -> =v17             4 1100 1200 r:12 SETNX =v18 -> nil
//   3 2200 2300 r:12 CAS =v17 =v19 -> OK     (WATCH … EXEC; FAIL when EXEC answered nil)
//   3 2400 2500 r:12 DEL -> :1               4 1300 1400 l:5 APPEND =x -> :1
//   3 2600 2700 t:1 SETPX =v20 400000 600000 -> OK
//     gone not before 400 ms after its start, and at the latest 600 ms after its end (0: no such bound)
//   3 2800 2900 b:0 GET -> =40,60            a bank: its accounts as one value, of one sum always
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "testing/linearizability.h"

namespace kiwi::chaos {

using Value = std::optional<std::string>;  // nothing: the key is absent

enum class OpKind : uint8_t { kGet, kSet, kSetNx, kSetPx, kDel, kIncr, kAppend, kCas };

enum class Outcome : uint8_t {
  kAnswered,  // `value` or `number` is the result
  kUnknown,   // it may have taken effect, and may still
  kFailed,    // it was not done and never will be
};

struct Op {
  OpKind kind = OpKind::kGet;
  Outcome outcome = Outcome::kAnswered;
  std::string key;
  uint64_t start = 0;
  uint64_t end = testing::Span::kNever;
  Value expected;            // kCas
  std::string argument;      // what is written or appended
  uint64_t gone_after = 0;   // kSetPx, since start
  uint64_t gone_latest = 0;  // kSetPx, since end; 0: no bound
  Value value;               // result of kGet
  int64_t number = 0;        // result of kDel, kIncr, kAppend; 1 or 0: OK or not
  size_t line = 0;           // in the file, from 1
};

// Error: says which line means nothing.
Result<std::vector<Op>> ReadHistory(std::istream& in);

// The inverse of one line, without client and key: for people.
std::string ToText(const Op& op);

}  // namespace kiwi::chaos
