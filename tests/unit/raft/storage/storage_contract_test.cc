// The contract of raft::Storage, told once and run on every implementation. After each story the
// durable ones are opened again and must tell the same.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "raft/storage/log_storage.h"
#include "raft/storage/memory_storage.h"
#include "storage/factory.h"
#include "testing/temp_dir.h"

namespace kiwi::raft {
namespace {

struct Kind {
  std::string name;
  std::string backend;  // empty: MemoryStorage
  uint64_t cache_bytes = 0;
};

Entry Make(LogIndex index, Term term, std::string data = "0123456789") {
  Entry entry;
  entry.index = index;
  entry.term = term;
  if (!data.empty()) entry.data = std::make_shared<const std::string>(std::move(data));
  return entry;
}

std::vector<Entry> Range(LogIndex first, LogIndex last, Term term) {
  std::vector<Entry> entries;
  for (LogIndex i = first; i <= last; ++i) entries.push_back(Make(i, term));
  return entries;
}

SnapshotMeta Snap(LogIndex index, Term term, std::vector<NodeId> voters = {1, 2, 3}) {
  SnapshotMeta meta;
  meta.index = index;
  meta.term = term;
  meta.conf_state.voters = std::move(voters);
  return meta;
}

// "3:2 4:2" for entries 3 and 4 of term 2.
std::string Show(const std::vector<Entry>& entries) {
  std::string text;
  for (const Entry& entry : entries) {
    if (!text.empty()) text += ' ';
    text += std::to_string(entry.index) + ":" + std::to_string(entry.term);
  }
  return text;
}

class StorageContract : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override { Open(); }

  void TearDown() override {
    if (HasFatalFailure()) return;
    const std::string before = Dump();
    Reopen();
    EXPECT_EQ(Dump(), before) << "opened again, the log tells something else";
  }

  Storage& log() { return *log_; }
  bool durable() const { return !GetParam().backend.empty(); }

  void Reopen() {
    if (!durable()) return;
    log_.reset();
    if (GetParam().backend != "memory") backend_.reset();
    Open();
  }

  StatusCode EntriesCode(LogIndex lo, LogIndex hi) {
    return log().Entries(lo, hi, 0).status().code();
  }
  StatusCode TermCode(LogIndex index) { return log().TermAt(index).status().code(); }
  std::string Read(LogIndex lo, LogIndex hi, uint64_t max_bytes = kNoLimit) {
    auto entries = log().Entries(lo, hi, max_bytes);
    return entries.ok() ? Show(*entries) : entries.status().ToString();
  }

  // Everything that the read side shows.
  std::string Dump() {
    std::string text = std::to_string(log().FirstIndex()) + ".." +
                       std::to_string(log().LastIndex()) + " bytes " +
                       std::to_string(log().SizeBytes()) + " base term " +
                       std::to_string(*log().TermAt(log().FirstIndex() - 1)) + " | ";
    const auto entries = *log().Entries(log().FirstIndex(), log().LastIndex() + 1, kNoLimit);
    for (const Entry& e : entries) {
      text += std::to_string(e.index) + ":" + std::to_string(e.term) + ":" +
              std::to_string(static_cast<int>(e.type)) + ":" + std::string(e.bytes()) + " ";
      EXPECT_EQ(*log().TermAt(e.index), e.term);
    }
    const InitialState state = *log().GetInitialState();
    text += "| " + std::to_string(state.hard_state.term) + "," +
            std::to_string(state.hard_state.vote) + "," + std::to_string(state.hard_state.commit);
    text += "|" + state.state_dir;
    const SnapshotMeta snapshot = *log().GetSnapshot();
    text += "| " + std::to_string(snapshot.index) + ":" + std::to_string(snapshot.term);
    for (const ConfState& conf : {state.conf_state, snapshot.conf_state}) {
      text += "|";
      for (const auto& ids :
           {conf.voters, conf.learners, conf.voters_outgoing, conf.learners_next}) {
        for (const NodeId id : ids) text += " " + std::to_string(id);
        text += ";";
      }
      text += conf.auto_leave ? "auto " : " ";
      text += std::to_string(conf.index);
    }
    return text;
  }

 private:
  void Open() {
    if (!durable()) {
      log_ = std::make_unique<MemoryStorage>();
      return;
    }
    if (!backend_) {
      storage::BackendOptions options;
      options.name = GetParam().backend;
      options.path = dir_.Child("log");
      options.profile = storage::Profile::kLog;
      auto backend = storage::OpenBackend(options);
      ASSERT_TRUE(backend.ok()) << backend.status().ToString();
      backend_ = std::move(backend).value();
    }
    LogStorageOptions options;
    options.cache_bytes = GetParam().cache_bytes;
    auto opened = LogStorage::Open(backend_.get(), options);
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    log_ = std::move(opened).value();
  }

  testing::TempDir dir_;
  std::unique_ptr<storage::Backend> backend_;
  std::unique_ptr<Storage> log_;
};

TEST_P(StorageContract, AnEmptyLogBeginsAtOneAndKnowsTermZero) {
  EXPECT_EQ(log().FirstIndex(), 1u);
  EXPECT_EQ(log().LastIndex(), 0u);
  EXPECT_EQ(log().SizeBytes(), 0u);
  EXPECT_EQ(*log().TermAt(0), 0u);
  EXPECT_EQ(TermCode(1), StatusCode::kUnavailable);
  EXPECT_EQ(EntriesCode(1, 2), StatusCode::kUnavailable);
  EXPECT_EQ(Read(1, 1), "");
  EXPECT_EQ(log().GetSnapshot()->index, 0u);
  EXPECT_EQ(log().GetInitialState()->hard_state, HardState());
  EXPECT_EQ(log().GetInitialState()->conf_state, ConfState());
  EXPECT_EQ(log().Compact(0).code(), StatusCode::kCompacted);
  EXPECT_EQ(log().Compact(1).code(), StatusCode::kUnavailable);
  EXPECT_EQ(log().CreateSnapshot(Snap(0, 0)).code(), StatusCode::kSnapshotOutOfDate);
  EXPECT_EQ(log().CreateSnapshot(Snap(1, 1)).code(), StatusCode::kInvalidArgument);
}

TEST_P(StorageContract, ABatchOfNothingChangesNothing) {
  ASSERT_TRUE(log().Write(LogBatch()).ok());
  ASSERT_TRUE(log().Append({}).ok());
  ASSERT_TRUE(log().Sync().ok());
  EXPECT_EQ(log().LastIndex(), 0u);
}

TEST_P(StorageContract, BootstrapWithAConfStateOnly) {
  ConfState conf;
  conf.voters = {1, 2};
  conf.learners = {7};
  conf.voters_outgoing = {1, 2, 3};
  conf.learners_next = {3};
  conf.auto_leave = true;
  conf.index = 5;
  ASSERT_TRUE(log().SetConfState(conf).ok());
  Reopen();
  if (durable()) {
    EXPECT_EQ(log().GetInitialState()->conf_state, conf);
  }
  EXPECT_EQ(log().FirstIndex(), 1u);
  EXPECT_EQ(log().LastIndex(), 0u);
}

TEST_P(StorageContract, HardStateIsKeptAndNeverPointsBeyondTheLog) {
  ASSERT_TRUE(log().Append(Range(1, 3, 2)).ok());
  ASSERT_TRUE(log().SetHardState({4, 2, 3}).ok());
  EXPECT_EQ(log().GetInitialState()->hard_state, (HardState{4, 2, 3}));
  EXPECT_EQ(log().SetHardState({4, 2, 4}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(log().GetInitialState()->hard_state, (HardState{4, 2, 3}));

  const std::vector<Entry> more = Range(4, 5, 4);
  const HardState hard{4, 2, 5};
  LogBatch batch;
  batch.entries = &more;
  batch.hard_state = &hard;
  ASSERT_TRUE(log().Write(batch).ok());
  EXPECT_EQ(log().GetInitialState()->hard_state, hard);
  EXPECT_EQ(log().LastIndex(), 5u);
}

TEST_P(StorageContract, EntriesComeBackAsTheyWere) {
  std::vector<Entry> entries = {Make(1, 1, ""), Make(2, 1, std::string("\0\xff\n", 3)),
                                Make(3, 9, std::string(100000, 'x'))};
  entries[1].type = EntryType::kConfChange;
  ASSERT_TRUE(log().Append(entries).ok());
  Reopen();
  if (!durable()) return;
  const auto read = *log().Entries(1, 4, kNoLimit);
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].bytes(), "");
  EXPECT_EQ(read[1].bytes(), std::string_view("\0\xff\n", 3));
  EXPECT_EQ(read[1].type, EntryType::kConfChange);
  EXPECT_EQ(read[2].bytes(), std::string(100000, 'x'));
  EXPECT_EQ(read[2].term, 9u);
  EXPECT_EQ(log().SizeBytes(), 100003u);
}

TEST_P(StorageContract, ReadsAreBoundedByBytesButGiveOneEntryAtLeast) {
  ASSERT_TRUE(log().Append(Range(1, 5, 1)).ok());  // 10 bytes each
  EXPECT_EQ(Read(2, 6, 0), "2:1");
  EXPECT_EQ(Read(2, 6, 9), "2:1");
  EXPECT_EQ(Read(2, 6, 19), "2:1");
  EXPECT_EQ(Read(2, 6, 20), "2:1 3:1");
  EXPECT_EQ(Read(2, 6, 39), "2:1 3:1 4:1");
  EXPECT_EQ(Read(2, 6, 40), "2:1 3:1 4:1 5:1");
  EXPECT_EQ(Read(2, 4, kNoLimit), "2:1 3:1");
  EXPECT_EQ(Read(5, 6, 0), "5:1");
  EXPECT_EQ(Read(3, 3), "");
  EXPECT_EQ(Read(4, 2), "");
}

TEST_P(StorageContract, ReadsOutsideTheLogSayWhichSide) {
  ASSERT_TRUE(log().Append(Range(1, 9, 1)).ok());
  ASSERT_TRUE(log().CreateSnapshot(Snap(5, 1)).ok());
  ASSERT_TRUE(log().Compact(4).ok());
  EXPECT_EQ(EntriesCode(4, 6), StatusCode::kCompacted);
  EXPECT_EQ(EntriesCode(5, 10), StatusCode::kOk);
  EXPECT_EQ(EntriesCode(5, 11), StatusCode::kUnavailable);
  EXPECT_EQ(EntriesCode(10, 11), StatusCode::kUnavailable);
  EXPECT_EQ(TermCode(3), StatusCode::kCompacted);
  EXPECT_EQ(*log().TermAt(4), 1u);
  EXPECT_EQ(*log().TermAt(9), 1u);
  EXPECT_EQ(TermCode(10), StatusCode::kUnavailable);
}

TEST_P(StorageContract, TermsAreKnownAcrossTheirChanges) {
  ASSERT_TRUE(log().Append(Range(1, 3, 1)).ok());
  ASSERT_TRUE(log().Append(Range(4, 4, 3)).ok());
  ASSERT_TRUE(log().Append(Range(5, 9, 7)).ok());
  const std::vector<Term> expected = {0, 1, 1, 1, 3, 7, 7, 7, 7, 7};
  for (LogIndex i = 0; i <= 9; ++i) EXPECT_EQ(*log().TermAt(i), expected[i]) << i;
  ASSERT_TRUE(log().CreateSnapshot(Snap(8, 7)).ok());
  for (LogIndex compacted = 1; compacted <= 8; ++compacted) {
    ASSERT_TRUE(log().Compact(compacted).ok());
    for (LogIndex i = compacted; i <= 9; ++i) EXPECT_EQ(*log().TermAt(i), expected[i]) << i;
  }
}

TEST_P(StorageContract, AGapIsRefused) {
  ASSERT_TRUE(log().Append(Range(1, 3, 1)).ok());
  EXPECT_EQ(log().Append(Range(5, 6, 1)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(log().Append({Make(4, 1), Make(6, 1)}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(log().Append({Make(4, 1), Make(4, 1)}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(log().LastIndex(), 3u);
}

TEST_P(StorageContract, TermsNeverFall) {
  ASSERT_TRUE(log().Append(Range(1, 3, 5)).ok());
  EXPECT_EQ(log().Append({Make(4, 4)}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(log().Append({Make(4, 6), Make(5, 5)}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Read(1, 4), "1:5 2:5 3:5");
}

TEST_P(StorageContract, ConflictingEntriesReplaceAllBehindThem) {
  ASSERT_TRUE(log().Append(Range(1, 6, 1)).ok());
  ASSERT_TRUE(log().Append({Make(3, 2), Make(4, 2)}).ok());
  EXPECT_EQ(log().LastIndex(), 4u);
  EXPECT_EQ(Read(1, 5), "1:1 2:1 3:2 4:2");
  EXPECT_EQ(log().SizeBytes(), 40u);
  Reopen();
  if (durable()) {
    EXPECT_EQ(Read(1, 5), "1:1 2:1 3:2 4:2");
  }
  ASSERT_TRUE(log().Append({Make(1, 3)}).ok());
  EXPECT_EQ(Read(1, 2), "1:3");
  EXPECT_EQ(log().LastIndex(), 1u);
}

TEST_P(StorageContract, TheSameEntriesAgainChangeNothing) {
  ASSERT_TRUE(log().Append(Range(1, 4, 1)).ok());
  ASSERT_TRUE(log().Append(Range(2, 4, 1)).ok());
  EXPECT_EQ(Read(1, 5), "1:1 2:1 3:1 4:1");
  ASSERT_TRUE(log().Append(Range(3, 6, 1)).ok());
  EXPECT_EQ(Read(1, 7), "1:1 2:1 3:1 4:1 5:1 6:1");
}

TEST_P(StorageContract, WhatASnapshotCoversIsTrimmedFromAnAppend) {
  ASSERT_TRUE(log().Append(Range(1, 6, 1)).ok());
  ASSERT_TRUE(log().CreateSnapshot(Snap(4, 1)).ok());
  EXPECT_EQ(log().Append(Range(2, 4, 1)).code(), StatusCode::kCompacted);
  EXPECT_EQ(log().Append(Range(4, 4, 1)).code(), StatusCode::kCompacted);
  ASSERT_TRUE(log().Append({Make(3, 1), Make(4, 1), Make(5, 2)}).ok());
  EXPECT_EQ(Read(1, 6), "1:1 2:1 3:1 4:1 5:2");
  ASSERT_TRUE(log().Compact(4).ok());
  ASSERT_TRUE(log().Append({Make(4, 1), Make(5, 3), Make(6, 3)}).ok());
  EXPECT_EQ(Read(5, 7), "5:3 6:3");
}

TEST_P(StorageContract, ASnapshotIsRecordedWithoutTouchingEntries) {
  ASSERT_TRUE(log().Append(Range(1, 5, 2)).ok());
  ASSERT_TRUE(log().SetConfState(Snap(1, 1, {9}).conf_state).ok());
  ASSERT_TRUE(log().CreateSnapshot(Snap(3, 2)).ok());
  EXPECT_EQ(*log().GetSnapshot(), Snap(3, 2));
  EXPECT_EQ(log().FirstIndex(), 1u);
  // The configuration may have moved on since that index.
  EXPECT_EQ(log().GetInitialState()->conf_state.voters, std::vector<NodeId>{9});
  EXPECT_EQ(log().CreateSnapshot(Snap(3, 2)).code(), StatusCode::kSnapshotOutOfDate);
  EXPECT_EQ(log().CreateSnapshot(Snap(2, 2)).code(), StatusCode::kSnapshotOutOfDate);
  EXPECT_EQ(log().CreateSnapshot(Snap(6, 2)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(log().CreateSnapshot(Snap(4, 1)).code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(log().CreateSnapshot(Snap(5, 2)).ok());
}

TEST_P(StorageContract, CompactionStaysBetweenTheFirstEntryAndTheSnapshot) {
  ASSERT_TRUE(log().Append(Range(1, 6, 1)).ok());
  EXPECT_EQ(log().Compact(1).code(), StatusCode::kUnavailable);
  ASSERT_TRUE(log().CreateSnapshot(Snap(4, 1)).ok());
  EXPECT_EQ(log().Compact(0).code(), StatusCode::kCompacted);
  EXPECT_EQ(log().Compact(5).code(), StatusCode::kUnavailable);
  EXPECT_EQ(log().Compact(7).code(), StatusCode::kUnavailable);
  ASSERT_TRUE(log().Compact(1).ok());
  EXPECT_EQ(log().FirstIndex(), 2u);
  EXPECT_EQ(log().Compact(1).code(), StatusCode::kCompacted);
  ASSERT_TRUE(log().Compact(4).ok());
  EXPECT_EQ(log().FirstIndex(), 5u);
  EXPECT_EQ(log().SizeBytes(), 20u);
  EXPECT_EQ(Read(5, 7), "5:1 6:1");
}

TEST_P(StorageContract, TheWholeLogCanBeCompactedAndGoesOn) {
  ASSERT_TRUE(log().Append(Range(1, 3, 2)).ok());
  ASSERT_TRUE(log().CreateSnapshot(Snap(3, 2)).ok());
  ASSERT_TRUE(log().Compact(3).ok());
  EXPECT_EQ(log().FirstIndex(), 4u);
  EXPECT_EQ(log().LastIndex(), 3u);
  EXPECT_EQ(*log().TermAt(3), 2u);
  EXPECT_EQ(TermCode(2), StatusCode::kCompacted);
  EXPECT_EQ(log().SizeBytes(), 0u);
  Reopen();
  if (!durable()) return;
  EXPECT_EQ(log().FirstIndex(), 4u);
  EXPECT_EQ(*log().TermAt(3), 2u);
  EXPECT_EQ(log().Append({Make(4, 1)}).code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(log().Append({Make(4, 3)}).ok());
  EXPECT_EQ(Read(4, 5), "4:3");
}

TEST_P(StorageContract, AnIncomingSnapshotReplacesTheLog) {
  ASSERT_TRUE(log().Append(Range(1, 6, 1)).ok());
  ASSERT_TRUE(log().ApplySnapshot(Snap(20, 3, {4, 5})).ok());
  EXPECT_EQ(log().FirstIndex(), 21u);
  EXPECT_EQ(log().LastIndex(), 20u);
  EXPECT_EQ(*log().TermAt(20), 3u);
  EXPECT_EQ(TermCode(19), StatusCode::kCompacted);
  EXPECT_EQ(log().GetInitialState()->conf_state.voters, (std::vector<NodeId>{4, 5}));
  EXPECT_EQ(log().ApplySnapshot(Snap(20, 3)).code(), StatusCode::kSnapshotOutOfDate);
  EXPECT_EQ(log().ApplySnapshot(Snap(7, 9)).code(), StatusCode::kSnapshotOutOfDate);
  EXPECT_EQ(log().Append(Range(19, 20, 3)).code(), StatusCode::kCompacted);
  ASSERT_TRUE(log().Append(Range(20, 22, 3)).ok());
  EXPECT_EQ(Read(21, 23), "21:3 22:3");
}

TEST_P(StorageContract, ASnapshotInsideTheLogReplacesItToo) {
  ASSERT_TRUE(log().Append(Range(1, 6, 1)).ok());
  ASSERT_TRUE(log().ApplySnapshot(Snap(4, 2)).ok());
  EXPECT_EQ(log().FirstIndex(), 5u);
  EXPECT_EQ(log().LastIndex(), 4u);
}

TEST_P(StorageContract, OneBatchCarriesSnapshotEntriesAndHardState) {
  ASSERT_TRUE(log().Append(Range(1, 6, 1)).ok());
  const SnapshotMeta snapshot = Snap(10, 3);
  const std::vector<Entry> entries = {Make(10, 3), Make(11, 3), Make(12, 4)};
  const HardState hard{4, 1, 11};
  ConfState conf;
  conf.voters = {1};
  LogBatch batch;
  batch.snapshot = &snapshot;
  batch.entries = &entries;
  batch.hard_state = &hard;
  batch.conf_state = &conf;
  ASSERT_TRUE(log().Write(batch).ok());
  EXPECT_EQ(log().FirstIndex(), 11u);
  EXPECT_EQ(Read(11, 13), "11:3 12:4");
  EXPECT_EQ(log().GetInitialState()->hard_state, hard);
  EXPECT_EQ(log().GetInitialState()->conf_state, conf);
  EXPECT_EQ(log().GetSnapshot()->conf_state, snapshot.conf_state);
}

TEST_P(StorageContract, TheStateDirectoryIsNamedInTheBatchOfItsSnapshot) {
  EXPECT_EQ(log().GetInitialState()->state_dir, "");
  ASSERT_TRUE(log().Append(Range(1, 6, 1)).ok());
  const std::string staged = "state-20-1";
  ASSERT_TRUE(log().ApplySnapshot(Snap(20, 3), &staged).ok());
  EXPECT_EQ(log().GetInitialState()->state_dir, staged);

  ASSERT_TRUE(log().Append(Range(21, 25, 3)).ok());
  ASSERT_TRUE(log().CreateSnapshot(Snap(24, 3)).ok());
  ASSERT_TRUE(log().Compact(24).ok());
  EXPECT_EQ(log().GetInitialState()->state_dir, staged) << "checkpoints of its own stay there";

  const std::string refused = "state-7-2";
  EXPECT_EQ(log().ApplySnapshot(Snap(7, 9), &refused).code(), StatusCode::kSnapshotOutOfDate);
  EXPECT_EQ(log().GetInitialState()->state_dir, staged);
}

TEST_P(StorageContract, ARefusedBatchChangesNothing) {
  ASSERT_TRUE(log().Append(Range(1, 3, 1)).ok());
  const std::string before = Dump();
  const SnapshotMeta snapshot = Snap(10, 3);
  const std::vector<Entry> gap = {Make(12, 3)};
  const HardState hard{9, 9, 1};
  LogBatch batch;
  batch.snapshot = &snapshot;
  batch.entries = &gap;
  batch.hard_state = &hard;
  EXPECT_EQ(log().Write(batch).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(Dump(), before);
}

TEST_P(StorageContract, UnsyncedWritesAreReadAtOnceAndKeptByAnOrderlyClose) {
  for (LogIndex i = 1; i <= 50; ++i) {
    const std::vector<Entry> one = {Make(i, 1, std::string(i, 'a'))};
    LogBatch batch;
    batch.entries = &one;
    batch.sync = false;
    ASSERT_TRUE(log().Write(batch).ok());
    ASSERT_EQ(log().Entries(i, i + 1, 0)->front().bytes().size(), i);
  }
  ASSERT_TRUE(log().Sync().ok());
  Reopen();
  if (durable()) {
    EXPECT_EQ(log().LastIndex(), 50u);
  }
}

TEST_P(StorageContract, CompactionAndAppendsGoOnThroughManyRestarts) {
  LogIndex last = 0;
  for (int round = 0; round < 5; ++round) {
    ASSERT_TRUE(log().Append(Range(last + 1, last + 20, 1)).ok());
    last += 20;
    ASSERT_TRUE(log().CreateSnapshot(Snap(last - 3, 1)).ok());
    ASSERT_TRUE(log().Compact(last - 7).ok());
    if (!durable()) continue;
    Reopen();
    EXPECT_EQ(log().FirstIndex(), last - 6);
    EXPECT_EQ(log().LastIndex(), last);
    EXPECT_EQ(log().SizeBytes(), 70u);
  }
}

std::vector<Kind> Kinds() {
  return {{"MemoryStorage", "", 0},
          {"OnMemory", "memory", 16 << 20},
          {"OnRocksDb", "rocksdb", 16 << 20},
          {"OnLevelDb", "leveldb", 16 << 20},
          // Two small entries, and nothing but the last one: reads are made of disk and memory.
          {"OnMemorySmallCache", "memory", 25},
          {"OnRocksDbSmallCache", "rocksdb", 25},
          {"OnLevelDbNoCache", "leveldb", 0}};
}

INSTANTIATE_TEST_SUITE_P(All, StorageContract, ::testing::ValuesIn(Kinds()),
                         [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace kiwi::raft
