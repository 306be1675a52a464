// Who is connected to whom: dialling, accepting, what a handshake allows, and what follows when a
// connection goes.
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "raft/transport/transport_impl.h"

namespace kiwi::raft {
namespace {

// Of refused connections, so many are worth a line of the log in so many milliseconds.
constexpr int64_t kRefusalLogMs = 10'000;
constexpr uint64_t kRefusalLines = 10;

const char* StreamName(StreamKind stream) {
  return stream == StreamKind::kMessages ? "messages" : "service";
}

LinkError ErrorOf(net::ConnectFailure failure) {
  switch (failure) {
    case net::ConnectFailure::kRefused:
      return LinkError::kRefused;
    case net::ConnectFailure::kTimeout:
      return LinkError::kTimeout;
    default:
      return LinkError::kUnreachable;
  }
}

void Count(const std::shared_ptr<Peer>& peer, LinkError error) {
  if (peer == nullptr) return;
  peer->counters->errors[static_cast<size_t>(error)].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// --- dialling ---

void Transport::Impl::MaybeDial(const std::shared_ptr<Peer>& peer, StreamKind stream,
                                int64_t now_ms) {
  Dial& dial = peer->dial(stream);
  if (dial.link != nullptr || dial.connecting || now_ms < dial.next_ms) return;
  const uint64_t cluster_id = this->cluster_id();
  if (cluster_id == 0 || stopping_.load(std::memory_order_acquire)) return;
  const NodeId id = peer->address.id;
  if (stream == StreamKind::kService &&
      (faults_.Partitioned(options_.self, id) || faults_.Partitioned(id, options_.self))) {
    return;
  }
  dial.connecting = true;
  UpdateBreaker(*peer);
  net::ConnectTcp(loop_, peer->address.host, peer->address.port, options_.connect_timeout_ms,
                  [this, peer, stream, cluster_id](const net::ConnectResult& result) {
                    OnConnected(peer, stream, cluster_id, result);
                  });
}

void Transport::Impl::OnConnected(const std::shared_ptr<Peer>& peer, StreamKind stream,
                                  uint64_t cluster_id, const net::ConnectResult& result) {
  Dial& dial = peer->dial(stream);
  dial.connecting = false;
  const bool wanted =
      !peer->gone && cluster_id == this->cluster_id() && !stopping_.load(std::memory_order_acquire);
  if (result.failure != net::ConnectFailure::kNone) {
    if (!wanted || result.failure == net::ConnectFailure::kAborted) return;
    Count(peer, ErrorOf(result.failure));
    return DialFailed(*peer, stream, ErrorOf(result.failure), result.status);
  }
  if (!wanted) {
    ::close(result.fd);
    return;
  }
  net::Connection* connection = net::AdoptDescriptor(loop_, result.fd);
  if (connection == nullptr) {
    Count(peer, LinkError::kUnreachable);
    return DialFailed(*peer, stream, LinkError::kUnreachable,
                      Status(StatusCode::kNetwork, "the connection cannot be polled"));
  }
  Hello hello;
  hello.cluster_id = cluster_id;
  hello.from = options_.self;
  hello.to = peer->address.id;
  hello.stream = stream;
  Record record;
  record.link = std::make_unique<Link>(this, options_, connection, hello);
  record.link->SetCounters(peer->counters);
  record.peer = peer;
  dial.link = record.link.get();
  links_.emplace(dial.link, std::move(record));
}

void Transport::Impl::BackOff(Dial& dial) {
  dial.backoff_ms =
      std::clamp(2 * dial.backoff_ms, options_.backoff_min_ms, options_.backoff_max_ms);
  const int64_t wait =
      dial.failures >= options_.breaker_failures ? options_.backoff_max_ms : dial.backoff_ms;
  // A quarter up or down, so that nodes that lost each other together do not meet in step.
  const auto jitter = static_cast<int64_t>(random_.Below(static_cast<uint64_t>(wait / 2 + 1)));
  dial.next_ms = MonotonicMs() + wait - wait / 4 + jitter;
}

void Transport::Impl::DialFailed(Peer& peer, StreamKind stream, LinkError error,
                                 const Status& reason) {
  Dial& dial = peer.dial(stream);
  ++dial.failures;
  BackOff(dial);
  UpdateBreaker(peer);
  const std::string text(reason.message());
  if (std::exchange(dial.last_error, text) == text) return;
  KIWI_LOG(kWarn,
           "raft link does not come up peer={} address={}:{} stream={} error={} reason=\"{}\"",
           peer.address.id, peer.address.host, peer.address.port, StreamName(stream),
           LinkErrorName(error), text);
}

void Transport::Impl::DialBroke(Peer& peer, StreamKind stream, LinkError error,
                                const Status& reason) {
  Dial& dial = peer.dial(stream);
  const int64_t now_ms = MonotonicMs();
  // One that breaks again and again is not dialled in a hurry.
  if (now_ms - dial.stands_since_ms > options_.backoff_max_ms) dial.backoff_ms = 0;
  BackOff(dial);
  KIWI_LOG(kWarn, "raft link lost peer={} stream={} error={} reason=\"{}\"", peer.address.id,
           StreamName(stream), LinkErrorName(error), reason.message());
}

void Transport::Impl::UpdateBreaker(Peer& peer) {
  BreakerState state = BreakerState::kClosed;
  for (const Dial& dial : peer.dials) {
    if (dial.failures < options_.breaker_failures) continue;
    const bool probing = dial.connecting || dial.link != nullptr;
    if (!probing) {
      state = BreakerState::kOpen;
    } else if (state == BreakerState::kClosed) {
      state = BreakerState::kHalfOpen;
    }
  }
  peer.breaker.store(state, std::memory_order_relaxed);
}

// --- asking ---

void Transport::Impl::BeginAsk(const std::string& host, int port, const std::shared_ptr<Ask>& ask) {
  if (stopping_.load(std::memory_order_acquire)) {
    return EndAsk(*ask, Status(StatusCode::kAborted, "the transport stops"));
  }
  const int64_t timeout_ms =
      std::min(options_.connect_timeout_ms, ask->deadline_ms - MonotonicMs());
  net::ConnectTcp(loop_, host, port, timeout_ms, [this, ask](const net::ConnectResult& result) {
    if (result.failure != net::ConnectFailure::kNone) return EndAsk(*ask, result.status);
    net::Connection* connection = stopping_.load(std::memory_order_acquire)
                                      ? (::close(result.fd), nullptr)
                                      : net::AdoptDescriptor(loop_, result.fd);
    if (connection == nullptr) {
      return EndAsk(*ask, Status(StatusCode::kNetwork, "the connection cannot be used"));
    }
    Hello hello;
    hello.from = random_.Next() | (uint64_t{1} << 63);  // its id may be a member's, or change
    hello.stream = StreamKind::kService;
    Record record;
    record.link = std::make_unique<Link>(this, options_, connection, hello);
    record.link->SetJoinOnly();
    record.ask = ask;
    const Link* key = record.link.get();
    links_.emplace(key, std::move(record));
  });
}

void Transport::Impl::EndAsk(Ask& ask, Result<std::string> result) {
  if (const auto done = std::exchange(ask.done, nullptr)) done(std::move(result));
}

// --- accepting ---

// Strangers must not keep members out: for a new connection, the oldest goes of those that have shown
// no membership. A member's is through its handshake long before its turn comes.
bool Transport::Impl::EvictOne() {
  Link* oldest = nullptr;
  for (auto& [key, record] : links_) {
    Link& link = *record.link;
    if (link.dialed() || link.evicted() || (link.established() && !link.join_only())) continue;
    if (oldest == nullptr || link.born_ms() < oldest->born_ms()) oldest = &link;
  }
  if (oldest == nullptr) return false;
  oldest->Evict(Status(StatusCode::kBusy, "too many connections: room for a newer one"));
  return true;
}

void Transport::Impl::OnAccept(int fd) {
  if ((accepted_count_ >= options_.incoming_max && !EvictOne()) ||
      stopping_.load(std::memory_order_acquire)) {
    ::close(fd);
    Refused(LinkError::kUnreachable, "raft connection refused: " + std::to_string(accepted_count_) +
                                         " are open, which is the limit");
    return;
  }
  net::Connection* connection = net::AdoptDescriptor(loop_, fd);
  if (connection == nullptr) return;
  Record record;
  record.link = std::make_unique<Link>(this, options_, connection);
  const Link* key = record.link.get();
  links_.emplace(key, std::move(record));
  ++accepted_count_;
}

Status Transport::Impl::OnHello(Link& link, const Hello& hello) {
  const auto refuse = [](const std::string& why) {
    return Status(StatusCode::kInvalidArgument, why);
  };
  const uint64_t cluster_id = this->cluster_id();
  link.Welcomed(cluster_id);
  if (hello.from == options_.self) {
    return refuse("node id " + std::to_string(hello.from) + " is this node's own");
  }
  const bool ask = hello.to == kNoNode && hello.cluster_id == 0;
  if (hello.to != options_.self && !ask) {
    return refuse("this is node " + std::to_string(options_.self) + ", not node " +
                  std::to_string(hello.to));
  }
  if (hello.stream == StreamKind::kService && (cluster_id == 0 || hello.cluster_id == 0)) {
    link.SetJoinOnly();
    return Status::Ok();
  }
  if (cluster_id == 0) return refuse("this node belongs to no cluster yet");
  if (hello.cluster_id != cluster_id) {
    return refuse("wrong cluster: id " + std::to_string(hello.cluster_id) +
                  ", and this node belongs to " + std::to_string(cluster_id));
  }
  if (FindPeer(hello.from) == nullptr) {
    if (hello.from <= last_id_.load(std::memory_order_acquire)) {
      link.SetRemovedPeer();
      return refuse("node " + std::to_string(hello.from) + " was removed from this cluster");
    }
    return refuse("node " + std::to_string(hello.from) +
                  " is a stranger: not a member that this node knows");
  }
  if (Cut(link)) return refuse("cut by an injected fault");
  return Status::Ok();
}

std::array<uint64_t, kLinkErrors> Transport::Impl::refused() const {
  std::array<uint64_t, kLinkErrors> counts{};
  for (size_t i = 0; i < kLinkErrors; ++i) counts[i] = refused_[i].load(std::memory_order_relaxed);
  return counts;
}

void Transport::Impl::Refused(LinkError error, const std::string& line) {
  refused_[static_cast<size_t>(error)].fetch_add(1, std::memory_order_relaxed);
  const int64_t now_ms = MonotonicMs();
  if (now_ms - refusals_since_ms_ >= kRefusalLogMs) {
    if (refusals_hidden_ > 0) {
      KIWI_LOG(kWarn, "raft connections refused without a line of their own count={}",
               refusals_hidden_);
    }
    refusals_since_ms_ = now_ms;
    refusals_shown_ = refusals_hidden_ = 0;
  }
  if (++refusals_shown_ > kRefusalLines) {
    ++refusals_hidden_;
  } else {
    KIWI_LOG(kWarn, "{}", line);
  }
}

// --- up ---

void Transport::Impl::OnEstablished(Link& link) {
  Record& record = RecordOf(link);
  if (link.stream() == StreamKind::kMessages && link.join_only()) {
    return link.Close(LinkError::kHandshake,
                      Status(StatusCode::kInvalidArgument, "the peer is of another cluster"));
  }
  if (link.dialed()) {
    EstablishDialed(record);
  } else {
    EstablishAccepted(record);
  }
}

void Transport::Impl::EstablishDialed(Record& record) {
  Link& link = *record.link;
  if (record.ask != nullptr) {
    auto queue = MakeQueue(StreamKind::kService, /*join_only=*/true);
    const Status status = queue->Push(record.ask->kind, std::move(record.ask->payload), {});
    KIWI_CHECK(status.ok(), "an empty queue refused a question");
    link.SetQueue(std::move(queue));
    return;
  }
  Peer& peer = *record.peer;
  Dial& dial = peer.dial(link.stream());
  dial.failures = 0;
  dial.stands_since_ms = MonotonicMs();
  dial.last_error.clear();
  UpdateBreaker(peer);
  if (std::exchange(dial.stood_before, true)) {
    peer.counters->reconnects.fetch_add(1, std::memory_order_relaxed);
  }
  const bool messages = link.stream() == StreamKind::kMessages;
  if (messages) {
    peer.counters->connected_since_ms.store(dial.stands_since_ms, std::memory_order_relaxed);
  }
  link.SetQueue(MakeQueue(link.stream(), link.join_only()));
  peer.SetQueue(messages ? QueueUse::kMessages : QueueUse::kRequests, link.queue());
  KIWI_LOG(kInfo, "raft link up peer={} address={}:{} stream={}", peer.address.id,
           peer.address.host, peer.address.port, StreamName(link.stream()));
  if (messages) {
    handler_->OnPeerUp(peer.address.id);
  } else {
    handler_->OnServiceUp(peer.address.id);
  }
}

void Transport::Impl::EstablishAccepted(Record& record) {
  Link& link = *record.link;
  const AcceptedKey key{link.peer(), link.stream(), link.join_only()};
  if (const auto old = accepted_.find(key); old != accepted_.end()) {
    old->second->Close(LinkError::kReset,
                       Status(StatusCode::kNetwork, "replaced by a newer connection"));
  }
  accepted_[key] = &link;
  if (!link.join_only()) {
    record.peer = FindPeer(link.peer());
    if (record.peer == nullptr) {  // it left between its hello and now
      return link.Close(LinkError::kReset, Status(StatusCode::kAborted, "the peer left"));
    }
    link.SetCounters(record.peer->counters);
    // Who dials is there: no need to wait before dialling it.
    for (Dial& dial : record.peer->dials) dial.next_ms = 0;
  }
  if (link.stream() != StreamKind::kService) return;
  link.SetQueue(MakeQueue(StreamKind::kService, link.join_only()));
  if (record.peer != nullptr) {
    record.peer->SetQueue(QueueUse::kReplies, link.queue());
  } else {
    MutexLock lock(mu_);
    join_replies_[link.peer()] = link.queue();
  }
}

// --- down ---

void Transport::Impl::OnLinkDown(Link& link, LinkError error, const Status& reason) {
  Record& record = RecordOf(link);
  held_count_ -= record.held.size();
  record.held.Clear();
  Count(record.peer, error);
  if (link.dialed()) {
    DownDialed(record, error, reason);
  } else {
    DownAccepted(record, error, reason);
  }
}

void Transport::Impl::DownDialed(Record& record, LinkError error, const Status& reason) {
  Link& link = *record.link;
  if (record.ask != nullptr) return EndAsk(*record.ask, reason);
  Peer& peer = *record.peer;
  peer.dial(link.stream()).link = nullptr;
  if (link.told_removed()) handler_->OnToldRemoved(peer.address.id);
  if (!link.was_established()) return DialFailed(peer, link.stream(), error, reason);
  DialBroke(peer, link.stream(), error, reason);
  if (link.stream() == StreamKind::kMessages) {
    peer.DropQueue(QueueUse::kMessages, link.queue());
    handler_->OnUnreachable(peer.address.id);
  } else {
    peer.DropQueue(QueueUse::kRequests, link.queue());
    handler_->OnServiceDown(peer.address.id, ServiceEnd::kOurs);
  }
}

void Transport::Impl::DownAccepted(Record& record, LinkError error, const Status& reason) {
  Link& link = *record.link;
  if (!link.was_established()) {
    Refused(error, "raft connection refused from=" + link.address() + " node=" +
                       std::to_string(link.peer()) + " error=" + std::string(LinkErrorName(error)) +
                       " reason=\"" + std::string(reason.message()) + "\"");
    return;
  }
  const AcceptedKey key{link.peer(), link.stream(), link.join_only()};
  if (const auto it = accepted_.find(key); it != accepted_.end() && it->second == &link) {
    accepted_.erase(it);
  }
  if (error == LinkError::kCorrupt) {
    KIWI_LOG(kError, "raft link damaged peer={} address={} stream={} reason=\"{}\"", link.peer(),
             link.address(), StreamName(link.stream()), reason.message());
  }
  if (link.stream() != StreamKind::kService) return;
  if (link.join_only()) {
    MutexLock lock(mu_);
    const auto it = join_replies_.find(link.peer());
    if (it != join_replies_.end() && it->second == link.queue()) join_replies_.erase(it);
  } else if (record.peer != nullptr) {
    record.peer->DropQueue(QueueUse::kReplies, link.queue());
    handler_->OnServiceDown(link.peer(), ServiceEnd::kTheirs);
  }
}

void Transport::Impl::OnLinkGone(Link& link) {
  if (!link.dialed()) --accepted_count_;
  links_.erase(&link);
}

}  // namespace kiwi::raft
