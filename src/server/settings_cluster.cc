#include "server/settings_cluster.h"

#include <algorithm>
#include <string>

#include "base/hash.h"
#include "base/log.h"
#include "base/numbers.h"
#include "base/random.h"
#include "server/identity.h"

namespace kiwi::server {
namespace {

using config::Config;
using raft::PeerAddress;

Status Refuse(std::string what) {
  return {StatusCode::kConfig, "raft.initial-members: " + std::move(what)};
}

Result<PeerAddress> ParseMember(std::string_view text) {
  const size_t at = text.find('@');
  const size_t colon = text.rfind(':');
  int64_t id = 0;
  int64_t port = 0;
  if (at == std::string_view::npos || colon == std::string_view::npos || colon <= at + 1 ||
      !ParseInt64(text.substr(0, at), &id) || !ParseInt64(text.substr(colon + 1), &port) ||
      id < 1 || port < 1 || port > 65535) {
    return Refuse("\"" + std::string(text) + "\" is not id@host:port");
  }
  std::string_view host = text.substr(at + 1, colon - at - 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  return PeerAddress{static_cast<raft::NodeId>(id), std::string(host), static_cast<int>(port)};
}

bool IsWildcard(std::string_view address) {
  return address == "*" || address == "::*" || address == "0.0.0.0" || address == "::";
}

// An address that listens on all is none that one can be reached by.
std::string AnnouncedHost(const Config& config, const std::vector<PeerAddress>& members) {
  const std::string announced = config.Get<"raft.announce-host">();
  if (!announced.empty()) return announced;
  const std::string bind = config.Get<"raft.bind">();
  if (!IsWildcard(bind)) return bind;
  for (const PeerAddress& member : members) {
    if (static_cast<int64_t>(member.id) == config.Get<"raft.node-id">()) return member.host;
  }
  return {};
}

raft::Member Self(const Config& config, const std::vector<PeerAddress>& members) {
  const std::string host = AnnouncedHost(config, members);
  const auto announced_port = static_cast<int>(config.Get<"raft.announce-port">());
  return {
      .id = static_cast<raft::NodeId>(config.Get<"raft.node-id">()),
      .raft_host = host,
      .raft_port = static_cast<int>(config.Get<"raft.port">()),
      .client_host = host,
      .client_port = announced_port != 0 ? announced_port : static_cast<int>(config.Get<"port">())};
}

Status CheckMembers(const std::vector<PeerAddress>& members, const raft::Member& self) {
  if (members.size() == 2) {
    return Refuse("two members lose service with either one; one or at least three");
  }
  for (size_t i = 0; i < members.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (members[i].id == members[j].id) {
        return Refuse("node " + std::to_string(members[i].id) + " is named twice");
      }
      if (members[i].host == members[j].host && members[i].port == members[j].port) {
        return Refuse("nodes " + std::to_string(members[j].id) + " and " +
                      std::to_string(members[i].id) + " have one address");
      }
    }
  }
  const bool named = std::any_of(members.begin(), members.end(),
                                 [&self](const PeerAddress& m) { return m.id == self.id; });
  if (!named) return Refuse("this node, raft.node-id " + std::to_string(self.id) + ", is missing");
  if (self.raft_port == 0) return Refuse("needs raft.port, where the others reach this node");
  return {};
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

Result<std::vector<PeerAddress>> ParseMembers(std::string_view text) {
  std::vector<PeerAddress> members;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    KIWI_ASSIGN_OR_RETURN(PeerAddress member, ParseMember(text.substr(0, comma)));
    members.push_back(std::move(member));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return members;
}

Status SetUpCluster(const Config& config, ServerOptions* options) {
  KIWI_ASSIGN_OR_RETURN(const std::vector<PeerAddress> members,
                        ParseMembers(config.Get<"raft.initial-members">()));
  raft::Member self = Self(config, members);
  if (self.client_host.empty()) {
    return {StatusCode::kConfig,
            "raft.bind is a wildcard: set raft.announce-host to the address that other nodes and "
            "clients reach this node by"};
  }
  KIWI_ASSIGN_OR_RETURN(const std::optional<Identity> joined, ReadIdentity(options->engine.dir));
  if (joined) {
    if (joined->node_id != self.id) {
      KIWI_LOG(kInfo, "this node has joined a group: its id there counts id={} raft.node-id={}",
               joined->node_id, self.id);
    }
    if (self.raft_port == 0) {
      return {StatusCode::kConfig,
              "this node has joined a group and needs raft.port, where the others reach it"};
    }
    self.id = joined->node_id;
    options->engine.node.core.id = self.id;
    options->engine.bootstrap = {.voters = {}, .membership = joined->membership};
  } else {
    if (!members.empty()) KIWI_RETURN_IF_ERROR(CheckMembers(members, self));
    options->engine.bootstrap = BootstrapOf(config, members, self);
  }
  options->client_address = {.host = self.client_host, .port = self.client_port};
  options->cluster_enabled = config.Get<"cluster-enabled">();
  if (self.raft_port == 0) return {};
  ClusterOptions cluster;
  cluster.self = self;
  cluster.transport.self = self.id;
  cluster.transport.bind = config.Get<"raft.bind">();
  cluster.transport.port = self.raft_port;
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
  config->OnChange({"raft.snapshot-bytes-per-second"}, [server](const Config& c) {
    if (Cluster* cluster = server->cluster(); cluster != nullptr) {
      cluster->mover().SetRate(static_cast<uint64_t>(c.Get<"raft.snapshot-bytes-per-second">()));
    }
    return Status::Ok();
  });
}

}  // namespace kiwi::server
