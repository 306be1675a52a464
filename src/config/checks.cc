#include "config/checks.h"

#include <spdlog/fmt/fmt.h>

#include "config/members.h"
#include "config/option_table.h"

namespace kiwi::config {
namespace {

// `smaller` may not be above `larger` (or, strictly, not equal to it either).
struct Order {
  std::string_view smaller;
  std::string_view larger;
  bool strictly = false;
};
constexpr Order kOrders[] = {
    {"runtime.network-threads-min", "runtime.network-threads-max"},
    {"runtime.storage-threads-min", "runtime.storage-threads-max"},
    {"runtime.scaling.network-queue-low", "runtime.scaling.network-queue-high", true},
    {"runtime.scaling.network-delay-low-us", "runtime.scaling.network-delay-high-us", true},
    {"runtime.scaling.storage-queue-low", "runtime.scaling.storage-queue-high", true},
    {"runtime.scaling.storage-response-low-us", "runtime.scaling.storage-response-high-us", true},
    {"raft.snapshot-bytes", "raft.log-max-bytes"},
    {"raft.max-entry-bytes", "raft.log-max-bytes"},
};

constexpr bool OrdersAreOptions() {
  for (const Order& order : kOrders) {
    if (IndexOf(order.smaller) == kOptionCount || IndexOf(order.larger) == kOptionCount) {
      return false;
    }
  }
  return true;
}
static_assert(OrdersAreOptions());

constexpr size_t kUserPriorities = IndexOf("runtime.priority.user-priorities");

// Why these are no pairs of a user and a level; empty if they are.
std::string FindUnfitUser(const std::vector<std::string>& words) {
  if (words.size() % 2 != 0) return "takes pairs: the name of a user and its level";
  for (size_t i = 0; i < words.size(); i += 2) {
    const std::string& level = words[i + 1];
    if (words[i] != "default") return fmt::format("there is no user {}", words[i]);
    if (level != "high" && level != "normal" && level != "low") {
      return fmt::format("the level {} is none of high, normal, low", level);
    }
  }
  return {};
}

constexpr size_t kNodeId = IndexOf("raft.node-id");
constexpr size_t kRaftBind = IndexOf("raft.bind");
constexpr size_t kRaftPort = IndexOf("raft.port");
constexpr size_t kInitialMembers = IndexOf("raft.initial-members");
constexpr size_t kAnnounceHost = IndexOf("raft.announce-host");
constexpr size_t kReplicationFactor = IndexOf("raft.replication-factor");
constexpr std::string_view kHostAllowed = "a numeric IPv4 or IPv6 address, or a host's name";

std::optional<Conflict> FindMemberConflict(std::span<const Value> values) {
  const auto refuse = [](std::string why) {
    return Conflict{kInitialMembers, std::move(why), std::string(kMembersAllowed)};
  };
  const auto members = ParseMembers(values[kInitialMembers].text);
  if (!members.ok()) return refuse(std::string(members.status().message()));
  std::string unfit = FindUnfitMembers(*members, static_cast<uint64_t>(values[kNodeId].number));
  if (!unfit.empty()) return refuse(std::move(unfit));
  const int64_t factor = values[kReplicationFactor].number;
  if (factor == 2) {
    return Conflict{kReplicationFactor,
                    "two votes are no better than one: without either there is no majority",
                    "0, 1 or at least 3"};
  }
  if (factor != 0 && members->size() > static_cast<size_t>(factor)) {
    return Conflict{
        kReplicationFactor,
        fmt::format("raft.initial-members names {} nodes, all of which vote", members->size()),
        fmt::format("0 (every node votes), or at least {}", members->size()), kInitialMembers};
  }
  if (!members->empty() && values[kRaftPort].number == 0) {
    return Conflict{kRaftPort, "raft.initial-members needs it: there the others reach this node",
                    "1 to 65535", kInitialMembers};
  }
  return std::nullopt;
}

// Whether clients and nodes would be listened to at one and the same place.
bool PortsCollide(std::span<const Value> values) {
  const Value& clients = values[IndexOf("port")];
  const std::string& raft = values[kRaftBind].text;
  if (clients.number == 0 || clients.number != values[kRaftPort].number) return false;
  for (std::string_view address : values[IndexOf("bind")].words) {
    if (address.starts_with('-')) address.remove_prefix(1);
    if (address == raft || IsWildcardAddress(address)) return true;
  }
  return IsWildcardAddress(raft);
}

// Ids, addresses and numbers of the group's nodes.
std::optional<Conflict> FindGroupConflict(std::span<const Value> values) {
  const std::string& bind = values[kRaftBind].text;
  if (!IsNumericAddress(bind) && !IsWildcardAddress(bind)) {
    return Conflict{kRaftBind, "is no address of this machine",
                    "a numeric IPv4 or IPv6 address; * or ::* for every one"};
  }
  if (PortsCollide(values)) {
    return Conflict{kRaftPort, "clients connect to this port at the same address",
                    "another port than that of [network] port"};
  }
  const std::string& announced = values[kAnnounceHost].text;
  if (!announced.empty() && (IsWildcardAddress(announced) || !IsHost(announced))) {
    return Conflict{kAnnounceHost, "is nothing that this node could be reached by",
                    std::string(kHostAllowed)};
  }
  if (auto conflict = FindMemberConflict(values)) return conflict;
  if (announced.empty() && IsWildcardAddress(bind) && values[kInitialMembers].text.empty()) {
    return Conflict{kAnnounceHost,
                    "raft.bind is every address: which one do clients and other nodes use?",
                    std::string(kHostAllowed), kRaftBind};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Conflict> FindConflict(std::span<const Value> values) {
  for (const Order& order : kOrders) {
    const Value& smaller = values[IndexOf(order.smaller)];
    const Value& larger = values[IndexOf(order.larger)];
    if (order.strictly ? smaller.number < larger.number : smaller.number <= larger.number) continue;
    return Conflict{IndexOf(order.smaller),
                    fmt::format("must be {} {}, which is {}", order.strictly ? "below" : "at most",
                                order.larger, larger.text),
                    {},
                    IndexOf(order.larger)};
  }
  constexpr size_t kHeartbeat = IndexOf("raft.heartbeat-ms");
  constexpr size_t kElection = IndexOf("raft.election-timeout-min-ms");
  if (values[kElection].number < 2 * values[kHeartbeat].number) {
    return Conflict{kElection,
                    fmt::format("must be at least two heartbeats (raft.heartbeat-ms {})",
                                values[kHeartbeat].text),
                    fmt::format("at least {}", 2 * values[kHeartbeat].number), kHeartbeat};
  }
  if (auto conflict = FindGroupConflict(values)) return conflict;
  constexpr size_t kPort = IndexOf("port");
  if (values[kPort].number == 0 && values[IndexOf("unixsocket")].text.empty()) {
    return Conflict{kPort, "0 needs a unixsocket, or no client could connect"};
  }
  if (values[kPort].number != 0 && values[IndexOf("bind")].words.empty()) {
    return Conflict{IndexOf("bind"), "names no address to listen on; port 0 turns TCP off"};
  }
  if (std::string reason = FindUnfitUser(values[kUserPriorities].words); !reason.empty()) {
    return Conflict{kUserPriorities, std::move(reason)};
  }
  constexpr size_t kBootId = IndexOf("fault.boot-id");
  if (!values[kBootId].text.empty() && values[IndexOf("fault.enabled")].number == 0) {
    return Conflict{kBootId, "needs fault.enabled yes"};
  }
  constexpr size_t kFileLayer = IndexOf("fault.file-layer");
  if (values[kFileLayer].text == "yes" && values[IndexOf("fault.enabled")].number == 0) {
    return Conflict{kFileLayer, "needs fault.enabled yes", "auto or no"};
  }
  constexpr size_t kReplicaOf = IndexOf("replicaof");
  if (!values[kReplicaOf].words.empty()) {
    return Conflict{kReplicaOf, "Kiwi replicates by Raft, never as the replica of a Redis server"};
  }
  return std::nullopt;
}

}  // namespace kiwi::config
