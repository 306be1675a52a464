// What a node that wants to join says, and what it is told (docs/formats.md, "Joining").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "raft/node/members.h"

namespace kiwi::server {

enum class JoinVerdict : uint8_t {
  kAccepted,  // it is a learner: id and membership
  kRedirect,  // ask the leader: host and port
  kLater,     // no leader now, or another change is under way
  kRefused,   // for good
};

struct JoinAnswer {
  JoinVerdict verdict = JoinVerdict::kRefused;
  raft::NodeId id = raft::kNoNode;
  raft::Membership membership;
  std::string host;
  int port = 0;
  std::string reason;  // of kLater and kRefused
};

// From the leader to a node that was added and does not know it (RAFT.NODE ADD): it may ask to join.
struct Invitation {
  std::string host;  // of the leader
  int port = 0;
  raft::Member as;  // the id it was added under, and the raft address
};

inline constexpr size_t kMembersMax = 1000;  // of a group

// Whether a node could be a member under that id and reached there: kInvalidArgument. What strangers
// send is judged by it, and what operators say; all others believe it.
Status CheckMember(const raft::Member& member);

// Decoders refuse what CheckMember does. kSerialization, kCorruption, kInvalidArgument.
// The member's id is the one it would like; another is given if that was used before.
std::string EncodeJoinRequest(const raft::Member& member);
Result<raft::Member> DecodeJoinRequest(std::string_view in);
std::string EncodeJoinAnswer(const JoinAnswer& answer);
Result<JoinAnswer> DecodeJoinAnswer(std::string_view in);
std::string EncodeInvitation(const Invitation& invitation);
Result<Invitation> DecodeInvitation(std::string_view in);

}  // namespace kiwi::server
