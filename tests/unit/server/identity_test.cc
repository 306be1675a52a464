#include "server/identity.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "testing/temp_dir.h"

namespace kiwi::server {
namespace {

Identity Sample() {
  Identity identity{.node_id = 4, .wipe = true};
  identity.membership.cluster_id = 77;
  identity.membership.Put({.id = 1, .raft_host = "10.0.0.1", .raft_port = 7001});
  identity.membership.Put(
      {.id = 4, .raft_host = "::1", .raft_port = 7004, .client_host = "a", .client_port = 6379});
  return identity;
}

void Touch(const std::string& path) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << "x";
}

TEST(Identity, IsReadAsItWasWritten) {
  const testing::TempDir dir;
  const auto none = ReadIdentity(dir.path());
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
  ASSERT_TRUE(WriteIdentity(dir.path(), Sample()).ok());
  const auto read = ReadIdentity(dir.path());
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(**read, Sample());
}

TEST(Identity, DamageIsNoticedWhereverItIs) {
  const std::string good = EncodeIdentity(Sample());
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x20);
    EXPECT_FALSE(DecodeIdentity(bad).ok()) << i;
    EXPECT_FALSE(DecodeIdentity(good.substr(0, i)).ok()) << i;
  }
  EXPECT_FALSE(DecodeIdentity(good + "x").ok());
}

TEST(Identity, TheWipeTakesTheOldLifeOnlyAndOnce) {
  const testing::TempDir dir;
  const std::string log = dir.path() + "/log";
  const auto fill = [&] {
    Touch(dir.path() + "/state/1");
    Touch(dir.path() + "/state-0123456789abcdef/1");
    Touch(log + "/deep/1");
  };
  Touch(dir.path() + "/mine");
  fill();
  ASSERT_TRUE(WipeIfMarked(dir.path(), log).ok()) << "no identity: nothing is removed";
  EXPECT_TRUE(std::filesystem::exists(log + "/deep/1"));

  ASSERT_TRUE(WriteIdentity(dir.path(), Sample()).ok());
  ASSERT_TRUE(WipeIfMarked(dir.path(), log).ok());
  EXPECT_FALSE(std::filesystem::exists(dir.path() + "/state"));
  EXPECT_FALSE(std::filesystem::exists(dir.path() + "/state-0123456789abcdef"));
  EXPECT_TRUE(std::filesystem::is_empty(log));
  EXPECT_TRUE(std::filesystem::exists(dir.path() + "/mine"));

  fill();
  ASSERT_TRUE(WipeIfMarked(dir.path(), log).ok()) << "the mark is gone";
  EXPECT_TRUE(std::filesystem::exists(dir.path() + "/state/1"));
}

}  // namespace
}  // namespace kiwi::server
