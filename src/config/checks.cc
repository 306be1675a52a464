#include "config/checks.h"

#include <spdlog/fmt/fmt.h>

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

}  // namespace

std::optional<Conflict> FindConflict(std::span<const Value> values) {
  for (const Order& order : kOrders) {
    const Value& smaller = values[IndexOf(order.smaller)];
    const Value& larger = values[IndexOf(order.larger)];
    if (order.strictly ? smaller.number < larger.number : smaller.number <= larger.number) continue;
    return Conflict{IndexOf(order.smaller),
                    fmt::format("must be {} {}, which is {}", order.strictly ? "below" : "at most",
                                order.larger, larger.text)};
  }
  constexpr size_t kHeartbeat = IndexOf("raft.heartbeat-ms");
  constexpr size_t kElection = IndexOf("raft.election-timeout-min-ms");
  if (values[kElection].number < 2 * values[kHeartbeat].number) {
    return Conflict{kElection, fmt::format("must be at least two heartbeats (raft.heartbeat-ms {})",
                                           values[kHeartbeat].text)};
  }
  constexpr size_t kPort = IndexOf("port");
  if (values[kPort].number == 0 && values[IndexOf("unixsocket")].text.empty()) {
    return Conflict{kPort, "0 needs a unixsocket, or no client could connect"};
  }
  if (values[kPort].number != 0 && values[IndexOf("bind")].words.empty()) {
    return Conflict{IndexOf("bind"), "names no address to listen on; port 0 turns TCP off"};
  }
  constexpr size_t kFileLayer = IndexOf("fault.file-layer");
  if (values[kFileLayer].number != 0 && values[IndexOf("fault.enabled")].number == 0) {
    return Conflict{kFileLayer, "needs fault.enabled yes"};
  }
  if (std::string reason = FindUnfitUser(values[kUserPriorities].words); !reason.empty()) {
    return Conflict{kUserPriorities, std::move(reason)};
  }
  constexpr size_t kBootId = IndexOf("fault.boot-id");
  if (!values[kBootId].text.empty() && values[IndexOf("fault.enabled")].number == 0) {
    return Conflict{kBootId, "needs fault.enabled yes"};
  }
  constexpr size_t kReplicaOf = IndexOf("replicaof");
  if (!values[kReplicaOf].words.empty()) {
    return Conflict{kReplicaOf, "Kiwi replicates by Raft, never as the replica of a Redis server"};
  }
  return std::nullopt;
}

}  // namespace kiwi::config
