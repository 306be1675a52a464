#include "server/run_mark.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "testing/temp_dir.h"

namespace kiwi::server {
namespace {

constexpr bool kLax = true;
constexpr bool kAlways = false;

RunMark Begin(const std::string& dir, bool lax, const std::string& boot) {
  Result<RunMark> mark = RunMark::Begin(dir, lax, boot);
  EXPECT_TRUE(mark.ok()) << mark.status().ToString();
  return *std::move(mark);
}

TEST(RunMark, IsReadAsItWasWrittenAndDamageIsNoticedWhereverItIs) {
  const RunMarkState state{.running = true, .distrusted = true, .boot_id = "boot 1"};
  const std::string good = EncodeRunMark(state);
  EXPECT_EQ(*DecodeRunMark(good), state);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 4);
    EXPECT_FALSE(DecodeRunMark(bad).ok()) << "byte " << i;
    EXPECT_FALSE(DecodeRunMark(good.substr(0, i)).ok()) << "cut at " << i;
  }
}

TEST(RunMark, OnlyACrashOfTheMachineUnderALaxRunLosesTrust) {
  const testing::TempDir dir;
  EXPECT_FALSE(Begin(dir.path(), kLax, "1").distrusted()) << "there was nothing to lose";
  EXPECT_FALSE(Begin(dir.path(), kLax, "1").distrusted()) << "the process was killed, no more";
  RunMark clean = Begin(dir.path(), kLax, "1");
  ASSERT_TRUE(clean.End().ok());
  EXPECT_FALSE(Begin(dir.path(), kLax, "2").distrusted()) << "it had ended in order";
  EXPECT_TRUE(Begin(dir.path(), kLax, "3").distrusted());
}

TEST(RunMark, DistrustLastsUntilItIsTakenBack) {
  const testing::TempDir dir;
  (void)Begin(dir.path(), kLax, "1");
  EXPECT_TRUE(Begin(dir.path(), kAlways, "2").distrusted()) << "what is lost is lost";
  RunMark mark = Begin(dir.path(), kLax, "2");
  EXPECT_TRUE(mark.distrusted());
  ASSERT_TRUE(mark.End().ok());
  mark = Begin(dir.path(), kLax, "2");
  EXPECT_TRUE(mark.distrusted()) << "an orderly end gives nothing back";
  ASSERT_TRUE(mark.Trusted().ok());
  EXPECT_FALSE(Begin(dir.path(), kLax, "2").distrusted());
  EXPECT_TRUE(Begin(dir.path(), kLax, "3").distrusted()) << "the run was marked all the while";
}

TEST(RunMark, ANodeThatSyncsAlwaysNeedsNone) {
  const testing::TempDir dir;
  (void)Begin(dir.path(), kAlways, "1");
  EXPECT_FALSE(std::filesystem::exists(dir.path() + "/" + kRunMarkFileName));
  (void)Begin(dir.path(), kLax, "1");
  (void)Begin(dir.path(), kAlways, "1");
  EXPECT_FALSE(Begin(dir.path(), kAlways, "2").distrusted());
}

TEST(RunMark, AFileThatDoesNotDecodeCountsAsLostWrites) {
  const testing::TempDir dir;
  std::ofstream(dir.path() + "/" + kRunMarkFileName) << "?";
  EXPECT_TRUE(Begin(dir.path(), kLax, "1").distrusted());
}

}  // namespace
}  // namespace kiwi::server
