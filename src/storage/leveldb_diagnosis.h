// LevelDB says that a block is corrupt, but not in which file. This looks for it.
#pragma once

#include <leveldb/env.h>

#include <string>

namespace kiwi::storage {

// The path of the first table of the directory whose blocks do not all pass their checksums; empty
// if all do. Reads every table: for use after an error only.
std::string FindDamagedTable(leveldb::Env* env, const std::string& directory);

}  // namespace kiwi::storage
