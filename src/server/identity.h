// Who this node is in the group that it has joined (RAFT.CLUSTER JOIN): a small file in the data
// directory, docs/formats.md "Identity". A node that began its group has none: its configuration
// says who it is.
#pragma once

#include <optional>
#include <string>

#include "base/status.h"
#include "raft/node/members.h"

namespace kiwi::server {

struct Identity {
  raft::NodeId node_id = raft::kNoNode;
  // What the log and the states hold belongs to an earlier life, and is removed at the next start.
  bool wipe = false;
  raft::Membership membership;  // at the time of joining
  bool operator==(const Identity&) const = default;
};

inline constexpr char kIdentityFileName[] = "identity";

std::string EncodeIdentity(const Identity& identity);
Result<Identity> DecodeIdentity(std::string_view bytes);

// Nothing: there is no such file. kCorruption names it.
Result<std::optional<Identity>> ReadIdentity(const std::string& dir);
// A crash leaves the old file or the new one; durable at return.
Status WriteIdentity(const std::string& dir, const Identity& identity);
// If the identity there says so, removes what is in log_path and every state of dir, then clears the
// mark. Under the directory's lock. May be cut short anywhere and be done again.
Status WipeIfMarked(const std::string& dir, const std::string& log_path);

}  // namespace kiwi::server
