// What a leader knows of one follower, and how fast it may send to it.
//
//   probe      the point of agreement is not known: one append at a time
//   replicate  it is: appends are pipelined, next runs ahead of match, within a window
//   snapshot   the follower needs entries that are compacted: nothing until the snapshot is there
#pragma once

#include <cstdint>

#include "raft/core/ring.h"
#include "raft/core/types.h"

namespace kiwi::raft {

// The appends on their way to one follower: by the index of their last entry, and their bytes.
class Inflights {
 public:
  Inflights(size_t max_messages, uint64_t max_bytes)
      : max_messages_(max_messages), max_bytes_(max_bytes) {}

  // One message may exceed the bytes: an entry of any size gets through.
  bool Full() const {
    return appends_.size() >= max_messages_ || (bytes_ >= max_bytes_ && !appends_.empty());
  }
  void Add(LogIndex last, uint64_t bytes);
  // Everything up to `index` has arrived.
  void FreeUpTo(LogIndex index);
  void FreeFirst();
  void Clear();
  size_t count() const { return appends_.size(); }
  uint64_t bytes() const { return bytes_; }

 private:
  struct Append {
    LogIndex last = 0;
    uint64_t bytes = 0;
  };
  size_t max_messages_;
  uint64_t max_bytes_;
  uint64_t bytes_ = 0;
  Ring<Append> appends_;
};

enum class ProgressState : uint8_t { kProbe, kReplicate, kSnapshot };

const char* ProgressStateName(ProgressState state);

// Invariant: match < next.
struct Progress {
  Progress(NodeId node, LogIndex next_index, size_t max_messages, uint64_t max_bytes)
      : id(node), next(next_index), inflights(max_messages, max_bytes) {}

  void BecomeProbe();
  void BecomeReplicate();
  void BecomeSnapshot(LogIndex index);

  // True when match grew.
  bool OnAck(LogIndex index);
  // It may have lost anything that it acknowledged; its log ends there, and is to be compared anew.
  void OnLost(LogIndex end);
  // The follower refused an append after `rejected`; agreement is to be looked for at `hint`.
  // False when that is old news.
  bool OnReject(LogIndex rejected, LogIndex hint);
  // An append with entries up to `last` leaves (none: last == next - 1).
  void OnSend(LogIndex last, uint64_t bytes);
  bool Paused() const;

  NodeId id;
  LogIndex match = 0;
  LogIndex next;
  ProgressState state = ProgressState::kProbe;
  bool probe_sent = false;        // probe: one append is under way
  LogIndex pending_snapshot = 0;  // snapshot: the one under way
  LogIndex sent_commit = 0;       // the commit index of the last append sent
  bool recently_active = false;   // answered since the last check of the quorum
  bool learner = false;
  uint64_t acked_round = 0;  // the latest heartbeat round that it answered
  Inflights inflights;
};

}  // namespace kiwi::raft
