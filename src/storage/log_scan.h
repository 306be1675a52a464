// Reads a log file of RocksDB or LevelDB (write-ahead log or MANIFEST; both engines use the same
// format) and tells a torn tail, which a crash leaves and nobody was promised, from damage.
//
// Why the engines are not left alone with this: on a header whose length was damaged so that the
// record seems to reach beyond the end of the file, both assume a torn tail and silently drop
// everything from there on, acknowledged or not; a zeroed header makes RocksDB skip a whole block.
//
// The format: blocks of 32 KiB; records do not cross them: masked CRC-32C (4 bytes) of type and
// payload, length (2), type (1: whole, 2: first piece, 3: middle, 4: last), payload. Less than 7
// bytes at a block's end are zeros.
//
// A tail counts as torn only if it can be one: the file ends before its last record does, or
// sectors of it are zeros (blocks that never reached the disk), and nothing valid follows. A whole
// last record that merely fails its checksum is damage, and so is one that would be whole if its
// length ended where the file does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/function_ref.h"

namespace kiwi::storage {

struct LogScan {
  enum class Verdict { kWhole, kTornTail, kDamaged };
  Verdict verdict = Verdict::kWhole;
  uint64_t valid_end = 0;  // behind the last whole record
  uint64_t offset = 0;     // where the tail or the damage begins
  std::string what;        // for the error's text
};

// Holds for files that are appended to from front to back. Calls `visit` with each whole record,
// put together from its pieces and cut to `prefix` bytes.
LogScan ScanLog(std::string_view file, size_t prefix, FunctionRef<void(std::string_view)> visit);

}  // namespace kiwi::storage
