#include "storage/rocksdb_diagnosis.h"

#include <rocksdb/sst_file_reader.h>

namespace kiwi::storage {

std::string FindDamagedTable(const rocksdb::Options& options, const DiskFiles& files) {
  const auto names = files.List();
  if (!names.ok()) return {};
  for (const std::string& name : *names) {
    if (!name.ends_with(".sst")) continue;
    rocksdb::SstFileReader reader(options);
    if (!reader.Open(files.Path(name)).ok() || !reader.VerifyChecksum().ok()) {
      return files.Path(name);
    }
  }
  return {};
}

}  // namespace kiwi::storage
