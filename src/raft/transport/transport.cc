#include "raft/transport/transport.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "raft/transport/transport_impl.h"

namespace kiwi::raft {
namespace {

constexpr std::string_view kErrorNames[kLinkErrors] = {"refused",     "timeout",   "reset",
                                                       "unreachable", "handshake", "corrupt"};
constexpr std::string_view kMessageNames[] = {"?",
                                              "append",
                                              "append-response",
                                              "vote",
                                              "vote-response",
                                              "pre-vote",
                                              "pre-vote-response",
                                              "heartbeat",
                                              "heartbeat-response",
                                              "snapshot",
                                              "timeout-now",
                                              "read-index",
                                              "read-index-response",
                                              "transfer-leader",
                                              "log-end",
                                              "log-end-response"};
constexpr size_t kUnknownMax = 64;
constexpr int64_t kTickMs = 10;

TransportOptions Sane(TransportOptions o) {
  o.frame_bytes = std::clamp<size_t>(o.frame_bytes, 4 << 10, kFrameBytesMax);
  o.backoff_min_ms = std::max<int64_t>(1, o.backoff_min_ms);
  o.backoff_max_ms = std::max(o.backoff_min_ms, o.backoff_max_ms);
  o.socket_backlog_bytes = std::max(o.socket_backlog_bytes, o.frame_bytes);
  return o;
}

net::LoopOptions LoopFor(const TransportOptions& o) {
  net::LoopOptions options;
  options.name = "kiwi-raft";
  options.read_chunk_bytes = 256 << 10;
  options.spin_us = o.spin_us;
  options.close_linger_ms = 1000;
  return options;
}

}  // namespace

std::string_view MessageTypeName(MessageType type) {
  const auto i = static_cast<size_t>(type);
  return i < std::size(kMessageNames) ? kMessageNames[i] : kMessageNames[0];
}

std::string_view LinkErrorName(LinkError error) { return kErrorNames[static_cast<size_t>(error)]; }

// --- Impl: what any thread calls ---

Transport::Impl::Impl(const TransportOptions& options, TransportHandler* handler)
    : options_(Sane(options)),
      handler_(handler),
      faults_(options.faults != nullptr ? *options.faults : no_faults_),
      bodies_({options_.frame_bytes, options_.compress_min_bytes}),
      random_(EntropySeed()),
      loop_(LoopFor(options_)) {
  loop_.SetEndOfIteration([this] { return EndIteration(); });
  loop_.AddTimer(kTickMs, [this] { Tick(); });
}

Transport::Impl::~Impl() { Stop(); }

Status Transport::Impl::Start() {
  KIWI_CHECK(!started_ && !stopped_, "a transport is started once");
  if (!options_.bind.empty()) {
    net::ListenerOptions listen;
    listen.bind = {options_.bind};
    listen.port = options_.port == 0 ? net::ListenerOptions::kAnyPort : options_.port;
    listener_ = std::make_unique<net::Listener>(&loop_, listen, [this](int fd) { OnAccept(fd); });
    KIWI_RETURN_IF_ERROR(listener_->Start());
  }
  KIWI_RETURN_IF_ERROR(loop_.Start());
  started_ = true;
  return Status::Ok();
}

void Transport::Impl::Stop() {
  if (std::exchange(stopped_, true)) return;
  stopping_.store(true, std::memory_order_release);
  if (listener_ != nullptr) listener_->Close();
  loop_.Stop();
}

int Transport::Impl::port() const { return listener_ != nullptr ? listener_->port() : 0; }

void Transport::Impl::SetClusterId(uint64_t cluster_id) {
  if (cluster_id_.exchange(cluster_id, std::memory_order_acq_rel) == cluster_id) return;
  restart_.store(true, std::memory_order_release);
  loop_.Wake();
}

void Transport::Impl::SetPeers(const std::vector<PeerAddress>& peers, NodeId last_id) {
  {
    MutexLock lock(mu_);
    std::map<NodeId, std::shared_ptr<Peer>> table;
    for (const PeerAddress& address : peers) {
      if (address.id == options_.self || address.id == kNoNode) continue;
      const auto it = peers_.find(address.id);
      if (it != peers_.end() && it->second->address == address) {
        table[address.id] = it->second;
        continue;
      }
      auto counters = it != peers_.end() ? it->second->counters : std::make_shared<PeerCounters>();
      table[address.id] = std::make_shared<Peer>(address, std::move(counters));
    }
    peers_ = std::move(table);
    last_id_.store(last_id, std::memory_order_release);
  }
  peers_changed_.store(true, std::memory_order_release);
  loop_.Wake();
}

std::shared_ptr<Peer> Transport::Impl::FindPeer(NodeId id) const {
  MutexLock lock(mu_);
  const auto it = peers_.find(id);
  return it != peers_.end() ? it->second : nullptr;
}

void Transport::Impl::Unreachable(NodeId id, Peer* peer) {
  if (peer != nullptr) {
    peer->unreachable.store(true, std::memory_order_release);
  } else {
    MutexLock lock(mu_);
    if (unknown_.size() < kUnknownMax &&
        std::find(unknown_.begin(), unknown_.end(), id) == unknown_.end()) {
      unknown_.push_back(id);
    }
  }
  loop_.Wake();
}

void Transport::Impl::Send(Message message) {
  const NodeId to = message.to;
  if (to == options_.self || to == kNoNode) return;
  if (message.from == kNoNode) message.from = options_.self;
  const std::shared_ptr<Peer> peer = FindPeer(to);
  if (peer == nullptr) return Unreachable(to, nullptr);
  const fault::LinkVerdict verdict =
      faults_.Judge(options_.self, to, MessageTypeName(message.type));
  if (verdict.drop) return;  // lost on the way: the sender does not notice
  const std::shared_ptr<SendQueue> queue = peer->queue(QueueUse::kMessages);
  Status status;
  if (queue == nullptr) {
    status = Status(StatusCode::kNetwork, "not connected");
  } else {
    if (verdict.duplicate) status = queue->Push(message, verdict);
    if (status.ok()) status = queue->Push(std::move(message), verdict);
  }
  if (!status.ok()) {
    peer->counters->messages_dropped.fetch_add(1, std::memory_order_relaxed);
    return Unreachable(to, peer.get());
  }
  loop_.Wake();
}

std::shared_ptr<SendQueue> Transport::Impl::ServiceQueue(NodeId to, ServiceKind kind) const {
  const bool reply = (kind & kServiceReply) != 0;
  MutexLock lock(mu_);
  if (reply && (kind & kServiceJoin) != 0) {
    if (const auto it = join_replies_.find(to); it != join_replies_.end()) return it->second;
  }
  const auto it = peers_.find(to);
  if (it == peers_.end()) return nullptr;
  return it->second->queue(reply ? QueueUse::kReplies : QueueUse::kRequests);
}

Status Transport::Impl::SendService(NodeId to, ServiceKind kind, std::string payload) {
  if (payload.size() > options_.max_message_bytes) {
    return Status(StatusCode::kInvalidArgument, "a service of " + std::to_string(payload.size()) +
                                                    " bytes is longer than the allowed " +
                                                    std::to_string(options_.max_message_bytes));
  }
  const std::shared_ptr<SendQueue> queue = ServiceQueue(to, kind);
  if (queue == nullptr || faults_.Partitioned(options_.self, to)) {
    return Status(StatusCode::kNetwork, "no service stream to node " + std::to_string(to));
  }
  if (queue->join_only() && (kind & kServiceJoin) == 0) {
    return Status(StatusCode::kInvalidArgument,
                  "node " + std::to_string(to) + " shares no cluster with this node yet");
  }
  fault::LinkVerdict verdict;
  verdict.delay_ms = faults_.ServiceDelayMs(options_.self, to);
  KIWI_RETURN_IF_ERROR(queue->Push(kind, std::move(payload), verdict));
  loop_.Wake();
  return Status::Ok();
}

size_t Transport::Impl::service_unsent(NodeId to, ServiceKind kind) const {
  const std::shared_ptr<SendQueue> queue = ServiceQueue(to, kind);
  if (queue == nullptr) return 0;
  return queue->unsent((kind & kServiceBulk) != 0 ? Lane::kLow : Lane::kHigh);
}

void Transport::Impl::AskToJoin(const std::string& host, int port, ServiceKind kind,
                                std::string payload, int64_t timeout_ms,
                                std::function<void(Result<std::string>)> done) {
  auto ask = std::make_shared<Ask>();
  ask->kind = kind;
  ask->payload = std::move(payload);
  ask->deadline_ms = MonotonicMs() + timeout_ms;
  ask->done = std::move(done);
  if ((kind & kServiceJoin) == 0 || (kind & (kServiceReply | kServiceBulk)) != 0) {
    return EndAsk(*ask, Status(StatusCode::kInvalidArgument, "not a request of a join kind"));
  }
  if (!loop_.PostFunction([this, host, port, ask] { BeginAsk(host, port, ask); })) {
    EndAsk(*ask, Status(StatusCode::kAborted, "the transport has stopped"));
  }
}

std::vector<PeerLinkStats> Transport::Impl::stats() const {
  std::vector<std::shared_ptr<Peer>> peers;
  {
    MutexLock lock(mu_);
    for (const auto& [id, peer] : peers_) peers.push_back(peer);
  }
  std::vector<PeerLinkStats> all;
  for (const auto& peer : peers) {
    PeerLinkStats& s = all.emplace_back();
    const PeerCounters& c = *peer->counters;
    s.id = peer->address.id;
    s.address = peer->address.host + ":" + std::to_string(peer->address.port);
    for (const QueueUse use : {QueueUse::kMessages, QueueUse::kRequests, QueueUse::kReplies}) {
      const std::shared_ptr<SendQueue> queue = peer->queue(use);
      if (queue == nullptr) continue;
      if (use == QueueUse::kMessages) s.connected = true;
      if (use == QueueUse::kRequests) s.service_connected = true;
      s.bytes_queued += queue->unsent(Lane::kHigh) + queue->unsent(Lane::kLow);
    }
    s.breaker = peer->breaker.load(std::memory_order_relaxed);
    s.rtt_us = c.rtt_us.load(std::memory_order_relaxed);
    s.last_contact_ms = c.last_contact_ms.load(std::memory_order_relaxed);
    s.connected_since_ms = c.connected_since_ms.load(std::memory_order_relaxed);
    s.bytes_sent = c.bytes_sent.load(std::memory_order_relaxed);
    s.bytes_received = c.bytes_received.load(std::memory_order_relaxed);
    s.messages_sent = c.messages_sent.load(std::memory_order_relaxed);
    s.messages_received = c.messages_received.load(std::memory_order_relaxed);
    s.messages_dropped = c.messages_dropped.load(std::memory_order_relaxed);
    s.services_sent = c.services_sent.load(std::memory_order_relaxed);
    s.services_received = c.services_received.load(std::memory_order_relaxed);
    s.reconnects = c.reconnects.load(std::memory_order_relaxed);
    for (size_t i = 0; i < kLinkErrors; ++i) {
      s.errors[i] = c.errors[i].load(std::memory_order_relaxed);
    }
  }
  return all;
}

// --- Transport ---

Transport::Transport(const TransportOptions& options, TransportHandler* handler)
    : impl_(std::make_unique<Impl>(options, handler)) {}
Transport::~Transport() = default;
Status Transport::Start() { return impl_->Start(); }
void Transport::Stop() { impl_->Stop(); }
int Transport::port() const { return impl_->port(); }
void Transport::SetClusterId(uint64_t cluster_id) { impl_->SetClusterId(cluster_id); }
uint64_t Transport::cluster_id() const { return impl_->cluster_id(); }
void Transport::SetPeers(const std::vector<PeerAddress>& peers, NodeId last_id) {
  impl_->SetPeers(peers, last_id);
}
void Transport::Send(Message message) { impl_->Send(std::move(message)); }
Status Transport::SendService(NodeId to, ServiceKind kind, std::string payload) {
  return impl_->SendService(to, kind, std::move(payload));
}
size_t Transport::service_unsent(NodeId to, ServiceKind kind) const {
  return impl_->service_unsent(to, kind);
}
void Transport::AskToJoin(const std::string& host, int port, ServiceKind kind, std::string payload,
                          int64_t timeout_ms, std::function<void(Result<std::string>)> done) {
  impl_->AskToJoin(host, port, kind, std::move(payload), timeout_ms, std::move(done));
}
std::vector<PeerLinkStats> Transport::stats() const { return impl_->stats(); }
std::array<uint64_t, kLinkErrors> Transport::refused() const { return impl_->refused(); }

}  // namespace kiwi::raft
