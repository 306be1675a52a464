#include "storage/factory.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "storage/leveldb_backend.h"
#include "storage/memory_backend.h"
#include "storage/rocksdb_backend.h"

namespace kiwi::storage {
namespace {

struct Row {
  std::string_view name;
  bool on_disk;
  Result<std::unique_ptr<Backend>> (*open)(const BackendOptions&);
};

constexpr std::array kBackends = {
    Row{"rocksdb", true, OpenRocksDb},
    Row{"leveldb", true, OpenLevelDb},
    Row{"memory", false, OpenMemory},
};

// The engines make only the last component of the path.
Status MakeDirectories(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) {
      return {errno == ENOSPC ? StatusCode::kNoSpace : StatusCode::kIo,
              "cannot create the directory " + part + ": " + std::strerror(errno)};
    }
    if (end == std::string::npos) return {};
  }
}

}  // namespace

Result<std::unique_ptr<Backend>> OpenBackend(const BackendOptions& options) {
  std::string names;
  for (const Row& row : kBackends) {
    if (row.name == options.name) {
      if (row.on_disk) {
        if (options.path.empty()) {
          return Status(StatusCode::kConfig, "the " + options.name + " backend needs a path");
        }
        KIWI_RETURN_IF_ERROR(MakeDirectories(options.path));
      }
      return row.open(options);
    }
    names.append(names.empty() ? "" : ", ").append(row.name);
  }
  return Status(StatusCode::kConfig,
                "there is no storage backend '" + options.name + "'; there are: " + names);
}

}  // namespace kiwi::storage
