// What carries messages between nodes: one thread (a net::Loop), TCP, docs/formats.md "Between
// nodes".
//
// A node opens two connections to each peer, and each has a use of its own:
// - the message stream carries its Raft messages to that peer, one way: a control lane (heartbeats,
//   votes, answers) and a data lane (appends), which is cut into frames, so that control messages
//   go between the frames of a large append. Messages may be lost; within a lane they keep order.
// - the service stream carries what the host calls services, in two lanes of their own: requests to
//   the peer, and the peer's replies back on the same connection. Nothing is lost or reordered on it
//   while it stands. When it breaks, OnServiceDown says so to both ends, once, before anything that
//   a later connection brings: what was under way is then not known, and nothing is sent again.
//
// Every queue has a bound: Send drops a message and reports the peer unreachable, SendService
// refuses. What was handed to the socket and is not sent yet stays below socket_backlog_bytes, and
// what the peer has yet to read and unpack below window_bytes: a heartbeat waits for no more than that.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "fault/link_faults.h"
#include "raft/core/message.h"

namespace kiwi::raft {

struct PeerAddress {
  NodeId id = kNoNode;
  std::string host;  // a numeric address or a name
  int port = 0;
  bool operator==(const PeerAddress&) const = default;
};

// What a service message is, as the host defines it; the transport looks at these bits alone.
using ServiceKind = uint8_t;
// It answers: it goes back on the stream that the peer opened. Without it, it is a request and goes
// out on the stream that this node opened.
inline constexpr ServiceKind kServiceReply = 0x80;
// In the lane of lower precedence, for bulk: snapshot chunks. Else in the command lane.
inline constexpr ServiceKind kServiceBulk = 0x40;
// Also between nodes of which one belongs to no cluster yet. All others need a shared cluster id
// and a sender that SetPeers named.
inline constexpr ServiceKind kServiceJoin = 0x20;
// Longest service between those that share no cluster.
inline constexpr size_t kJoinBytesMax = size_t{1} << 20;

struct TransportOptions {
  NodeId self = kNoNode;
  std::string bind = "127.0.0.1";  // numeric, "*" or "::*"; empty: does not listen
  int port = 0;                    // 0: a free one, see port()

  size_t frame_bytes = 256 << 10;                 // of payload; 4 KiB to kFrameBytesMax
  size_t compress_min_bytes = 64 << 10;           // entries of so much are LZ4-compressed; 0: never
  size_t max_message_bytes = size_t{1280} << 20;  // a longer incoming message breaks its link
  size_t socket_backlog_bytes = 512 << 10;
  // Of entries and services, unpacked, that a peer has not worked off yet: a heartbeat waits for no
  // more than that, however well it compresses.
  size_t window_bytes = 4 << 20;

  // Per peer. One message is taken by an empty lane whatever its size.
  size_t data_queue_bytes = size_t{128} << 20;
  size_t control_queue_count = 16384;
  size_t command_queue_bytes = size_t{64} << 20;
  size_t bulk_queue_bytes = size_t{16} << 20;

  int64_t connect_timeout_ms = 1000;
  int64_t handshake_timeout_ms = 3000;
  int64_t backoff_min_ms = 20;
  int64_t backoff_max_ms = 1000;   // doubling in between, with jitter of a quarter
  int breaker_failures = 5;        // in a row: the breaker opens, and only probes at backoff_max_ms
  int64_t ping_interval_ms = 500;  // on an established connection
  int64_t link_timeout_ms = 5000;  // a connection that moves nothing for so long is broken
  size_t incoming_max = 256;  // connections accepted at a time; strangers give way to newer ones
  int64_t spin_us = 0;        // LoopOptions::spin_us

  fault::LinkFaults* faults = nullptr;  // not owned; null: none
};

enum class ServiceEnd : uint8_t {
  kOurs,    // the stream this node opened: it is not known which requests arrived
  kTheirs,  // the stream the peer opened: replies to its requests are lost; it knows
};

// Called on the transport's thread; must not block, and may call the transport's functions except
// Stop.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;
  virtual void OnMessage(Message&& message) = 0;
  // Messages to the peer were dropped, or its connection broke. At most once per loop iteration.
  virtual void OnUnreachable(NodeId peer) = 0;
  virtual void OnService(NodeId from, ServiceKind kind, std::string&& payload) = 0;
  virtual void OnServiceDown(NodeId peer, ServiceEnd end) = 0;
  // The stream this node opened stands: requests are taken.
  virtual void OnServiceUp(NodeId /*peer*/) {}
  virtual void OnPeerUp(NodeId /*peer*/) {}  // the message stream stands
  // A peer refuses this node because its id was removed from the cluster. Each time.
  virtual void OnToldRemoved(NodeId /*by*/) {}
};

enum class LinkError : uint8_t {
  kRefused,      // nobody listens there
  kTimeout,      // no connection, no handshake, or no sign of life in time
  kReset,        // an established connection broke
  kUnreachable,  // no route, no such name, out of descriptors
  kHandshake,    // refused by the peer, or the peer is not who it should be
  kCorrupt,      // a damaged frame, or one that means nothing
};
inline constexpr size_t kLinkErrors = 6;
std::string_view LinkErrorName(LinkError error);
std::string_view MessageTypeName(MessageType type);  // "append-response"

enum class BreakerState : uint8_t { kClosed, kOpen, kHalfOpen };

struct PeerLinkStats {
  NodeId id = kNoNode;
  std::string address;             // "host:port"
  bool connected = false;          // the message stream
  bool service_connected = false;  // the service stream
  BreakerState breaker = BreakerState::kClosed;
  int64_t rtt_us = -1;              // of the last ping; -1: not known
  int64_t last_contact_ms = -1;     // monotonic, of the last bytes from this peer; -1: never
  int64_t connected_since_ms = -1;  // monotonic, of the message stream that stood last; -1: never
  uint64_t bytes_sent = 0;          // both streams, frames included
  uint64_t bytes_received = 0;
  uint64_t messages_sent = 0;  // Raft messages
  uint64_t messages_received = 0;
  uint64_t messages_dropped = 0;  // queue full, or not connected
  uint64_t services_sent = 0;
  uint64_t services_received = 0;
  uint64_t reconnects = 0;    // connections that stood after the first of each stream
  uint64_t bytes_queued = 0;  // now, all lanes
  uint64_t errors[kLinkErrors] = {};
};

class Transport {
 public:
  // The handler outlives the transport.
  Transport(const TransportOptions& options, TransportHandler* handler);
  ~Transport();  // Stop()
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  Status Start();
  // Breaks all connections; no callback comes after it returns. Idempotent. Not from a callback.
  void Stop();
  int port() const;  // what it listens on, after Start; 0: nothing

  // --- any thread, before Start as well ---
  // 0 (the beginning): belongs to no cluster; it connects to no peer, and takes and sends
  // kServiceJoin only, on streams that others open. A change breaks all connections.
  void SetClusterId(uint64_t cluster_id);
  uint64_t cluster_id() const;
  // All peers; self among them is ignored. Connections to and from those not in it any more, or at
  // another address, are closed. Of the ids up to last_id, those that are not among them are nobody's
  // any more: who comes with one is told so.
  void SetPeers(const std::vector<PeerAddress>& peers, NodeId last_id = kNoNode);

  // Never blocks. A message to a peer that is not known or not connected, or over the bound, is
  // dropped, and OnUnreachable follows.
  void Send(Message message);
  // Taken: it arrives, in order within its lane, or OnServiceDown follows. Not taken, and then
  // surely never sent: kBusy (the lane is full), kNetwork (no such stream stands), kInvalidArgument
  // (longer than max_message_bytes, or of a kind that the stream does not take).
  Status SendService(NodeId to, ServiceKind kind, std::string payload);
  // Bytes of the kind's lane that the socket has not been given yet: for pacing. 0 when there is no
  // stream.
  size_t service_unsent(NodeId to, ServiceKind kind) const;
  // For a node of no cluster: sends one request of a kServiceJoin kind to whoever listens there, and
  // calls done(reply or error) once, on the transport's thread (or here, if it is stopped). The
  // other side sees OnService from an id made up for this question, and answers it with kind |
  // kServiceReply.
  void AskToJoin(const std::string& host, int port, ServiceKind kind, std::string payload,
                 int64_t timeout_ms, std::function<void(Result<std::string>)> done);

  std::vector<PeerLinkStats> stats() const;  // ascending by id
  // Connections that others opened and that came to nothing, by LinkError.
  std::array<uint64_t, kLinkErrors> refused() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::raft
