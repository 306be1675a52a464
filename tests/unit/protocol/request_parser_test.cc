#include "protocol/request_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"

namespace kiwi::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// All that a stream says: its requests, then the error that ended it, if any.
struct Outcome {
  std::vector<std::vector<std::string>> requests;
  std::string error;
  size_t left = 0;  // bytes behind the last request

  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  for (const auto& request : outcome.requests) {
    out << "[";
    for (const auto& arg : request) out << ::testing::PrintToString(arg) << " ";
    out << "] ";
  }
  return out << outcome.error << " left " << outcome.left;
}

// A connection that receives the stream in pieces, each into a buffer at a new address, as a read
// buffer that grows would be. `drops_skipped`: whether it consumes what blank lines took.
Outcome Receive(std::string_view stream, std::vector<size_t> cuts, const ParserLimits& limits = {},
                bool drops_skipped = true) {
  Outcome outcome;
  RequestParser parser;
  std::string pending;
  std::vector<std::string_view> args;
  cuts.push_back(stream.size());
  size_t begin = 0;
  for (const size_t cut : cuts) {
    pending = std::string(pending) + std::string(stream.substr(begin, cut - begin));
    begin = cut;
    for (;;) {
      args.assign(1, "kept");
      size_t consumed = 77;
      const ParseStatus status = parser.Next(pending, limits, &args, &consumed);
      EXPECT_EQ(args[0], "kept");
      EXPECT_LE(consumed, pending.size());
      if (status == ParseStatus::kRequest) {
        EXPECT_GT(args.size(), 1U);
        outcome.requests.emplace_back(args.begin() + 1, args.end());
        pending.erase(0, consumed);
        continue;
      }
      EXPECT_EQ(args.size(), 1U);
      if (status == ParseStatus::kError) {
        outcome.error = parser.error();
        return outcome;
      }
      if (drops_skipped) pending.erase(0, consumed);
      break;
    }
  }
  outcome.left = drops_skipped ? pending.size() : 0;
  return outcome;
}

Outcome Whole(std::string_view stream, const ParserLimits& limits = {}) {
  return Receive(stream, {}, limits);
}

std::string ErrorOf(std::string_view stream, const ParserLimits& limits = {}) {
  return Whole(stream, limits).error;
}

TEST(RequestParser, ReadsPipelinedRequests) {
  const Outcome outcome =
      Whole("*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$0\r\n\r\n*1\r\n$4");
  ASSERT_EQ(outcome.requests.size(), 2U);
  EXPECT_THAT(outcome.requests[0], ElementsAre("PING"));
  EXPECT_THAT(outcome.requests[1], ElementsAre("SET", "a", ""));
  EXPECT_EQ(outcome.left, 6U);
}

TEST(RequestParser, ValuesAreBinary) {
  const std::string value("\0\r\n*1\r\n$", 8);
  const Outcome outcome = Whole("*2\r\n$4\r\nECHO\r\n$8\r\n" + value + "\r\n");
  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_THAT(outcome.requests[0], ElementsAre("ECHO", value));
}

TEST(RequestParser, ReadsInlineCommands) {
  const Outcome outcome = Whole("PING\r\nset a \"x \\x41\"\n  get   'a b'  \r\n");
  ASSERT_EQ(outcome.requests.size(), 3U);
  EXPECT_THAT(outcome.requests[0], ElementsAre("PING"));
  EXPECT_THAT(outcome.requests[1], ElementsAre("set", "a", "x A"));
  EXPECT_THAT(outcome.requests[2], ElementsAre("get", "a b"));
}

TEST(RequestParser, EmptyRequestsAreSkipped) {
  EXPECT_THAT(Whole("\r\n\n   \r\n*0\r\n*-10\r\n").requests, IsEmpty());
  EXPECT_EQ(Whole("\r\n\n   \r\n*0\r\n*-10\r\n").left, 0U);
  const Outcome outcome = Whole("*0\r\n\r\n*1\r\n$4\r\nPING\r\n");
  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_THAT(outcome.requests[0], ElementsAre("PING"));
}

// Streams that between them meet every state of the parser.
std::vector<std::string> Streams() {
  return {
      "*3\r\n$3\r\nSET\r\n$16\r\nkey:000000012345\r\n$10\r\n0123456789\r\n",
      "*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n",
      "*0\r\n*-1\r\n\r\n \r\n*1\r\n$4\r\nPING\r\n\r\nget \"a \\\"b\" 'c'\r\n\n",
      "*12\r\n$1\r\n0\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n5\r\n$1\r\n6\r\n$"
      "1\r\n7\r\n"
      "$1\r\n8\r\n$1\r\n9\r\n$2\r\n10\r\n$2\r\n11\r\n*1\r\n$1\r\nx\r\n",
      "*1\r\n$4\r\nPING\r\n*2147483648\r\n",
      "*1\r\n$3\r\nfoo\r\n*1\r\n+3\r\nfoo\r\n",
      "*2\r\n$3\r\nfoo\r\n$-1\r\n",
      "*2\r\n$3\r\nfoo\r\n$03\r\nbar\r\n",
      "*\r\n",
      "*1\r\n$1\r\na\r\n\nPING\r\n*1\r\n$1\r\nb\r\n*\r\n",
      "*1 \r\n",
      "a 'b\r\n",
      "*1\rX$3\rXfooYZ*1\r\n$1\r\na\r\n",  // LF and what ends a value are not looked at, as in
                                           // Redis
  };
}

TEST(RequestParser, NoCutChangesTheResult) {
  for (const std::string& stream : Streams()) {
    const Outcome whole = Whole(stream);
    std::vector<size_t> every;
    for (size_t i = 1; i < stream.size(); ++i) {
      every.push_back(i);
      EXPECT_EQ(Receive(stream, {i}), whole) << stream << " cut at " << i;
      for (size_t j = i + 1; j < stream.size(); ++j) {
        ASSERT_EQ(Receive(stream, {i, j}), whole) << stream << " cut at " << i << ", " << j;
      }
    }
    EXPECT_EQ(Receive(stream, every), whole) << stream << " byte by byte";
  }
}

TEST(RequestParser, SkippedBytesMayBeDroppedOrPassedAgain) {
  const std::string stream = "\r\n\r\n*2\r\n$4\r\nECHO\r\n$1\r\nx\r\n\r\nPING\r\n";
  std::vector<size_t> every;
  for (size_t i = 1; i < stream.size(); ++i) every.push_back(i);
  EXPECT_EQ(Receive(stream, every, {}, true).requests, Whole(stream).requests);
  EXPECT_EQ(Receive(stream, every, {}, false).requests, Whole(stream).requests);
}

TEST(RequestParser, GarbageHasOneMeaningHoweverItIsCut) {
  Random random(11);
  const std::string alphabet = "*$\r\n0123456789-+ab\"'\\x \t";
  for (int round = 0; round < 4000; ++round) {
    std::string stream;
    for (uint64_t n = random.Below(60); n > 0; --n) {
      if (random.OneIn(4)) {
        stream += std::vector<std::string>{"*1\r\n", "$1\r\n", "\r\n", "*2\r\n"}[random.Below(4)];
      } else if (random.OneIn(20)) {
        stream += static_cast<char>(random.Next());
      } else {
        stream += alphabet[random.Below(alphabet.size())];
      }
    }
    std::vector<size_t> cuts;
    for (size_t i = 1; i < stream.size(); ++i) {
      if (random.OneIn(3)) cuts.push_back(i);
    }
    ASSERT_EQ(Receive(stream, cuts), Whole(stream)) << ::testing::PrintToString(stream);
  }
}

TEST(RequestParser, SaysWhatIsWrongInRedisWords) {
  const std::string digits(64 * 1024 + 1, '1');
  EXPECT_EQ(ErrorOf("*3000000000\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(ErrorOf("*a\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(ErrorOf("*\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(ErrorOf("*01\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(ErrorOf("*18446744073709551617\r\n"), "Protocol error: invalid multibulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$01\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$18446744073709551617\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(ErrorOf("*" + digits), "Protocol error: too big mbulk count string");
  EXPECT_EQ(ErrorOf("*1\r\nfoo\r\n"), "Protocol error: expected '$', got 'f'");
  EXPECT_EQ(ErrorOf("*1\r\n$-10\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$2000000000\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$9223372036854775807\r\n", {.max_bulk_bytes = UINT64_MAX}), "");
  EXPECT_EQ(ErrorOf("*1\r\n$blabla\r\n"), "Protocol error: invalid bulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$" + digits), "Protocol error: too big bulk count string");
  EXPECT_EQ(ErrorOf("set a \"b\r\n"), "Protocol error: unbalanced quotes in request");
  EXPECT_EQ(ErrorOf(std::string(64 * 1024 + 1, 'A')), "Protocol error: too big inline request");
}

TEST(RequestParser, RequestsBeforeAnErrorAreStillAnswered) {
  const Outcome outcome = Whole("*1\r\n$4\r\nPING\r\n*1\r\nfoo\r\n");
  ASSERT_EQ(outcome.requests.size(), 1U);
  EXPECT_EQ(outcome.error, "Protocol error: expected '$', got 'f'");
}

TEST(RequestParser, LimitsHoldToTheByte) {
  const std::string longest(64 * 1024, 'a');
  EXPECT_EQ(Whole(longest + "\n").requests.size(), 1U);
  EXPECT_EQ(ErrorOf(longest + "a\n"), "Protocol error: too big inline request");
  EXPECT_EQ(Receive(longest + "a\n", {100, 65000, 65536}).error,
            "Protocol error: too big inline request");
  const ParserLimits small = {.max_bulk_bytes = 5, .max_multibulk = 2};
  EXPECT_EQ(Whole("*2\r\n$5\r\nhello\r\n$1\r\na\r\n", small).requests.size(), 1U);
  EXPECT_EQ(ErrorOf("*1\r\n$6\r\n", small), "Protocol error: invalid bulk length");
  EXPECT_EQ(ErrorOf("*3\r\n", small), "Protocol error: invalid multibulk length");
}

TEST(RequestParser, AStrangerMayNotAskForMuch) {
  const ParserLimits stranger = {.authenticated = false};
  EXPECT_EQ(ErrorOf("*10\r\n", stranger), "");
  EXPECT_EQ(ErrorOf("*11\r\n", stranger), "Protocol error: unauthenticated multibulk length");
  EXPECT_EQ(ErrorOf("*1\r\n$16384\r\n", stranger), "");
  EXPECT_EQ(ErrorOf("*1\r\n$16385\r\n", stranger), "Protocol error: unauthenticated bulk length");
}

TEST(RequestParser, TellsHowMuchALargeValueNeeds) {
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed = 0;
  std::string input = "*2\r\n$4\r\nECHO\r\n$1000\r\nabc";
  const size_t header = input.size() - 3;
  EXPECT_EQ(parser.Next(input, {}, &args, &consumed), ParseStatus::kNeedMore);
  EXPECT_EQ(parser.bytes_wanted(), header + 1000 + 2);
  input += std::string(997, 'd') + "\r\n";
  EXPECT_EQ(parser.Next(input, {}, &args, &consumed), ParseStatus::kRequest);
  EXPECT_EQ(consumed, input.size());
  EXPECT_EQ(args[1].size(), 1000U);
  std::string unfinished_line = "*2\r\n$4\r\nECHO\r\n$10";
  args.clear();
  EXPECT_EQ(parser.Next(unfinished_line, {}, &args, &consumed), ParseStatus::kNeedMore);
  EXPECT_EQ(parser.bytes_wanted(), 0U);
}

TEST(RequestParser, AnAnnouncedCountReservesNothing) {
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed = 0;
  std::string input = "*2147483647\r\n$1\r\na\r\n";
  EXPECT_EQ(parser.Next(input, {}, &args, &consumed), ParseStatus::kNeedMore);
  EXPECT_LT(args.capacity(), 100U);
}

TEST(RequestParser, ResetForgetsAHalfReadRequest) {
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed = 0;
  std::string half = "*2\r\n$4\r\nECHO\r\n$5\r\nab";
  EXPECT_EQ(parser.Next(half, {}, &args, &consumed), ParseStatus::kNeedMore);
  parser.Reset();
  std::string fresh = "*1\r\n$4\r\nPING\r\n";
  EXPECT_EQ(parser.Next(fresh, {}, &args, &consumed), ParseStatus::kRequest);
  EXPECT_THAT(args, ElementsAre("PING"));
}

TEST(RequestParser, ManyArgumentsInManyPieces) {
  constexpr int kArgs = 200000;
  std::string stream = "*" + std::to_string(kArgs) + "\r\n";
  for (int i = 0; i < kArgs; ++i) {
    const std::string arg = std::to_string(i);
    stream += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
  }
  RequestParser parser;
  std::vector<std::string_view> args;
  size_t consumed = 0;
  for (size_t have = 0; consumed == 0; have = std::min(have + 777, stream.size())) {
    const auto status = parser.Next(std::string_view(stream).substr(0, have), {}, &args, &consumed);
    ASSERT_NE(status, ParseStatus::kError);
  }
  EXPECT_EQ(consumed, stream.size());
  ASSERT_EQ(args.size(), static_cast<size_t>(kArgs));
  EXPECT_EQ(args.back(), "199999");
}

}  // namespace
}  // namespace kiwi::protocol
