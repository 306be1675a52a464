#include <set>
#include <string>

#include "unit/commands/harness.h"

namespace kiwi::commands {
namespace {

class GenericCommandTest : public CommandTest {};

TEST_F(GenericCommandTest, DeletionAndExistence) {
  Run("mset a 1 b 2 c 3");
  EXPECT_EQ(Run("exists a b a x"), "3");
  EXPECT_EQ(Run("touch a b x"), "2");
  EXPECT_EQ(Run("del a x a"), "1");
  EXPECT_EQ(Run("unlink b c"), "2");
  EXPECT_EQ(Run("exists a b c"), "0");
}

TEST_F(GenericCommandTest, ExpiredKeysAreNotThere) {
  Run("set a 1 px 10");
  Sleep(10);
  EXPECT_EQ(Run("exists a"), "0");
  EXPECT_EQ(Run("type a"), "none");
  EXPECT_EQ(Run("keys *"), "[]");
  EXPECT_EQ(Run("randomkey"), "nil");
  EXPECT_EQ(Run("rename a b"), "-ERR no such key");
  EXPECT_EQ(Run("persist a"), "0");
  EXPECT_EQ(Run("expire a 10"), "0");
  EXPECT_EQ(Run("del a"), "0");
}

TEST_F(GenericCommandTest, TypesHaveNames) {
  Run("set s 1");
  Run("hset h f v");
  EXPECT_EQ(Run("type s"), "string");
  EXPECT_EQ(Run("type h"), "hash");
  EXPECT_EQ(Run("type x"), "none");
}

TEST_F(GenericCommandTest, RenameMovesValueAndTimeToLive) {
  Run("set a 1 ex 10");
  Run("hset b f v");
  EXPECT_EQ(Run("rename a b"), "OK");
  EXPECT_EQ(Run("get b"), "\"1\"");
  EXPECT_EQ(Run("pttl b"), "10000");
  EXPECT_EQ(Run("exists a"), "0");
  EXPECT_EQ(Run("rename b b"), "OK");
  EXPECT_EQ(Run("rename a b"), "-ERR no such key");
  EXPECT_EQ(Run("rename a a"), "-ERR no such key");
}

TEST_F(GenericCommandTest, RenamenxNeedsAFreeName) {
  Run("mset a 1 b 2");
  EXPECT_EQ(Run("renamenx a b"), "0");
  EXPECT_EQ(Run("renamenx a a"), "0");
  EXPECT_EQ(Run("renamenx a c"), "1");
  EXPECT_EQ(Run("get c"), "\"1\"");
  EXPECT_EQ(Run("renamenx a c"), "-ERR no such key");
}

TEST_F(GenericCommandTest, CopyLeavesTheSource) {
  Run("hset a f v");
  Run("expire a 10");
  EXPECT_EQ(Run("copy a b"), "1");
  Run("hset a f changed");
  EXPECT_EQ(Run("hget b f"), "\"v\"");
  EXPECT_EQ(Run("pttl b"), "10000");
  EXPECT_EQ(Run("copy a b"), "0");
  EXPECT_EQ(Run("copy a b replace"), "1");
  EXPECT_EQ(Run("hget b f"), "\"changed\"");
  EXPECT_EQ(Run("copy nothing c"), "0");
  EXPECT_EQ(Run("copy a a"), "-ERR source and destination objects are the same");
}

TEST_F(GenericCommandTest, CopyAndMoveReachOtherDatabases) {
  Run("set a 1 ex 10");
  EXPECT_EQ(Run("copy a a db 3"), "1");
  EXPECT_EQ(Run("move a 3"), "0");
  EXPECT_EQ(Run("move a 4"), "1");
  EXPECT_EQ(Run("exists a"), "0");
  EXPECT_EQ(Run("move a 4"), "0");
  Select(3);
  EXPECT_EQ(Run("get a"), "\"1\"");
  Select(4);
  EXPECT_EQ(Run("pttl a"), "10000");
  EXPECT_EQ(Run("move a 4"), "-ERR source and destination objects are the same");
  EXPECT_EQ(Run("move a 16"), "-ERR DB index is out of range");
  EXPECT_EQ(Run("move a -1"), "-ERR DB index is out of range");
  EXPECT_EQ(Run("move a x"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(Run("move a 99999999999"),
            "-ERR value is out of range, value must between -2147483648 and 2147483647");
  EXPECT_EQ(Run("copy a b db"), "-ERR syntax error");
  EXPECT_EQ(Run("copy a b db 16"), "-ERR DB index is out of range");
}

TEST_F(GenericCommandTest, KeysMatchPatterns) {
  Run("mset foo1 1 foo2 2 bar 3 h*llo 4");
  EXPECT_EQ(Run("keys bar"), "[\"bar\"]");
  EXPECT_EQ(Run("keys nothing"), "[]");
  EXPECT_EQ(Run("keys foo[2-9]"), "[\"foo2\"]");
  EXPECT_EQ(RunArgs({"keys", "h\\*llo"}), "[\"h*llo\"]");
  EXPECT_EQ(Run("keys ba?"), "[\"bar\"]");
  std::string all = Run("keys *");
  for (const char* key : {"foo1", "foo2", "bar", "h*llo"}) {
    EXPECT_NE(all.find("\"" + std::string(key) + "\""), std::string::npos) << all;
  }
}

TEST_F(GenericCommandTest, PatternsWithTooManyStarsMatchNothingAsInRedis) {
  RunArgs({"set", std::string(2000, 'a'), "1"});
  const auto matches = [&](int stars, const std::string& part, const std::string& rest) {
    std::string pattern;
    for (int i = 0; i < stars; ++i) pattern += part;
    return RunArgs({"keys", pattern + rest}) != "[]";
  };
  EXPECT_TRUE(matches(1000, "*?", ""));
  EXPECT_TRUE(matches(1000, "*?", "*")) << "a last star is free";
  EXPECT_FALSE(matches(1001, "*?", ""));
  EXPECT_TRUE(matches(1001, "**", "a")) << "neighbours are one star";
}

TEST_F(GenericCommandTest, RandomKeysAreKeys) {
  EXPECT_EQ(Run("randomkey"), "nil");
  Run("mset a 1 b 2");
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(Run("randomkey"));
  EXPECT_EQ(seen, (std::set<std::string>{"\"a\"", "\"b\""}));
}

class ScanTest : public CommandTest {
 protected:
  std::set<std::string> Walk(const std::string& options) {
    std::set<std::string> keys;
    std::string cursor = "0";
    do {
      const std::string text = Run("scan " + cursor + " " + options);
      size_t at = text.find('"');
      size_t end = text.find('"', at + 1);
      cursor = text.substr(at + 1, end - at - 1);
      while ((at = text.find('"', end + 1)) != std::string::npos) {
        end = text.find('"', at + 1);
        keys.insert(text.substr(at + 1, end - at - 1));
      }
    } while (cursor != "0");
    return keys;
  }
};

TEST_F(ScanTest, EveryKeyIsVisited) {
  EXPECT_EQ(Run("scan 0"), "[\"0\", []]");
  std::set<std::string> keys;
  for (int i = 0; i < 300; ++i) {
    keys.insert("key:" + std::to_string(i));
    RunArgs({i % 3 ? "set" : "setex", "key:" + std::to_string(i), "100", "1"});
  }
  for (int i = 0; i < 300; ++i) RunArgs({"set", "key:" + std::to_string(i), "1"});
  EXPECT_EQ(Walk(""), keys);
  EXPECT_EQ(Walk("count 1"), keys);
  EXPECT_EQ(Walk("count 100000"), keys);
}

TEST_F(ScanTest, FiltersByPatternAndType) {
  Run("mset aa 1 ab 2 bb 3");
  Run("hset ah f v");
  EXPECT_EQ(Walk("match a*"), (std::set<std::string>{"aa", "ab", "ah"}));
  EXPECT_EQ(Walk("type HASH"), (std::set<std::string>{"ah"}));
  EXPECT_EQ(Walk("type string match a*"), (std::set<std::string>{"aa", "ab"}));
  EXPECT_EQ(Walk("type nosuchtype"), std::set<std::string>());
}

TEST_F(ScanTest, ArgumentsAreChecked) {
  EXPECT_EQ(Run("scan x"), "-ERR invalid cursor");
  EXPECT_EQ(Run("scan ' 0'"), "-ERR invalid cursor");
  EXPECT_EQ(Run("scan 99999999999999999999"), "-ERR invalid cursor");
  EXPECT_EQ(Run("scan 0 count"), "-ERR syntax error");
  EXPECT_EQ(Run("scan 0 count 0"), "-ERR syntax error");
  EXPECT_EQ(Run("scan 0 count x"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(Run("scan 0 foo bar"), "-ERR syntax error");
  EXPECT_EQ(Run("scan 18446744073709551615"), "[\"0\", []]");
}

TEST_F(GenericCommandTest, ObjectAnswersWhatIsKnown) {
  Run("set a 1");
  EXPECT_EQ(Run("object encoding x"), "nil");
  EXPECT_EQ(Run("object refcount a"), "2147483647") << "as if shared, like every small integer";
  Run("set b 10000");
  EXPECT_EQ(Run("object refcount b"), "1");
  EXPECT_EQ(Run("object idletime x"), "nil");
  EXPECT_EQ(Run("object freq x"), "nil");
  EXPECT_EQ(Run("object freq a").substr(0, 46), "-ERR An LFU maxmemory policy is not selected, ");
  EXPECT_EQ(Run("object help").substr(0, 20), "[OBJECT <subcommand>");
  EXPECT_EQ(Run("object encoding"), "-ERR wrong number of arguments for 'object|encoding' command");
}

TEST_F(GenericCommandTest, IdleTimeGrowsUntilTheKeyIsUsed) {
  Run("set a 1");
  Sleep(5000);
  EXPECT_EQ(Run("object idletime a"), "5");
  EXPECT_EQ(Run("object idletime a"), "5") << "asking is not using";
  Run("touch a");
  EXPECT_EQ(Run("object idletime a"), "0");
}

}  // namespace
}  // namespace kiwi::commands
