// The file layer itself: what is real when, and what a crash and each fault leave.
#include "storage/file_layer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "testing/damage.h"
#include "testing/temp_dir.h"

namespace kiwi::storage {
namespace {

using kiwi::testing::ReadFile;

class FileLayerTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return dir_.Child(name); }
  uint64_t session() const { return layer_.session(); }
  FileLayer::Handle Create(const std::string& name) {
    return std::move(layer_.Create(session(), Path(name))).value();
  }
  bool SyncDirectory() { return layer_.SyncDirectory(session(), dir_.path()).ok(); }
  bool RealExists(const std::string& name) const { return std::filesystem::exists(Path(name)); }
  // Through the layer.
  std::string Read(const std::string& name) {
    const auto file = layer_.Open(session(), Path(name));
    if (!file.ok()) return "(none)";
    std::string bytes(*layer_.Size(*file), '\0');
    const auto read = layer_.Read(*file, 0, bytes.size(), bytes.data());
    return read.ok() ? bytes.substr(0, *read) : read.status().ToString();
  }

  testing::TempDir dir_;
  FileLayer layer_;
};

TEST_F(FileLayerTest, AFileIsRealOnceItsNameAndItsBytesAreSynced) {
  const auto file = Create("a");
  ASSERT_TRUE(layer_.Append(file, "one").ok());
  EXPECT_EQ(Read("a"), "one");
  EXPECT_FALSE(RealExists("a"));
  ASSERT_TRUE(layer_.Sync(file).ok());
  EXPECT_FALSE(RealExists("a")) << "its name is not synced";
  ASSERT_TRUE(layer_.Append(file, "two").ok());
  ASSERT_TRUE(SyncDirectory());
  EXPECT_EQ(ReadFile(Path("a")), "one");
  EXPECT_EQ(Read("a"), "onetwo");
  ASSERT_TRUE(layer_.Sync(file).ok());
  EXPECT_EQ(ReadFile(Path("a")), "onetwo");
}

TEST_F(FileLayerTest, RenamesAndRemovalsWaitForTheDirectory) {
  const auto old_file = Create("current");
  ASSERT_TRUE(layer_.Append(old_file, "old").ok() && layer_.Sync(old_file).ok());
  const auto gone = Create("gone");
  ASSERT_TRUE(SyncDirectory());
  const auto next = Create("temporary");
  ASSERT_TRUE(layer_.Append(next, "new").ok() && layer_.Sync(next).ok());
  ASSERT_TRUE(layer_.Rename(session(), Path("temporary"), Path("current")).ok());
  ASSERT_TRUE(layer_.Remove(session(), Path("gone")).ok());
  EXPECT_EQ(Read("current"), "new");
  EXPECT_EQ(Read("gone"), "(none)");
  EXPECT_EQ(ReadFile(Path("current")), "old");
  EXPECT_TRUE(RealExists("gone"));
  ASSERT_TRUE(SyncDirectory());
  EXPECT_EQ(ReadFile(Path("current")), "new");
  EXPECT_FALSE(RealExists("gone"));
  EXPECT_FALSE(RealExists("temporary"));
  EXPECT_EQ(layer_.List(session(), dir_.path())->size(), 1u);
}

TEST_F(FileLayerTest, ACrashGoesBackToWhatIsReal) {
  const auto kept = Create("kept");
  ASSERT_TRUE(layer_.Append(kept, "1").ok() && layer_.Sync(kept).ok() && SyncDirectory());
  ASSERT_TRUE(layer_.Append(kept, "2").ok());
  const auto lost = Create("lost");
  ASSERT_TRUE(layer_.Append(lost, "3").ok() && layer_.Sync(lost).ok());
  ASSERT_TRUE(layer_.Remove(session(), Path("kept")).ok());
  const uint64_t before = session();
  layer_.Crash();
  EXPECT_EQ(Read("kept"), "1");
  EXPECT_EQ(Read("lost"), "(none)");
  // Whoever used it before does not take part any more.
  EXPECT_FALSE(layer_.Append(kept, "x").ok());
  EXPECT_FALSE(layer_.Sync(kept).ok());
  EXPECT_FALSE(layer_.Remove(before, Path("kept")).ok());
  EXPECT_EQ(Read("kept"), "1");
}

TEST_F(FileLayerTest, ATornTailIsAPrefix) {
  for (int round = 0; round < 20; ++round) {
    const std::string name = std::to_string(round);
    const auto file = Create(name);
    ASSERT_TRUE(layer_.Append(file, "synced,").ok() && layer_.Sync(file).ok() && SyncDirectory());
    ASSERT_TRUE(layer_.Append(file, "not synced").ok());
    layer_.Crash(FileLayer::Tails::kTear);
    const std::string left = Read(name);
    ASSERT_GE(left.size(), 7u);
    ASSERT_EQ(left, std::string("synced,not synced").substr(0, left.size()));
  }
}

TEST_F(FileLayerTest, WhatAFailedSyncLostNeverBecomesDurable) {
  const auto file = Create("a");
  ASSERT_TRUE(SyncDirectory());
  ASSERT_TRUE(layer_.Append(file, "first,").ok() && layer_.Sync(file).ok());
  ASSERT_TRUE(layer_.Append(file, "lost,").ok());
  layer_.faults().FailSync(1);
  EXPECT_EQ(layer_.Sync(file).code(), StatusCode::kIo);
  ASSERT_TRUE(layer_.Append(file, "last").ok());
  EXPECT_TRUE(layer_.Sync(file).ok()) << "as Linux does";
  layer_.Crash();
  EXPECT_EQ(Read("a"), std::string("first,\0\0\0\0\0last", 15));
}

TEST_F(FileLayerTest, ALieIsASuccessThatACrashFindsOut) {
  const auto file = Create("a");
  ASSERT_TRUE(SyncDirectory());
  layer_.faults().LieAboutSync(2);
  ASSERT_TRUE(layer_.Append(file, "1").ok() && layer_.Sync(file).ok());
  ASSERT_TRUE(layer_.Append(file, "2").ok() && layer_.Sync(file).ok());
  layer_.Crash();
  EXPECT_EQ(Read("a"), "1");
}

TEST_F(FileLayerTest, AFullDiskTakesWhatFits) {
  const auto file = Create("a");
  layer_.faults().LimitSpace(5);
  ASSERT_TRUE(layer_.Append(file, "123").ok());
  const Status status = layer_.Append(file, "456");
  EXPECT_EQ(status.code(), StatusCode::kNoSpace);
  EXPECT_EQ(Read("a"), "12345");
  layer_.faults().UnlimitSpace();
  EXPECT_TRUE(layer_.Append(file, "6").ok());
}

TEST_F(FileLayerTest, FaultsAreSetByName) {
  FileFaults& faults = layer_.faults();
  const auto file = Create("a.log");
  ASSERT_TRUE(faults.Set("paths", ".log").ok());
  ASSERT_TRUE(faults.Set("fail-sync", "2").ok());
  EXPECT_TRUE(layer_.Sync(file).ok());
  EXPECT_TRUE(layer_.Sync(Create("other")).ok());
  EXPECT_FALSE(layer_.Sync(file).ok());
  EXPECT_TRUE(layer_.Sync(file).ok());
  EXPECT_EQ(faults.syncs(), 3u);
  ASSERT_TRUE(faults.Set("fail-all-syncs", "1").ok());
  EXPECT_FALSE(layer_.Sync(file).ok());
  ASSERT_TRUE(faults.Set("clear", "").ok());
  EXPECT_TRUE(layer_.Sync(file).ok());
  ASSERT_TRUE(faults.Set("space-left", "0").ok());
  EXPECT_FALSE(layer_.Append(file, "x").ok());
  ASSERT_TRUE(faults.Set("space-left", "off").ok());
  EXPECT_TRUE(layer_.Append(file, "x").ok());
  EXPECT_EQ(faults.Set("fail-sync", "many").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(faults.Set("burn", "1").code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kiwi::storage
