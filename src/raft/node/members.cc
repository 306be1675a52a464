#include "raft/node/members.h"

#include <algorithm>

#include "base/coding.h"

namespace kiwi::raft {
namespace {

constexpr uint8_t kFormat = 1;
constexpr uint64_t kPortMax = 65535;

auto Position(auto& members, NodeId id) {
  return std::lower_bound(members.begin(), members.end(), id,
                          [](const Member& m, NodeId wanted) { return m.id < wanted; });
}

void AppendMember(const Member& member, std::string* out) {
  PutVarint(out, member.id);
  PutLengthPrefixed(out, member.raft_host);
  PutVarint(out, static_cast<uint64_t>(member.raft_port));
  PutLengthPrefixed(out, member.client_host);
  PutVarint(out, static_cast<uint64_t>(member.client_port));
}

bool ReadAddress(std::string_view* in, std::string* host, int* port) {
  std::string_view text;
  uint64_t number = 0;
  if (!GetLengthPrefixed(in, &text) || !GetVarint(in, &number) || number > kPortMax) return false;
  *host = text;
  *port = static_cast<int>(number);
  return true;
}

bool ReadMember(std::string_view* in, Member* member) {
  return GetVarint(in, &member->id) && member->id != kNoNode &&
         ReadAddress(in, &member->raft_host, &member->raft_port) &&
         ReadAddress(in, &member->client_host, &member->client_port);
}

Status TakeFormat(std::string_view* in) {
  if (in->empty()) return {StatusCode::kCorruption, "membership without a format"};
  const auto format = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  if (format == kFormat) return {};
  return {StatusCode::kSerialization, "membership of format " + std::to_string(format) +
                                          "; this build reads format " + std::to_string(kFormat)};
}

}  // namespace

const Member* Membership::Find(NodeId id) const {
  const auto it = Position(members, id);
  return it != members.end() && it->id == id ? &*it : nullptr;
}

void Membership::Put(const Member& member) {
  last_id = std::max(last_id, member.id);
  const auto it = Position(members, member.id);
  if (it != members.end() && it->id == member.id) {
    *it = member;
  } else {
    members.insert(it, member);
  }
}

void Membership::Remove(NodeId id) {
  const auto it = Position(members, id);
  if (it != members.end() && it->id == id) members.erase(it);
}

void EncodeMembership(const Membership& membership, std::string* out) {
  out->push_back(static_cast<char>(kFormat));
  PutFixed(out, membership.cluster_id);
  PutVarint(out, membership.last_id);
  PutVarint(out, membership.members.size());
  for (const Member& member : membership.members) AppendMember(member, out);
}

Result<Membership> DecodeMembership(std::string_view* in) {
  KIWI_RETURN_IF_ERROR(TakeFormat(in));
  Membership membership;
  uint64_t count = 0;
  const Status damaged(StatusCode::kCorruption, "damaged membership");
  if (!GetFixed(in, &membership.cluster_id) || !GetVarint(in, &membership.last_id) ||
      !GetVarint(in, &count) || count > in->size()) {
    return damaged;
  }
  NodeId before = kNoNode;
  for (uint64_t i = 0; i < count; ++i) {
    Member member;
    if (!ReadMember(in, &member) || member.id <= before || member.id > membership.last_id) {
      return damaged;
    }
    before = member.id;
    membership.members.push_back(std::move(member));
  }
  return membership;
}

std::string EncodeMember(const Member& member) {
  std::string out(1, static_cast<char>(kFormat));
  AppendMember(member, &out);
  return out;
}

Result<Member> DecodeMember(std::string_view in) {
  KIWI_RETURN_IF_ERROR(TakeFormat(&in));
  Member member;
  if (!ReadMember(&in, &member) || !in.empty()) {
    return Status(StatusCode::kCorruption, "damaged member");
  }
  return member;
}

}  // namespace kiwi::raft
