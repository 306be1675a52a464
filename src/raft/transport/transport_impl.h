// The inside of the transport: the table of peers, which all threads look into, and the links, which
// are the loop's.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "net/connector.h"
#include "net/listener.h"
#include "net/loop.h"
#include "raft/transport/delay_line.h"
#include "raft/transport/link.h"
#include "raft/transport/peer.h"
#include "raft/transport/transport.h"

namespace kiwi::raft {

class Transport::Impl final : public LinkOwner {
 public:
  Impl(const TransportOptions& options, TransportHandler* handler);
  ~Impl() override;

  // As in Transport.
  Status Start();
  void Stop();
  int port() const;
  void SetClusterId(uint64_t cluster_id);
  uint64_t cluster_id() const { return cluster_id_.load(std::memory_order_acquire); }
  void SetPeers(const std::vector<PeerAddress>& peers, NodeId last_id);
  void Send(Message message);
  Status SendService(NodeId to, ServiceKind kind, std::string payload);
  size_t service_unsent(NodeId to, ServiceKind kind) const;
  void AskToJoin(const std::string& host, int port, ServiceKind kind, std::string payload,
                 int64_t timeout_ms, std::function<void(Result<std::string>)> done);
  std::vector<PeerLinkStats> stats() const;
  std::array<uint64_t, kLinkErrors> refused() const;

  // --- LinkOwner ---
  Status OnHello(Link& link, const Hello& hello) override;
  void OnEstablished(Link& link) override;
  void OnLinkMessage(Link& link, Message&& message) override;
  void OnLinkService(Link& link, ServiceKind kind, std::string&& payload) override;
  void OnLinkDown(Link& link, LinkError error, const Status& reason) override;
  void OnLinkGone(Link& link) override;

 private:
  // A question to a node that may not be a peer.
  struct Ask {
    ServiceKind kind = 0;
    std::string payload;
    int64_t deadline_ms = 0;
    std::function<void(Result<std::string>)> done;  // null once called
  };
  // What came and is held up by a fault.
  struct Incoming {
    bool is_message = false;
    Message message;
    ServiceKind kind = 0;
    std::string payload;
  };
  struct Record {
    std::unique_ptr<Link> link;
    std::shared_ptr<Peer> peer;  // null: accepted and not welcome yet, of no cluster, or an ask
    std::shared_ptr<Ask> ask;
    DelayLine<Incoming> held;
  };
  using AcceptedKey = std::tuple<NodeId, StreamKind, bool>;  // bool: join only

  // --- any thread ---
  std::shared_ptr<Peer> FindPeer(NodeId id) const;
  std::shared_ptr<SendQueue> ServiceQueue(NodeId to, ServiceKind kind) const;
  void Unreachable(NodeId id, Peer* peer);

  // --- the loop's thread: transport_loop.cc ---
  bool EndIteration();
  void AfterOutput();
  void Tick();
  void ReconcilePeers();
  void CloseAllLinks(const Status& reason);
  void TellUnreachable();
  void EnforcePartitions();
  bool Cut(const Link& link) const;
  void ReleaseHeld(int64_t now_ms);
  void DeliverHeld(Record& record, Incoming&& incoming);
  void HoldUp(Link& link, Incoming&& incoming, const fault::LinkVerdict& verdict);
  void DeliverService(Record& record, ServiceKind kind, std::string&& payload);
  std::shared_ptr<SendQueue> MakeQueue(StreamKind stream, bool join_only);

  // --- the loop's thread: transport_links.cc ---
  void OnAccept(int fd);
  bool EvictOne();
  void MaybeDial(const std::shared_ptr<Peer>& peer, StreamKind stream, int64_t now_ms);
  void OnConnected(const std::shared_ptr<Peer>& peer, StreamKind stream, uint64_t cluster_id,
                   const net::ConnectResult& result);
  void DialFailed(Peer& peer, StreamKind stream, LinkError error, const Status& reason);
  void DialBroke(Peer& peer, StreamKind stream, LinkError error, const Status& reason);
  void BackOff(Dial& dial);
  void UpdateBreaker(Peer& peer);
  void BeginAsk(const std::string& host, int port, const std::shared_ptr<Ask>& ask);
  static void EndAsk(Ask& ask, Result<std::string> result);
  void EstablishDialed(Record& record);
  void EstablishAccepted(Record& record);
  void DownDialed(Record& record, LinkError error, const Status& reason);
  void DownAccepted(Record& record, LinkError error, const Status& reason);
  void Refused(LinkError error, const std::string& line);
  Record& RecordOf(const Link& link) { return links_.find(&link)->second; }

  const TransportOptions options_;
  TransportHandler* const handler_;
  fault::LinkFaults no_faults_;
  fault::LinkFaults& faults_;
  std::atomic<uint64_t> cluster_id_{0};
  std::atomic<NodeId> last_id_{kNoNode};    // SetPeers
  std::atomic<bool> restart_{false};        // the cluster id changed
  std::atomic<bool> peers_changed_{false};  // the table did
  std::atomic<bool> stopping_{false};
  bool started_ = false;
  bool stopped_ = false;

  mutable Mutex mu_;
  std::map<NodeId, std::shared_ptr<Peer>> peers_ KIWI_GUARDED_BY(mu_);
  // To nodes that share no cluster with this one, by the id they claim.
  std::map<NodeId, std::shared_ptr<SendQueue>> join_replies_ KIWI_GUARDED_BY(mu_);
  std::vector<NodeId> unknown_ KIWI_GUARDED_BY(mu_);  // sent to, and not known: to be told

  // --- the loop's thread ---
  BodyCache bodies_;
  Random random_;
  std::unordered_map<const Link*, Record> links_;
  std::map<AcceptedKey, Link*> accepted_;  // established ones
  size_t accepted_count_ = 0;              // all accepted, established or not
  std::vector<std::shared_ptr<Peer>> loop_peers_;
  uint64_t faults_seen_ = 0;
  size_t held_count_ = 0;  // in all records
  std::array<std::atomic<uint64_t>, kLinkErrors> refused_{};
  int64_t refusals_since_ms_ = 0;
  uint64_t refusals_shown_ = 0;
  uint64_t refusals_hidden_ = 0;

  // Last: their callbacks use what stands above.
  net::Loop loop_;
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace kiwi::raft
