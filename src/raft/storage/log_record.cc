#include "raft/storage/log_record.h"

#include <spdlog/fmt/fmt.h>

#include <cstring>

#include "base/coding.h"
#include "base/hash.h"

namespace kiwi::raft {
namespace {

constexpr size_t kChecksumOffset = 10;  // in an entry's header
constexpr size_t kRecordHeaderBytes = 9;

Status Corrupt(std::string message) {
  return {StatusCode::kCorruption, "raft log: " + std::move(message)};
}

Status WrongVersion(std::string_view what, uint8_t version) {
  return Corrupt(fmt::format("{} has format version {}, this release reads {}", what, version,
                             kLogFormatVersion));
}

// `head` is the header's bytes before its checksum.
uint64_t EntryChecksum(const char* head, LogIndex index, std::string_view payload) {
  std::array<char, kChecksumOffset + sizeof(index)> bytes;
  std::memcpy(bytes.data(), head, kChecksumOffset);
  std::memcpy(bytes.data() + kChecksumOffset, &index, sizeof(index));
  return Hash64(payload, Checksum64({bytes.data(), bytes.size()}));
}

uint64_t RecordChecksum(std::string_view key, std::string_view payload) {
  return Hash64(payload, Hash64(key, kLogFormatVersion));
}

// A record's payload is appended between these two.
void BeginRecord(std::string* out) {
  out->assign(kRecordHeaderBytes, '\0');
  (*out)[0] = static_cast<char>(kLogFormatVersion);
}
void FinishRecord(std::string_view key, std::string* out) {
  const uint64_t checksum = RecordChecksum(key, std::string_view(*out).substr(kRecordHeaderBytes));
  std::memcpy(out->data() + 1, &checksum, sizeof(checksum));
}

// Checks the header and leaves the payload in *in.
Status OpenRecord(std::string_view key, std::string_view name, std::string_view* in) {
  uint8_t version = 0;
  uint64_t checksum = 0;
  if (!GetFixed(in, &version)) return Corrupt(fmt::format("the {} is empty", name));
  if (version != kLogFormatVersion) return WrongVersion(fmt::format("the {}", name), version);
  if (!GetFixed(in, &checksum) || checksum != RecordChecksum(key, *in)) {
    return Corrupt(fmt::format("the {} (key '{}') fails its checksum", name, key));
  }
  return {};
}

Status CloseRecord(std::string_view name, bool decoded, std::string_view rest) {
  if (decoded && rest.empty()) return {};
  return Corrupt(fmt::format("the {} does not decode", name));
}

void PutIds(const std::vector<NodeId>& ids, std::string* out) {
  PutVarint(out, ids.size());
  for (const NodeId id : ids) PutVarint(out, id);
}

bool GetIds(std::string_view* in, std::vector<NodeId>* ids) {
  uint64_t count = 0;
  if (!GetVarint(in, &count) || count > in->size()) return false;  // an id has a byte at least
  ids->resize(count);
  for (NodeId& id : *ids) {
    if (!GetVarint(in, &id)) return false;
  }
  return true;
}

void PutConfState(const ConfState& conf_state, std::string* out) {
  PutIds(conf_state.voters, out);
  PutIds(conf_state.learners, out);
  PutIds(conf_state.voters_outgoing, out);
  PutIds(conf_state.learners_next, out);
  out->push_back(conf_state.auto_leave ? 1 : 0);
  PutVarint(out, conf_state.index);
}

bool GetConfState(std::string_view* in, ConfState* conf_state) {
  uint8_t auto_leave = 0;
  const bool decoded = GetIds(in, &conf_state->voters) && GetIds(in, &conf_state->learners) &&
                       GetIds(in, &conf_state->voters_outgoing) &&
                       GetIds(in, &conf_state->learners_next) && GetFixed(in, &auto_leave) &&
                       GetVarint(in, &conf_state->index);
  conf_state->auto_leave = auto_leave != 0;
  return decoded;
}

}  // namespace

EntryKey::EntryKey(LogIndex index) {
  bytes_[0] = kEntriesBegin[0];
  const uint64_t big_endian = __builtin_bswap64(index);
  std::memcpy(bytes_.data() + 1, &big_endian, sizeof(big_endian));
}

EntryHeader::EntryHeader(const Entry& entry) {
  bytes_[0] = static_cast<char>(kLogFormatVersion);
  bytes_[1] = static_cast<char>(entry.type);
  std::memcpy(bytes_.data() + 2, &entry.term, sizeof(entry.term));
  const uint64_t checksum = EntryChecksum(bytes_.data(), entry.index, entry.bytes());
  std::memcpy(bytes_.data() + kChecksumOffset, &checksum, sizeof(checksum));
}

Result<Entry> DecodeEntry(std::string_view key, std::string_view value) {
  Entry entry;
  key.remove_prefix(kEntriesBegin.size());
  if (!GetBigEndian(&key, &entry.index) || !key.empty()) {
    return Corrupt("a key among the entries has the wrong length");
  }
  if (value.size() < EntryHeader::kBytes) {
    return Corrupt(fmt::format("entry {} is cut short", entry.index));
  }
  const char* head = value.data();
  uint64_t checksum = 0;
  std::memcpy(&entry.term, head + 2, sizeof(entry.term));
  std::memcpy(&checksum, head + kChecksumOffset, sizeof(checksum));
  value.remove_prefix(EntryHeader::kBytes);
  if (const auto version = static_cast<uint8_t>(head[0]); version != kLogFormatVersion) {
    return WrongVersion(fmt::format("entry {}", entry.index), version);
  }
  if (checksum != EntryChecksum(head, entry.index, value)) {
    return Corrupt(fmt::format("entry {} fails its checksum", entry.index));
  }
  if (head[1] > static_cast<char>(EntryType::kConfChange) || head[1] < 0) {
    return Corrupt(fmt::format("entry {} has an unknown type, {}", entry.index, int{head[1]}));
  }
  entry.type = static_cast<EntryType>(head[1]);
  if (!value.empty()) entry.data = std::make_shared<const std::string>(value);
  return entry;
}

void EncodeRecord(const LogBase& base, std::string* out) {
  BeginRecord(out);
  PutVarint(out, base.index);
  PutVarint(out, base.term);
  FinishRecord(kBaseKey, out);
}

void EncodeRecord(const ConfState& conf_state, std::string* out) {
  BeginRecord(out);
  PutConfState(conf_state, out);
  FinishRecord(kConfStateKey, out);
}

void EncodeRecord(const StateDir& state_dir, std::string* out) {
  BeginRecord(out);
  PutLengthPrefixed(out, state_dir.name);
  FinishRecord(kStateDirKey, out);
}

void EncodeRecord(const HardState& hard_state, std::string* out) {
  BeginRecord(out);
  PutVarint(out, hard_state.term);
  PutVarint(out, hard_state.vote);
  PutVarint(out, hard_state.commit);
  FinishRecord(kHardStateKey, out);
}

void EncodeRecord(const SnapshotMeta& snapshot, std::string* out) {
  BeginRecord(out);
  PutVarint(out, snapshot.index);
  PutVarint(out, snapshot.term);
  PutConfState(snapshot.conf_state, out);
  FinishRecord(kSnapshotKey, out);
}

Status DecodeRecord(std::string_view value, LogBase* base) {
  KIWI_RETURN_IF_ERROR(OpenRecord(kBaseKey, "log's base", &value));
  const bool decoded = GetVarint(&value, &base->index) && GetVarint(&value, &base->term);
  return CloseRecord("log's base", decoded, value);
}

Status DecodeRecord(std::string_view value, ConfState* conf_state) {
  KIWI_RETURN_IF_ERROR(OpenRecord(kConfStateKey, "conf state", &value));
  return CloseRecord("conf state", GetConfState(&value, conf_state), value);
}

Status DecodeRecord(std::string_view value, StateDir* state_dir) {
  KIWI_RETURN_IF_ERROR(OpenRecord(kStateDirKey, "state directory", &value));
  std::string_view name;
  const bool decoded = GetLengthPrefixed(&value, &name);
  state_dir->name = name;
  return CloseRecord("state directory", decoded, value);
}

Status DecodeRecord(std::string_view value, HardState* hard_state) {
  KIWI_RETURN_IF_ERROR(OpenRecord(kHardStateKey, "hard state", &value));
  const bool decoded = GetVarint(&value, &hard_state->term) &&
                       GetVarint(&value, &hard_state->vote) &&
                       GetVarint(&value, &hard_state->commit);
  return CloseRecord("hard state", decoded, value);
}

Status DecodeRecord(std::string_view value, SnapshotMeta* snapshot) {
  KIWI_RETURN_IF_ERROR(OpenRecord(kSnapshotKey, "snapshot meta", &value));
  const bool decoded = GetVarint(&value, &snapshot->index) && GetVarint(&value, &snapshot->term) &&
                       GetConfState(&value, &snapshot->conf_state);
  return CloseRecord("snapshot meta", decoded, value);
}

}  // namespace kiwi::raft
