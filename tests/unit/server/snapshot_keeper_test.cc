// What a node does with a snapshot: it is staged beside the present state, counts once the log says
// so, and takes the present state's place while clients read. A crash anywhere leaves one of the two.
#include "server/snapshot_keeper.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "keyspace/types/string_value.h"
#include "server/backup.h"
#include "server/engine.h"
#include "storage/file_layer.h"
#include "testing/temp_dir.h"

namespace kiwi::server {
namespace {

namespace fs = std::filesystem;
using Digest = std::array<uint8_t, 20>;

constexpr size_t kChunkBytes = 32 << 10;

Digest DigestOf(Engine& engine) {
  keyspace::ShardSet all;
  all.AddAll();
  const keyspace::ShardLock lock(engine.keyspace(), all, keyspace::LockMode::kShared);
  return engine.keyspace().Digest(0);
}

// Keys as the applier would write them, then a checkpoint that says so.
void WriteState(Engine& engine, const std::string& prefix, int keys, raft::LogIndex index,
                raft::Term term) {
  keyspace::ShardSet all;
  all.AddAll();
  {
    const keyspace::ShardLock lock(engine.keyspace(), all, keyspace::LockMode::kExclusive);
    keyspace::Db db(engine.keyspace(), 0, {.now_ms = 1, .log_index = index});
    db.Clear();
    for (int i = 0; i < keys; ++i) {
      keyspace::StringSet(db, prefix + std::to_string(i), std::string(100, 'v'),
                          keyspace::kNoExpiry);
    }
    keyspace::StringSet(db, prefix + " large", std::string(700'000, 'l'), keyspace::kNoExpiry);
  }
  raft::SnapshotMeta meta{.index = index, .term = term, .conf_state = {}};
  meta.conf_state.voters = {1, 2, 3};
  engine.applier().BeginCheckpoint(meta, {});
  ASSERT_TRUE(engine.applier().RunCheckpoint().ok());
}

void Transfer(raft::SnapshotReader& from, raft::SnapshotStage& to) {
  while (!to.complete()) {
    const Result<std::string> chunk = from.Read(to.position());
    ASSERT_TRUE(chunk.ok()) << chunk.status().ToString();
    const Status status = to.Write(*chunk);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
}

class SnapshotKeeperTest : public ::testing::TestWithParam<std::string> {
 protected:
  SnapshotKeeperTest() {
    sender_ = Open("sender");
    WriteState(*sender_, "sent", 3000, 500, 4);
    sent_ = DigestOf(*sender_);
  }

  EngineOptions Options(const std::string& name) const {
    EngineOptions options;
    options.dir = dir_.Child(name);
    options.backend = GetParam();
    options.node.core.id = 2;
    options.bootstrap.voters = {2};
    return options;
  }
  std::unique_ptr<Engine> Open(const std::string& name) {
    Result<std::unique_ptr<Engine>> engine = Engine::Open(Options(name), &SystemClock());
    EXPECT_TRUE(engine.ok()) << engine.status().ToString();
    return engine.ok() ? std::move(*engine) : nullptr;
  }
  bool durable() const { return GetParam() != "memory"; }
  std::vector<std::string> States(const std::string& name) const {
    return ListStateDirs(dir_.Child(name));
  }
  std::unique_ptr<raft::SnapshotReader> OpenSent() {
    return sender_->applier().OpenSnapshot(kChunkBytes).value();
  }
  // What the node does with a stage that is complete: the log's batch.
  static Status Record(Engine& engine, const raft::SnapshotStage& stage) {
    const raft::HardState hard_state{.term = stage.meta().term, .commit = stage.meta().index};
    raft::LogBatch batch;
    batch.hard_state = &hard_state;
    batch.snapshot = &stage.meta();
    batch.state_dir = &stage.state_dir();
    return engine.log().Write(batch);
  }

  testing::TempDir dir_;
  std::unique_ptr<Engine> sender_;
  Digest sent_{};
};

TEST_P(SnapshotKeeperTest, ASnapshotIsInstalledWhileClientsReadAndARestartFindsIt) {
  auto receiver = Open("receiver");
  WriteState(*receiver, "old", 500, 20, 2);
  const Digest old = DigestOf(*receiver);

  const auto reader = OpenSent();
  EXPECT_EQ(reader->meta().index, 500u);
  EXPECT_EQ(reader->meta().term, 4u);
  auto stage = receiver->applier().StageSnapshot().value();
  EXPECT_EQ(receiver->applier().StageSnapshot().status().code(), StatusCode::kBusy);
  Transfer(*reader, *stage);
  EXPECT_EQ(stage->meta(), reader->meta());
  EXPECT_EQ(stage->id(), reader->id());
  ASSERT_TRUE(stage->Finish().ok());
  EXPECT_EQ(DigestOf(*receiver), old) << "nothing changes before it is installed";

  std::atomic<bool> stop{false};
  std::thread client([&] {
    while (!stop) {
      const Digest seen = DigestOf(*receiver);
      EXPECT_TRUE(seen == old || seen == sent_);
      static_cast<void>(receiver->snapshots().StateStats());
    }
  });
  ASSERT_TRUE(Record(*receiver, *stage).ok());
  ASSERT_TRUE(receiver->applier().InstallSnapshot(*stage).ok());
  EXPECT_EQ(DigestOf(*receiver), sent_);
  stop = true;
  client.join();
  const std::string state = stage->state_dir();
  stage.reset();

  // Its own checkpoints go on in the new directory, and it can send them itself.
  WriteState(*receiver, "after", 200, 501, 4);
  const Digest after = DigestOf(*receiver);
  EXPECT_EQ(receiver->applier().OpenSnapshot(kChunkBytes).value()->meta().index, 501u);
  if (!durable()) return;
  receiver.reset();
  EXPECT_EQ(States("receiver"), std::vector<std::string>{state}) << "the old state is removed";
  receiver = Open("receiver");
  EXPECT_EQ(DigestOf(*receiver), after);
}

TEST_P(SnapshotKeeperTest, AReaderGoesOnWhenItsStateIsReplaced) {
  auto receiver = Open("receiver");
  WriteState(*receiver, "old", 2000, 20, 2);
  const Digest old = DigestOf(*receiver);
  const auto of_old = receiver->applier().OpenSnapshot(kChunkBytes).value();
  {
    auto stage = receiver->applier().StageSnapshot().value();
    Transfer(*OpenSent(), *stage);
    ASSERT_TRUE(stage->Finish().ok());
    ASSERT_TRUE(Record(*receiver, *stage).ok());
    ASSERT_TRUE(receiver->applier().InstallSnapshot(*stage).ok());
  }
  auto third = Open("third");
  auto stage = third->applier().StageSnapshot().value();
  Transfer(*of_old, *stage);
  ASSERT_TRUE(stage->Finish().ok());
  ASSERT_TRUE(third->applier().InstallSnapshot(*stage).ok());
  EXPECT_EQ(DigestOf(*third), old);
}

TEST_P(SnapshotKeeperTest, AStageGivenUpLeavesNothingBehind) {
  auto receiver = Open("receiver");
  const Digest old = DigestOf(*receiver);
  {
    auto stage = receiver->applier().StageSnapshot().value();
    ASSERT_TRUE(stage->Write(OpenSent()->Read(0).value()).ok());
    EXPECT_EQ(stage->Finish().code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(DigestOf(*receiver), old);
  EXPECT_TRUE(receiver->applier().StageSnapshot().ok()) << "the next one may come";
  if (durable()) {
    EXPECT_EQ(States("receiver"), std::vector<std::string>{"state"});
  }
}

TEST_P(SnapshotKeeperTest, AFinishedStageThatTheLogDoesNotTakeLeavesNothingBehind) {
  auto receiver = Open("receiver");
  auto stage = receiver->applier().StageSnapshot().value();
  Transfer(*OpenSent(), *stage);
  ASSERT_TRUE(stage->Finish().ok());
  if (durable()) {
    EXPECT_EQ(States("receiver").size(), 2u);
  }
  stage->NotTaken();
  stage.reset();
  EXPECT_TRUE(receiver->applier().StageSnapshot().ok()) << "the next one may come";
  if (durable()) {
    EXPECT_EQ(States("receiver"), std::vector<std::string>{"state"});
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, SnapshotKeeperTest,
                         ::testing::Values("memory", "leveldb", "rocksdb"),
                         [](const auto& backend) { return backend.param; });

// --- crashes ---

class SnapshotCrash : public SnapshotKeeperTest {
 protected:
  // A receiver on files that a crash cuts the power of; its old state is a checkpoint at 20.
  std::unique_ptr<Engine> OpenOnLayer(const std::string& name) {
    EngineOptions options = Options(name);
    options.file_layer = &layer_;
    Result<std::unique_ptr<Engine>> engine = Engine::Open(options, &SystemClock());
    EXPECT_TRUE(engine.ok()) << engine.status().ToString();
    return engine.ok() ? std::move(*engine) : nullptr;
  }
  storage::FileLayer layer_;
};

TEST_P(SnapshotCrash, LeavesTheOldStateOrTheNewOne) {
  enum Step { kChunks, kFinished, kRecorded, kInstalled, kSteps };
  for (int crash_at = kChunks; crash_at < kSteps; ++crash_at) {
    const std::string name = "receiver " + std::to_string(crash_at);
    auto receiver = OpenOnLayer(name);
    WriteState(*receiver, "old", 300, 20, 2);
    // As it was begun, the log of a group that has applied 20 entries.
    raft::SnapshotMeta begun{.index = 20, .term = 2, .conf_state = {}};
    begun.conf_state.voters = {1, 2, 3};
    const raft::HardState hard_state{.term = 2, .commit = 20};
    raft::LogBatch batch;
    batch.hard_state = &hard_state;
    batch.snapshot = &begun;
    ASSERT_TRUE(receiver->log().Write(batch).ok());
    const Digest old = DigestOf(*receiver);

    auto stage = receiver->applier().StageSnapshot().value();
    Transfer(*OpenSent(), *stage);
    Status status;
    if (crash_at >= kFinished) status = stage->Finish();
    if (status.ok() && crash_at >= kRecorded) status = Record(*receiver, *stage);
    if (status.ok() && crash_at >= kInstalled) status = receiver->applier().InstallSnapshot(*stage);
    ASSERT_TRUE(status.ok()) << status.ToString();
    layer_.Crash(storage::FileLayer::Tails::kTear);
    stage.reset();
    receiver.reset();

    receiver = OpenOnLayer(name);
    ASSERT_NE(receiver, nullptr);
    const bool is_new = crash_at >= kRecorded;
    EXPECT_EQ(DigestOf(*receiver), is_new ? sent_ : old) << "crash at step " << crash_at;
    EXPECT_EQ(receiver->log().GetSnapshot()->index, is_new ? 500u : 20u);
    EXPECT_EQ(States(name).size(), 1u) << "what does not count is removed";
    receiver.reset();
  }
}

TEST_P(SnapshotCrash, AFullDiskRefusesAStageAndKeepsNothingOfIt) {
  auto receiver = OpenOnLayer("receiver");
  WriteState(*receiver, "old", 300, 20, 2);
  layer_.faults().LimitSpace(100);
  EXPECT_EQ(receiver->applier().StageSnapshot().status().code(), StatusCode::kNoSpace);
  EXPECT_EQ(States("receiver"), std::vector<std::string>{"state"});
  layer_.faults().LimitSpace(50'000);
  {
    auto stage = receiver->applier().StageSnapshot().value();
    const auto sent = OpenSent();
    Status status;
    while (status.ok() && !stage->complete()) {
      status = stage->Write(sent->Read(stage->position()).value());
    }
    if (status.ok()) status = stage->Finish();
    EXPECT_EQ(status.code(), StatusCode::kNoSpace) << status.ToString();
  }
  EXPECT_EQ(States("receiver"), std::vector<std::string>{"state"});
  layer_.faults().UnlimitSpace();
  EXPECT_TRUE(receiver->applier().StageSnapshot().ok());
}

TEST_P(SnapshotCrash, CheckpointsGoOnOnceAFullDiskHasSpace) {
  auto receiver = OpenOnLayer("receiver");
  WriteState(*receiver, "old", 300, 20, 2);
  raft::SnapshotMeta meta{.index = 21, .term = 2, .conf_state = {}};
  meta.conf_state.voters = {1, 2, 3};
  layer_.faults().LimitSpace(10);
  receiver->applier().BeginCheckpoint(meta, {});
  EXPECT_EQ(receiver->applier().RunCheckpoint().code(), StatusCode::kNoSpace);
  layer_.faults().UnlimitSpace();

  // Whoever reads the last one keeps it from being opened again.
  auto reader = receiver->applier().OpenSnapshot(kChunkBytes).value();
  EXPECT_EQ(reader->meta().index, 20u);
  receiver->applier().BeginCheckpoint(meta, {});
  EXPECT_EQ(receiver->applier().RunCheckpoint().code(), StatusCode::kBusy);
  EXPECT_TRUE(reader->Read(0).ok());
  reader.reset();
  receiver->applier().BeginCheckpoint(meta, {});
  const Status status = receiver->applier().RunCheckpoint();
  EXPECT_TRUE(status.ok()) << status.ToString();

  const Digest before = DigestOf(*receiver);
  layer_.Crash(storage::FileLayer::Tails::kTear);
  receiver.reset();
  receiver = OpenOnLayer("receiver");
  ASSERT_NE(receiver, nullptr);
  EXPECT_EQ(DigestOf(*receiver), before);
}

// A group of which nobody is there.
class Nobody final : public raft::Peers {
 public:
  void Send(raft::Message) override {}
  void SendSnapshot(raft::Message) override {}
  Status Forward(raft::NodeId, std::string) override { return {StatusCode::kUnavailable, "gone"}; }
  void AnswerForward(raft::NodeId, std::string) override {}
  void MembersChanged(const raft::Membership&) override {}
  void TellTime(int64_t) override {}
};

TEST_P(SnapshotCrash, ALostLogDoesNotLoseAStateThatASnapshotBrought) {
  Nobody nobody;
  {
    auto receiver = Open("receiver");
    auto stage = receiver->applier().StageSnapshot().value();
    Transfer(*OpenSent(), *stage);
    ASSERT_TRUE(stage->Finish().ok());
    ASSERT_TRUE(Record(*receiver, *stage).ok());
    ASSERT_TRUE(receiver->applier().InstallSnapshot(*stage).ok());
  }
  fs::remove_all(dir_.Child("receiver") + "/log");
  for (int start = 0; start < 2; ++start) {
    auto receiver = Open("receiver");
    ASSERT_NE(receiver, nullptr);
    EXPECT_EQ(DigestOf(*receiver), sent_);
    EXPECT_EQ(receiver->log().FirstIndex(), 501u);
    // What it voted in the terms since, it has forgotten.
    EXPECT_GT(receiver->log().GetInitialState()->hard_state.term, 1000u);
    receiver->node().SetScheduler([](bool) {});
    receiver->node().SetPeers(&nobody);
    EXPECT_TRUE(receiver->node().Start().ok());
    EXPECT_TRUE(receiver->node().distrusted());
  }
}

TEST_P(SnapshotCrash, AStateThatTheLogNamesAndIsNotThereIsRefused) {
  {
    auto receiver = Open("receiver");
    raft::SnapshotMeta meta{.index = 9, .term = 1, .conf_state = {}};
    meta.conf_state.voters = {2};
    const std::string gone = "state-0123456789abcdef";
    ASSERT_TRUE(receiver->log().ApplySnapshot(meta, &gone).ok());
  }
  const auto opened = Engine::Open(Options("receiver"), &SystemClock());
  EXPECT_EQ(opened.status().code(), StatusCode::kCorruption);
  EXPECT_NE(opened.status().message().find("state-0123456789abcdef"), std::string::npos);
  EXPECT_EQ(States("receiver"), std::vector<std::string>{"state"}) << "and nothing is removed";
}

// --- backups ---

TEST_P(SnapshotCrash, ABackupBecomesADataDirectoryOfItsOwn) {
  const std::string file = dir_.Child("backup");
  const BackupInfo info = WriteBackup(sender_->snapshots(), file).value();
  EXPECT_EQ(info.index, 500u);
  EXPECT_EQ(info.bytes, fs::file_size(file));
  EXPECT_EQ(WriteBackup(sender_->snapshots(), file).status().code(), StatusCode::kInvalidArgument);

  const EngineOptions options = Options("restored");
  const Status restored = RestoreBackup(options, file);
  ASSERT_TRUE(restored.ok()) << restored.ToString();
  EXPECT_EQ(RestoreBackup(options, file).code(), StatusCode::kInvalidArgument);
  for (int start = 0; start < 2; ++start) {
    auto engine = Open("restored");
    ASSERT_NE(engine, nullptr);
    EXPECT_EQ(DigestOf(*engine), sent_);
    engine->node().SetScheduler([](bool) {});
    const Status started = engine->node().Start();
    ASSERT_TRUE(started.ok()) << started.ToString();
    EXPECT_EQ(engine->node().GetStatus().conf_state.voters, std::vector<raft::NodeId>{2});
    EXPECT_GT(engine->node().GetStatus().term, 4u);
    EXPECT_TRUE(engine->node().ReadAllowed());
  }
}

TEST_P(SnapshotCrash, ADamagedBackupIsRefusedAndLeavesTheDirectoryEmpty) {
  const std::string file = dir_.Child("backup");
  ASSERT_TRUE(WriteBackup(sender_->snapshots(), file).ok());
  std::ifstream in(file, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  std::string flipped = whole;
  flipped[whole.size() / 2] = static_cast<char>(flipped[whole.size() / 2] ^ 1);
  const std::string bad = dir_.Child("bad");
  for (const std::string& bytes :
       {flipped, whole.substr(0, whole.size() - 1), whole.substr(0, 20), whole + "x", std::string(),
        std::string("*1\r\n$4\r\nPING\r\n and more bytes than a header has")}) {
    std::ofstream(bad, std::ios::binary) << bytes;
    EXPECT_EQ(RestoreBackup(Options("restored"), bad).code(), StatusCode::kCorruption);
    EXPECT_TRUE(States("restored").empty());
  }
  EXPECT_EQ(RestoreBackup(Options("restored"), dir_.Child("none")).code(), StatusCode::kIo);
  EXPECT_TRUE(RestoreBackup(Options("restored"), file).ok());
}

TEST(BackupPathTest, IsAbsoluteOrAPlainName) {
  EXPECT_EQ(BackupPath("data", "/mnt/monday").value(), "/mnt/monday");
  EXPECT_EQ(BackupPath("data", "monday").value(), "data/monday");
  for (const char* bad : {"", ".", "..", "../x", "a/b", "/mnt/", "state", "log", "LOCK",
                          "state-0123456789abcdef", ".hidden"}) {
    EXPECT_EQ(BackupPath("data", bad).status().code(), StatusCode::kInvalidArgument) << bad;
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, SnapshotCrash, ::testing::Values("leveldb", "rocksdb"),
                         [](const auto& backend) { return backend.param; });

}  // namespace
}  // namespace kiwi::server
