#include "storage/leveldb_diagnosis.h"

#include <leveldb/iterator.h>
#include <leveldb/options.h>
#include <leveldb/table.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace kiwi::storage {
namespace {

bool Passes(leveldb::Env* env, const std::string& path) {
  uint64_t size = 0;
  leveldb::RandomAccessFile* opened = nullptr;
  if (!env->GetFileSize(path, &size).ok()) return false;
  if (!env->NewRandomAccessFile(path, &opened).ok()) return false;
  const std::unique_ptr<leveldb::RandomAccessFile> file(opened);
  leveldb::Options options;
  options.paranoid_checks = true;
  leveldb::Table* raw = nullptr;
  if (!leveldb::Table::Open(options, file.get(), size, &raw).ok()) return false;
  const std::unique_ptr<leveldb::Table> table(raw);
  leveldb::ReadOptions read;
  read.verify_checksums = true;
  read.fill_cache = false;
  const std::unique_ptr<leveldb::Iterator> it(table->NewIterator(read));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
  }
  return it->status().ok();
}

}  // namespace

std::string FindDamagedTable(leveldb::Env* env, const std::string& directory) {
  std::vector<std::string> names;
  if (!env->GetChildren(directory, &names).ok()) return {};
  for (const std::string& name : names) {
    if (!name.ends_with(".ldb") && !name.ends_with(".sst")) continue;
    const std::string path = directory + "/" + name;
    if (!Passes(env, path)) return path;
  }
  return {};
}

}  // namespace kiwi::storage
