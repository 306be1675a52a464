// Any bytes under any key of the Raft log decode or are refused, with the checksum right as well as
// wrong; and what was read is written and read back the same.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/hash.h"
#include "raft/core/types.h"
#include "raft/storage/log_record.h"

namespace {

template <typename Record>
void Decode(std::string_view value) {
  Record record;
  if (!kiwi::raft::DecodeRecord(value, &record).ok()) return;
  std::string once;
  kiwi::raft::EncodeRecord(record, &once);
  Record again;
  if (!kiwi::raft::DecodeRecord(once, &again).ok()) std::abort();
  std::string twice;
  kiwi::raft::EncodeRecord(again, &twice);
  if (once != twice) std::abort();
}

// As the log itself frames a record: version, checksum over key and payload, payload.
template <typename Record>
void DecodeFramed(std::string_view key, std::string_view payload) {
  std::string value(1, static_cast<char>(kiwi::raft::kLogFormatVersion));
  const uint64_t seed = kiwi::Hash64(key, kiwi::raft::kLogFormatVersion);
  kiwi::PutFixed<uint64_t>(&value, kiwi::Hash64(payload, seed));
  value += payload;
  Decode<Record>(value);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Decode<kiwi::raft::LogBase>(bytes);
  Decode<kiwi::raft::ConfState>(bytes);
  Decode<kiwi::raft::HardState>(bytes);
  Decode<kiwi::raft::SnapshotMeta>(bytes);
  Decode<kiwi::raft::StateDir>(bytes);
  DecodeFramed<kiwi::raft::LogBase>(kiwi::raft::kBaseKey, bytes);
  DecodeFramed<kiwi::raft::ConfState>(kiwi::raft::kConfStateKey, bytes);
  DecodeFramed<kiwi::raft::HardState>(kiwi::raft::kHardStateKey, bytes);
  DecodeFramed<kiwi::raft::SnapshotMeta>(kiwi::raft::kSnapshotKey, bytes);
  DecodeFramed<kiwi::raft::StateDir>(kiwi::raft::kStateDirKey, bytes);
  (void)kiwi::raft::DecodeEntry(kiwi::raft::EntryKey(size).view(), bytes);
  if (!bytes.empty()) (void)kiwi::raft::DecodeEntry(bytes.substr(0, 9), bytes);
  return 0;
}
