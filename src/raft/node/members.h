// Who belongs to the cluster, and where they are to be reached. Replicated: changed by applying
// membership changes, kept with each checkpoint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "raft/core/types.h"

namespace kiwi::raft {

struct Member {
  NodeId id = kNoNode;
  std::string raft_host;    // as other nodes reach it
  int raft_port = 0;        // 0: it listens for no peers (a group of one)
  std::string client_host;  // as clients are told, in redirections and CLUSTER SLOTS
  int client_port = 0;
  bool operator==(const Member&) const = default;
};

struct Membership {
  uint64_t cluster_id = 0;
  NodeId last_id = kNoNode;     // the greatest ever given: a removed id is not used again
  std::vector<Member> members;  // ascending by id

  const Member* Find(NodeId id) const;
  void Put(const Member& member);
  void Remove(NodeId id);
  bool operator==(const Membership&) const = default;
};

// Versioned; decoders trust no length. The second kind travels as ConfChange::context.
void EncodeMembership(const Membership& membership, std::string* out);
Result<Membership> DecodeMembership(std::string_view* in);
std::string EncodeMember(const Member& member);
Result<Member> DecodeMember(std::string_view in);

}  // namespace kiwi::raft
