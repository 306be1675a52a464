#include "server/identity.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/coding.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "config/rewrite.h"
#include "server/state_store.h"

namespace kiwi::server {
namespace {

constexpr std::string_view kMagic = "KIWI-ID";
constexpr uint8_t kFormat = 1;
constexpr uint8_t kWipe = 1;

Status Damaged(const std::string& what) {
  return {StatusCode::kCorruption, "damaged identity: " + what};
}

}  // namespace

std::string EncodeIdentity(const Identity& identity) {
  std::string out(kMagic);
  out.push_back(static_cast<char>(kFormat));
  out.push_back(static_cast<char>(identity.wipe ? kWipe : 0));
  PutVarint(&out, identity.node_id);
  raft::EncodeMembership(identity.membership, &out);
  PutFixed<uint32_t>(&out, ExtendCrc32c(0, out));
  return out;
}

Result<Identity> DecodeIdentity(std::string_view bytes) {
  constexpr size_t kHead = kMagic.size() + 2;
  if (bytes.size() < kHead + sizeof(uint32_t) || !bytes.starts_with(kMagic)) {
    return Damaged("it is none");
  }
  std::string_view body = bytes.substr(0, bytes.size() - sizeof(uint32_t));
  std::string_view tail = bytes.substr(body.size());
  uint32_t crc = 0;
  if (!GetFixed(&tail, &crc) || crc != ExtendCrc32c(0, body)) return Damaged("checksum");
  const auto format = static_cast<uint8_t>(body[kMagic.size()]);
  if (format != kFormat) {
    return Status(StatusCode::kSerialization, "identity of format " + std::to_string(format) +
                                                  "; this build reads " + std::to_string(kFormat));
  }
  Identity identity;
  identity.wipe = (static_cast<uint8_t>(body[kMagic.size() + 1]) & kWipe) != 0;
  body.remove_prefix(kHead);
  if (!GetVarint(&body, &identity.node_id) || identity.node_id == raft::kNoNode) {
    return Damaged("node id");
  }
  KIWI_ASSIGN_OR_RETURN(identity.membership, raft::DecodeMembership(&body));
  if (!body.empty()) return Damaged("too long");
  return identity;
}

Result<std::optional<Identity>> ReadIdentity(const std::string& dir) {
  const std::string path = dir + "/" + kIdentityFileName;
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return std::optional<Identity>();
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) return Status(StatusCode::kIo, "cannot read " + path);
  Result<Identity> identity = DecodeIdentity(bytes);
  if (!identity.ok()) {
    return Status(identity.status().code(),
                  path + ": " + std::string(identity.status().message()) +
                      "; without it the node does not know who it is: remove it from the group, "
                      "empty its data directory and let it join anew");
  }
  return std::optional<Identity>(std::move(*identity));
}

Status WriteIdentity(const std::string& dir, const Identity& identity) {
  return config::ReplaceFile(dir + "/" + kIdentityFileName, EncodeIdentity(identity));
}

Status WipeIfMarked(const std::string& dir, const std::string& log_path) {
  KIWI_ASSIGN_OR_RETURN(std::optional<Identity> identity, ReadIdentity(dir));
  if (!identity || !identity->wipe) return {};
  KIWI_LOG(kInfo, "joined a group: beginning with an empty log and state node={} cluster={}",
           identity->node_id, identity->membership.cluster_id);
  for (const std::string& name : ListStateDirs(dir)) {
    KIWI_RETURN_IF_ERROR(RemoveStateDir(dir, name));
  }
  std::error_code error;
  // The folder itself stays: it may be a mount point.
  for (const auto& entry : std::filesystem::directory_iterator(log_path, error)) {
    std::filesystem::remove_all(entry.path(), error);
    if (error) break;
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return {StatusCode::kIo, "cannot empty " + log_path + ": " + error.message()};
  }
  identity->wipe = false;
  return WriteIdentity(dir, *identity);
}

}  // namespace kiwi::server
