#include <string>

#include "unit/commands/harness.h"

namespace kiwi::commands {
namespace {

class ExpireTest : public CommandTest {};

TEST_F(ExpireTest, EachUnitSetsTheSameClock) {
  Run("set a 1");
  EXPECT_EQ(Run("ttl a"), "-1");
  EXPECT_EQ(Run("pexpiretime a"), "-1");
  EXPECT_EQ(Run("expire a 10"), "1");
  EXPECT_EQ(Run("pexpiretime a"), "1700000010000");
  EXPECT_EQ(Run("pexpire a 10"), "1");
  EXPECT_EQ(Run("pexpiretime a"), "1700000000010");
  EXPECT_EQ(Run("expireat a 1700000020"), "1");
  EXPECT_EQ(Run("pttl a"), "20000");
  EXPECT_EQ(Run("pexpireat a 1700000030000"), "1");
  EXPECT_EQ(Run("ttl a"), "30");
  EXPECT_EQ(Run("expiretime a"), "1700000030");
}

TEST_F(ExpireTest, SecondsAreRounded) {
  Run("set a 1 px 1499");
  EXPECT_EQ(Run("ttl a"), "1");
  Run("set a 1 px 1500");
  EXPECT_EQ(Run("ttl a"), "2");
  Run("set a 1 px 1");
  EXPECT_EQ(Run("ttl a"), "0");
}

TEST_F(ExpireTest, MissingKeysHaveNoTime) {
  for (const char* command : {"ttl", "pttl", "expiretime", "pexpiretime"}) {
    EXPECT_EQ(Run(std::string(command) + " x"), "-2");
  }
  EXPECT_EQ(Run("expire x 10"), "0");
  EXPECT_EQ(Run("persist x"), "0");
}

TEST_F(ExpireTest, KeysGoWhenTheirTimeComes) {
  Run("set a 1");
  Run("pexpire a 100");
  Sleep(99);
  EXPECT_EQ(Run("get a"), "\"1\"");
  Sleep(1);
  EXPECT_EQ(Run("get a"), "nil");
  EXPECT_EQ(Run("ttl a"), "-2");
}

TEST_F(ExpireTest, ATimeInThePastDeletes) {
  for (const char* line : {"expire a 0", "expire a -1", "pexpire a -9223372036854775808",
                           "expireat a 1", "pexpireat a -5", "pexpireat a -1"}) {
    Run("set a 1");
    EXPECT_EQ(Run(line), "1") << line;
    EXPECT_EQ(Run("exists a"), "0") << line;
  }
}

TEST_F(ExpireTest, Conditions) {
  Run("set a 1");
  EXPECT_EQ(Run("expire a 100 xx"), "0");
  EXPECT_EQ(Run("expire a 100 gt"), "0") << "no time to live is longer than any";
  EXPECT_EQ(Run("expire a 100 nx"), "1");
  EXPECT_EQ(Run("expire a 200 nx"), "0");
  EXPECT_EQ(Run("expire a 100 gt"), "0");
  EXPECT_EQ(Run("expire a 101 gt"), "1");
  EXPECT_EQ(Run("expire a 101 lt"), "0");
  EXPECT_EQ(Run("expire a 50 lt"), "1");
  EXPECT_EQ(Run("expire a 70 xx"), "1");
  EXPECT_EQ(Run("expire a 60 xx gt"), "0");
  EXPECT_EQ(Run("expire a 60 xx lt"), "1");
  EXPECT_EQ(Run("ttl a"), "60");
  Run("persist a");
  EXPECT_EQ(Run("expire a 60 lt"), "1");
}

TEST_F(ExpireTest, ConditionsThatExcludeEachOther) {
  Run("set a 1");
  const std::string nx = "-ERR NX and XX, GT or LT options at the same time are not compatible";
  EXPECT_EQ(Run("expire a 1 nx xx"), nx);
  EXPECT_EQ(Run("expire a 1 gt nx"), nx);
  EXPECT_EQ(Run("expire a 1 nx lt"), nx);
  EXPECT_EQ(Run("expire a 1 lt gt"), "-ERR GT and LT options at the same time are not compatible");
  EXPECT_EQ(Run("expire a 1 foo"), "-ERR Unsupported option foo");
  EXPECT_EQ(Run("expire a x foo"), "-ERR Unsupported option foo");
  EXPECT_EQ(Run("expire a x"), "-ERR value is not an integer or out of range");
}

TEST_F(ExpireTest, TimesThatOverflowAreRefused) {
  Run("set a 1");
  EXPECT_EQ(Run("expire a 9223372036854775807"), "-ERR invalid expire time in 'expire' command");
  EXPECT_EQ(Run("expire a 9223372036854775"), "-ERR invalid expire time in 'expire' command");
  EXPECT_EQ(Run("expire a -9223372036854776"), "-ERR invalid expire time in 'expire' command");
  EXPECT_EQ(Run("pexpire a 9223372036854775807"), "-ERR invalid expire time in 'pexpire' command");
  EXPECT_EQ(Run("expireat a 9223372036854776"), "-ERR invalid expire time in 'expireat' command");
  EXPECT_EQ(Run("pexpireat a 9223372036854775807"), "1");
  EXPECT_EQ(Run("pexpiretime a"), "9223372036854775807");
  EXPECT_EQ(Run("expiretime a"), "9223372036854776");
}

TEST_F(ExpireTest, PersistRemovesTheTime) {
  Run("set a 1 ex 10");
  EXPECT_EQ(Run("persist a"), "1");
  EXPECT_EQ(Run("persist a"), "0");
  EXPECT_EQ(Run("ttl a"), "-1");
}

TEST_F(ExpireTest, TheExpiryCycleRemovesOnlyWhatIsExpired) {
  Run("set gone 1 px 10");
  Run("set renewed 1 px 10");
  Run("set lives 1");
  Sleep(10);
  Run("set renewed 2");
  EXPECT_EQ(Run("_expire gone renewed lives nothing"), "1");
  EXPECT_EQ(Run("get renewed"), "\"2\"");
  EXPECT_EQ(Run("get lives"), "\"1\"");
  std::vector<keyspace::Keyspace::ExpiredKey> expired;
  for (int shard = 0; shard < keyspace::kShardCount; ++shard) {
    keyspace().CollectExpired(shard, now_ms(), 10, &expired);
  }
  EXPECT_TRUE(expired.empty()) << "its memory is free";
}

}  // namespace
}  // namespace kiwi::commands
