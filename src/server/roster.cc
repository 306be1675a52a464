#include "server/roster.h"

#include <algorithm>

#include "base/hash.h"
#include "base/log.h"
#include "commands/cluster.h"
#include "server/executor.h"
#include "server/internal_write.h"

namespace kiwi::server {
namespace {

constexpr int64_t kAnnounceAgainNs = 1'000'000'000;  // after one that failed, or has had no effect
// Links carry a sign of life at least each half second.
constexpr int64_t kFailedAfterMs = 2'000;

// 40 hexadecimal digits, as Redis writes ids: the same for the same words, on every node.
std::string HexId(uint64_t cluster_id, std::string_view what) {
  const std::string words = std::to_string(cluster_id) + "/" + std::string(what);
  constexpr std::string_view kHex = "0123456789abcdef";
  constexpr size_t kDigits = 40;
  std::string id;
  for (uint64_t seed = 1; id.size() < kDigits; ++seed) {
    uint64_t bits = Hash64(words, seed);
    for (int i = 0; i < 16 && id.size() < kDigits; ++i, bits >>= 4) id += kHex[bits & 15];
  }
  return id;
}

}  // namespace

Roster::Roster(raft::Node* node, ClientAddress own, bool cluster_enabled, Clock* clock)
    : node_(node),
      own_(std::move(own)),
      cluster_enabled_(cluster_enabled),
      clock_(clock),
      announcing_(std::make_shared<std::atomic<bool>>(false)) {}

void Roster::Maintain(bool announce) {
  const raft::NodeId leader = node_->leader();
  if (leader == raft::kNoNode) return;
  last_leader_.store(leader, std::memory_order_relaxed);
  if (announce) Announce();
}

void Roster::Announce() {
  if (own_.port == 0 || announcing_->load() || node_->storage_failed()) return;
  const std::optional<raft::Member> self = node_->FindMember(node_->id());
  if (!self || (self->client_host == own_.host && self->client_port == own_.port)) return;
  const int64_t now_ns = clock_->MonotonicNs();
  if (announced_ns_ != 0 && now_ns - announced_ns_ < kAnnounceAgainNs) return;
  announced_ns_ = now_ns;
  announcing_->store(true);
  InternalWrite::Propose(
      *node_, runtime::Priority::kHigh, 0,
      commands::MakeMemberCommand({.node = node_->id(), .host = own_.host, .port = own_.port}),
      [announcing = announcing_](const std::string& reply) {
        if (reply.starts_with('-')) {
          KIWI_LOG(kWarn, "client address not announced yet error=\"{}\"",
                   reply.substr(1, reply.find('\r') - 1));
        }
        announcing->store(false);
      });
  node_->Kick(Executor::CurrentLoop() != nullptr);
}

commands::ClusterState Roster::Describe(const raft::Transport* transport) const {
  const raft::NodeStatus status = node_->GetStatus();
  commands::ClusterState cluster;
  cluster.enabled = cluster_enabled_;
  cluster.ok = status.leader != raft::kNoNode;
  cluster.own = status.id;
  cluster.term = status.term;
  cluster.replication_id = HexId(status.membership.cluster_id, "replication");
  const raft::NodeId leader = cluster.ok ? status.leader : last_leader_.load();

  raft::Membership membership = status.membership;
  if (membership.Find(status.id) == nullptr) membership.Put({.id = status.id});
  for (const raft::Member& member : membership.members) {
    commands::ClusterNode node;
    const bool self = member.id == status.id;
    node.node = member.id;
    node.id = HexId(status.membership.cluster_id, std::to_string(member.id));
    node.host = self ? own_.host : member.client_host;
    node.port = self ? own_.port : member.client_port;
    node.bus_port = member.raft_port;
    node.leader = member.id == leader;
    node.linked = self;
    if (self) {
      node.offset = status.last_index;
    } else if (node.leader) {
      node.offset = status.commit_index;  // at least
    }
    cluster.nodes.push_back(std::move(node));
  }

  const auto find = [&cluster](raft::NodeId id) {
    return std::find_if(cluster.nodes.begin(), cluster.nodes.end(),
                        [id](const commands::ClusterNode& n) { return n.node == id; });
  };
  if (transport != nullptr) {
    const int64_t now_ms = SystemClock().MonotonicNs() / 1'000'000;  // as the transport's
    for (const raft::PeerLinkStats& link : transport->stats()) {
      cluster.messages_sent += link.messages_sent;
      cluster.messages_received += link.messages_received;
      const auto node = find(link.id);
      if (node == cluster.nodes.end()) continue;
      const int64_t silent_ms = link.last_contact_ms < 0 ? -1 : now_ms - link.last_contact_ms;
      node->linked = link.connected;
      node->failed = silent_ms < 0 || silent_ms > kFailedAfterMs;
      node->heard_ms = silent_ms < 0 ? 0 : clock_->WallMs() - silent_ms;
      node->lag_s = std::max<int64_t>(silent_ms, 0) / 1000;
      node->linked_since_ms = clock_->WallMs() - (now_ms - link.connected_since_ms);
      node->bytes_queued = link.bytes_queued;
    }
  }
  for (const auto& peer : status.peers) {
    const auto node = find(peer.id);
    if (node == cluster.nodes.end() || peer.id == status.id) continue;
    node->offset = peer.match;
    node->loading = peer.state == "snapshot" || (peer.learner && peer.match == 0);
    // The leader asks for a majority's answers anyway: it knows sooner than the link does.
    node->failed = node->failed || !peer.recently_active;
  }
  // No other node can be: the leader is who it was, and is gone.
  if (const auto node = find(leader); !cluster.ok && node != cluster.nodes.end()) {
    node->failed = node->node != status.id;
  }
  return cluster;
}

}  // namespace kiwi::server
