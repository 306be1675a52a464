// A node that this one talks to: its address, what waits for it, and how dialling it goes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "raft/transport/link.h"
#include "raft/transport/send_queue.h"
#include "raft/transport/transport.h"

namespace kiwi::raft {

// Attempts to open one of the two streams; the loop's.
struct Dial {
  Link* link = nullptr;  // from the connect on
  bool connecting = false;
  int64_t next_ms = 0;  // not before
  int64_t backoff_ms = 0;
  int failures = 0;  // in a row
  bool stood_before = false;
  int64_t stands_since_ms = 0;
  std::string last_error;  // what was logged last, so that it is logged once
};

enum class QueueUse : uint8_t { kMessages = 0, kRequests = 1, kReplies = 2 };

class Peer {
 public:
  Peer(PeerAddress a, std::shared_ptr<PeerCounters> c)
      : address(std::move(a)), counters(std::move(c)) {}

  const PeerAddress address;
  const std::shared_ptr<PeerCounters> counters;  // survive a change of address

  // --- any thread ---
  std::shared_ptr<SendQueue> queue(QueueUse use) const {
    MutexLock lock(mu_);
    return queues_[static_cast<size_t>(use)];
  }
  void SetQueue(QueueUse use, std::shared_ptr<SendQueue> queue) {
    MutexLock lock(mu_);
    queues_[static_cast<size_t>(use)] = std::move(queue);
  }
  // Only if it is still this one.
  void DropQueue(QueueUse use, const std::shared_ptr<SendQueue>& queue) {
    MutexLock lock(mu_);
    if (queues_[static_cast<size_t>(use)] == queue) queues_[static_cast<size_t>(use)].reset();
  }
  std::atomic<bool> unreachable{false};  // to be told
  std::atomic<BreakerState> breaker{BreakerState::kClosed};

  // --- the loop's thread ---
  Dial& dial(StreamKind stream) { return dials[stream == StreamKind::kMessages ? 0 : 1]; }
  Dial dials[2];
  bool gone = false;  // not in the table any more

 private:
  mutable Mutex mu_;
  std::shared_ptr<SendQueue> queues_[3] KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::raft
