// Reads from any thread at any time, beside one mutator and a thread that syncs.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "raft/storage/log_storage.h"
#include "storage/factory.h"
#include "testing/temp_dir.h"

namespace kiwi::raft {
namespace {

std::string Payload(LogIndex index, Term term) {
  return std::string(1 + index % 200, static_cast<char>('a' + (index + term) % 26));
}

Entry Make(LogIndex index, Term term) {
  Entry entry;
  entry.index = index;
  entry.term = term;
  entry.data = std::make_shared<const std::string>(Payload(index, term));
  return entry;
}

// Reads at random until told to stop. Counts what it read from behind the cache, and what is wrong.
void ReadAtRandom(const LogStorage& log, uint64_t seed, const std::atomic<bool>& stop,
                  std::atomic<int>* reads, std::atomic<int>* wrong) {
  Random random(seed);
  while (!stop) {
    const LogIndex first = log.FirstIndex();
    const LogIndex last = log.LastIndex();
    if (last < first) continue;
    const LogIndex lo = first + random.Below(last - first + 1);
    const LogIndex hi = std::min(lo + 1 + random.Below(50), last + 1);
    const auto entries = log.Entries(lo, hi, kNoLimit);
    if (!entries.ok()) {
      // Truncated or compacted since it looked.
      const StatusCode code = entries.status().code();
      if (code != StatusCode::kCompacted && code != StatusCode::kUnavailable) ++*wrong;
      continue;
    }
    if (entries->size() != hi - lo) ++*wrong;
    for (size_t i = 0; i < entries->size(); ++i) {
      const Entry& entry = (*entries)[i];
      if (entry.index != lo + i || entry.bytes() != Payload(entry.index, entry.term)) ++*wrong;
      if (i > 0 && entry.term < (*entries)[i - 1].term) ++*wrong;
    }
    ++*reads;
  }
}

class LogConcurrency : public ::testing::TestWithParam<std::string> {};

TEST_P(LogConcurrency, ReadersSeeOneMomentOfALogThatChanges) {
  testing::TempDir dir;
  storage::BackendOptions options;
  options.name = GetParam();
  options.path = dir.path();
  options.profile = storage::Profile::kLog;
  auto backend = std::move(storage::OpenBackend(options)).value();
  const auto log = std::move(LogStorage::Open(backend.get(), {2000})).value();

  std::atomic<bool> stop{false};
  std::atomic<int> reads{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 2; ++seed) {
    threads.emplace_back([&, seed] { ReadAtRandom(*log, seed, stop, &reads, &wrong); });
  }
  threads.emplace_back([&] {
    while (!stop) {
      if (!log->Sync().ok()) ++wrong;
    }
  });

  Random random(99);
  Term term = 1;
  for (int step = 0; step < 1500; ++step) {
    const LogIndex last = log->LastIndex();
    LogIndex first_new = last + 1;
    if (random.OneIn(20) && last > log->GetSnapshot()->index) {  // another leader's entries
      ++term;
      first_new = last - random.Below(std::min<LogIndex>(last - log->GetSnapshot()->index, 100));
    }
    std::vector<Entry> entries;
    for (LogIndex i = first_new; i <= first_new + random.Below(4); ++i) {
      entries.push_back(Make(i, term));
    }
    LogBatch batch;
    batch.entries = &entries;
    batch.sync = false;
    ASSERT_TRUE(log->Write(batch).ok());
    if (step % 200 == 199) {
      SnapshotMeta meta;
      meta.index = log->GetSnapshot()->index + (log->LastIndex() - log->GetSnapshot()->index) / 2;
      meta.term = *log->TermAt(meta.index);
      ASSERT_TRUE(log->CreateSnapshot(meta).ok());
      ASSERT_TRUE(log->Compact(meta.index).ok());
      ASSERT_TRUE(log->ReleaseSpace().ok());
    }
  }
  while (reads < 100 && wrong == 0) std::this_thread::yield();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

INSTANTIATE_TEST_SUITE_P(All, LogConcurrency, ::testing::Values("memory", "rocksdb", "leveldb"),
                         [](const auto& param) { return param.param; });

}  // namespace
}  // namespace kiwi::raft
