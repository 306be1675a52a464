// When the log was how long, so that a peer's lag can be told in time as well as in entries.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>

#include "base/mutex.h"
#include "raft/core/types.h"

namespace kiwi::server {

// Thread-safe.
class LagTimes {
 public:
  // In rising order; a few times a second on the leader.
  void Note(int64_t now_ms, raft::LogIndex last_index) {
    MutexLock lock(mu_);
    if (!samples_.empty() && samples_.back().index >= last_index) return;
    samples_.push_back({now_ms, last_index});
    if (samples_.size() > kSamplesMax) samples_.pop_front();
  }
  // The age of the oldest entry behind `match`, as far as the samples reach back; 0: there is none.
  int64_t LagMs(int64_t now_ms, raft::LogIndex match) const {
    MutexLock lock(mu_);
    const auto first =
        std::upper_bound(samples_.begin(), samples_.end(), match,
                         [](raft::LogIndex m, const Sample& s) { return m < s.index; });
    return first == samples_.end() ? 0 : std::max<int64_t>(0, now_ms - first->ms);
  }
  void Clear() {
    MutexLock lock(mu_);
    samples_.clear();
  }

  static constexpr size_t kSamplesMax = 3000;

 private:
  struct Sample {
    int64_t ms = 0;
    raft::LogIndex index = 0;
  };
  mutable Mutex mu_;
  std::deque<Sample> samples_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::server
