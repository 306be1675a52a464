// RocksDB blames the MANIFEST for some kinds of damage in the tables that it names. This looks for
// the table.
#pragma once

#include <rocksdb/options.h>

#include <string>

#include "storage/disk_files.h"

namespace kiwi::storage {

// The path of the first table of the directory that does not open or does not pass its checksums;
// empty if all do. Reads every table: for use after an error only.
std::string FindDamagedTable(const rocksdb::Options& options, const DiskFiles& files);

}  // namespace kiwi::storage
