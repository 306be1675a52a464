// A file system under a backend whose crashes are as hard as a power cut's, and whose faults are at
// our command (file_faults.h). It stands between an engine's adapter and the real files:
//
//   - what is appended stays in memory until the file is synced, and only then is written to the
//     real file; reads see it at once;
//   - a file that is created, renamed or deleted is so in memory only until its directory is
//     synced; the operations then become real in their order.
//
// So the real directory holds at every moment what a power cut would leave: killing the process
// loses all that was not synced, and Crash() does the same to a living one. The real files are not
// fsynced themselves: the layer is for tests, not for safety.
//
// A sync that fails loses its data for good, as Linux does: a later sync of that file succeeds and
// leaves zeros in their place. Creating a directory is real at once.
//
// Thread-safe. Paths are absolute or relative to the working directory, and name files that nobody
// else touches while the layer knows them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "base/status.h"
#include "storage/file_faults.h"

namespace kiwi::storage {

class FileLayer {
 public:
  // The seed is for torn tails and flipped bits.
  explicit FileLayer(uint64_t seed = 1) : faults_(seed), random_(seed) {}
  FileLayer(const FileLayer&) = delete;
  FileLayer& operator=(const FileLayer&) = delete;

  FileFaults& faults() { return faults_; }

  enum class Tails { kDrop, kTear };
  // Throws away whatever is not durable. kTear: of each file's unsynced tail a random prefix stays.
  // Who used the layer before gets errors from then on, whatever it does; see session().
  void Crash(Tails tails = Tails::kDrop);

  // An adapter takes this once and passes it to each call: it tells those from before a crash.
  uint64_t session() const;

  class Node;
  struct Handle {
    std::shared_ptr<Node> node;
    std::string path;
    uint64_t session = 0;
  };

  // Errors: kNotFound, kNoSpace, kIo.
  Result<Handle> Create(uint64_t session, const std::string& path);  // replaces a file of that name
  Result<Handle> Open(uint64_t session, const std::string& path);
  Status Append(const Handle& handle, std::string_view data);
  Status Sync(const Handle& handle);
  Result<size_t> Read(const Handle& handle, uint64_t offset, size_t size, char* out);
  Result<uint64_t> Size(const Handle& handle);
  Status Truncate(const Handle& handle, uint64_t size);  // durable at return

  Status SyncDirectory(uint64_t session, const std::string& path);
  Status Rename(uint64_t session, const std::string& from, const std::string& to);
  Status Remove(uint64_t session, const std::string& path);
  bool Exists(uint64_t session, const std::string& path);
  Result<std::vector<std::string>> List(uint64_t session, const std::string& path);

 private:
  struct Operation {
    enum class Kind { kCreate, kRename, kRemove };
    Kind kind;
    std::string name;
    std::string to;              // kRename
    std::shared_ptr<Node> node;  // kCreate
  };
  struct Directory {
    std::map<std::string, std::shared_ptr<Node>> names;  // as the engine sees it
    std::map<std::string, std::shared_ptr<Node>> real;   // as the real directory is
    std::vector<Operation> pending;                      // what leads from real to names
  };

  Status CheckSession(uint64_t session) const KIWI_REQUIRES(mu_);
  Result<Directory*> Load(const std::string& path) KIWI_REQUIRES(mu_);
  Result<std::shared_ptr<Node>> Find(const std::string& path) KIWI_REQUIRES(mu_);
  Status MakeReal(const std::string& directory, Directory* state, const Operation& operation)
      KIWI_REQUIRES(mu_);

  FileFaults faults_;

  mutable Mutex mu_;
  uint64_t session_ KIWI_GUARDED_BY(mu_) = 1;
  Random random_ KIWI_GUARDED_BY(mu_);
  std::map<std::string, Directory> directories_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::storage
