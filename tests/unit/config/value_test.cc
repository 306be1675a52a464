#include "config/value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/option_table.h"

namespace kiwi::config {
namespace {

using ::testing::ElementsAre;

const OptionRow& Row(std::string_view name) { return kOptions[FindOption(name).value()]; }

// What CONFIG SET makes of the text, or the reason why not.
std::string Set(std::string_view name, std::string_view text) {
  const auto value = ParseValueText(Row(name), text, /*verbatim=*/true, DefaultValue(Row(name)));
  return value.ok() ? value->text : "! " + std::string(value.status().message());
}

TEST(Value, EveryDefaultIsAllowed) {
  for (const OptionRow& row : kOptions) {
    const auto value = ParseValueText(row, row.fallback, /*verbatim=*/false, {});
    EXPECT_TRUE(value.ok()) << DisplayName(row) << ": " << value.status().message();
    EXPECT_FALSE(row.doc.empty()) << DisplayName(row);
    EXPECT_FALSE(DescribeAllowed(row).empty()) << DisplayName(row);
  }
}

TEST(Value, IsShownCanonically) {
  EXPECT_EQ(Set("protected-mode", "NO"), "no");
  EXPECT_EQ(Set("maxmemory", "100mb"), "104857600");
  EXPECT_EQ(Set("maxmemory-policy", "ALLKEYS-LRU"), "allkeys-lru");
  EXPECT_EQ(Set("unixsocketperm", "755"), "755");
  EXPECT_EQ(Set("maxmemory-clients", "5%"), "5%");
  EXPECT_EQ(Set("maxmemory-clients", "1kb"), "1024");
  EXPECT_EQ(Set("notify-keyspace-events", "KEA"), "AKE");
  EXPECT_EQ(Set("notify-keyspace-events", "KEg"), "gKE");
  EXPECT_EQ(Set("latency-tracking-info-percentiles", "50.50 99.9 100"), "50.5 99.9 100");
  EXPECT_EQ(Set("latency-tracking-info-percentiles", ""), "");
  EXPECT_EQ(Set("save", "3600 1 300 100"), "3600 1 300 100");
  EXPECT_EQ(Set("save", "\"\""), "");
  EXPECT_EQ(Set("shutdown-on-sigterm", "save now"), "save now");
  EXPECT_EQ(Set("bind", " 127.0.0.1   -::1 "), "127.0.0.1 -::1");
  EXPECT_EQ(Set("requirepass", "two \"words"), "two \"words");
  EXPECT_EQ(Set("client-output-buffer-limit", "replica 1mb 1kb 5"),
            "normal 0 0 0 slave 1048576 1024 5 pubsub 33554432 8388608 60");
}

TEST(Value, RefusesInRedisWords) {
  EXPECT_EQ(Set("protected-mode", "maybe"), "! argument must be 'yes' or 'no'");
  EXPECT_EQ(Set("port", "99999"), "! argument must be between 0 and 65535 inclusive");
  EXPECT_EQ(Set("port", "1.5"), "! argument couldn't be parsed into an integer");
  EXPECT_EQ(Set("port", ""), "! argument couldn't be parsed into an integer");
  EXPECT_EQ(Set("maxmemory", "-1"), "! argument must be a memory value");
  EXPECT_EQ(Set("maxmemory", "99999999999gb"), "! argument must be a memory value");
  EXPECT_EQ(Set("proto-max-bulk-len", "5"),
            "! argument must be between 1048576 and 9223372036854775807 inclusive");
  EXPECT_EQ(Set("unixsocketperm", "9"), "! argument couldn't be parsed as an octal number");
  EXPECT_EQ(Set("unixsocketperm", "1000"), "! argument must be between 0 and 777 inclusive");
  EXPECT_EQ(Set("raft.fsync", "sometimes"),
            "! argument(s) must be one of the following: always, everysec, no");
  EXPECT_EQ(Set("maxmemory-clients", "101%"), "! percentage argument must be less or equal to 100");
  EXPECT_EQ(Set("maxmemory-clients", "x"), "! argument must be a memory or percent value");
  EXPECT_EQ(Set("notify-keyspace-events", "KQ"),
            "! Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
  EXPECT_EQ(Set("client-output-buffer-limit", "foo 1 1 1"),
            "! Invalid client class specified in buffer limit configuration.");
  EXPECT_EQ(Set("client-output-buffer-limit", "normal 1 1"),
            "! Wrong number of arguments in buffer limit configuration.");
  EXPECT_EQ(Set("client-output-buffer-limit", "normal -1 1 1"),
            "! Error in hard, soft or soft_seconds setting in buffer limit configuration.");
  EXPECT_EQ(Set("save", "1 x"), "! Invalid save parameters");
  EXPECT_EQ(Set("oom-score-adj-values", "1 2"), "! wrong number of arguments");
}

TEST(Value, SpelledForTheFileReadsBackTheSame) {
  for (const char* text : {"plain", "two words", "", "a ; b", "#x", ";x", "q\"uote", "'", "\\",
                           "tab\there", "ends ", " begins", "\x80\xff", "a=b:c"}) {
    const OptionRow& row = Row("requirepass");
    const Value value = ParseValueText(row, text, /*verbatim=*/true, {}).value();
    const auto words = FileWords(row, value);
    const std::string spelled = words.empty() ? "" : words[0];
    EXPECT_EQ(spelled.find(';'), std::string::npos) << spelled;
    EXPECT_EQ(ParseValueText(row, spelled, /*verbatim=*/false, {}).value().text, text) << spelled;
  }
}

TEST(OptionTable, NamesAreFoundInEverySpelling) {
  const auto fsync = FindOption("raft.fsync");
  ASSERT_TRUE(fsync.has_value());
  EXPECT_EQ(FindOption("fsync"), fsync);
  EXPECT_EQ(FindOption("RAFT.Fsync"), fsync);
  EXPECT_EQ(FindOption("raft", "fsync"), fsync);
  EXPECT_EQ(FindOption("hash-max-ziplist-value"), FindOption("hash-max-listpack-value"));
  EXPECT_EQ(FindOption("network.port"), FindOption("port"));
  EXPECT_EQ(kOptions[FindOption("port").value()].section, "network");
  EXPECT_EQ(kOptions[FindOption("fault.enabled").value()].section, "fault");
  EXPECT_FALSE(FindOption("enabled").has_value());  // of several sections
  EXPECT_FALSE(FindOption("").has_value());
}

TEST(OptionTable, KnowsWhatWasMeant) {
  EXPECT_EQ(NearestOption("maxmemori"), "maxmemory");
  EXPECT_EQ(NearestOption("raft.fsnc"), "raft.fsync");
  EXPECT_EQ(NearestOption("network", "prot"), "port");
  EXPECT_EQ(NearestSection("runtime.scalling"), "runtime.scaling");
  EXPECT_EQ(NearestOption("nothing-of-the-kind-at-all"), "");
}

}  // namespace
}  // namespace kiwi::config
