#include "protocol/reply_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

namespace kiwi::protocol {
namespace {

template <typename Write>
std::string Written(int version, Write write) {
  std::string out;
  ReplyWriter writer(&out, version);
  write(writer);
  return out;
}

#define EXPECT_REPLY(call, resp2, resp3)                                     \
  EXPECT_EQ(Written(2, [](ReplyWriter& w) { w.call; }), std::string(resp2)); \
  EXPECT_EQ(Written(3, [](ReplyWriter& w) { w.call; }), std::string(resp3))

TEST(ReplyWriter, WhatBothVersionsWriteAlike) {
  EXPECT_REPLY(Ok(), "+OK\r\n", "+OK\r\n");
  EXPECT_REPLY(Simple("QUEUED"), "+QUEUED\r\n", "+QUEUED\r\n");
  EXPECT_REPLY(Error("ERR no"), "-ERR no\r\n", "-ERR no\r\n");
  EXPECT_REPLY(Integer(0), ":0\r\n", ":0\r\n");
  EXPECT_REPLY(Integer(-1), ":-1\r\n", ":-1\r\n");
  EXPECT_REPLY(Integer(std::numeric_limits<int64_t>::min()), ":-9223372036854775808\r\n",
               ":-9223372036854775808\r\n");
  EXPECT_REPLY(Bulk(""), "$0\r\n\r\n", "$0\r\n\r\n");
  EXPECT_REPLY(Bulk("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n");
  EXPECT_REPLY(BulkInteger(-42), "$3\r\n-42\r\n", "$3\r\n-42\r\n");
  EXPECT_REPLY(Array(12), "*12\r\n", "*12\r\n");
  EXPECT_REPLY(HumanDouble(3.0L), "$1\r\n3\r\n", "$1\r\n3\r\n");
}

TEST(ReplyWriter, WhatResp3Distinguishes) {
  EXPECT_REPLY(Null(), "$-1\r\n", "_\r\n");
  EXPECT_REPLY(NullArray(), "*-1\r\n", "_\r\n");
  EXPECT_REPLY(Map(2), "*4\r\n", "%2\r\n");
  EXPECT_REPLY(Set(2), "*2\r\n", "~2\r\n");
  EXPECT_REPLY(Push(3), "*3\r\n", ">3\r\n");
  EXPECT_REPLY(Bool(true), ":1\r\n", "#t\r\n");
  EXPECT_REPLY(Bool(false), ":0\r\n", "#f\r\n");
  EXPECT_REPLY(BigNumber("123"), "$3\r\n123\r\n", "(123\r\n");
  EXPECT_REPLY(Verbatim("hi"), "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n");
  EXPECT_REPLY(Double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
  EXPECT_REPLY(Double(INFINITY), "$3\r\ninf\r\n", ",inf\r\n");
  EXPECT_REPLY(Double(-INFINITY), "$4\r\n-inf\r\n", ",-inf\r\n");
  EXPECT_REPLY(Double(NAN), "$3\r\nnan\r\n", ",nan\r\n");
}

TEST(ReplyWriter, AnErrorStaysOnItsLine) {
  EXPECT_REPLY(Error("ERR a\r\n+OK\r\nb"), "-ERR a  +OK  b\r\n", "-ERR a  +OK  b\r\n");
}

TEST(ReplyWriter, BulksOfEverySizeAroundTheSmallOnes) {
  for (size_t n = 0; n < 300; ++n) {
    const std::string value(n, 'v');
    EXPECT_EQ(Written(2, [&](ReplyWriter& w) { w.Bulk(value); }),
              "$" + std::to_string(n) + "\r\n" + value + "\r\n");
  }
}

TEST(ReplyWriter, ChangesVersionInMidStream) {
  std::string out;
  ReplyWriter writer(&out, 2);
  writer.Null();
  writer.set_resp_version(3);
  writer.Null();
  EXPECT_EQ(out, "$-1\r\n_\r\n");
}

}  // namespace
}  // namespace kiwi::protocol
