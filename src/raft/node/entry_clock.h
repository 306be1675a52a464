// The time that commands act at, so that no client ever sees it run backwards: reads never pass the
// stamp of an entry that is not applied yet, and stamps never fall behind a read that went before.
//
// Why it holds: Stamp() counts its entry as pending before it reads the clock; a reader reads the
// clock first and looks for pending entries afterwards. If it saw none, any stamp to come is read
// later than the reader's clock, and is not smaller (the clock never falls); if it saw one, it uses
// a time that was already used before that entry was counted.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace kiwi::raft {

class EntryClock {
 public:
  explicit EntryClock(Clock* clock) : clock_(clock) {}

  // For a new entry. Calls are serialised by the caller. Counts the entry as pending.
  int64_t Stamp() {
    pending_.fetch_add(1);
    const int64_t stamp = std::max(clock_->WallMs(), last_stamp_.load());
    last_stamp_.store(stamp);
    return stamp;
  }
  // The entry was applied, or will never be.
  void Applied(int64_t stamp) {
    if (stamp > applied_stamp_.load()) applied_stamp_.store(stamp);
    pending_.fetch_sub(1);
  }
  // An entry that another process stamped (replay, replication) was applied.
  void Observed(int64_t stamp) {
    if (stamp > last_stamp_.load()) last_stamp_.store(stamp);
    if (stamp > applied_stamp_.load()) applied_stamp_.store(stamp);
  }
  // Any thread. Never falls, never passes a pending stamp.
  int64_t ReadTime() {
    const int64_t now = clock_->WallMs();
    // With entries in flight the newest time that is surely not after any of theirs is the last
    // applied stamp, or what a read before them was given. It lags by a sync or two.
    if (pending_.load() != 0) return std::max(applied_stamp_.load(), read_time_.load());
    int64_t seen = read_time_.load();
    while (now > seen && !read_time_.compare_exchange_weak(seen, now)) {
    }
    return std::max({now, seen, applied_stamp_.load()});
  }

 private:
  Clock* const clock_;
  std::atomic<int> pending_{0};
  std::atomic<int64_t> last_stamp_{0};
  std::atomic<int64_t> applied_stamp_{0};
  std::atomic<int64_t> read_time_{0};
};

}  // namespace kiwi::raft
