// A database's directory as the checks around an engine see it: through the file layer, if there is
// one, or as it is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "storage/file_layer.h"

namespace kiwi::storage {

// Not thread-safe; short-lived. `layer` may be null.
class DiskFiles {
 public:
  DiskFiles(std::string directory, FileLayer* layer);

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  Result<std::vector<std::string>> List() const;
  Result<uint64_t> Size(const std::string& name) const;
  Result<std::string> Read(const std::string& name) const;
  // Durable at return.
  Status Cut(const std::string& name, uint64_t size) const;
  // Writes, syncs and removes a file of so many bytes.
  Status ProveWritable(uint64_t bytes) const;

 private:
  const std::string directory_;
  FileLayer* const layer_;
  const uint64_t session_;
};

}  // namespace kiwi::storage
