#include "base/glob.h"

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"

namespace kiwi {
namespace {

TEST(Glob, LiteralsStarsAndQuestionMarks) {
  EXPECT_TRUE(GlobMatch("", ""));
  EXPECT_FALSE(GlobMatch("", "a"));
  EXPECT_TRUE(GlobMatch("hello", "hello"));
  EXPECT_FALSE(GlobMatch("hello", "hell"));
  EXPECT_FALSE(GlobMatch("hell", "hello"));
  EXPECT_TRUE(GlobMatch("*", ""));
  EXPECT_TRUE(GlobMatch("**", "x"));
  EXPECT_TRUE(GlobMatch("h?llo", "hallo"));
  EXPECT_FALSE(GlobMatch("h?llo", "hllo"));
  EXPECT_TRUE(GlobMatch("h*llo", "hllo"));
  EXPECT_TRUE(GlobMatch("h*llo", "heeeello"));
  EXPECT_TRUE(GlobMatch("*foo*bar", "xfoofooxbarbar"));
  EXPECT_FALSE(GlobMatch("*foo*bar", "xfoobarx"));
}

TEST(Glob, ClassesRangesAndNegation) {
  EXPECT_TRUE(GlobMatch("h[ae]llo", "hallo"));
  EXPECT_FALSE(GlobMatch("h[ae]llo", "hillo"));
  EXPECT_TRUE(GlobMatch("h[^e]llo", "hallo"));
  EXPECT_FALSE(GlobMatch("h[^e]llo", "hello"));
  EXPECT_TRUE(GlobMatch("key:[0-9]", "key:7"));
  EXPECT_TRUE(GlobMatch("[z-a]", "m"));  // reversed bounds are swapped
  EXPECT_FALSE(GlobMatch("[]", "]"));
  EXPECT_FALSE(GlobMatch("[]", ""));
  EXPECT_TRUE(GlobMatch("[^]", "x"));
  EXPECT_TRUE(GlobMatch("[ab", "b"));  // unterminated: to the end
  EXPECT_TRUE(GlobMatch("[a-", "-"));
  EXPECT_TRUE(GlobMatch("[\\]x]", "]"));
  EXPECT_FALSE(GlobMatch("[", ""));
  EXPECT_FALSE(GlobMatch("[", "["));
}

TEST(Glob, EscapesAndCase) {
  EXPECT_TRUE(GlobMatch("h\\*llo", "h*llo"));
  EXPECT_FALSE(GlobMatch("h\\*llo", "hello"));
  EXPECT_TRUE(GlobMatch("a\\", "a\\"));
  EXPECT_FALSE(GlobMatch("HELLO", "hello"));
  EXPECT_TRUE(GlobMatch("HeL*[N-P]", "hello", true));
  EXPECT_TRUE(GlobMatch(std::string("a\0*", 3), std::string("a\0b", 3)));
}

TEST(Glob, ManyStarsDoNotBlowUp) {
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "a*";
  pattern += "b";
  EXPECT_FALSE(GlobMatch(pattern, std::string(20000, 'a')));
  EXPECT_TRUE(GlobMatch(pattern, std::string(20000, 'a') + "b"));
}

// The definition, exponential but obviously right, over an alphabet without classes.
bool Slow(std::string_view p, std::string_view t) {
  if (p.empty()) return t.empty();
  if (p[0] == '*') return Slow(p.substr(1), t) || (!t.empty() && Slow(p, t.substr(1)));
  return !t.empty() && (p[0] == '?' || p[0] == t[0]) && Slow(p.substr(1), t.substr(1));
}

TEST(Glob, AgreesWithTheDefinition) {
  Random random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string pattern, text;
    for (uint64_t n = random.Below(8); n > 0; --n) pattern += "ab*?"[random.Below(4)];
    for (uint64_t n = random.Below(8); n > 0; --n) text += "ab"[random.Below(2)];
    EXPECT_EQ(GlobMatch(pattern, text), Slow(pattern, text)) << pattern << " on " << text;
  }
}

TEST(Glob, ShortcutsForCallers) {
  EXPECT_TRUE(GlobMatchesAll("*"));
  EXPECT_TRUE(GlobMatchesAll("**"));
  EXPECT_FALSE(GlobMatchesAll(""));
  EXPECT_FALSE(GlobMatchesAll("*a"));
  EXPECT_TRUE(GlobIsLiteral("user:1"));
  EXPECT_FALSE(GlobIsLiteral("user:[1]"));
}

}  // namespace
}  // namespace kiwi
