// What the snapshot mover needs of its surroundings: the node it works for, the transport, and its
// options.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "raft/core/message.h"
#include "raft/node/snapshot.h"
#include "raft/transport/transport.h"

namespace kiwi::raft {

// The service kinds of a transfer: beginnings and chunks, and the receiver's answers.
inline constexpr ServiceKind kSnapshotRequestKind = kServiceBulk | 1;
inline constexpr ServiceKind kSnapshotReplyKind = kSnapshotRequestKind | kServiceReply;

inline constexpr size_t kSnapshotChunkBytes = 256 << 10;

struct SnapshotMoverOptions {
  NodeId self = kNoNode;
  uint64_t bytes_per_second = 0;  // sent to all peers together; see SnapshotMover::SetRate
  int window_chunks = 16;         // per peer, sent and not yet answered for
  // No chunk is handed to the transport while so much of the lane waits for the socket.
  size_t unsent_max_bytes = 1 << 20;
  int64_t ack_timeout_ms = 10'000;      // without an answer that was due, a transfer has failed
  int64_t finish_timeout_ms = 600'000;  // … and with the receiver checking and loading the whole
  int64_t resume_ms = 60'000;           // both ends keep a broken transfer for so long
  int64_t backoff_min_ms = 100;         // before the next attempt for a peer, doubling …
  int64_t backoff_max_ms = 5'000;       // … up to this; begins anew once a chunk was kept
  int damaged_max = 8;                  // times in a row that one chunk is asked for again
};

// The node. Called on the mover's thread, with none of its locks held: may call the mover (save
// Stop), and may wait briefly for locks of its own.
class SnapshotHost {
 public:
  virtual ~SnapshotHost() = default;

  // What the core wants to hear of a snapshot it emitted: the peer has it, or the attempt is over.
  virtual void ReportSnapshot(NodeId peer, bool success) = 0;
  // The log's first index, now. A stream kept for resuming that ends before it is not resumed.
  virtual LogIndex FirstIndex() = 0;
  // A snapshot arrived whole: `stage` is finished, message.snapshot == stage->meta(). Ok: the host
  // steps `message` into the core before anything that comes later from that leader, which hears
  // now that its peer has the snapshot and goes on with the entries behind it. An error: it is not
  // wanted (any more); the stage is gone, and the sender begins with a new stream next time.
  virtual Status SnapshotStaged(Message message, std::unique_ptr<SnapshotStage> stage) = 0;
};

// The transport's part, as Transport::SendService and service_unsent say. Called on the mover's
// thread.
class SnapshotWire {
 public:
  virtual ~SnapshotWire() = default;
  virtual Status Send(NodeId to, ServiceKind kind, std::string payload) = 0;
  virtual size_t Unsent(NodeId to, ServiceKind kind) = 0;
};

// For RAFT.STATUS and INFO.
struct SnapshotProgress {
  enum class Direction : uint8_t { kSending, kReceiving };
  NodeId peer = kNoNode;
  Direction direction = Direction::kSending;
  uint64_t bytes_done = 0;       // durable or not: what the receiver has written
  uint64_t estimated_bytes = 0;  // about; bytes_done may end above it
  int64_t started_unix_ms = 0;
};

}  // namespace kiwi::raft
