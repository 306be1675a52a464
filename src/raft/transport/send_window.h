// How much of what was sent the peer has yet to work off, counted unpacked: a socket's worth of
// compressed frames can be a thousand times as much to the peer, and a heartbeat waits behind all of
// it. The loop's thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace kiwi::raft {

class SendWindow {
 public:
  explicit SendWindow(size_t bytes_max) : bytes_max_(bytes_max) {}

  bool Full() const { return sent_ - answered_ >= bytes_max_; }
  void Sent(size_t bytes) { sent_ += bytes; }
  // Bytes sent in all, if it is time to ask the peer to answer that it has come so far; else 0.
  uint64_t TakeMark() {
    if (sent_ - marked_ < bytes_max_ / 4) return 0;
    return marked_ = sent_;
  }
  // The peer has worked off so many of all; what no mark said is not believed.
  void Answered(uint64_t bytes) { answered_ = std::max(answered_, std::min(bytes, marked_)); }

 private:
  const size_t bytes_max_;
  uint64_t sent_ = 0;
  uint64_t marked_ = 0;
  uint64_t answered_ = 0;
};

}  // namespace kiwi::raft
