// The replicated clock: the greatest stamp among the entries that were applied. Every decision
// whether a key has expired is made at it, by reads and writes, on every node: a read at a log
// position acts at the time of that position.
//
// What a client has seen expired therefore stays so. The time of a read is that of an applied entry,
// which is committed; whoever serves a read later, here or on another node, has applied that entry
// too. Wall clocks decide only how fast the replicated one goes on; no two need agree, and each may
// jump or fall.
//
// The clock is state like the keys: a function of the log, kept with each checkpoint, so that it
// survives a restart behind which the log was compacted.
//
// How it goes on is the group's clock: a lone voter's is its wall clock. In a group the first leader
// takes its wall clock as a base, and from there on all count by their monotonic clocks: leaders tell
// the others what time it is, and whoever leads next goes on from what it was told. So a wall clock
// that jumps, or is an hour ahead of the others', expires nothing early.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "base/clock.h"
#include "base/mutex.h"

namespace kiwi::raft {

// Thread-safe, except where said otherwise.
class EntryClock final : public Clock {
 public:
  // replicated_ms: as the checkpoint has it that the node begins with.
  EntryClock(Clock* clock, int64_t replicated_ms)
      : clock_(clock), last_stamp_(replicated_ms), now_ms_(replicated_ms) {}

  // What the group's clock shows, as far as this node knows: what Stamp would say, were it to lead.
  // Unlike stamps it may fall, by what this node was ahead.
  int64_t WallMs() override {
    const int64_t offset_ms = offset_ms_.load(std::memory_order_acquire);
    return offset_ms == kOwnWall ? clock_->WallMs() : offset_ms + MonotonicMs();
  }
  int64_t WallUs() override { return WallMs() * 1000; }
  int64_t MonotonicNs() override { return clock_->MonotonicNs(); }

  // A live leader said so just now; a leader of several says it to itself. Forward it is followed at
  // once. Back, which is what remains of a delay on the way or of this node's clock running fast, by
  // at most half of the time that has passed: so no member keeps what its own clock has gained, and
  // what was seen before a leader fell silent is not undone at once.
  void Heard(int64_t group_ms) KIWI_EXCLUDES(heard_mu_) {
    MutexLock lock(heard_mu_);
    const int64_t now_ms = MonotonicMs();
    const int64_t told = group_ms - now_ms;
    const int64_t known = offset_ms_.load(std::memory_order_relaxed);
    const int64_t back_max = (now_ms - heard_at_ms_) / 2;
    heard_at_ms_ = now_ms;
    offset_ms_.store(known == kOwnWall ? told : std::max(told, known - back_max),
                     std::memory_order_release);
  }

  // For an entry that is composed. Never falls. Calls are serialised by the caller.
  int64_t Stamp() {
    last_stamp_ = std::max({WallMs(), last_stamp_, now_ms()});
    return last_stamp_;
  }
  // An entry of this stamp is applied now: called before its effects can be seen, so that whoever
  // sees them acts at its time or later. An older stamp (of a leader that composed before it had
  // applied all that it had) changes nothing. Calls are serialised by the caller.
  void Observe(int64_t stamp) {
    if (stamp > now_ms()) now_ms_.store(stamp, std::memory_order_release);
  }
  // Any thread. A read takes it once it holds the locks of its keys: then it is not older than what
  // the read sees.
  int64_t now_ms() const { return now_ms_.load(std::memory_order_acquire); }

 private:
  static constexpr int64_t kOwnWall = std::numeric_limits<int64_t>::min();
  int64_t MonotonicMs() { return clock_->MonotonicNs() / 1'000'000; }

  Clock* const clock_;
  std::atomic<int64_t> offset_ms_{kOwnWall};  // of the group's clock to the monotonic one
  Mutex heard_mu_;
  int64_t heard_at_ms_ KIWI_GUARDED_BY(heard_mu_) = 0;  // monotonic
  int64_t last_stamp_;
  std::atomic<int64_t> now_ms_;
};

}  // namespace kiwi::raft
