// The environments that LevelDB runs on here.
#pragma once

#include <leveldb/env.h>

#include <memory>
#include <string>

#include "storage/file_layer.h"

namespace kiwi::storage {

// LevelDB's files on a FileLayer, which outlives it. Belongs to one crash-to-crash session of it.
std::unique_ptr<leveldb::Env> NewLevelLayerEnv(FileLayer* layer);

// What LevelDB leaves out, added to the files of `target` (null: the operating system's):
//   - write-ahead logs become durable in their order (wal_order.h), and so do their names;
//   - a renamed file (CURRENT) is durably renamed;
//   - tables are read, not mapped: a failing disk is an error and not a SIGBUS.
std::unique_ptr<leveldb::Env> NewLevelEnv(std::unique_ptr<leveldb::Env> target, FileLayer* layer);

// "No space left on device" is all that LevelDB keeps of an error's kind.
Status FromLevel(const leveldb::Status& s);
leveldb::Status ToLevel(const Status& status);

}  // namespace kiwi::storage
