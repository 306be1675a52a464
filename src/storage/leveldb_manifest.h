// What of LevelDB's MANIFEST must be checked from outside: LevelDB does not notice that a log file
// is gone, nor that the last version edit is, which leaves it looking for one that it deleted.
#pragma once

#include <string>

#include "base/status.h"
#include "storage/recovery_check.h"

namespace kiwi::storage {

// kCorruption if the write-ahead log that the MANIFEST names is not there.
Status CheckLevelManifest(const std::string& directory, const RecoveryCheck& check);

}  // namespace kiwi::storage
