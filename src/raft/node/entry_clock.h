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
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace kiwi::raft {

class EntryClock {
 public:
  // replicated_ms: as the checkpoint has it that the node begins with.
  EntryClock(Clock* clock, int64_t replicated_ms)
      : clock_(clock), last_stamp_(replicated_ms), now_ms_(replicated_ms) {}

  // For an entry that is composed. Never falls. Calls are serialised by the caller.
  int64_t Stamp() {
    last_stamp_ = std::max({clock_->WallMs(), last_stamp_, now_ms()});
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
  Clock* const clock_;
  int64_t last_stamp_;
  std::atomic<int64_t> now_ms_;
};

}  // namespace kiwi::raft
