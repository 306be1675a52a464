// The log as the core sees it, which never makes the core wait for a disk: entries that lie there and
// are large, or that a mutation of the log keeps locked, are refused with kBusy, read by a thread of
// its own, and then the core is asked to look again. Without it a value of hundreds of megabytes that
// a follower has missed, or a disk that stalls while entries are cut off, would keep the leader's
// heartbeats for as long as it takes.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "raft/core/storage.h"

namespace kiwi::raft {

class LogFetcher final : public LogReader {
 public:
  // The log outlives it.
  explicit LogFetcher(const Storage* log) : log_(log) {}
  ~LogFetcher() override;

  // From here on long reads are refused. fetched() is called on the fetcher's thread after each that
  // was made up for: what was refused is to be asked for again within it, or is read once more.
  void Start(std::function<void()> fetched);
  void Stop();  // no call of fetched() any more; long reads are made at once again

  // --- LogReader; any thread ---
  // What the log itself calls kBusy is kIo here.
  Result<std::vector<Entry>> Entries(LogIndex lo, LogIndex hi, uint64_t max_bytes) const override
      KIWI_EXCLUDES(mu_);
  Result<InitialState> GetInitialState() const override { return log_->GetInitialState(); }
  Result<Term> TermAt(LogIndex index) const override { return log_->TermAt(index); }
  LogIndex FirstIndex() const override { return log_->FirstIndex(); }
  LogIndex LastIndex() const override { return log_->LastIndex(); }
  Result<SnapshotMeta> GetSnapshot() const override { return log_->GetSnapshot(); }

 private:
  struct Read {
    LogIndex lo = 0;
    LogIndex hi = 0;
    uint64_t max_bytes = 0;
  };

  void Thread();
  Result<std::vector<Entry>> ReadLog(const Read& read) const;
  std::optional<Result<std::vector<Entry>>> TakeFetched(const Read& read) const KIWI_REQUIRES(mu_);

  const Storage* const log_;
  std::function<void()> fetched_;
  std::atomic<bool> running_{false};
  std::thread thread_;

  mutable Mutex mu_;
  mutable CondVar wanted_changed_;
  bool stopping_ KIWI_GUARDED_BY(mu_) = false;
  mutable std::deque<Read> wanted_ KIWI_GUARDED_BY(mu_);
  // While fetched() runs: what was read, from fetched_from_ on.
  LogIndex fetched_from_ KIWI_GUARDED_BY(mu_) = 0;  // 0: nothing
  Status fetch_status_ KIWI_GUARDED_BY(mu_);
  std::vector<Entry> fetched_entries_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::raft
