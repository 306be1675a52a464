// Any bytes under any key of the Raft log decode or are refused; a checksum guards what is accepted.
#include <cstdint>
#include <string>
#include <string_view>

#include "raft/core/types.h"
#include "raft/storage/log_record.h"

namespace {

template <typename Record>
void Decode(std::string_view value) {
  Record record;
  if (!kiwi::raft::DecodeRecord(value, &record).ok()) return;
  std::string again;
  kiwi::raft::EncodeRecord(record, &again);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  Decode<kiwi::raft::LogBase>(value);
  Decode<kiwi::raft::ConfState>(value);
  Decode<kiwi::raft::HardState>(value);
  Decode<kiwi::raft::SnapshotMeta>(value);
  (void)kiwi::raft::DecodeEntry(kiwi::raft::EntryKey(size).view(), value);
  // Keys come from a scan of the entries' range: they begin with its prefix.
  const std::string key = std::string(kiwi::raft::kEntriesBegin) + std::string(value.substr(0, 8));
  (void)kiwi::raft::DecodeEntry(key, value);
  return 0;
}
