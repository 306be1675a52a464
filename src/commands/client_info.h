// What CLIENT LIST tells about a connection, and how CLIENT KILL and LIST choose some of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::commands {

// The types that clients can ask for. A server of Kiwi's talks to its peers over links of their
// own, so that no connection is a master or a replica; asking for those types finds nothing.
enum class ClientType : uint8_t { kNormal, kPubsub, kMaster, kReplica };

enum class ClientPriority : uint8_t { kHigh, kNormal, kLow };

// "high", "normal", "low".
std::string_view ClientPriorityName(ClientPriority priority);

// What reads of a connection must see of what was acknowledged before them (docs/decisions/017): all
// of it; all but the newest; nothing in particular.
enum class ReadLevel : uint8_t { kLinearizable, kBounded, kAny };

struct ReadConsistency {
  ReadLevel level = ReadLevel::kLinearizable;
  uint32_t max_staleness_ms = 0;  // of kBounded
};
inline constexpr uint32_t kMaxStalenessMs = 86'400'000;

// As CLIENT CONSISTENCY takes it: "linearizable", "bounded 500", "any".
std::string ReadConsistencyText(const ReadConsistency& consistency);

inline constexpr std::string_view kInvalidClientName =
    "ERR Client names cannot contain spaces, newlines or special characters.";
// Printable ASCII without spaces: it must not break the lines of CLIENT LIST. Empty is fine.
bool ValidClientName(std::string_view name);

// One connection at one moment. https://redis.io/commands/client-list
struct ClientInfo {
  uint64_t id = 0;
  std::string address;  // "127.0.0.1:50312", "/path:0" for a unix socket
  std::string local_address;
  int fd = -1;
  std::string name;
  std::string library_name;
  std::string library_version;
  std::string user = "default";
  int64_t age_s = 0;
  int64_t idle_s = 0;
  ClientType type = ClientType::kNormal;
  ClientPriority priority = ClientPriority::kNormal;
  int db = 0;
  int resp_version = 2;
  int subscriptions = 0;
  int pattern_subscriptions = 0;
  int shard_subscriptions = 0;
  int queued_commands = -1;  // of MULTI; -1 outside of one
  size_t watched_keys = 0;
  size_t query_bytes = 0;  // received and not yet executed, the executing batch included
  size_t query_free_bytes = 0;
  size_t argument_bytes = 0;  // of the executing command
  size_t queued_bytes = 0;    // of MULTI
  size_t reply_buffer_bytes = 0;
  size_t reply_buffer_peak = 0;
  size_t unsent_replies = 0;  // blocks of output behind the reply buffer
  size_t unsent_bytes = 0;
  size_t memory_bytes = 0;   // all of the above and the connection itself
  std::string last_command;  // full name, "client|list"; empty before the first: shown as NULL
  bool close_after_reply = false;
  bool close_soon = false;
  bool transaction_dirty = false;  // EXEC will fail: a watched key has changed
  bool unix_socket = false;
  bool no_evict = false;
  bool blocked = false;
};

// One line of CLIENT LIST, without its line end.
std::string FormatClientInfo(const ClientInfo& client);

// All conditions that are set must hold.
struct ClientFilter {
  std::vector<uint64_t> ids;  // empty: any
  std::optional<ClientType> type;
  std::string address;        // empty: any
  std::string local_address;  // empty: any
  std::string user;           // empty: any
  uint64_t except_id = 0;     // 0: none

  bool Matches(const ClientInfo& client) const;
};

}  // namespace kiwi::commands
