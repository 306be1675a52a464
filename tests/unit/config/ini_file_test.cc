#include "config/ini_file.h"

#include <gtest/gtest.h>

namespace kiwi::config {
namespace {

std::string Shown(std::string_view text) {
  const auto entries = ParseIni(text);
  if (!entries.ok()) return "! " + std::string(entries.status().message());
  std::string all;
  for (const IniEntry& entry : *entries) {
    all += std::to_string(entry.line);
    if (entry.last_line != entry.line) all += "-" + std::to_string(entry.last_line);
    all += " [" + entry.section + "] " + entry.key + "=" + entry.value + "|";
  }
  return all;
}

TEST(IniFile, SectionsKeysAndComments) {
  EXPECT_EQ(Shown("# c\n\n[a]\nx = 1 ; why\n; c\ny=2\r\n[b.c]\nz :  3  \n"),
            "4 [a] x=1|6 [a] y=2|8 [b.c] z=3|");
  EXPECT_EQ(Shown("x = 1"), "1 [] x=1|");
  EXPECT_EQ(Shown("[a]\nx =\ny = a#b;c\n"), "2 [a] x=|3 [a] y=a#b;c|");
  EXPECT_EQ(Shown(""), "");
}

TEST(IniFile, IndentedLinesGoOnWithTheValue) {
  EXPECT_EQ(Shown("[a]\nbind = one\n  two ; c\n\tthree\ny = 1\n"),
            "2-4 [a] bind=one two three|5 [a] y=1|");
  EXPECT_EQ(Shown("[a]\nx =\n  [::1]\n"), "2-3 [a] x=[::1]|");
  EXPECT_EQ(Shown("[a]\n  x = 1\n[b]\n  x = 2\n"), "2 [a] x=1|4 [b] x=2|");
}

TEST(IniFile, SaysWhichLineIsWrong) {
  EXPECT_EQ(Shown("[a]\nport 7000\n"), "! 2: neither a [section], nor key = value, nor a comment");
  EXPECT_EQ(Shown("[a\n"), "! 1: neither a [section], nor key = value, nor a comment");
  EXPECT_EQ(Shown(std::string_view("[a]\nx=\0\n", 8)), "! 2: a NUL byte; this is not a text file");
  EXPECT_EQ(Shown("[a]\nx=" + std::string(kMaxLineBytes - 2, 'v') + "\n"),
            "2 [a] x=" + std::string(kMaxLineBytes - 2, 'v') + "|");
  EXPECT_EQ(Shown("[a]\nx=" + std::string(kMaxLineBytes - 1, 'v') + "\n").substr(0, 35),
            "! 2: the line is longer than 196 by");
}

TEST(IniFile, MissingAndHugeFilesAreRefused) {
  const auto missing = ReadConfigFile("/nonexistent/kiwi.conf");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.status().message(),
            "/nonexistent/kiwi.conf: cannot be read: No such file or directory");
  EXPECT_FALSE(ReadConfigFile("/dev/zero").ok());
  EXPECT_FALSE(ReadConfigFile("/").ok());
}

}  // namespace
}  // namespace kiwi::config
