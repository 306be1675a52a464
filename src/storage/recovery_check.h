// What is checked before an engine may open its directory, and recover from it in its own, more
// lenient way. For RocksDB and LevelDB alike; their directories use the same names.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "storage/file_layer.h"
#include "storage/manifest.h"

namespace kiwi::storage {

struct RecoveryCheck {
  bool is_new = true;  // there is no database yet
  ManifestSummary manifest;
  std::vector<std::string> files;
};

// Refuses with kCorruption, naming file and offset:
//   - damage in a write-ahead log or in the MANIFEST; a torn log that is not the last;
//   - a CURRENT that is missing or names no MANIFEST;
//   - writes that are missing between the tables and the logs, or between two logs, by their
//     sequence numbers: a log file is lost, or the MANIFEST's last edit, which put its writes into
//     a table.
// Cuts the torn tail of the last log off, durably. The caller holds the directory's lock. `layer`
// may be null.
Result<RecoveryCheck> CheckBeforeRecovery(const std::string& directory, FileLayer* layer);

}  // namespace kiwi::storage
