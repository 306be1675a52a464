#include <string>

#include "base/coding.h"
#include "base/crc64.h"
#include "commands/dump_format.h"
#include "commands/listpack.h"
#include "unit/commands/harness.h"

namespace kiwi::commands {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

// What redis-server 7.0 answers to DUMP.
const std::string kHello = FromHex("000568656c6c6f0a006372df766534200a");
const std::string kInteger = FromHex("00c1c7cf0a0067eda236b4db26d0");  // -12345
const std::string kCompressed =                                        // "abc" twenty times
    FromHex("00c30b3c0361626361e02d020162630a006f6029e4afd764ac");
const std::string kListpack = FromHex(
    "10c33a40661566000000"
    "0c0081610201018162"
    "02ded4028163"
    "02b278e028000933816402f4141a99be1c20"
    "4f1109816502f2701101048166"
    "02f24039d204ff0a000b4b3c451591d995");
const std::string kTable = FromHex(
    "04010161c30940410179"
    "79e0340001"
    "79790a0033a0305944b8db8b");

// With the version and the checksum behind it.
std::string Sealed(std::string body) {
  body += FromHex("0a00");
  PutFixed(&body, Crc64Jones(body));
  return body;
}

class DumpTest : public CommandTest {
 protected:
  std::string Restore(const std::string& payload, const std::string& ttl = "0") {
    return RunArgs({"restore", "r", ttl, payload, "replace"});
  }
};

TEST(Crc64, HasTheKnownCheckValue) {
  EXPECT_EQ(Crc64Jones("123456789"), 0xe9c6d914c4b8d9caULL);
  EXPECT_EQ(Crc64Jones(""), 0u);
}

TEST_F(DumpTest, WhatRedisDumpedIsRestored) {
  EXPECT_EQ(Restore(kHello), "OK");
  EXPECT_EQ(Run("get r"), "\"hello\"");
  EXPECT_EQ(Restore(kInteger), "OK");
  EXPECT_EQ(Run("get r"), "\"-12345\"");
  EXPECT_EQ(Run("object encoding r"), "\"int\"");
  EXPECT_EQ(Restore(kCompressed), "OK");
  EXPECT_EQ(Bulk("get r").size(), 60u);
  EXPECT_EQ(Bulk("getrange r 54 -1"), "abcabc");
}

TEST_F(DumpTest, HashesOfRedisAreRestored) {
  EXPECT_EQ(Restore(kListpack), "OK");
  EXPECT_EQ(Run("hgetall r"), "[\"a\", \"1\", \"b\", \"-300\", \"c\", \"" + std::string(50, 'x') +
                                  "\", \"d\", \"123456789012\", \"e\", \"70000\", \"f\", "
                                  "\"-3000000\"]");
  EXPECT_EQ(Restore(kTable), "OK");
  EXPECT_EQ(Run("hgetall r"), "[\"a\", \"" + std::string(65, 'y') + "\"]");
}

TEST_F(DumpTest, StringsAreDumpedAsRedisDumpsThem) {
  Run("set s hello");
  EXPECT_EQ(Bulk("dump s"), kHello);
  Run("set s -12345");
  EXPECT_EQ(Bulk("dump s"), kInteger);
  EXPECT_EQ(Run("dump nothing"), "nil");
}

TEST_F(DumpTest, EveryValueSurvivesTheWay) {
  for (const std::string& value :
       {std::string(), std::string("1"), std::string("-128"), std::string("128"),
        std::string("32768"), std::string("2147483647"), std::string("2147483648"),
        std::string("-9223372036854775808"), std::string("007"), std::string(63, 'x'),
        std::string(64, 'x'), std::string(16383, 'x'), std::string(16384, 'x'),
        std::string("a\0\r\nb", 5)}) {
    RunArgs({"set", "s", value});
    ASSERT_EQ(Restore(Bulk("dump s")), "OK") << value;
    EXPECT_EQ(Bulk("get r"), value);
  }
  RunArgs({"hset", "h", "1", "2", "", std::string(100, 'y'), "f", ""});
  ASSERT_EQ(Restore(Bulk("dump h")), "OK");
  EXPECT_EQ(Run("hgetall r"), Run("hgetall h"));
}

TEST_F(DumpTest, RestoreSetsTheTimeToLive) {
  EXPECT_EQ(Restore(kHello, "500"), "OK");
  EXPECT_EQ(Run("pttl r"), "500");
  EXPECT_EQ(Restore(kTable, "500"), "OK");
  EXPECT_EQ(Run("pttl r"), "500");
  EXPECT_EQ(RunArgs({"restore", "r", "1700000000700", kHello, "replace", "absttl"}), "OK");
  EXPECT_EQ(Run("pttl r"), "700");
  EXPECT_EQ(RunArgs({"restore", "r", "5", kHello, "absttl", "replace"}), "OK");
  EXPECT_EQ(Run("exists r"), "0") << "its time is over";
  EXPECT_EQ(Restore(kHello, "-1"), "-ERR Invalid TTL value, must be >= 0");
}

TEST_F(DumpTest, RestoreOptions) {
  EXPECT_EQ(Restore(kHello), "OK");
  EXPECT_EQ(RunArgs({"restore", "r", "0", kHello}), "-BUSYKEY Target key name already exists.");
  EXPECT_EQ(RunArgs({"restore", "x", "0", kHello, "foo"}), "-ERR syntax error");
  EXPECT_EQ(RunArgs({"restore", "x", "0", kHello, "idletime", "-1"}),
            "-ERR Invalid IDLETIME value, must be >= 0");
  EXPECT_EQ(RunArgs({"restore", "x", "0", kHello, "freq", "256"}),
            "-ERR Invalid FREQ value, must be >= 0 and <= 255");
  EXPECT_EQ(RunArgs({"restore", "x", "0", kHello, "freq", "1", "idletime", "1"}),
            "-ERR syntax error");
  EXPECT_EQ(RunArgs({"restore", "x", "0", kHello, "idletime", "1000"}), "OK");
  EXPECT_EQ(Run("object idletime x"), "1000");
}

TEST_F(DumpTest, DamagedPayloadsAreRefused) {
  const std::string wrong = "-ERR DUMP payload version or checksum are wrong";
  EXPECT_EQ(Restore(""), wrong);
  EXPECT_EQ(Restore("short"), wrong);
  for (size_t i = 0; i < kListpack.size(); ++i) {
    std::string damaged = kListpack;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_EQ(Restore(damaged), wrong) << i;
  }
}

// With its checksum, everything reaches the decoder.
TEST_F(DumpTest, NoPayloadHurtsTheDecoder) {
  for (const std::string& good : {kHello, kInteger, kCompressed, kListpack, kTable}) {
    const std::string body = good.substr(0, good.size() - 10);
    for (size_t cut = 0; cut < body.size(); ++cut) Restore(Sealed(body.substr(0, cut)));
    for (size_t i = 0; i < body.size(); ++i) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string damaged = body;
        damaged[i] = static_cast<char>(byte);
        const std::string reply = Restore(Sealed(damaged));
        EXPECT_TRUE(reply == "OK" || reply == "-ERR Bad data format") << reply;
      }
    }
  }
  // Lengths that promise more than there is.
  for (const char* hex : {"0081ffffffffffffffff", "0080ffffffff", "0481ffffffffffffffff",
                          "00c301801fffffff00", "0400", "04020161016101610162"}) {
    EXPECT_EQ(Restore(Sealed(FromHex(hex))), "-ERR Bad data format") << hex;
  }
}

TEST(Listpack, EveryWidthOfElement) {
  // 5, "ab", -2 in 13 bits, 16, 24, 32 and 64 bits.
  const std::string block = FromHex(
      "2c000000"
      "0700"
      "0501"
      "82616203"
      "dffe02"
      "f1feff03"
      "f2feffff04"
      "f3feffffff05"
      "f4feffffffffffffff09"
      "ff");
  std::string sized = block;
  sized[0] = static_cast<char>(block.size());
  std::vector<std::string> elements;
  ASSERT_TRUE(DecodeListpack(sized, &elements));
  EXPECT_EQ(elements, (std::vector<std::string>{"5", "ab", "-2", "-2", "-2", "-2", "-2"}));
}

}  // namespace
}  // namespace kiwi::commands
