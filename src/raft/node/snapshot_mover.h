// Moves snapshots between nodes: ships the last checkpoint to peers that lag behind the log, and
// receives one. In chunks, resumable, paced, on a thread of its own (docs/formats.md, "Snapshot
// transfer").
//
//   sender: Begin{message, id, size} ──►  receiver: stages
//           ◄── Ack{position}             where it stands: 0, or what it kept of this stream
//           Chunk{position, bytes} … ──►  a window of them
//           ◄── Ack{position} …           each is written, or asked for again if damaged
//           ◄── Ack{done}                 checked, durable, loaded, and taken by the host
//
// What is sent is the machine's last durable checkpoint (SnapshotReader::meta()), not the snapshot
// that the core's message names; the message's is replaced by it. That suffices for the peer: the
// host compacts its log only behind durable checkpoints, so the reader's always reaches at least
// the log's first index - 1, where the entries go on. The host keeps it so while the transfer lasts
// by compacting no further than LowestServedIndex(), as far as its bound on the log allows; beyond
// that the peer needs a second snapshot.
//
// A transfer that breaks is reported to the core as failed, and both ends keep what they have for
// resume_ms: the next Send for the same peer goes on from the receiver's position.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "raft/node/snapshot_host.h"
#include "raft/node/state_machine.h"

namespace kiwi::raft {

class SnapshotReceiver;
class SnapshotSender;

class SnapshotMover {
 public:
  // All outlive the mover.
  SnapshotMover(const SnapshotMoverOptions& options, StateMachine* machine, SnapshotHost* host,
                SnapshotWire* wire, Clock* clock);
  ~SnapshotMover();  // Stop()
  SnapshotMover(const SnapshotMover&) = delete;
  SnapshotMover& operator=(const SnapshotMover&) = delete;

  void Start();
  // No callback to the host comes after it returns. It waits for what the thread is doing: a chunk
  // to be read or written, or the Finish of a received snapshot. Idempotent.
  void Stop();

  // --- any thread; none blocks ---
  // The core emitted this kSnapshot message. host.ReportSnapshot(message.to, …) follows, once, save
  // when the peer is being served already: then the message is ignored, or, if its term is newer,
  // replaces the one under way.
  void Send(Message message);
  // This node does not lead any more, or the peers changed: what is being sent ends, unreported, and
  // nothing is kept.
  void CancelSending();
  // From the transport's handler: messages of the two kSnapshot…Kinds, and broken streams.
  void OnService(NodeId from, ServiceKind kind, std::string&& payload);
  void OnServiceDown(NodeId peer, ServiceEnd end);
  // 0: unlimited. Rates below kMinBytesPerSecond count as that: a receiver waits only so long.
  void SetRate(uint64_t bytes_per_second);
  static constexpr uint64_t kMinBytesPerSecond = 64 << 10;

  // The log's entries above this are what a peer needs behind the snapshot it is being sent;
  // the largest value if none is.
  LogIndex LowestServedIndex() const { return lowest_served_.load(std::memory_order_acquire); }
  std::vector<SnapshotProgress> progress() const KIWI_EXCLUDES(mu_);
  // Of messages that wait for the mover's thread: below two windows a peer. One that sends more is
  // refused, and what came beyond is dropped.
  size_t queued_bytes() const KIWI_EXCLUDES(mu_);

 private:
  enum class EventType : uint8_t { kService, kDown, kOverflow };
  struct Event {
    EventType type = EventType::kService;
    NodeId peer = kNoNode;
    ServiceKind kind = 0;
    ServiceEnd end = ServiceEnd::kOurs;
    std::string payload;
  };
  struct PeerInbox {  // what waits of one peer
    size_t bytes = 0;
    size_t count = 0;
    bool overflowed = false;          // a kOverflow waits; what comes is dropped
    std::array<bool, 2> down_last{};  // by ServiceEnd: nothing came behind the kDown that waits
  };

  void Run();
  void Queue(Event event) KIWI_REQUIRES(mu_);
  void Wake() KIWI_REQUIRES(mu_);
  bool TakeEvent(Event* event) KIWI_EXCLUDES(mu_);
  void Handle(const Event& event);
  void TakeOrders() KIWI_EXCLUDES(mu_);
  void Publish() KIWI_EXCLUDES(mu_);
  void WaitForWork(int64_t wait_ms) KIWI_EXCLUDES(mu_);

  const SnapshotMoverOptions options_;
  const size_t inbox_bytes_max_;
  const size_t inbox_count_max_;
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> rate_;
  std::atomic<LogIndex> lowest_served_;
  // The thread's alone.
  std::unique_ptr<SnapshotSender> sender_;
  std::unique_ptr<SnapshotReceiver> receiver_;

  mutable Mutex mu_;
  CondVar wake_;
  bool woken_ KIWI_GUARDED_BY(mu_) = false;
  bool cancel_ KIWI_GUARDED_BY(mu_) = false;
  std::deque<Event> events_ KIWI_GUARDED_BY(mu_);
  std::map<NodeId, PeerInbox> inboxes_ KIWI_GUARDED_BY(mu_);  // of peers with something waiting
  std::map<NodeId, Message> orders_ KIWI_GUARDED_BY(mu_);     // the newest of each peer
  size_t queued_bytes_ KIWI_GUARDED_BY(mu_) = 0;
  std::vector<SnapshotProgress> progress_ KIWI_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace kiwi::raft
