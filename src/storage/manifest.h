// What the checks before recovery need to know of a MANIFEST of RocksDB or LevelDB. Both write the
// same fields at the beginning of a version edit: a varint tag each, and what follows it.
#pragma once

#include <cstdint>
#include <string_view>

namespace kiwi::storage {

struct ManifestSummary {
  // Write-ahead logs below this number are not needed any more. LevelDB: the log of this number
  // exists.
  uint64_t log_number = 0;
  // No write up to this sequence number is in a log only that is not there.
  uint64_t last_sequence = 0;

  // Records are version edits, in the file's order.
  void Take(std::string_view record);
};

}  // namespace kiwi::storage
