#include "server/settings_cluster.h"

#include <algorithm>
#include <string>

#include "base/hash.h"
#include "base/log.h"
#include "base/random.h"
#include "config/members.h"
#include "server/identity.h"

namespace kiwi::server {
namespace {

using config::Config;
using raft::PeerAddress;

// As the configuration's check has found them in order.
Result<std::vector<PeerAddress>> MembersOf(const Config& config) {
  KIWI_ASSIGN_OR_RETURN(const std::vector<config::MemberAddress> named,
                        config::ParseMembers(config.Get<"raft.initial-members">()));
  std::vector<PeerAddress> members;
  members.reserve(named.size());
  for (const config::MemberAddress& member : named) {
    members.push_back({.id = member.id, .host = member.host, .port = member.port});
  }
  return members;
}

// An address that listens on all is none that one can be reached by.
std::string AnnouncedHost(const Config& config, const std::vector<PeerAddress>& members) {
  const std::string announced = config.Get<"raft.announce-host">();
  if (!announced.empty()) return announced;
  const std::string bind = config.Get<"raft.bind">();
  if (!config::IsWildcardAddress(bind)) return bind;
  for (const PeerAddress& member : members) {
    if (static_cast<int64_t>(member.id) == config.Get<"raft.node-id">()) return member.host;
  }
  return {};
}

raft::Member Self(const Config& config, const std::vector<PeerAddress>& members) {
  const std::string host = AnnouncedHost(config, members);
  const auto announced_port = static_cast<int>(config.Get<"raft.announce-port">());
  const auto announced_raft_port = static_cast<int>(config.Get<"raft.announce-raft-port">());
  const auto raft_port = static_cast<int>(config.Get<"raft.port">());
  return {
      .id = static_cast<raft::NodeId>(config.Get<"raft.node-id">()),
      .raft_host = host,
      .raft_port = raft_port != 0 && announced_raft_port != 0 ? announced_raft_port : raft_port,
      .client_host = host,
      .client_port = announced_port != 0 ? announced_port : static_cast<int>(config.Get<"port">())};
}

Bootstrap BootstrapOf(const Config& config, std::vector<PeerAddress> members,
                      const raft::Member& self) {
  std::sort(members.begin(), members.end(),
            [](const PeerAddress& a, const PeerAddress& b) { return a.id < b.id; });
  Bootstrap bootstrap;
  if (members.empty()) {
    bootstrap.voters = {self.id};
    bootstrap.membership.cluster_id = EntropySeed() | 1;
    bootstrap.membership.Put(self);
    return bootstrap;
  }
  // All of them draw the same from what they share, before they have spoken.
  std::string shared = config.Get<"raft.cluster-name">();
  bootstrap.voters.clear();
  for (const PeerAddress& member : members) {
    shared += "," + std::to_string(member.id);
    bootstrap.voters.push_back(member.id);
    // Where its clients reach it, each node tells by itself (server/roster.h).
    const bool own = member.id == self.id;
    bootstrap.membership.Put({.id = member.id,
                              .raft_host = own ? self.raft_host : member.host,
                              .raft_port = own ? self.raft_port : member.port});
  }
  bootstrap.membership.cluster_id = Hash64(shared, 1) | 1;
  bootstrap.hash_seed = Hash64(shared, 2) | 1;
  return bootstrap;
}

commands::ReadConsistency DefaultConsistency(const Config& config) {
  const std::string level = config.Get<"raft.read-consistency">();
  commands::ReadConsistency reads;
  if (level == "any") reads.level = commands::ReadLevel::kAny;
  if (level == "bounded") {
    reads.level = commands::ReadLevel::kBounded;
    reads.max_staleness_ms = static_cast<uint32_t>(config.Get<"raft.read-max-staleness-ms">());
  }
  return reads;
}

}  // namespace

Status SetUpCluster(const Config& config, ServerOptions* options) {
  KIWI_ASSIGN_OR_RETURN(const std::vector<PeerAddress> members, MembersOf(config));
  raft::Member self = Self(config, members);
  KIWI_ASSIGN_OR_RETURN(const std::optional<Identity> joined, ReadIdentity(options->engine.dir));
  if (joined) {
    if (joined->node_id != self.id) {
      KIWI_LOG(kInfo, "this node has joined a group: its id there counts id={} raft.node-id={}",
               joined->node_id, self.id);
    }
    if (self.raft_port == 0) {
      return {StatusCode::kConfig,
              config.Where("raft.port") +
                  ": this node has joined a group, and the others reach it there; allowed: 1 to "
                  "65535"};
    }
    self.id = joined->node_id;
    options->engine.node.core.id = self.id;
    options->engine.bootstrap = {.voters = {}, .membership = joined->membership};
  } else {
    options->engine.bootstrap = BootstrapOf(config, members, self);
  }
  options->client_address = {.host = self.client_host, .port = self.client_port};
  options->cluster_enabled = config.Get<"cluster-enabled">();
  if (self.raft_port == 0) return {};
  ClusterOptions cluster;
  cluster.self = self;
  cluster.transport.self = self.id;
  cluster.transport.bind = config.Get<"raft.bind">();
  cluster.transport.port = static_cast<int>(config.Get<"raft.port">());
  cluster.voters_max = static_cast<size_t>(config.Get<"raft.replication-factor">());
  cluster.accept_invitations = config.Get<"raft.accept-invitations">();
  cluster.mover.self = self.id;
  cluster.mover.bytes_per_second =
      static_cast<uint64_t>(config.Get<"raft.snapshot-bytes-per-second">());
  cluster.addresses = members;
  options->cluster = std::move(cluster);
  return {};
}

void BindCluster(Config* config, Server* server) {
  const auto read_mode = [server](const Config& c) {
    server->engine().node().SetReadMode(
        c.Get<"raft.read-mode">() == "lease" ? raft::ReadMode::kLease : raft::ReadMode::kReadIndex);
    return Status::Ok();
  };
  (void)read_mode(*config);
  config->OnChange({"raft.read-mode"}, read_mode);
  const auto consistency = [server](const Config& c) {
    server->SetDefaultConsistency(DefaultConsistency(c));
    return Status::Ok();
  };
  (void)consistency(*config);
  config->OnChange({"raft.read-consistency", "raft.read-max-staleness-ms"}, consistency);
  config->OnChange({"raft.accept-invitations"}, [server](const Config& c) {
    if (Cluster* cluster = server->cluster(); cluster != nullptr) {
      cluster->SetAcceptInvitations(c.Get<"raft.accept-invitations">());
    }
    return Status::Ok();
  });
  config->OnChange({"raft.snapshot-bytes-per-second"}, [server](const Config& c) {
    if (Cluster* cluster = server->cluster(); cluster != nullptr) {
      cluster->mover().SetRate(static_cast<uint64_t>(c.Get<"raft.snapshot-bytes-per-second">()));
    }
    return Status::Ok();
  });
}

}  // namespace kiwi::server
