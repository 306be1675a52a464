#include <string>

#include "unit/commands/harness.h"

namespace kiwi::commands {
namespace {

class StringCommandTest : public CommandTest {};

constexpr char kWrongTypeReply[] =
    "-WRONGTYPE Operation against a key holding the wrong kind of value";

TEST_F(StringCommandTest, SetStoresAndGetAnswers) {
  EXPECT_EQ(Run("get a"), "nil");
  EXPECT_EQ(Run("set a 1"), "OK");
  EXPECT_EQ(Run("get a"), "\"1\"");
  EXPECT_EQ(Run("set a ''"), "OK");
  EXPECT_EQ(Run("get a"), "\"\"");
  EXPECT_EQ(Run("strlen a"), "0");
}

TEST_F(StringCommandTest, SetReplacesAnyTypeAndTimeToLive) {
  Run("hset a f v");
  Run("expire a 100");
  EXPECT_EQ(Run("set a x"), "OK");
  EXPECT_EQ(Run("get a"), "\"x\"");
  EXPECT_EQ(Run("ttl a"), "-1");
}

TEST_F(StringCommandTest, SetHasConditions) {
  EXPECT_EQ(Run("set a 1 xx"), "nil");
  EXPECT_EQ(Run("set a 1 nx"), "OK");
  EXPECT_EQ(Run("set a 2 NX"), "nil");
  EXPECT_EQ(Run("set a 3 XX"), "OK");
  EXPECT_EQ(Run("get a"), "\"3\"");
  EXPECT_EQ(Run("set a 4 nx xx"), "-ERR syntax error");
}

TEST_F(StringCommandTest, SetWithGetAnswersTheOldValue) {
  EXPECT_EQ(Run("set a 1 get"), "nil");
  EXPECT_EQ(Run("set a 2 get"), "\"1\"");
  EXPECT_EQ(Run("set a 3 nx get"), "\"2\"");
  EXPECT_EQ(Run("get a"), "\"2\"");
  EXPECT_EQ(Run("set b 3 xx get"), "nil");
  EXPECT_EQ(Run("exists b"), "0");
  Run("hset h f v");
  EXPECT_EQ(Run("set h 3 get"), kWrongTypeReply);
  EXPECT_EQ(Run("type h"), "hash");
}

TEST_F(StringCommandTest, SetWithExpiryInEachUnit) {
  Run("set a 1 ex 10");
  EXPECT_EQ(Run("pttl a"), "10000");
  Run("set a 1 px 10");
  EXPECT_EQ(Run("pttl a"), "10");
  Run("set a 1 exat 1700000001");
  EXPECT_EQ(Run("pttl a"), "1000");
  Run("set a 1 pxat 1700000000123");
  EXPECT_EQ(Run("pttl a"), "123");
  Sleep(122);
  EXPECT_EQ(Run("get a"), "\"1\"");
  Sleep(1);
  EXPECT_EQ(Run("get a"), "nil");
  EXPECT_EQ(Run("set a 1 xx"), "nil") << "an expired key is no key";
}

TEST_F(StringCommandTest, SetKeepsTheTimeToLiveWhenAsked) {
  Run("set a 1 ex 10");
  Run("set a 2 keepttl");
  EXPECT_EQ(Run("pttl a"), "10000");
  Run("set a 3");
  EXPECT_EQ(Run("pttl a"), "-1");
  EXPECT_EQ(Run("set new 3 keepttl"), "OK");
  EXPECT_EQ(Run("pttl new"), "-1");
}

TEST_F(StringCommandTest, SetRefusesOptionsThatDoNotGoTogether) {
  for (const char* options : {"ex 1 px 1", "ex 1 keepttl", "keepttl ex 1", "exat 1 pxat 1", "ex",
                              "persist", "foo", "ex 1 foo"}) {
    EXPECT_EQ(Run("set a 1 " + std::string(options)), "-ERR syntax error") << options;
  }
  EXPECT_EQ(Run("set a 1 ex 1 ex 5"), "OK");
  EXPECT_EQ(Run("ttl a"), "5");
}

TEST_F(StringCommandTest, SetRefusesTimesThatMakeNoSense) {
  for (const char* option : {"ex 0", "ex -1", "px 0", "exat 0", "ex 9223372036854775807",
                             "ex 9223372036854775", "px 9223372036854775807"}) {
    EXPECT_EQ(Run("set a 1 " + std::string(option)), "-ERR invalid expire time in 'set' command")
        << option;
  }
  EXPECT_EQ(Run("set a 1 ex x"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(Run("exists a"), "0");
}

TEST_F(StringCommandTest, SetUntilATimeInThePastDeletes) {
  Run("set a 1");
  EXPECT_EQ(Run("set a 2 pxat 5"), "OK");
  EXPECT_EQ(Run("exists a"), "0");
}

TEST_F(StringCommandTest, SetexAndItsRelatives) {
  EXPECT_EQ(Run("setex a 10 x"), "OK");
  EXPECT_EQ(Run("ttl a"), "10");
  EXPECT_EQ(Run("psetex a 10 y"), "OK");
  EXPECT_EQ(Run("pttl a"), "10");
  EXPECT_EQ(Run("setex a 0 x"), "-ERR invalid expire time in 'setex' command");
  EXPECT_EQ(Run("psetex a -5 x"), "-ERR invalid expire time in 'psetex' command");
  EXPECT_EQ(Run("setnx a z"), "0");
  EXPECT_EQ(Run("setnx b z"), "1");
}

TEST_F(StringCommandTest, GetsetClearsTheTimeToLive) {
  Run("setex a 10 x");
  EXPECT_EQ(Run("getset a y"), "\"x\"");
  EXPECT_EQ(Run("ttl a"), "-1");
  EXPECT_EQ(Run("getset b y"), "nil");
  Run("hset h f v");
  EXPECT_EQ(Run("getset h y"), kWrongTypeReply);
}

TEST_F(StringCommandTest, GetdelDeletesStringsOnly) {
  Run("set a x");
  Run("hset h f v");
  EXPECT_EQ(Run("getdel a"), "\"x\"");
  EXPECT_EQ(Run("getdel a"), "nil");
  EXPECT_EQ(Run("getdel h"), kWrongTypeReply);
  EXPECT_EQ(Run("exists h"), "1");
}

TEST_F(StringCommandTest, GetexChangesTheTimeToLive) {
  Run("set a x");
  EXPECT_EQ(Run("getex a"), "\"x\"");
  EXPECT_EQ(Run("pttl a"), "-1");
  EXPECT_EQ(Run("getex a ex 10"), "\"x\"");
  EXPECT_EQ(Run("pttl a"), "10000");
  EXPECT_EQ(Run("getex a"), "\"x\"");
  EXPECT_EQ(Run("pttl a"), "10000");
  EXPECT_EQ(Run("getex a persist"), "\"x\"");
  EXPECT_EQ(Run("pttl a"), "-1");
  EXPECT_EQ(Run("getex a persist ex 1"), "-ERR syntax error");
  EXPECT_EQ(Run("getex a keepttl"), "-ERR syntax error");
  EXPECT_EQ(Run("getex a ex 0"), "-ERR invalid expire time in 'getex' command");
  EXPECT_EQ(Run("getex a exat 1"), "\"x\"");
  EXPECT_EQ(Run("getex a ex 0"), "nil") << "a missing key comes before a bad time";
}

TEST_F(StringCommandTest, MgetTakesOtherTypesForMissing) {
  Run("mset a 1 b 2");
  Run("hset h f v");
  EXPECT_EQ(Run("mget a h b nothing a"), "[\"1\", nil, \"2\", nil, \"1\"]");
}

TEST_F(StringCommandTest, MsetIsAllOrNothing) {
  EXPECT_EQ(Run("mset a 1 b"), "-ERR wrong number of arguments for 'mset' command");
  EXPECT_EQ(Run("msetnx a 1 b"), "-ERR wrong number of arguments for 'msetnx' command");
  EXPECT_EQ(Run("exists a"), "0");
  EXPECT_EQ(Run("msetnx a 1 b 2"), "1");
  EXPECT_EQ(Run("msetnx c 3 b 4"), "0");
  EXPECT_EQ(Run("exists c"), "0");
  EXPECT_EQ(Run("mset a x a y"), "OK");
  EXPECT_EQ(Run("get a"), "\"y\"");
}

TEST_F(StringCommandTest, MgetThatWouldNotFitInMemoryIsRefused) {
  RunArgs({"set", "big", std::string(32 << 20, 'x')});
  std::vector<std::string> args(40, "big");
  args[0] = "mget";
  EXPECT_EQ(RunArgs(args), "-ERR the reply would exceed 1 GB; ask for less at once");
}

TEST_F(StringCommandTest, GetrangeCountsFromBothEnds) {
  Run("set a 'This is a string'");
  EXPECT_EQ(Run("getrange a 0 3"), "\"This\"");
  EXPECT_EQ(Run("getrange a -3 -1"), "\"ing\"");
  EXPECT_EQ(Run("getrange a 0 -1"), "\"This is a string\"");
  EXPECT_EQ(Run("getrange a 10 100"), "\"string\"");
  EXPECT_EQ(Run("getrange a 5 3"), "\"\"");
  EXPECT_EQ(Run("getrange a -1 -5"), "\"\"");
  EXPECT_EQ(Run("getrange a 0 -100"), "\"T\"") << "an end before the start counts as the start";
  EXPECT_EQ(Run("getrange a 5 9223372036854775807"), "\"is a string\"");
  EXPECT_EQ(Run("getrange a -9223372036854775808 9223372036854775807"), "\"This is a string\"");
  EXPECT_EQ(Run("substr a 0 0"), "\"T\"");
  EXPECT_EQ(Run("getrange nothing 0 -1"), "\"\"");
  EXPECT_EQ(Run("getrange a x 1"), "-ERR value is not an integer or out of range");
  Run("set n 12345");
  EXPECT_EQ(Run("getrange n 1 2"), "\"23\"");
}

TEST_F(StringCommandTest, SetrangePadsAndOverwrites) {
  EXPECT_EQ(Run("setrange a 0 ''"), "0");
  EXPECT_EQ(Run("exists a"), "0");
  EXPECT_EQ(Run("setrange a 2 bc"), "4");
  EXPECT_EQ(Bulk("get a"), std::string("\0\0bc", 4));
  EXPECT_EQ(Run("setrange a 0 xy"), "4");
  EXPECT_EQ(Run("get a"), "\"xybc\"");
  EXPECT_EQ(Run("setrange a 100 ''"), "4");
  EXPECT_EQ(Run("setrange a -1 x"), "-ERR offset is out of range");
  Run("hset h f v");
  EXPECT_EQ(Run("setrange h 0 x"), kWrongTypeReply);
}

TEST_F(StringCommandTest, NothingGrowsBeyondTheLimit) {
  const std::string too_large = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
  EXPECT_EQ(Run("setrange a 536870912 x"), too_large);
  EXPECT_EQ(Run("setrange a 9223372036854775807 x"), too_large);
  EXPECT_EQ(Run("setrange a 4294967296 x"), too_large);
  EXPECT_EQ(Run("exists a"), "0");
}

TEST_F(StringCommandTest, AppendKeepsTheTimeToLive) {
  EXPECT_EQ(Run("append a x"), "1");
  Run("expire a 10");
  EXPECT_EQ(Run("append a yz"), "3");
  EXPECT_EQ(Run("get a"), "\"xyz\"");
  EXPECT_EQ(Run("ttl a"), "10");
  Run("set n 12");
  EXPECT_EQ(Run("append n 3"), "3");
  EXPECT_EQ(Run("incr n"), "124");
  EXPECT_EQ(Run("strlen n"), "3");
}

TEST_F(StringCommandTest, CountersCountAndRefuse) {
  EXPECT_EQ(Run("incr n"), "1");
  EXPECT_EQ(Run("decrby n 11"), "-10");
  EXPECT_EQ(Run("incrby n 20"), "10");
  EXPECT_EQ(Run("decr n"), "9");
  EXPECT_EQ(Run("incrby n 1.5"), "-ERR value is not an integer or out of range");
  for (const char* value : {"' 1'", "'1 '", "01", "+1", "''", "x", "9223372036854775808"}) {
    Run("set s " + std::string(value));
    EXPECT_EQ(Run("incr s"), "-ERR value is not an integer or out of range") << value;
  }
  Run("set n 9223372036854775807");
  EXPECT_EQ(Run("incr n"), "-ERR increment or decrement would overflow");
  Run("set n -9223372036854775808");
  EXPECT_EQ(Run("decr n"), "-ERR increment or decrement would overflow");
  EXPECT_EQ(Run("decrby n -9223372036854775808"), "-ERR decrement would overflow");
  EXPECT_EQ(Run("get n"), "\"-9223372036854775808\"");
}

TEST_F(StringCommandTest, CountersKeepTheTimeToLive) {
  Run("set n 5 ex 10");
  Run("incr n");
  Run("incrbyfloat n 0.5");
  EXPECT_EQ(Run("pttl n"), "10000");
  EXPECT_EQ(Run("get n"), "\"6.5\"");
}

TEST_F(StringCommandTest, FloatsArePrintedAsPeopleWriteThem) {
  EXPECT_EQ(Run("incrbyfloat f 10.5"), "\"10.5\"");
  EXPECT_EQ(Run("incrbyfloat f 0.1"), "\"10.6\"");
  EXPECT_EQ(Run("incrbyfloat f -10.6"), "\"0\"");
  EXPECT_EQ(Run("incrbyfloat f 5.0e3"), "\"5000\"");
  EXPECT_EQ(Run("incrbyfloat f x"), "-ERR value is not a valid float");
  EXPECT_EQ(Run("incrbyfloat f nan"), "-ERR value is not a valid float");
  EXPECT_EQ(Run("incrbyfloat f inf"), "-ERR increment would produce NaN or Infinity");
  Run("set s ' 1'");
  EXPECT_EQ(Run("incrbyfloat s 1"), "-ERR value is not a valid float");
}

TEST_F(StringCommandTest, EncodingsAreNamedAsInRedis) {
  Run("set a 12");
  EXPECT_EQ(Run("object encoding a"), "\"int\"");
  Run("append a 3");
  EXPECT_EQ(Run("object encoding a"), "\"raw\"");
  RunArgs({"set", "a", std::string(44, 'x')});
  EXPECT_EQ(Run("object encoding a"), "\"embstr\"");
  RunArgs({"set", "a", std::string(45, 'x')});
  EXPECT_EQ(Run("object encoding a"), "\"raw\"");
}

TEST_F(StringCommandTest, LcsFindsTextLengthAndPlaces) {
  Run("mset a ohmytext b mynewtext");
  EXPECT_EQ(Run("lcs a b"), "\"mytext\"");
  EXPECT_EQ(Run("lcs a b len"), "6");
  EXPECT_EQ(Run("lcs a b idx"), "[\"matches\", [[[4, 7], [5, 8]], [[2, 3], [0, 1]]], \"len\", 6]");
  EXPECT_EQ(Run("lcs a b idx minmatchlen 4 withmatchlen"),
            "[\"matches\", [[[4, 7], [5, 8], 4]], \"len\", 6]");
  UseResp(3);
  EXPECT_EQ(Run("lcs a b idx minmatchlen 9"), "{\"matches\": [], \"len\": 6}");
  EXPECT_EQ(Run("lcs a nothing"), "\"\"");
  EXPECT_EQ(Run("lcs a nothing len"), "0");
}

TEST_F(StringCommandTest, LcsRefuses) {
  Run("set a x");
  Run("hset h f v");
  EXPECT_EQ(Run("lcs a h"), "-ERR The specified keys must contain string values");
  EXPECT_EQ(Run("lcs a a idx len"),
            "-ERR If you want both the length and indexes, please just use IDX.");
  EXPECT_EQ(Run("lcs a a foo"), "-ERR syntax error");
  EXPECT_EQ(Run("lcs a a minmatchlen"), "-ERR syntax error");
  RunArgs({"set", "big", std::string(20000, 'x')});
  EXPECT_EQ(Run("lcs big big"),
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len");
}

}  // namespace
}  // namespace kiwi::commands
