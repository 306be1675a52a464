// Reads of much: what they answer in steps is what they answer at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "commands/rest.h"
#include "unit/commands/harness.h"

namespace kiwi::commands {
namespace {

class LargeReadsTest : public CommandTest {
 protected:
  LargeReadsTest() {
    for (int k = 0; k < 6000; ++k) Run("SET key:" + std::to_string(k) + " v");
    std::vector<std::string> fields = {"HSET", "hash"};
    for (int f = 0; f < 9000; ++f) {
      fields.push_back("field:" + std::to_string(f));
      fields.push_back("value:" + std::to_string(f));
    }
    EXPECT_EQ(RunArgs(fields), "9000");
    EXPECT_EQ(RunArgs({"HSET", "wide", "large", Large(), "small", "s"}), "2");
    EXPECT_EQ(RunArgs({"SET", "string", Large()}), "OK");
    EXPECT_EQ(RunArgs({"SET", "other", Large().substr(0, 2000)}), "OK");
    EXPECT_EQ(RunArgs({"SET", "short", "abcdefgh"}), "OK");
  }

  static std::string Large() {
    std::string bytes(3'000'000, 'x');
    for (size_t i = 0; i < bytes.size(); i += 7) bytes[i] = static_cast<char>('a' + i % 25);
    return bytes;
  }
  // Both answers; it must have gone in steps.
  void ExpectEqual(const std::vector<std::string>& args, bool any_order = false) {
    SCOPED_TRACE(args[0] + " RESP" + std::to_string(resp_));
    ReadInSteps(false);
    std::string at_once = RunArgs(args);
    RepeatSeed();
    ReadInSteps(true);
    const int before = left();
    std::string in_steps = RunArgs(args);
    EXPECT_GT(left(), before) << "at once";
    if (any_order) {
      std::sort(at_once.begin(), at_once.end());
      std::sort(in_steps.begin(), in_steps.end());
    }
    EXPECT_TRUE(at_once == in_steps);
    EXPECT_FALSE(at_once.starts_with("-")) << at_once;
  }
  void Use(int version) {
    resp_ = version;
    UseResp(version);
  }

  int resp_ = 2;
};

TEST_F(LargeReadsTest, AnswerTheSameInStepsAsAtOnce) {
  for (const int version : {2, 3}) {
    Use(version);
    ExpectEqual({"KEYS", "*"}, true);
    ExpectEqual({"KEYS", "key:*7"}, true);
    ExpectEqual({"SCAN", "0", "COUNT", "5000"});
    ExpectEqual({"SCAN", "0", "COUNT", "1000000000", "MATCH", "*1*", "TYPE", "string"});
    ExpectEqual({"GET", "string"});
    ExpectEqual({"GETRANGE", "string", "100000", "-5"});
    ExpectEqual({"MGET", "short", "string", "missing", "hash", "string", "short"});
    ExpectEqual({"HGET", "wide", "large"});
    ExpectEqual({"HMGET", "wide", "small", "large", "none", "large", "small"});
    ExpectEqual({"HGETALL", "hash"});
    ExpectEqual({"HGETALL", "wide"});
    ExpectEqual({"HKEYS", "hash"});
    ExpectEqual({"HVALS", "hash"});
    ExpectEqual({"HSCAN", "hash", "0", "COUNT", "8000"}, true);
    ExpectEqual({"HSCAN", "hash", "7777", "COUNT", "5000", "MATCH", "*9*"}, true);
    ExpectEqual({"HRANDFIELD", "hash", "8000"});
    ExpectEqual({"HRANDFIELD", "hash", "-20000", "WITHVALUES"});
    ExpectEqual({"DUMP", "hash"});
    ExpectEqual({"DUMP", "string"});
    ExpectEqual({"LCS", "other", "other"});
    ExpectEqual({"LCS", "short", "string", "LEN"});
    ExpectEqual({"LCS", "other", "other", "IDX", "WITHMATCHLEN"});
  }
}

TEST_F(LargeReadsTest, WhatIsSmallIsAnsweredAtOnce) {
  ReadInSteps(true);
  Run("SCAN 0");
  Run("GET short");
  Run("GETRANGE string 5 100");
  Run("MGET short other");
  Run("HGET wide small");
  Run("HRANDFIELD hash 10");
  Run("HSCAN hash 0");
  Run("LCS short short");
  Run("KEYS short");
  EXPECT_EQ(left(), 0);
}

// All but one have expired, and nobody has removed them.
TEST_F(LargeReadsTest, RandomkeyGoesThroughExpiredKeysInSteps) {
  Run("FLUSHALL");
  for (int k = 0; k < 6000; ++k) Run("SET key:" + std::to_string(k) + " v PX 1");
  Run("SET live v");
  Sleep(10);
  ReadInSteps(true);
  EXPECT_EQ(Run("RANDOMKEY"), "\"live\"");
  EXPECT_EQ(left(), 1);
}

TEST_F(LargeReadsTest, AReplyBeyondItsBoundTakesBackWhatWasLeft) {
  ReadInSteps(true);
  std::vector<std::string> args(400, "string");
  args[0] = "MGET";
  EXPECT_EQ(RunArgs(args), "-ERR the reply would exceed 1 GB; ask for less at once");
}

TEST(RestTest, PartsAreWrittenWhereTheyWereLeft) {
  std::string buffer = "before ";
  Rest rest(Rest::Where::kHere);
  const auto part = [](std::string text) {
    return [text](protocol::ReplyWriter& reply) {
      reply.buffer().append(text);
      return true;
    };
  };
  protocol::ReplyWriter reply(&buffer, 2);
  rest.Add(reply, 1, part("A"));
  buffer += " middle ";
  rest.Add(reply, 1, part("B"));
  rest.Add(reply, 1, part("C"));
  const size_t begin = buffer.size();
  buffer += " taken back";
  rest.Add(reply, 1, part("D"));
  rest.TakeBack(begin + 1);
  buffer.resize(begin);
  buffer += " end";
  EXPECT_EQ(rest.bytes(), 3u);
  EXPECT_TRUE(rest.Run(&buffer));
  EXPECT_EQ(buffer, "before A middle BC end");
  EXPECT_FALSE(rest.pending());
}

TEST(RestTest, NothingIsLeftOnANetLoop) {
  Rest rest(Rest::Where::kElsewhere);
  EXPECT_FALSE(rest.refused());
  EXPECT_FALSE(rest.Accepts());
  EXPECT_TRUE(rest.refused());
}

}  // namespace
}  // namespace kiwi::commands
