#include "server/join_wire.h"

#include "base/coding.h"

namespace kiwi::server {
namespace {

constexpr uint8_t kFormat = 1;

Status TakeFormat(std::string_view* in) {
  if (in->empty() || static_cast<uint8_t>(in->front()) != kFormat) {
    return {StatusCode::kSerialization, "joining speaks another version there"};
  }
  in->remove_prefix(1);
  return {};
}

Status Damaged() { return {StatusCode::kCorruption, "damaged answer to a request to join"}; }

}  // namespace

std::string EncodeJoinRequest(const raft::Member& member) {
  return std::string(1, static_cast<char>(kFormat)) + raft::EncodeMember(member);
}

Result<raft::Member> DecodeJoinRequest(std::string_view in) {
  KIWI_RETURN_IF_ERROR(TakeFormat(&in));
  KIWI_ASSIGN_OR_RETURN(raft::Member member, raft::DecodeMember(in));
  if (member.raft_host.empty() || member.raft_port == 0) {
    return Status(StatusCode::kInvalidArgument, "a node that joins needs a raft address");
  }
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
    if (answer.membership.Find(answer.id) == nullptr || answer.membership.cluster_id == 0) {
      return Damaged();
    }
  } else {
    if (!GetLengthPrefixed(&in, &text)) return Damaged();
    if (answer.verdict == JoinVerdict::kRedirect) {
      if (!GetVarint(&in, &port) || port < 1 || port > 65535) return Damaged();
      answer.host = text;
      answer.port = static_cast<int>(port);
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
  if (!GetLengthPrefixed(&in, &host) || host.empty() || !GetVarint(&in, &port) || port < 1 ||
      port > 65535) {
    return Status(StatusCode::kCorruption, "damaged invitation");
  }
  invitation.host = host;
  invitation.port = static_cast<int>(port);
  KIWI_ASSIGN_OR_RETURN(invitation.as, raft::DecodeMember(in));
  return invitation;
}

}  // namespace kiwi::server
