// The receiving end of snapshot transfers: one at a time, of the newest term's leader. Belongs to
// the snapshot mover's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "raft/node/snapshot_host.h"
#include "raft/node/snapshot_wire.h"
#include "raft/node/state_machine.h"

namespace kiwi::raft {

class SnapshotReceiver {
 public:
  static constexpr int64_t kForever = -1;

  SnapshotReceiver(const SnapshotMoverOptions& options, StateMachine* machine, SnapshotHost* host,
                   SnapshotWire* wire, Clock* clock);

  // Writes, and with the last chunk finishes: may take as long as a restart.
  void OnRequest(NodeId from, std::string_view payload);
  // The stream from the peer broke: what came is kept for a while.
  void OnBroken(NodeId peer);
  // The peer sent more than the window: some of it is lost.
  void OnOverflow(NodeId peer);
  // Drops what nobody went on with. Returns how long nothing is due in ms; kForever when idle.
  int64_t Poll();

  void AppendProgress(std::vector<SnapshotProgress>* out) const;

 private:
  struct Incoming {
    NodeId from = kNoNode;
    SnapshotStream stream;
    Message message;
    uint64_t estimated_bytes = 0;
    std::unique_ptr<SnapshotStage> stage;
    bool attached = false;  // the sender's attempt goes on; else the stage waits for its next one
    bool asked_again = false;  // … and nothing but the chunk at the stage's position is of use
    int damaged = 0;           // times in a row
    int64_t heard_ms = 0;
    int64_t started_unix_ms = 0;
  };

  int64_t NowMs() const { return clock_->MonotonicNs() / 1'000'000; }
  void OnBegin(NodeId from, SnapshotRequest request);
  // Why this one is not to be received; ok: it is.
  Status Judge(NodeId from, const SnapshotRequest& request) const;
  void OnChunk(NodeId from, const SnapshotRequest& request);
  Status CheckFirst() const;
  void AskAgain();
  void Finish();
  void Fail(const Status& why);
  void Answer(SnapshotAckState state, std::string_view reason = {});
  void AnswerTo(NodeId peer, const SnapshotAck& ack);

  const SnapshotMoverOptions options_;
  StateMachine* const machine_;
  SnapshotHost* const host_;
  SnapshotWire* const wire_;
  Clock* const clock_;
  Incoming incoming_;  // with a stage, or void
  Term newest_term_ = 0;
  // The last one that was handed over, for a sender that did not hear of it.
  NodeId done_from_ = kNoNode;
  uint64_t done_id_ = 0;
};

}  // namespace kiwi::raft
