// The clock that decides expiry, across restarts of an engine whose wall clock the test sets.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "keyspace/keyspace.h"
#include "server/engine.h"
#include "server/internal_write.h"

namespace kiwi::server {
namespace {

constexpr int64_t kStartMs = 1'700'000'000'000;
constexpr int64_t kHourMs = 3'600'000;

class ReplicatedClock : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("kiwi-clock-" + std::to_string(getpid()));
    std::filesystem::remove_all(folder_);
    Open();
  }
  void TearDown() override {
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }
  void Open() {
    engine_.reset();
    EngineOptions options;
    options.dir = folder_.string();
    options.node.core.id = 1;
    options.node.fsync = raft::FsyncMode::kNo;
    auto opened = Engine::Open(options, &clock_);
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    engine_ = std::move(*opened);
    engine_->node().SetScheduler([](bool) {});
    ASSERT_TRUE(engine_->node().Start().ok());
  }
  std::string Write(const std::vector<std::string>& args) {
    return ExecuteInternalWrite(engine_->node(), 0, args);
  }
  bool Exists(std::string_view key) {
    keyspace::ShardSet shards;
    shards.AddKey(key);
    const keyspace::ShardLock lock(engine_->keyspace(), shards, keyspace::LockMode::kShared);
    return keyspace::Db(engine_->keyspace(), 0, {.now_ms = engine_->node().ReadTime()})
               .FindNoTouch(key) != nullptr;
  }
  // Leaves nothing of the log that a restart could learn the time from.
  void CheckpointAndCompact() {
    const raft::LogIndex last = engine_->node().applied_index();
    ASSERT_TRUE(engine_->node().WaitCheckpoint().ok());
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (engine_->node().GetStatus().first_index <= last) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the log is not compacted";
      std::this_thread::yield();
    }
  }

  std::filesystem::path folder_;
  ManualClock clock_{kStartMs};
  std::unique_ptr<Engine> engine_;
};

TEST_F(ReplicatedClock, SurvivesARestartBehindACompactedLogWithTheWallClockSetBack) {
  EXPECT_EQ(Write({"set", "k", "v", "px", "1000"}), "+OK\r\n");
  EXPECT_TRUE(Exists("k"));
  clock_.AdvanceMs(1000);
  EXPECT_TRUE(Exists("k")) << "the replicated clock decides";
  EXPECT_EQ(Write({"set", "other", "v"}), "+OK\r\n");
  EXPECT_FALSE(Exists("k")) << "seen gone";
  const int64_t seen = engine_->node().ReadTime();
  EXPECT_EQ(seen, kStartMs + 1000);

  CheckpointAndCompact();
  clock_.AdvanceMs(-kHourMs);
  Open();
  EXPECT_EQ(engine_->node().ReadTime(), seen);
  EXPECT_FALSE(Exists("k"));
  EXPECT_EQ(Write({"set", "again", "v", "px", "1"}), "+OK\r\n");
  EXPECT_EQ(engine_->node().ReadTime(), seen) << "a stamp fell";
  EXPECT_TRUE(Exists("again"));
}

TEST_F(ReplicatedClock, SurvivesARestartThatReplaysTheLog) {
  Write({"set", "k", "v", "px", "1000"});
  clock_.AdvanceMs(5000);
  Write({"set", "other", "v"});
  clock_.AdvanceMs(-kHourMs);
  Open();
  EXPECT_EQ(engine_->node().ReadTime(), kStartMs + 5000);
  EXPECT_FALSE(Exists("k"));
}

TEST_F(ReplicatedClock, AProposedExpiryDeletesOnlyWhatTheLogSeesExpired) {
  Write({"set", "k", "v", "px", "1000"});
  clock_.AdvanceMs(999);
  EXPECT_EQ(Write({"_expire", "k"}), ":0\r\n") << "as proposed by a node whose clock is ahead";
  EXPECT_TRUE(Exists("k"));
  clock_.AdvanceMs(1);
  EXPECT_EQ(Write({"_expire", "k"}), ":1\r\n");
  EXPECT_FALSE(Exists("k"));
}

}  // namespace
}  // namespace kiwi::server
