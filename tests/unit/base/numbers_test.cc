#include "base/numbers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>

#include "base/random.h"

namespace kiwi {
namespace {

TEST(Numbers, IntegersHaveOneSpelling) {
  int64_t v = 0;
  for (const char* text : {"0", "1", "-1", "42", "9223372036854775807", "-9223372036854775808"}) {
    ASSERT_TRUE(ParseInt64(text, &v)) << text;
    EXPECT_EQ(std::to_string(v), text);
  }
  v = 77;
  for (const char* text : {"", "-", "+1", " 1", "1 ", "01", "-0", "-01", "00", "1.0", "0x1", "a",
                           "9223372036854775808", "-9223372036854775809", "99999999999999999999"}) {
    EXPECT_FALSE(ParseInt64(text, &v)) << text;
  }
  EXPECT_EQ(v, 77);
  uint64_t u = 0;
  EXPECT_TRUE(ParseUint64("18446744073709551615", &u));
  EXPECT_EQ(u, std::numeric_limits<uint64_t>::max());
  EXPECT_FALSE(ParseUint64("18446744073709551616", &u));
  EXPECT_FALSE(ParseUint64("-1", &u));
}

TEST(Numbers, DoublesFollowStrtodWithoutItsLaxness) {
  double v = 0;
  for (const char* text : {"1", "-1.5", "+2", "1e3", ".5", "5.", "0x10", "0x1p4", "3.0e-2"}) {
    ASSERT_TRUE(ParseDouble(text, &v)) << text;
    EXPECT_EQ(v, std::strtod(text, nullptr)) << text;
  }
  ASSERT_TRUE(ParseDouble("-INF", &v));
  EXPECT_EQ(v, -std::numeric_limits<double>::infinity());
  ASSERT_TRUE(ParseDouble("+infinity", &v));
  EXPECT_TRUE(std::isinf(v));
  ASSERT_TRUE(ParseDouble("4.9e-324", &v));  // denormal: not nothing
  EXPECT_GT(v, 0);
  for (const char* text : {"", " 1", "1 ", "1x", "nan", "-nan", "1e400", "1e-400", "abc", "--1"}) {
    EXPECT_FALSE(ParseDouble(text, &v)) << text;
  }
  EXPECT_FALSE(ParseDouble(std::string_view("1\0", 2), &v));
}

TEST(Numbers, LongDoublesKeepTheirPrecision) {
  long double v = 0;
  ASSERT_TRUE(ParseLongDouble("0.1", &v));
  EXPECT_EQ(HumanDouble(v), "0.1");
  ASSERT_TRUE(ParseLongDouble("5.0e3", &v));
  EXPECT_EQ(HumanDouble(v), "5000");
  ASSERT_TRUE(ParseLongDouble("10.6", &v));
  EXPECT_EQ(HumanDouble(v + 0.1L), "10.7");
  EXPECT_EQ(HumanDouble(-0.0L), "0");
  EXPECT_EQ(HumanDouble(1e20L), "100000000000000000000");
  EXPECT_EQ(HumanDouble(std::numeric_limits<long double>::infinity()), "inf");
  EXPECT_EQ(HumanDouble(std::numeric_limits<long double>::max()).size(), 4933U);
  EXPECT_FALSE(ParseLongDouble("nan", &v));
  EXPECT_FALSE(ParseLongDouble(" 1", &v));
  EXPECT_FALSE(ParseLongDouble(std::string(6000, '1'), &v));
}

std::string Formatted(double v) {
  char buffer[kMaxDoubleChars];
  return {buffer, FormatDouble(buffer, v)};
}

TEST(Numbers, DoublesPrintAsPercent17g) {
  EXPECT_EQ(Formatted(3), "3");
  EXPECT_EQ(Formatted(-0.0), "-0");
  EXPECT_EQ(Formatted(0.1), "0.10000000000000001");
  EXPECT_EQ(Formatted(1e17), "1e+17");
  EXPECT_EQ(Formatted(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(Formatted(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(Formatted(std::numeric_limits<double>::quiet_NaN()), "nan");
  Random random(3);
  for (int i = 0; i < 20000; ++i) {
    const uint64_t bits = random.Next();
    double v = 0;
    std::memcpy(&v, &bits, sizeof(v));
    if (i % 2 == 0) v = static_cast<double>(static_cast<int64_t>(bits) >> random.Below(63));
    if (std::isnan(v)) continue;
    char expected[64];
    std::snprintf(expected, sizeof(expected), "%.17g", v);
    EXPECT_EQ(Formatted(v), expected);
  }
}

TEST(Numbers, MemorySizes) {
  uint64_t v = 0;
  const std::pair<const char*, uint64_t> good[] = {
      {"0", 0},        {"100", 100},        {"1b", 1},
      {"1k", 1000},    {"1kb", 1024},       {"100mb", 100ULL << 20},
      {"1M", 1000000}, {"1Gb", 1ULL << 30}, {"2G", 2000000000}};
  for (const auto& [text, bytes] : good) {
    ASSERT_TRUE(ParseMemorySize(text, &v)) << text;
    EXPECT_EQ(v, bytes) << text;
  }
  for (const char* text :
       {"", "mb", "-1", "1.5gb", "1 mb", "1tb", "99999999999999999999", "18446744073709551615gb"}) {
    EXPECT_FALSE(ParseMemorySize(text, &v)) << text;
  }
}

}  // namespace
}  // namespace kiwi
