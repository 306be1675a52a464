#include <map>
#include <set>
#include <string>

#include "unit/commands/harness.h"

namespace kiwi::commands {
namespace {

constexpr char kWrongTypeReply[] =
    "-WRONGTYPE Operation against a key holding the wrong kind of value";

class HashCommandTest : public CommandTest {
 protected:
  // Fields f0, f1, … with values v0, v1, …
  void Fill(const std::string& key, int fields) {
    for (int i = 0; i < fields; ++i) {
      const std::string n = std::to_string(i);
      RunArgs({"hset", key, "f" + n, "v" + n});
    }
  }
  // All bulk strings of a flat or nested reply.
  static std::vector<std::string> Strings(const std::string& text) {
    std::vector<std::string> strings;
    for (size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at)) {
      const size_t end = text.find('"', at + 1);
      strings.push_back(text.substr(at + 1, end - at - 1));
      at = end + 1;
    }
    return strings;
  }
};

TEST_F(HashCommandTest, FieldsAreSetReadAndDeleted) {
  EXPECT_EQ(Run("hset h a 1 b 2 a 3"), "2");
  EXPECT_EQ(Run("hget h a"), "\"3\"");
  EXPECT_EQ(Run("hget h c"), "nil");
  EXPECT_EQ(Run("hget nothing a"), "nil");
  EXPECT_EQ(Run("hmset h c 4"), "OK");
  EXPECT_EQ(Run("hlen h"), "3");
  EXPECT_EQ(Run("hmget h a x c"), "[\"3\", nil, \"4\"]");
  EXPECT_EQ(Run("hmget nothing a b"), "[nil, nil]");
  EXPECT_EQ(Run("hexists h a"), "1");
  EXPECT_EQ(Run("hexists h x"), "0");
  EXPECT_EQ(Run("hstrlen h a"), "1");
  EXPECT_EQ(Run("hstrlen h x"), "0");
  EXPECT_EQ(Run("hdel h a x a"), "1");
  EXPECT_EQ(Run("hdel h b c d"), "2");
  EXPECT_EQ(Run("exists h"), "0") << "a hash goes with its last field";
  EXPECT_EQ(Run("hdel h a"), "0");
}

TEST_F(HashCommandTest, OddFieldsAreRefused) {
  EXPECT_EQ(Run("hset h a 1 b"), "-ERR wrong number of arguments for 'hset' command");
  EXPECT_EQ(Run("hmset h a 1 b"), "-ERR wrong number of arguments for 'hmset' command");
  EXPECT_EQ(Run("exists h"), "0");
}

TEST_F(HashCommandTest, HsetnxKeepsWhatIsThere) {
  EXPECT_EQ(Run("hsetnx h a 1"), "1");
  EXPECT_EQ(Run("hsetnx h a 2"), "0");
  EXPECT_EQ(Run("hget h a"), "\"1\"");
}

TEST_F(HashCommandTest, WholeHashes) {
  EXPECT_EQ(Run("hgetall nothing"), "[]");
  EXPECT_EQ(Run("hkeys nothing"), "[]");
  Run("hset h a 1 b 2");
  EXPECT_EQ(Run("hkeys h"), "[\"a\", \"b\"]");
  EXPECT_EQ(Run("hvals h"), "[\"1\", \"2\"]");
  EXPECT_EQ(Run("hgetall h"), "[\"a\", \"1\", \"b\", \"2\"]");
  UseResp(3);
  EXPECT_EQ(Run("hgetall h"), "{\"a\": \"1\", \"b\": \"2\"}");
  EXPECT_EQ(Run("hgetall nothing"), "{}");
}

TEST_F(HashCommandTest, OtherTypesAreRefused) {
  Run("set s x");
  for (const char* line :
       {"hset s a 1", "hsetnx s a 1", "hget s a", "hmset s a 1", "hmget s a", "hincrby s a 1",
        "hincrbyfloat s a 1", "hdel s a", "hlen s", "hstrlen s a", "hkeys s", "hvals s",
        "hgetall s", "hexists s a", "hrandfield s", "hrandfield s 2", "hscan s 0"}) {
    EXPECT_EQ(Run(line), kWrongTypeReply) << line;
  }
}

TEST_F(HashCommandTest, CountersInFields) {
  EXPECT_EQ(Run("hincrby h n 5"), "5");
  EXPECT_EQ(Run("hincrby h n -7"), "-2");
  EXPECT_EQ(Run("hget h n"), "\"-2\"");
  EXPECT_EQ(Run("hincrby h n x"), "-ERR value is not an integer or out of range");
  Run("hset h s abc m 9223372036854775807");
  EXPECT_EQ(Run("hincrby h s 1"), "-ERR hash value is not an integer");
  EXPECT_EQ(Run("hincrby h m 1"), "-ERR increment or decrement would overflow");
  EXPECT_EQ(Run("hincrbyfloat h n 2.5"), "\"0.5\"");
  EXPECT_EQ(Run("hincrbyfloat h s 1"), "-ERR hash value is not a float");
  EXPECT_EQ(Run("hincrbyfloat h n x"), "-ERR value is not a valid float");
  EXPECT_EQ(Run("hincrbyfloat h n inf"), "-ERR value is NaN or Infinity");
  EXPECT_EQ(Run("hincrby other n x"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(Run("exists other"), "0") << "a refused command leaves no empty hash";
}

TEST_F(HashCommandTest, ChangesKeepTheTimeToLive) {
  Run("hset h a 1 b 2");
  Run("expire h 10");
  Run("hset h a 2");
  Run("hdel h b");
  Run("hincrby h a 2");
  EXPECT_EQ(Run("pttl h"), "10000");
  Sleep(10000);
  EXPECT_EQ(Run("hset h new 1"), "1");
  EXPECT_EQ(Run("hgetall h"), "[\"new\", \"1\"]") << "an expired hash is gone whole";
  EXPECT_EQ(Run("ttl h"), "-1");
}

TEST_F(HashCommandTest, LargeHashesChangeTheirEncoding) {
  Fill("h", 512);
  EXPECT_EQ(Run("object encoding h"), "\"listpack\"");
  Run("hset h one more");
  EXPECT_EQ(Run("object encoding h"), "\"hashtable\"");
  EXPECT_EQ(Run("hlen h"), "513");
  RunArgs({"hset", "long", "f", std::string(64, 'x')});
  EXPECT_EQ(Run("object encoding long"), "\"listpack\"");
  RunArgs({"hset", "long", "f", std::string(65, 'x')});
  EXPECT_EQ(Run("object encoding long"), "\"hashtable\"");
}

TEST_F(HashCommandTest, RandomFieldsAreDifferentOrRepeated) {
  EXPECT_EQ(Run("hrandfield nothing"), "nil");
  EXPECT_EQ(Run("hrandfield nothing 5"), "[]");
  for (const int size : {20, 600}) {
    const std::string key = "h" + std::to_string(size);
    Fill(key, size);
    EXPECT_EQ(Strings(Run("hrandfield " + key)).size(), 1u);
    EXPECT_EQ(Run("hrandfield " + key + " 0"), "[]");
    for (const int count : {1, 5, 15, size, size + 5}) {
      const auto fields = Strings(Run("hrandfield " + key + " " + std::to_string(count)));
      const std::set<std::string> distinct(fields.begin(), fields.end());
      EXPECT_EQ(fields.size(), static_cast<size_t>(std::min(count, size)));
      EXPECT_EQ(distinct.size(), fields.size());
    }
    EXPECT_EQ(Strings(Run("hrandfield " + key + " -1000")).size(), 1000u);
    const auto pairs = Strings(Run("hrandfield " + key + " 10 withvalues"));
    ASSERT_EQ(pairs.size(), 20u);
    for (size_t i = 0; i < pairs.size(); i += 2) {
      EXPECT_EQ(pairs[i].substr(1), pairs[i + 1].substr(1));
    }
  }
}

TEST_F(HashCommandTest, RandomFieldsComeEquallyOften) {
  Fill("h", 10);
  for (const char* line : {"hrandfield h", "hrandfield h 3", "hrandfield h -3"}) {
    std::map<std::string, int> seen;
    int total = 0;
    for (int i = 0; i < 2000; ++i) {
      for (const std::string& field : Strings(Run(line))) ++seen[field], ++total;
    }
    for (const auto& [field, times] : seen) {
      EXPECT_NEAR(times, total / 10.0, total / 40.0) << line << ' ' << field;
    }
    EXPECT_EQ(seen.size(), 10u);
  }
}

TEST_F(HashCommandTest, RandomFieldsComeInPairsInResp3) {
  Run("hset h a 1");
  EXPECT_EQ(Run("hrandfield h 1 withvalues"), "[\"a\", \"1\"]");
  EXPECT_EQ(Run("hrandfield h -2 withvalues"), "[\"a\", \"1\", \"a\", \"1\"]");
  UseResp(3);
  EXPECT_EQ(Run("hrandfield h 1 withvalues"), "[[\"a\", \"1\"]]");
  EXPECT_EQ(Run("hrandfield h 1"), "[\"a\"]");
}

TEST_F(HashCommandTest, RandomFieldCountsAreChecked) {
  Run("hset h a 1");
  EXPECT_EQ(Run("hrandfield h x"), "-ERR value is not an integer or out of range");
  EXPECT_EQ(Run("hrandfield h 1 foo"), "-ERR syntax error");
  EXPECT_EQ(Run("hrandfield h 1 withvalues x"), "-ERR syntax error");
  EXPECT_EQ(Run("hrandfield h 9223372036854775807 withvalues"), "-ERR value is out of range");
  EXPECT_EQ(Run("hrandfield h 9223372036854775807"), "[\"a\"]");
  EXPECT_EQ(Run("hrandfield h -9223372036854775807"),
            "-ERR the reply would exceed 1 GB; ask for less at once");
}

TEST_F(HashCommandTest, ScanVisitsEveryField) {
  for (const int size : {10, 1000}) {
    const std::string key = "h" + std::to_string(size);
    Fill(key, size);
    std::set<std::string> seen;
    std::string cursor = "0";
    do {
      const auto parts = Strings(Run("hscan " + key + " " + cursor + " count 7"));
      cursor = parts[0];
      for (size_t i = 1; i < parts.size(); i += 2) {
        EXPECT_EQ(parts[i].substr(1), parts[i + 1].substr(1));
        seen.insert(parts[i]);
      }
    } while (cursor != "0");
    EXPECT_EQ(seen.size(), static_cast<size_t>(size));
  }
}

TEST_F(HashCommandTest, ScanFilters) {
  Run("hset h aa 1 ab 2 bb 3");
  EXPECT_EQ(Run("hscan h 0 match a*"), "[\"0\", [\"aa\", \"1\", \"ab\", \"2\"]]");
  EXPECT_EQ(Run("hscan h 0 match zz"), "[\"0\", []]");
  EXPECT_EQ(Run("hscan h x"), "-ERR invalid cursor");
  EXPECT_EQ(Run("hscan h 0 count 0"), "-ERR syntax error");
  EXPECT_EQ(Run("hscan h 0 type string"), "-ERR syntax error");
  EXPECT_EQ(Run("hscan nothing 0 foo"), "[\"0\", []]") << "a missing key comes before options";
}

}  // namespace
}  // namespace kiwi::commands
