#include "config/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "config/config.h"
#include "config/ini_file.h"

namespace kiwi::config {
namespace {

using ::testing::HasSubstr;

using Pairs = std::vector<std::pair<std::string_view, std::string_view>>;

// A folder of its own, gone at the end.
class ConfigRewrite : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "kiwi-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = name + "/kiwi.conf";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Config> Started(std::string_view text) {
    std::ofstream(path_) << text;
    auto config = Config::Load(path_, {});
    EXPECT_TRUE(config.ok()) << config.status().message();
    return std::move(config).value();
  }
  std::string Rewritten(Config* config, const Pairs& pairs) {
    const auto error = config->Set(pairs);
    EXPECT_FALSE(error.has_value()) << error->ToString();
    const Status status = config->Rewrite();
    EXPECT_TRUE(status.ok()) << status.ToString();
    return ReadConfigFile(path_).value();
  }

  std::filesystem::path folder_;
  std::string path_;
};

TEST_F(ConfigRewrite, ChangesOnlyWhatChanged) {
  const auto config = Started(
      "# mine\n[network]\nport = 7000 ; as agreed\n\n; sizes\nproto-max-bulk-len = 1mb\n"
      "timeout = 5 ; seconds\n\n[storage]\n  # deep\nmaxmemory = 2gb\n");
  EXPECT_EQ(Rewritten(config.get(), {{"timeout", "9"}, {"maxmemory", "1000"}}),
            "# mine\n[network]\nport = 7000 ; as agreed\n\n; sizes\nproto-max-bulk-len = 1mb\n"
            "timeout = 9 ; seconds\n\n[storage]\n  # deep\nmaxmemory = 1000\n");
}

TEST_F(ConfigRewrite, AddsKeysToTheirSections) {
  const auto config = Started("[network]\nport = 7000\n\n# last words\n[log]\n");
  EXPECT_EQ(Rewritten(config.get(), {{"timeout", "9"},
                                     {"slowlog-max-len", "3"},
                                     {"maxmemory", "5"},
                                     {"set-max-intset-entries", "7"}}),
            "[network]\nport = 7000\ntimeout = 9\n\n# last words\n[log]\nslowlog-max-len = 3\n"
            "\n[storage]\nmaxmemory = 5\nset-max-intset-entries = 7\n");
}

TEST_F(ConfigRewrite, WithoutAChangeTheFileStaysAsItIs) {
  const std::string text = "[network]\nport=7000\nproto-max-bulk-len =   1mb ; why\n[log]";
  const auto config = Started(text);
  EXPECT_EQ(Rewritten(config.get(), {}), text);
}

TEST_F(ConfigRewrite, ADefaultIsWrittenWhereTheFileSaysOtherwise) {
  const auto config = Started("[network]\ntimeout = 5\n");
  EXPECT_EQ(Rewritten(config.get(), {{"timeout", "0"}}), "[network]\ntimeout = 0\n");
}

TEST_F(ConfigRewrite, WhatItWritesIsReadBack) {
  const auto config =
      Started("[network]\nrequirepass = old\n[runtime.priority]\nlow-commands =\n a\n b\n");
  std::string many;
  for (int i = 0; i < 60; ++i) many += "command" + std::to_string(i) + " ";
  Rewritten(config.get(), {{"requirepass", " x ; \"y\" \\ # "},
                           {"runtime.priority.low-commands", many},
                           {"client-output-buffer-limit", "normal 1 2 3"}});
  const auto again = Config::Load(path_, {});
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_EQ((*again)->List(), config->List());
  EXPECT_EQ((*again)->Get<"runtime.priority.low-commands">().size(), 60U);
}

TEST_F(ConfigRewrite, AValueThatFitsOnNoLineIsRefusedAndTheFileKept) {
  const auto config = Started("[network]\nport = 7000\n");
  const std::string endless(500, 'x');
  EXPECT_FALSE(config->Set(Pairs{{"requirepass", endless}}).has_value());
  const Status status = config->Rewrite();
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr("requirepass is too long"));
  EXPECT_EQ(ReadConfigFile(path_).value(), "[network]\nport = 7000\n");
}

TEST_F(ConfigRewrite, KeepsTheModeAndLeavesNothingBehind) {
  const auto config = Started("[network]\n");
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  Rewritten(config.get(), {{"timeout", "9"}});
  struct stat now = {};
  ASSERT_EQ(::stat(path_.c_str(), &now), 0);
  EXPECT_EQ(now.st_mode & 0777, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(ConfigRewrite, NeedsAFile) {
  Config config;
  const Status status = config.Rewrite();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  const auto started = Started("[network]\n");
  EXPECT_FALSE(started->Set(Pairs{{"timeout", "9"}}).has_value());
  std::filesystem::remove_all(folder_);
  EXPECT_EQ(started->Rewrite().code(), StatusCode::kIo);
}

TEST_F(ConfigRewrite, TheCommandLineIsWrittenToo) {
  std::ofstream(path_) << "[network]\nport = 1\n";
  const std::vector<Override> overrides = {{"port", {"7000"}}, {"raft.fsync", {"no"}}};
  const auto config = Config::Load(path_, overrides);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(Rewritten(config->get(), {}), "[network]\nport = 7000\n\n[raft]\nfsync = no\n");
}

}  // namespace
}  // namespace kiwi::config
