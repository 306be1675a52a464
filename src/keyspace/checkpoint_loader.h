// Brings the last valid checkpoint back into an empty keyspace, in two passes over the rows, each on
// several threads: pages, which become leaves as they are, then the pieces of large values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/function_ref.h"
#include "base/mutex.h"
#include "base/status.h"
#include "keyspace/impl.h"
#include "keyspace/meta.h"
#include "keyspace/page.h"
#include "keyspace/rows.h"
#include "storage/backend.h"

namespace kiwi::keyspace {

class CheckpointLoader {
 public:
  CheckpointLoader(Keyspace* keyspace, storage::Backend* backend);

  Status Load(int threads);
  const StoredMeta& meta() const { return meta_; }  // generation 0: there was none

 private:
  // A large value whose pieces are to come.
  struct LoadedBody {
    Body* body;
    DbShard* shard;
    Encoding encoding;
    uint64_t size;  // bytes of a blob, fields of a table
    int64_t accounted;
  };
  // Garbage of one task: rows to delete, and those to delete after them.
  struct Garbage {
    std::vector<std::string> rows;
    std::vector<std::string> tombstones;
  };

  Status ReadMeta();
  Status Adopt();
  // Runs count tasks on up to `threads` threads; the first error wins.
  static Status InParallel(int threads, size_t count, FunctionRef<Status(size_t)> task);
  Status LoadPages(int threads);
  Status LoadPagesOf(size_t logical, int shard);
  Status LoadPage(const RowKey& key, std::string_view bytes, bool in_parts, size_t logical,
                  std::vector<LoadedBody>* bodies, Garbage* garbage);
  Status LoadBodies(int threads);
  Status LoadPiecesOf(size_t first, size_t last, std::string begin, std::string end);
  static Status RestorePiece(const LoadedBody& loaded, size_t piece, std::string_view bytes);
  static Status CheckComplete(const LoadedBody& loaded, size_t pieces_seen);
  Status LoadCells();
  Status RemoveForeignPages();
  Status RemoveGarbage();
  Status RemoveEverything();
  void AddGarbage(Garbage garbage);

  Keyspace::Impl& impl_;
  storage::Backend& backend_;
  StoredMeta meta_;

  Mutex mu_;
  std::vector<LoadedBody> bodies_ KIWI_GUARDED_BY(mu_);
  Garbage garbage_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::keyspace
