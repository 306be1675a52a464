// The file systems that RocksDB runs on here.
#pragma once

#include <rocksdb/file_system.h>

#include <memory>

#include "storage/file_layer.h"

namespace kiwi::storage {

// RocksDB's files on a FileLayer, which outlives it. Belongs to one crash-to-crash session of it.
std::shared_ptr<rocksdb::FileSystem> NewRocksLayerFiles(FileLayer* layer);

// Adds to `target` that write-ahead logs become durable in their order (wal_order.h).
std::shared_ptr<rocksdb::FileSystem> NewRocksOrderedWals(
    std::shared_ptr<rocksdb::FileSystem> target);

}  // namespace kiwi::storage
