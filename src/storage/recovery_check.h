// What is checked before an engine may open its directory, and recover from it in its own, more
// lenient way. For RocksDB and LevelDB alike; their directories use the same names.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "storage/file_layer.h"

namespace kiwi::storage {

struct RecoveryCheck {
  // Of the MANIFEST: its records, for checks that know the engine.
  std::vector<std::string> manifest_records;
  std::vector<std::string> files;
};

// Refuses with kCorruption, naming file and offset: damage in a write-ahead log or in the MANIFEST,
// a torn log that is not the last, a CURRENT that is missing or names no MANIFEST. Cuts the torn
// tail of the last log off, durably. The caller holds the directory's lock. `layer` may be null.
Result<RecoveryCheck> CheckBeforeRecovery(const std::string& directory, FileLayer* layer);

}  // namespace kiwi::storage
