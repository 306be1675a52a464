// One connection between nodes, from the handshake on: frames in, frames out, signs of life. Lives
// on the transport's loop and is used there only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "net/connection.h"
#include "raft/core/message.h"
#include "raft/transport/frame.h"
#include "raft/transport/message_body.h"
#include "raft/transport/send_queue.h"
#include "raft/transport/send_window.h"
#include "raft/transport/transport.h"

namespace kiwi::raft {

class Link;

// What is counted for a peer; written by the loop (drops by anybody), read by anybody.
struct PeerCounters {
  std::atomic<int64_t> rtt_us{-1}, last_contact_ms{-1}, connected_since_ms{-1};
  std::atomic<uint64_t> bytes_sent{0}, bytes_received{0}, messages_sent{0}, messages_received{0},
      messages_dropped{0}, services_sent{0}, services_received{0}, reconnects{0};
  std::atomic<uint64_t> errors[kLinkErrors] = {};
};

// Who decides about links.
class LinkOwner {
 public:
  virtual ~LinkOwner() = default;
  // An accepted link says what it wants. Not ok: it is refused with this reason.
  virtual Status OnHello(Link& link, const Hello& hello) = 0;
  virtual void OnEstablished(Link& link) = 0;
  virtual void OnLinkMessage(Link& link, Message&& message) = 0;
  virtual void OnLinkService(Link& link, ServiceKind kind, std::string&& payload) = 0;
  // Once, from inside Close or from the loop; nothing else comes from this link after it.
  virtual void OnLinkDown(Link& link, LinkError error, const Status& reason) = 0;
  virtual void OnLinkGone(Link& link) = 0;  // the last call: destroys the link
};

class Link final : public net::Connection::Handler {
 public:
  // Opened by this node.
  Link(LinkOwner* owner, const TransportOptions& options, net::Connection* connection,
       const Hello& hello);
  // Accepted.
  Link(LinkOwner* owner, const TransportOptions& options, net::Connection* connection);

  bool dialed() const { return dialed_; }
  bool established() const { return established_ && !down_; }
  bool was_established() const { return established_; }
  int64_t born_ms() const { return born_ms_; }
  bool evicted() const { return evicted_; }
  // What was agreed on; before the handshake, what this node wants (dialed).
  StreamKind stream() const { return hello_.stream; }
  NodeId peer() const { return peer_; }
  bool join_only() const { return join_only_; }
  // The peer has refused this node because it was removed from the cluster.
  bool told_removed() const { return told_removed_; }
  const std::string& address() const { return address_; }

  // From OnHello: what this link may carry.
  void SetJoinOnly() { join_only_ = true; }
  // From OnHello, with a refusal: the reason is that the peer is a member no more.
  void SetRemovedPeer() { removed_peer_ = true; }
  // From OnEstablished.
  void SetQueue(std::shared_ptr<SendQueue> queue) { queue_ = std::move(queue); }
  const std::shared_ptr<SendQueue>& queue() const { return queue_; }
  void SetCounters(std::shared_ptr<PeerCounters> counters) { counters_ = std::move(counters); }

  // A welcome says what this node is.
  void Welcomed(uint64_t own_cluster_id) { own_cluster_id_ = own_cluster_id; }

  void Close(LinkError error, const Status& reason);
  // Closes it at once, even if a refusal is still on its way.
  void Evict(const Status& reason);
  void Pump(int64_t now_ms);
  bool WantsPump();  // there are frames, and room for them
  void Tick(int64_t now_ms);

  // --- net::Connection::Handler ---
  void OnInput(net::Connection& connection) override;
  void OnDrained(net::Connection& connection) override;
  void OnClosed(net::Connection& connection, const Status& reason) override;

 private:
  // A message whose parts are still coming.
  struct Assembly {
    explicit Assembly(size_t bytes_max) : entries(bytes_max) {}
    std::optional<Message> message;
    EntriesReader entries;
    bool in_service = false;
    ServiceKind kind = 0;
    std::string payload;
  };

  Status OnFrame(const Frame& frame);
  Status OnHandshakeFrame(const Frame& frame);
  Status OnMessageFrame(const Frame& frame, Assembly& lane);
  Status OnEntriesFrame(const Frame& frame, Assembly& lane);
  Status OnServiceFrame(const Frame& frame, Assembly& lane);
  Status OnPong(std::string_view payload);
  void Deliver(Message&& message);
  void Establish();
  void WriteFrame(FrameType type, std::string_view payload, uint8_t kind = 0);
  // mark 0: it asks for the round trip's time.
  void WritePing(uint64_t mark);
  void CloseFor(const Status& reason);
  void Down(LinkError error, const Status& reason);

  LinkOwner* const owner_;
  const TransportOptions& options_;
  net::Connection* connection_;  // null once it is gone
  const bool dialed_;
  const std::string address_;
  Hello hello_;
  NodeId peer_ = kNoNode;
  uint64_t own_cluster_id_ = 0;
  bool join_only_ = false;
  bool removed_peer_ = false;
  bool told_removed_ = false;
  bool established_ = false;
  bool down_ = false;
  bool evicted_ = false;
  std::shared_ptr<SendQueue> queue_;
  std::shared_ptr<PeerCounters> counters_;
  Assembly lanes_[2];
  std::string scratch_;

  int64_t born_ms_;
  int64_t alive_ms_;  // when something last moved
  int64_t pinged_ms_ = 0;
  SendWindow window_;
  uint64_t written_ = 0;          // bytes handed to the connection
  uint64_t taken_by_socket_ = 0;  // of them, at the last tick
};

int64_t MonotonicMs();

}  // namespace kiwi::raft
