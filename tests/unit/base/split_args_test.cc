#include "base/split_args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"

namespace kiwi {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Split(std::string_view line) {
  std::vector<std::string> args;
  EXPECT_TRUE(SplitArgs(line, &args)) << line;
  return args;
}

TEST(SplitArgs, BlanksSeparateWords) {
  EXPECT_THAT(Split(""), IsEmpty());
  EXPECT_THAT(Split(" \t\v\f "), IsEmpty());
  EXPECT_THAT(Split("  set  a\tb "), ElementsAre("set", "a", "b"));
  EXPECT_THAT(Split(std::string_view("a b\0 c", 6)), ElementsAre("a", "b"));
}

TEST(SplitArgs, QuotesAndEscapes) {
  EXPECT_THAT(Split(R"(a "b c" 'd e')"), ElementsAre("a", "b c", "d e"));
  EXPECT_THAT(Split(R"("" '')"), ElementsAre("", ""));
  EXPECT_THAT(Split(R"("\n\r\t\b\a\"\\\q")"), ElementsAre("\n\r\t\b\a\"\\q"));
  EXPECT_THAT(Split(R"("\x41\xfF\xg1")"), ElementsAre("A\xffxg1"));
  EXPECT_THAT(Split(R"('\n\'')"), ElementsAre("\\n'"));
  EXPECT_THAT(Split(R"(a"b c" d)"), ElementsAre("ab c", "d"));
  EXPECT_THAT(Split(R"(a\nb)"), ElementsAre("a\\nb"));
}

TEST(SplitArgs, UnbalancedQuotesAreRefused) {
  std::vector<std::string> args = {"kept"};
  for (const char* line : {"\"", "a \"b", "'a", "\"a\"b", "'a'b", "\"a\\\"", "'\\'"}) {
    EXPECT_FALSE(SplitArgs(line, &args)) << line;
  }
  EXPECT_THAT(args, ElementsAre("kept"));
}

TEST(SplitArgs, WhatQuoteArgSpellsIsReadBack) {
  EXPECT_EQ(QuoteArg("plain-1:x"), "plain-1:x");
  EXPECT_EQ(QuoteArg("a b"), "\"a b\"");
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    std::string word;
    for (uint64_t n = random.Below(12); n > 0; --n) word += static_cast<char>(random.Next());
    EXPECT_THAT(Split(QuoteArg(word) + " next"), ElementsAre(word, "next"));
  }
}

}  // namespace
}  // namespace kiwi
