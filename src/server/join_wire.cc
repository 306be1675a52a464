#include "server/join_wire.h"

#include <limits>

#include "base/coding.h"
#include "config/members.h"

namespace kiwi::server {
namespace {

constexpr uint8_t kFormat = 1;
constexpr uint64_t kPortMax = 65535;

Status TakeFormat(std::string_view* in) {
  if (in->empty() || static_cast<uint8_t>(in->front()) != kFormat) {
    return {StatusCode::kSerialization, "joining speaks another version there"};
  }
  in->remove_prefix(1);
  return {};
}

Status Invalid(std::string why) { return {StatusCode::kInvalidArgument, std::move(why)}; }

// No more of it than a log line bears.
std::string Shown(std::string_view text) {
  constexpr size_t kShownMax = 64;
  std::string shown(text.substr(0, kShownMax));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~') c = '?';
  }
  return shown;
}

Status CheckHost(const std::string& host) {
  if (!config::IsWildcardAddress(host) && config::IsHost(host)) return {};
  return Invalid("\"" + Shown(host) + "\" is no address that a node is reached by");
}

Status CheckAddress(const std::string& host, int port) {
  KIWI_RETURN_IF_ERROR(CheckHost(host));
  if (port < 1 || port > 65535) return Invalid(host + " without a port from 1 to 65535");
  return {};
}

Status CheckMembership(const raft::Membership& membership) {
  if (membership.cluster_id == 0) return Invalid("a group without an id");
  if (membership.members.size() > kMembersMax) {
    return Invalid("a group of " + std::to_string(membership.members.size()) +
                   " members; at most " + std::to_string(kMembersMax) + " make sense");
  }
  for (const raft::Member& member : membership.members) {
    KIWI_RETURN_IF_ERROR(CheckMember(member));
  }
  return {};
}

Status Damaged() { return {StatusCode::kCorruption, "damaged answer to a request to join"}; }

}  // namespace

Status CheckMember(const raft::Member& member) {
  // Ids with the highest bit are made up for questions (Transport::AskToJoin).
  if (member.id == raft::kNoNode || member.id > std::numeric_limits<int64_t>::max()) {
    return Invalid("node id " + std::to_string(member.id) + " is out of range");
  }
  Status status = CheckAddress(member.raft_host, member.raft_port);
  if (status.ok() && (!member.client_host.empty() || member.client_port != 0)) {
    status = CheckHost(member.client_host);  // port 0: only by a unix socket
  }
  return status.WithContext("node " + std::to_string(member.id));
}

std::string EncodeJoinRequest(const raft::Member& member) {
  return std::string(1, static_cast<char>(kFormat)) + raft::EncodeMember(member);
}

Result<raft::Member> DecodeJoinRequest(std::string_view in) {
  KIWI_RETURN_IF_ERROR(TakeFormat(&in));
  KIWI_ASSIGN_OR_RETURN(raft::Member member, raft::DecodeMember(in));
  KIWI_RETURN_IF_ERROR(CheckMember(member));
  return member;
}

std::string EncodeJoinAnswer(const JoinAnswer& answer) {
  std::string out(1, static_cast<char>(kFormat));
  out.push_back(static_cast<char>(answer.verdict));
  switch (answer.verdict) {
    case JoinVerdict::kAccepted:
      PutVarint(&out, answer.id);
      raft::EncodeMembership(answer.membership, &out);
      break;
    case JoinVerdict::kRedirect:
      PutLengthPrefixed(&out, answer.host);
      PutVarint(&out, static_cast<uint64_t>(answer.port));
      break;
    case JoinVerdict::kLater:
    case JoinVerdict::kRefused:
      PutLengthPrefixed(&out, answer.reason);
      break;
  }
  return out;
}

Result<JoinAnswer> DecodeJoinAnswer(std::string_view in) {
  KIWI_RETURN_IF_ERROR(TakeFormat(&in));
  if (in.empty() ||
      static_cast<uint8_t>(in.front()) > static_cast<uint8_t>(JoinVerdict::kRefused)) {
    return Damaged();
  }
  JoinAnswer answer;
  answer.verdict = static_cast<JoinVerdict>(in.front());
  in.remove_prefix(1);
  std::string_view text;
  uint64_t port = 0;
  if (answer.verdict == JoinVerdict::kAccepted) {
    if (!GetVarint(&in, &answer.id)) return Damaged();
    KIWI_ASSIGN_OR_RETURN(answer.membership, raft::DecodeMembership(&in));
    KIWI_RETURN_IF_ERROR(CheckMembership(answer.membership));
    if (answer.membership.Find(answer.id) == nullptr) {
      return Invalid("taken in as node " + std::to_string(answer.id) +
                     ", which is no member there");
    }
  } else {
    if (!GetLengthPrefixed(&in, &text)) return Damaged();
    if (answer.verdict == JoinVerdict::kRedirect) {
      if (!GetVarint(&in, &port) || port > kPortMax) return Damaged();
      answer.host = text;
      answer.port = static_cast<int>(port);
      KIWI_RETURN_IF_ERROR(CheckAddress(answer.host, answer.port));
    } else {
      answer.reason = text;
    }
  }
  return in.empty() ? Result<JoinAnswer>(std::move(answer)) : Damaged();
}

std::string EncodeInvitation(const Invitation& invitation) {
  std::string out(1, static_cast<char>(kFormat));
  PutLengthPrefixed(&out, invitation.host);
  PutVarint(&out, static_cast<uint64_t>(invitation.port));
  return out + raft::EncodeMember(invitation.as);
}

Result<Invitation> DecodeInvitation(std::string_view in) {
  KIWI_RETURN_IF_ERROR(TakeFormat(&in));
  Invitation invitation;
  std::string_view host;
  uint64_t port = 0;
  if (!GetLengthPrefixed(&in, &host) || !GetVarint(&in, &port) || port > kPortMax) {
    return Status(StatusCode::kCorruption, "damaged invitation");
  }
  invitation.host = host;
  invitation.port = static_cast<int>(port);
  KIWI_RETURN_IF_ERROR(CheckAddress(invitation.host, invitation.port).WithContext("its leader"));
  KIWI_ASSIGN_OR_RETURN(invitation.as, raft::DecodeMember(in));
  KIWI_RETURN_IF_ERROR(CheckMember(invitation.as));
  return invitation;
}

}  // namespace kiwi::server
