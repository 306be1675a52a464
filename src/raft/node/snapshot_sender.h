// The sending end of snapshot transfers: one stream a peer, served in turn, under one rate.
// Belongs to the snapshot mover's thread.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "raft/node/snapshot_host.h"
#include "raft/node/snapshot_wire.h"
#include "raft/node/state_machine.h"

namespace kiwi::raft {

// A token bucket that may be overdrawn by one chunk, so that chunks of any size pass and the rate
// holds over time.
class RateLimiter {
 public:
  // 0: unlimited. What has been saved up is kept, what is owed as well.
  void SetRate(uint64_t bytes_per_second) { rate_ = bytes_per_second; }
  // Milliseconds until something may be sent; 0: now.
  int64_t WaitMs(int64_t now_ns);
  void Spend(size_t bytes);

 private:
  uint64_t rate_ = 0;
  double tokens_ = 0;
  int64_t filled_ns_ = -1;
};

class SnapshotSender {
 public:
  static constexpr int64_t kForever = -1;

  SnapshotSender(const SnapshotMoverOptions& options, StateMachine* machine, SnapshotHost* host,
                 SnapshotWire* wire, Clock* clock);

  void Begin(Message message);
  void CancelAll() { peers_.clear(); }
  void OnAck(NodeId from, std::string_view payload);
  // The stream to the peer broke, or it does not keep to the protocol.
  void OnBroken(NodeId peer, const Status& why);
  // Sends at most a chunk to each peer and looks after timeouts. Returns how long nothing will be
  // due in ms, if no answer comes: 0 to be called again at once, kForever when idle.
  int64_t Poll(uint64_t bytes_per_second);

  // Of the snapshots being sent; the largest value if there is none.
  LogIndex LowestServedIndex() const;
  void AppendProgress(std::vector<SnapshotProgress>* out) const;

 private:
  enum class Phase : uint8_t {
    kKept,       // nothing is asked for; the reader waits for the next attempt
    kBackoff,    // asked for, after a failure: begins at due_ms
    kBegun,      // Begin is sent: where does the receiver stand?
    kStreaming,  // chunks
    kFinishing,  // all is written there
  };
  struct Outgoing {
    Phase phase = Phase::kKept;
    Message message;
    std::unique_ptr<SnapshotReader> reader;
    SnapshotStream stream;
    uint64_t next = 0;            // position of the chunk to send
    uint64_t acked = 0;           // what the receiver has
    bool at_end = false;          // the chunk before `next` was the last one
    std::deque<uint64_t> flying;  // where the chunks end that are sent and not answered for
    // kKept: when the reader goes; kBackoff: when to begin; else when an answer is overdue, with
    // kStreaming only while something flies.
    int64_t due_ms = 0;
    int64_t backoff_ms = 0;     // of the last failure
    int64_t not_before_ms = 0;  // … and when that is over
    bool moved = false;         // a chunk was taken in this attempt
    int again = 0;              // times in a row that the receiver stood still
    int64_t started_unix_ms = 0;
  };
  using Peers = std::map<NodeId, Outgoing>;

  int64_t NowMs() const { return clock_->MonotonicNs() / 1'000'000; }
  static bool Active(const Outgoing& out) { return out.phase != Phase::kKept; }
  Status Open(Outgoing* out);
  void SendBegin(NodeId peer, Outgoing* out);
  // True: a chunk went out. False: look again in *wait_ms.
  bool SendChunk(NodeId peer, Outgoing* out, int64_t* wait_ms);
  bool Advance(NodeId peer, Outgoing* out, int64_t* wait_ms);
  void Accepted(NodeId peer, Outgoing* out, uint64_t position);
  void Again(NodeId peer, Outgoing* out, uint64_t position);
  void AwaitDone(Outgoing* out);
  void Succeeded(NodeId peer);
  enum class Keep : uint8_t { kNothing, kReader };
  // The entry stays, for what is kept of it.
  void Failed(NodeId peer, Outgoing* out, const Status& why, Keep keep);

  const SnapshotMoverOptions options_;
  StateMachine* const machine_;
  SnapshotHost* const host_;
  SnapshotWire* const wire_;
  Clock* const clock_;
  RateLimiter limiter_;
  Peers peers_;
  NodeId last_served_ = kNoNode;
  uint64_t attempts_ = 0;
};

}  // namespace kiwi::raft
