// The judge must be judged first: histories that are known to be bad must be found bad, and what only
// looks odd (answers lost, outcomes unknown) must not.
#include "chaos/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace kiwi::chaos {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

CheckReport CheckText(const std::string& text) {
  std::istringstream in(text);
  auto ops = ReadHistory(in);
  EXPECT_TRUE(ops.ok()) << ops.status().ToString();
  return ops.ok() ? Check(*ops) : CheckReport{};
}

void ExpectGood(const std::string& text) {
  const CheckReport report = CheckText(text);
  EXPECT_THAT(report.undecided, IsEmpty());
  for (const Violation& violation : report.violations) {
    ADD_FAILURE() << violation.key << "\n" << violation.story;
  }
}

void ExpectBad(const std::string& text) {
  const CheckReport report = CheckText(text);
  EXPECT_THAT(report.violations, SizeIs(1)) << text;
}

TEST(CheckerTest, OneClientAfterTheOther) {
  ExpectGood(
      "1 10 20 k GET -> nil\n"
      "1 30 40 k SET =a -> OK\n"
      "2 50 60 k GET -> =a\n"
      "2 70 80 k SETNX =b -> nil\n"
      "1 90 91 k DEL -> :1\n"
      "1 92 93 k DEL -> :0\n"
      "2 94 95 k SETNX =c -> OK\n"
      "2 96 97 k APPEND =d%0A -> :3\n"
      "1 98 99 k GET -> =cd%0A\n");
}

TEST(CheckerTest, WhatOverlapsMayComeInAnyOrder) {
  ExpectGood(
      "1 10 90 k SET =a -> OK\n"
      "2 20 80 k SET =b -> OK\n"
      "3 30 40 k GET -> =b\n"
      "3 50 60 k GET -> =a\n"
      "4 95 99 k GET -> =a\n");
  ExpectBad(
      "1 10 40 k SET =a -> OK\n"
      "2 10 40 k SET =b -> OK\n"
      "3 50 60 k GET -> =a\n"
      "4 50 60 k GET -> =b\n");
}

TEST(CheckerTest, AStaleRead) {
  ExpectBad(
      "1 10 20 k SET =old -> OK\n"
      "1 30 40 k SET =new -> OK\n"
      "2 50 60 k GET -> =old\n");
}

TEST(CheckerTest, AReadThatGoesBack) {
  ExpectBad(
      "1 10 20 k SET =old -> OK\n"
      "1 30 90 k SET =new -> OK\n"
      "2 40 50 k GET -> =new\n"
      "3 60 70 k GET -> =old\n");
}

TEST(CheckerTest, ALostAcknowledgedWrite) {
  ExpectBad(
      "1 10 20 k SET =a -> OK\n"
      "2 50 60 k GET -> nil\n");
  ExpectBad(
      "1 10 20 c INCR -> :1\n"
      "1 30 40 c INCR -> :2\n"
      "2 50 60 c INCR -> :2\n");
  ExpectBad(
      "1 10 20 l APPEND =a -> :1\n"
      "1 30 40 l APPEND =b -> :2\n"
      "2 50 60 l GET -> =b\n");
}

TEST(CheckerTest, SplitBrain) {
  // Two sides go on for themselves, each consistent.
  ExpectBad(
      "1 10 20 k SET =left1 -> OK\n"
      "1 30 40 k GET -> =left1\n"
      "2 12 22 k SET =right1 -> OK\n"
      "2 31 41 k GET -> =right1\n"
      "1 50 60 k SET =left2 -> OK\n"
      "2 50 60 k SET =right2 -> OK\n"
      "1 70 80 k GET -> =left2\n"
      "2 70 80 k GET -> =right2\n");
}

TEST(CheckerTest, AnIncrementAppliedTwice) {
  ExpectBad(
      "1 10 20 c INCR -> :1\n"
      "1 30 40 c GET -> =2\n");
  // Sent once with an unknown outcome, seen twice.
  ExpectBad(
      "1 10 20 c INCR -> :1\n"
      "2 30 - c INCR -> ?\n"
      "1 40 50 c GET -> =3\n");
  ExpectGood(
      "1 10 20 c INCR -> :1\n"
      "2 30 - c INCR -> ?\n"
      "3 30 - c INCR -> ?\n"
      "1 40 50 c GET -> =3\n");
}

TEST(CheckerTest, AnUnknownWriteMayComeLateOrNever) {
  ExpectGood(
      "1 10 20 k SET =a -> OK\n"
      "2 30 - k SET =b -> ?\n"
      "1 40 50 k GET -> =a\n"
      "1 1000 1010 k GET -> =b\n");
  ExpectGood(
      "1 10 20 k SET =a -> OK\n"
      "2 30 - k SET =b -> ?\n"
      "1 40 50 k SET =c -> OK\n"
      "1 1000 1010 k GET -> =c\n");
  ExpectGood(
      "1 10 20 k SET =a -> OK\n"
      "2 30 - k DEL -> ?\n"
      "1 40 50 k GET -> =a\n"
      "1 60 70 k GET -> nil\n");
}

TEST(CheckerTest, AnUnknownWriteSeenAndThenUnseen) {
  ExpectBad(
      "1 10 20 k SET =a -> OK\n"
      "2 30 - k SET =b -> ?\n"
      "1 40 50 k GET -> =b\n"
      "1 60 70 k GET -> =a\n");
}

TEST(CheckerTest, AnUnknownWriteSeenBeforeItWasSent) {
  ExpectBad(
      "1 10 20 k GET -> =b\n"
      "2 30 - k SET =b -> ?\n");
}

TEST(CheckerTest, AWriteThatCertainlyFailedIsSeen) {
  ExpectBad(
      "1 10 20 k SET =a -> !CLUSTERDOWN\n"
      "2 30 40 k GET -> =a\n");
  ExpectGood(
      "1 10 20 k SET =a -> !CLUSTERDOWN\n"
      "2 30 40 k GET -> nil\n");
}

TEST(CheckerTest, ACompareAndSetThatSucceededTwice) {
  ExpectBad(
      "1 10 20 k SET =a -> OK\n"
      "1 30 60 k CAS =a =b -> OK\n"
      "2 30 60 k CAS =a =c -> OK\n");
  ExpectGood(
      "1 10 20 k SET =a -> OK\n"
      "1 30 60 k CAS =a =b -> OK\n"
      "2 30 60 k CAS =a =c -> FAIL\n"
      "2 70 80 k CAS =b =d -> FAIL\n"  // EXEC may abort when in doubt
      "2 90 95 k CAS nil =d -> !UNAVAILABLE\n"
      "2 96 99 k GET -> =b\n");
  ExpectBad(
      "1 10 20 k SETNX =a -> OK\n"
      "2 15 25 k SETNX =b -> OK\n");
}

TEST(CheckerTest, AnUnknownCompareAndSetNeedsItsValue) {
  ExpectGood(
      "1 10 20 k SET =a -> OK\n"
      "2 30 - k CAS =a =b -> ?\n"
      "1 40 50 k GET -> =b\n");
  ExpectBad(
      "1 10 20 k SET =a -> OK\n"
      "2 30 - k CAS =z =b -> ?\n"
      "1 40 50 k GET -> =b\n");
}

TEST(CheckerTest, TimeInverted) {
  ExpectBad(
      "1 10 20 k GET -> =a\n"
      "2 30 40 k SET =a -> OK\n");
  std::istringstream in("1 20 10 k GET -> =a\n");
  EXPECT_FALSE(ReadHistory(in).ok());
}

TEST(CheckerTest, ATornTransfer) {
  ExpectGood(
      "1 10 20 bank SET =50,50 -> OK\n"
      "1 30 40 bank CAS =50,50 =40,60 -> OK\n"
      "2 35 45 bank GET -> =50,50\n"
      "2 50 60 bank GET -> =40,60\n");
  ExpectBad(
      "1 10 20 bank SET =50,50 -> OK\n"
      "1 30 40 bank CAS =50,50 =40,60 -> OK\n"
      "2 35 45 bank GET -> =40,50\n");
}

TEST(CheckerTest, AKeyWithAnExpiryGoesOnce) {
  const std::string set = "1 10 20 t SETPX =v 100 300 -> OK\n";
  ExpectGood(set +
             "2 50 60 t GET -> =v\n"
             "2 250 260 t GET -> =v\n"
             "2 270 280 t GET -> nil\n"
             "2 400 410 t GET -> nil\n");
  ExpectBad(set + "2 50 60 t GET -> nil\n");   // early
  ExpectBad(set + "2 400 410 t GET -> =v\n");  // late
  ExpectBad(set +                              // back
            "2 150 160 t GET -> nil\n"
            "2 170 180 t GET -> =v\n");
  ExpectGood(set +  // written anew
             "2 150 160 t GET -> nil\n"
             "2 170 180 t SETPX =w 100 300 -> OK\n"
             "2 190 200 t GET -> =w\n"
             "2 600 610 t GET -> nil\n");
  ExpectGood(  // without a latest moment, and of unknown outcome
      "1 10 20 t SETPX =v 100 0 -> OK\n"
      "2 9000 9010 t GET -> =v\n"
      "1 10 - u SETPX =v 100 300 -> ?\n"
      "2 20 30 u GET -> nil\n"
      "2 9000 9010 u GET -> =v\n"
      "2 9020 9030 u GET -> nil\n");
}

TEST(CheckerTest, ManyExpiriesOfOverwrittenValuesAreJudgedQuickly) {
  std::string text;
  for (int i = 0; i < 60; ++i) {
    const int at = 100 * i;
    text += "1 " + std::to_string(at) + " " + std::to_string(at + 9) + " t SETPX =v" +
            std::to_string(i) + " 100 900000 -> OK\n";
  }
  ExpectGood(text + "2 60000 60010 t GET -> =v59\n");
  ExpectBad(text + "2 60000 60010 t GET -> =v7\n");
}

TEST(CheckerTest, KeysAreJudgedApartAndTheCulpritIsShown) {
  const CheckReport report = CheckText(
      "# of two keys\n"
      "1 10 20 good SET =a -> OK\n"
      "1 30 40 bad SET =b -> OK\n"
      "2 50 60 bad GET -> =c\n"
      "2 70 80 bad GET -> =b\n"
      "2 70 80 good GET -> =a\n");
  EXPECT_EQ(report.keys, 2U);
  EXPECT_EQ(report.operations, 5U);
  ASSERT_THAT(report.violations, SizeIs(1));
  EXPECT_EQ(report.violations[0].key, "bad");
  EXPECT_THAT(report.violations[0].story, HasSubstr("  ! line 4: [50, 60] GET -> =c\n"));
}

TEST(CheckerTest, RefusesWhatIsNoHistory) {
  for (const char* line :
       {"1 10 20 k GET", "1 10 20 k GET ->", "1 10 20 k GET -> v", "1 x 20 k GET -> nil",
        "1 10 20 k FLY -> OK", "1 10 20 k SET -> OK", "1 10 20 k SET a -> OK",
        "1 10 - k GET -> nil", "1 10 20 k SET =%4 -> OK", "1 10 20 k SET =%zz -> OK",
        "1 10 20 k INCR -> 4"}) {
    std::istringstream in(line);
    EXPECT_FALSE(ReadHistory(in).ok()) << line;
  }
}

// A made-up run: each operation takes effect at a moment of its span; some answers get lost.
std::vector<Op> Generate(size_t count, size_t live_keys, size_t clients, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Op> ops;
  std::vector<uint64_t> free_at(clients);
  std::vector<Value> values(live_keys);
  uint64_t now = 0;
  std::vector<uint64_t> moment;
  while (ops.size() < count) {
    const size_t client = random() % clients;
    now += 1 + random() % 20;
    const size_t slot = random() % live_keys;
    if (ops.size() % 20000 == 0) values.assign(live_keys, {});  // fresh keys
    Op op;
    op.key = "k" + std::to_string(ops.size() / 20000) + ":" + std::to_string(slot);
    op.start = std::max(now, free_at[client]);
    now = op.start;
    op.end = op.start + 1;
    Value& value = values[slot];
    op.line = ops.size() + 1;
    op.kind = std::vector{OpKind::kGet, OpKind::kSet, OpKind::kCas, OpKind::kDel}[random() % 4];
    op.argument = "v" + std::to_string(ops.size());
    op.expected = value;
    op.value = value;
    op.number = value.has_value() ? 1 : 0;
    const bool lost = random() % 200 == 0;
    if (lost) op.outcome = Outcome::kUnknown;
    if (!lost || random() % 2 == 0) {
      if (op.kind == OpKind::kSet || op.kind == OpKind::kCas) value = op.argument;
      if (op.kind == OpKind::kDel) value.reset();
    }
    // The effect was at `start`; the span is wider than that on both sides.
    moment.push_back(op.start);
    const uint64_t before = random() % 200;
    op.start -= std::min(op.start - std::min(op.start, free_at[client]), before);
    op.end = lost ? testing::Span::kNever : op.end + random() % 200;
    free_at[client] = (lost ? now : op.end) + 1;
    ops.push_back(op);
  }
  return ops;
}

TEST(CheckerTest, AHistoryOfManyOperationsIsJudgedQuickly) {
  std::vector<Op> ops = Generate(200'000, 50, 20, 7);
  const CheckReport good = Check(ops);
  EXPECT_THAT(good.violations, IsEmpty());
  EXPECT_THAT(good.undecided, IsEmpty());
  EXPECT_GT(good.unknown, 500U);

  // One wrong answer in the middle is found.
  size_t at = ops.size() / 2;
  while (ops[at].kind != OpKind::kGet || ops[at].outcome != Outcome::kAnswered || !ops[at].value)
    ++at;
  ops[at].value = *ops[at].value + "?";
  const CheckReport bad = Check(ops);
  ASSERT_THAT(bad.violations, SizeIs(1));
  EXPECT_EQ(bad.violations[0].key, ops[at].key);
  EXPECT_THAT(bad.violations[0].story, HasSubstr("! line " + std::to_string(ops[at].line) + ":"));
}

}  // namespace
}  // namespace kiwi::chaos
