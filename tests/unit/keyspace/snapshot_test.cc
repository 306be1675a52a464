// A snapshot carries a checkpoint to another backend, whatever happens to the one it came from
// meanwhile; and nothing else than exactly what was sent is ever accepted.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/hash.h"
#include "keyspace/checkpoint.h"
#include "keyspace/rows.h"
#include "keyspace/snapshot_sink.h"
#include "keyspace/snapshot_source.h"
#include "storage/factory.h"
#include "testing/temp_dir.h"
#include "workload.h"

namespace kiwi::keyspace {
namespace {

constexpr KeyspaceOptions kOptions = {.databases = 2, .hash_seed = 7};
constexpr uint64_t kStream = 0xabcdef;

std::unique_ptr<storage::Backend> Memory() {
  return storage::OpenBackend({.name = "memory"}).value();
}

// A keyspace with its checkpoints.
struct Sender {
  explicit Sender(storage::Backend* b) : backend(b) { EXPECT_TRUE(checkpointer.Load(1).ok()); }

  void Begin(uint64_t index) {
    ShardSet all;
    all.AddAll();
    const ShardLock lock(keyspace, all, LockMode::kExclusive);
    checkpointer.Begin({.applied_index = index, .host = "host " + std::to_string(index)});
  }
  void Checkpoint(uint64_t index) {
    Begin(index);
    ASSERT_TRUE(checkpointer.Run().ok());
  }
  std::unique_ptr<SnapshotSource> Open(size_t chunk_bytes = 64 << 10) {
    return SnapshotSource::Open(*backend, kStream, chunk_bytes).value();
  }

  storage::Backend* backend;
  Keyspace keyspace{kOptions};
  Checkpointer checkpointer{&keyspace, backend, {.batch_bytes = 4096}};
};

std::vector<std::string> AllChunks(SnapshotSource& source) {
  std::vector<std::string> chunks;
  for (uint64_t position = 0;;) {
    Result<std::string> chunk = source.Read(position);
    EXPECT_TRUE(chunk.ok()) << chunk.status().ToString();
    if (!chunk.ok() || chunk->empty()) return chunks;
    position += chunk->size();
    chunks.push_back(std::move(*chunk));
  }
}

size_t RowsIn(storage::Backend& backend) {
  size_t n = 0;
  const auto it = backend.NewIterator({});
  for (it->SeekToFirst(); it->Valid(); it->Next()) ++n;
  return n;
}

// What a restart finds in the backend.
std::string LoadedPicture(storage::Backend& backend, CheckpointMeta* meta = nullptr) {
  Keyspace keyspace(KeyspaceOptions{.databases = 2});
  Checkpointer checkpointer(&keyspace, &backend);
  const Result<CheckpointMeta> loaded = checkpointer.Load(2);
  EXPECT_TRUE(loaded.ok()) << loaded.status().ToString();
  if (meta != nullptr && loaded.ok()) *meta = *loaded;
  return Picture(keyspace);
}

void Send(SnapshotSource& source, storage::Backend& to) {
  SnapshotSink sink(&to);
  for (const std::string& chunk : AllChunks(source)) {
    const Status status = sink.Write(chunk);
    ASSERT_TRUE(status.ok()) << status.ToString();
  }
  ASSERT_TRUE(sink.complete());
  ASSERT_TRUE(sink.Finish().ok());
}

class SnapshotBackends : public ::testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<storage::Backend> OpenNew(const std::string& name) {
    return storage::OpenBackend({.name = GetParam(), .path = dir_.path() + "/" + name}).value();
  }
  testing::TempDir dir_;
};

TEST_P(SnapshotBackends, CarriesTheLastCheckpointAndNothingLater) {
  const auto from = OpenNew("from");
  const auto to = OpenNew("to");
  Sender sender(from.get());
  Workload workload(5);
  workload.Steps(sender.keyspace, 4000);
  {
    ShardSet all;
    all.AddAll();
    const ShardLock lock(sender.keyspace, all, LockMode::kExclusive);
    Db db(sender.keyspace, 0, {.now_ms = 1, .log_index = workload.log_index()});
    StringSet(db, "large", std::string(5'000'000, 'L'), kNoExpiry);
    HashWriter writer(db, "many fields");
    for (int i = 0; i < 20'000; ++i) writer.Set("field " + std::to_string(i), "value");
    HashWriter wide(db, "large fields");
    for (int i = 0; i < 3; ++i) wide.Set(std::to_string(i), std::string(1'500'000, 'f'));
  }
  const std::string at_checkpoint = Picture(sender.keyspace);
  sender.Checkpoint(4000);
  // Changed behind it, and another checkpoint begun, which leaves unfinished rows.
  workload.Steps(sender.keyspace, 500);

  const auto source = sender.Open();
  EXPECT_EQ(source->meta().applied_index, 4000u);
  EXPECT_EQ(source->meta().host, "host 4000");
  Send(*source, *to);
  CheckpointMeta meta;
  EXPECT_EQ(LoadedPicture(*to, &meta), at_checkpoint);
  EXPECT_EQ(meta.applied_index, 4000u);
  EXPECT_EQ(meta.host, "host 4000");
}

TEST_P(SnapshotBackends, ItsViewStaysWhileCheckpointsAreWrittenAndCleanedUp) {
  const auto from = OpenNew("from");
  const auto to = OpenNew("to");
  Sender sender(from.get());
  Workload workload(6);
  workload.Steps(sender.keyspace, 3000);
  const std::string at_checkpoint = Picture(sender.keyspace);
  sender.Checkpoint(1);

  const auto source = sender.Open(16 << 10);
  SnapshotSink sink(to.get());
  int rounds = 0;
  while (!sink.complete()) {
    const std::string chunk = source->Read(sink.position()).value();
    ASSERT_TRUE(sink.Write(chunk).ok());
    if (++rounds % 8 == 0 && rounds < 100) {
      workload.Steps(sender.keyspace, 100);
      sender.Checkpoint(static_cast<uint64_t>(rounds));
    }
  }
  ASSERT_TRUE(sink.Finish().ok());
  EXPECT_EQ(LoadedPicture(*to), at_checkpoint);
}

INSTANTIATE_TEST_SUITE_P(Backends, SnapshotBackends,
                         ::testing::Values("memory", "leveldb", "rocksdb"),
                         [](const auto& backend) { return backend.param; });

class Snapshot : public ::testing::Test {
 protected:
  Snapshot() {
    workload_.Steps(sender_.keyspace, 1500);
    sender_.Checkpoint(1500);
    source_ = sender_.Open(4 << 10);
    chunks_ = AllChunks(*source_);
  }

  std::unique_ptr<storage::Backend> from_ = Memory();
  Sender sender_{from_.get()};
  Workload workload_{9};
  std::unique_ptr<SnapshotSource> source_;
  std::vector<std::string> chunks_;
};

TEST_F(Snapshot, NothingIsSentBeforeTheFirstCheckpoint) {
  EXPECT_EQ(SnapshotSource::Open(*Memory(), 1, 4096).status().code(), StatusCode::kUnavailable);
}

TEST_F(Snapshot, LeavesOutWhatTheCheckpointDoesNotOwn) {
  // A run that fails leaves rows of a generation that never became valid.
  workload_.Steps(sender_.keyspace, 500);
  const size_t valid_rows = RowsIn(*from_);
  RowWriter unfinished(from_.get(), 1);
  unfinished.Put({.kind = RowKind::kCells, .generation = 77}, "of a later generation");
  unfinished.Put({.kind = RowKind::kPage, .db = 99, .generation = 1}, "of a database long gone");
  ASSERT_TRUE(unfinished.Flush().ok());
  const auto to = Memory();
  Send(*sender_.Open(), *to);
  EXPECT_EQ(RowsIn(*to), valid_rows);
}

TEST_F(Snapshot, ChunksKeepTheirBoundAndAreCutAlikeWhoeverAsks) {
  ASSERT_GT(chunks_.size(), 20u);
  for (const std::string& chunk : chunks_) EXPECT_LE(chunk.size(), size_t{4 << 10});
  std::vector<uint64_t> positions(1, 0);
  for (const std::string& chunk : chunks_) positions.push_back(positions.back() + chunk.size());
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    const size_t n = random.Below(chunks_.size());
    EXPECT_EQ(source_->Read(positions[n]).value(), chunks_[n]);
  }
  EXPECT_EQ(source_->Read(positions.back()).value(), "");
  EXPECT_EQ(source_->Read(positions[3] + 1).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(source_->Read(positions.back() + 1).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(Snapshot, GoesOnAfterDamagedRepeatedAndStrangeChunks) {
  const auto to = Memory();
  SnapshotSink sink(to.get());
  const auto other = SnapshotSource::Open(*from_, kStream + 1, 4 << 10).value();
  const std::vector<std::string> strange = AllChunks(*other);
  for (size_t i = 0; i < chunks_.size(); ++i) {
    const uint64_t position = sink.position();
    std::string damaged = chunks_[i];
    // Any byte but the version's, which makes it another format.
    size_t at = (i * 37) % damaged.size();
    if (at == 4) ++at;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_EQ(sink.Write(damaged).code(), StatusCode::kCorruption) << at;
    EXPECT_EQ(sink.Write(chunks_[i].substr(0, i % 60)).code(), StatusCode::kCorruption);
    if (i > 0) {
      EXPECT_EQ(sink.Write(chunks_[i - 1]).code(), StatusCode::kInvalidArgument);
      EXPECT_EQ(sink.Write(strange[i]).code(), StatusCode::kInvalidArgument);
    }
    if (i + 1 < chunks_.size()) {
      EXPECT_EQ(sink.Write(chunks_[i + 1]).code(), StatusCode::kInvalidArgument);
    }
    EXPECT_EQ(sink.position(), position);
    ASSERT_TRUE(sink.Write(chunks_[i]).ok());
  }
  EXPECT_EQ(sink.Write(chunks_.back()).code(), StatusCode::kInvalidArgument) << "it has ended";
  ASSERT_TRUE(sink.Finish().ok());
  EXPECT_EQ(LoadedPicture(*to), Picture(sender_.keyspace));
}

TEST_F(Snapshot, CutShortItNeverBecomesValid) {
  for (const size_t cut : {size_t{0}, size_t{1}, chunks_.size() / 2, chunks_.size() - 1}) {
    const auto to = Memory();
    SnapshotSink sink(to.get());
    for (size_t i = 0; i < cut; ++i) ASSERT_TRUE(sink.Write(chunks_[i]).ok());
    EXPECT_FALSE(sink.complete());
    EXPECT_EQ(sink.Finish().code(), StatusCode::kInvalidArgument);
    CheckpointMeta meta;
    LoadedPicture(*to, &meta);
    EXPECT_EQ(meta.applied_index, 0u);
    EXPECT_EQ(RowsIn(*to), 0u) << "a load removes what no checkpoint owns";
  }
}

TEST_F(Snapshot, AnUnknownFormatIsRefusedByName) {
  const auto to = Memory();
  SnapshotSink sink(to.get());
  std::string newer = chunks_[0];
  newer[4] = 2;
  const Status status = sink.Write(newer);
  EXPECT_EQ(status.code(), StatusCode::kSerialization);
  EXPECT_NE(status.message().find("version 2"), std::string::npos);
  EXPECT_FALSE(sink.Write(chunks_[0]).ok()) << "such a stream is over";
}

// A sender that is wrong, or hostile: chunks that pass their checks around contents that cannot be.
class HostileSnapshot : public Snapshot {
 protected:
  static Status SendRecords(const std::string& records, bool last = true) {
    const auto to = Memory();
    SnapshotSink sink(to.get());
    KIWI_RETURN_IF_ERROR(sink.Write(EncodeChunk({.stream = 1, .last = last}, records)));
    return sink.Finish();
  }
  std::string Header() const {
    std::string meta_row;
    EXPECT_TRUE(from_->Get({}, kMetaKey, &meta_row).ok());
    std::string out;
    AppendHeaderRecord(meta_row, &out);
    return out;
  }
  static std::string Row(uint32_t db, SnapshotTotals* totals, std::string_view bytes = "row") {
    const std::string key = RowKey{.kind = RowKind::kPage, .db = db, .generation = 1}.Encode();
    const std::string value = FrameRow(key, 1, bytes);
    totals->Add(key, value);
    std::string out;
    AppendRowRecord(key, value, &out);
    return out;
  }
  static std::string End(const SnapshotTotals& totals) {
    std::string out;
    AppendEndRecord(totals, &out);
    return out;
  }
};

TEST_F(HostileSnapshot, IsRefused) {
  SnapshotTotals totals;
  std::string rows = Row(1, &totals);
  rows += Row(2, &totals);
  ASSERT_TRUE(SendRecords(Header() + rows + End(totals)).ok()) << "this one is as it should be";

  SnapshotTotals more = totals;
  ++more.rows;
  SnapshotTotals unordered;
  std::string turned = Row(2, &unordered);
  turned += Row(1, &unordered);
  const std::string misplaced = FrameRow("another key", 1, "row");
  std::string unframed;
  AppendRowRecord(RowKey{.kind = RowKind::kPage, .generation = 1}.Encode(), misplaced, &unframed);
  std::string meta_as_row;
  AppendRowRecord(kMetaKey, "x", &meta_as_row);
  for (const std::string& records :
       {rows + End(totals), Header() + Header() + End({}), Header() + rows + End(more),
        Header() + turned + End(unordered), Header() + rows + End(totals) + Row(3, &totals),
        Header() + unframed, Header() + meta_as_row, Header() + "?", std::string(), Header() + rows,
        Header() + rows + End(totals) + "R"}) {
    EXPECT_EQ(SendRecords(records).code(), StatusCode::kSerialization);
  }
  EXPECT_EQ(SendRecords(Header() + rows + End({}), false).code(), StatusCode::kSerialization);
}

// --- taking over ---

TEST_F(Snapshot, AKeyspaceTakesOverWhatWasLoadedWhileItIsRead) {
  const auto old_backend = Memory();
  Sender receiver(old_backend.get());
  Workload before(3);
  before.Steps(receiver.keyspace, 2000);
  receiver.Checkpoint(10);
  const std::string old_picture = Picture(receiver.keyspace);

  const auto to = Memory();
  Send(*source_, *to);
  Keyspace loaded(KeyspaceOptions{.databases = 2});
  Checkpointer loaded_checkpointer(&loaded, to.get());
  ASSERT_TRUE(loaded_checkpointer.Load(2).ok());

  // Readers see the old or the new whole, never a mixture.
  ShardSet all;
  all.AddAll();
  std::atomic<bool> stop{false};
  std::atomic<int> reads{0};
  const auto digest = [&](Keyspace& keyspace) {
    const ShardLock lock(keyspace, all, LockMode::kShared);
    return keyspace.Digest(0);
  };
  const auto old_digest = digest(receiver.keyspace);
  const auto new_digest = digest(sender_.keyspace);
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!stop) {
        const auto seen = digest(receiver.keyspace);
        EXPECT_TRUE(seen == old_digest || seen == new_digest);
        EXPECT_GT(receiver.keyspace.memory_bytes(), 0u);
        EXPECT_LE(receiver.checkpointer.progress().applied_index, 1500u);
        ++reads;
      }
    });
  }
  while (reads < 4) std::this_thread::yield();
  receiver.checkpointer.TakeOver(loaded_checkpointer);
  const int reads_then = reads;
  while (reads < reads_then + 4) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();

  EXPECT_NE(old_picture, Picture(sender_.keyspace));
  EXPECT_EQ(Picture(receiver.keyspace), Picture(sender_.keyspace));
  const auto twin_backend = Memory();
  Send(*source_, *twin_backend);
  Sender twin(twin_backend.get());
  EXPECT_EQ(receiver.keyspace.memory_bytes(), twin.keyspace.memory_bytes());
  EXPECT_EQ(receiver.checkpointer.progress().applied_index, 1500u);

  // It goes on as one that was started from the snapshot does, byte for byte, with checkpoints into
  // the new backend.
  Workload theirs(21);
  Workload ours(21);
  theirs.Steps(twin.keyspace, 1500);
  ours.Steps(receiver.keyspace, 1500);
  EXPECT_EQ(Picture(receiver.keyspace), Picture(twin.keyspace));
  EXPECT_EQ(receiver.keyspace.memory_bytes(), twin.keyspace.memory_bytes());
  receiver.Checkpoint(3000);
  EXPECT_EQ(LoadedPicture(*to), Picture(receiver.keyspace));
  EXPECT_EQ(LoadedPicture(*old_backend), old_picture) << "the old backend is left alone";
}

TEST_F(Snapshot, WatchesStayExactAcrossATakeover) {
  const auto old_backend = Memory();
  Sender receiver(old_backend.get());
  const auto to = Memory();
  {
    ShardSet all;
    all.AddAll();
    const ShardLock lock(sender_.keyspace, all, LockMode::kExclusive);
    Db db(sender_.keyspace, 0, {.now_ms = 1, .log_index = 1600});
    StringSet(db, "changed meanwhile", "x", kNoExpiry);
  }
  sender_.Checkpoint(1700);
  Send(*sender_.Open(), *to);
  Keyspace loaded(KeyspaceOptions{.databases = 2});
  Checkpointer loaded_checkpointer(&loaded, to.get());
  ASSERT_TRUE(loaded_checkpointer.Load(1).ok());
  receiver.checkpointer.TakeOver(loaded_checkpointer);
  for (const std::string key : {"changed meanwhile", "k77", "{one}5"}) {
    for (const uint64_t since : {100u, 1599u, 1600u}) {
      EXPECT_EQ(Db(receiver.keyspace, 0, {}).ModifiedSince(key, since),
                Db(sender_.keyspace, 0, {}).ModifiedSince(key, since));
    }
  }
  EXPECT_TRUE(Db(receiver.keyspace, 0, {}).ModifiedSince("changed meanwhile", 1599));
}

TEST_F(Snapshot, ACheckpointThatIsBegunOrRunningIsGivenUp) {
  for (const bool running : {false, true}) {
    const auto old_backend = Memory();
    Sender receiver(old_backend.get());
    Workload before(4);
    before.Steps(receiver.keyspace, 4000);
    const auto to = Memory();
    Send(*source_, *to);
    Keyspace loaded(KeyspaceOptions{.databases = 2});
    Checkpointer loaded_checkpointer(&loaded, to.get());
    ASSERT_TRUE(loaded_checkpointer.Load(2).ok());

    receiver.Begin(10);
    Status ended;
    std::thread run;
    if (running) {
      run = std::thread([&] { ended = receiver.checkpointer.Run(); });
      while (receiver.checkpointer.progress().pages_written == 0) std::this_thread::yield();
    }
    receiver.checkpointer.TakeOver(loaded_checkpointer);
    if (running) {
      run.join();
    } else {
      ended = receiver.checkpointer.Run();
    }
    // A run that was about to be complete may become so: it is of the old state alone.
    EXPECT_TRUE(ended.code() == StatusCode::kAborted || (running && ended.ok()))
        << ended.ToString();
    EXPECT_EQ(Picture(receiver.keyspace), Picture(sender_.keyspace));
    Workload after(8);
    after.Steps(receiver.keyspace, 300);
    receiver.Checkpoint(2000);
    EXPECT_EQ(LoadedPicture(*to), Picture(receiver.keyspace));
  }
}

}  // namespace
}  // namespace kiwi::keyspace
