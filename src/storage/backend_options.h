// What a backend is opened with. `server` fills it from the configuration.
#pragma once

#include <cstddef>
#include <string>

namespace kiwi::storage {

class FileLayer;

// What the instance holds decides how its engine is tuned.
enum class Profile {
  kLog,    // the Raft log: small memory, every write soon synced, entries deleted soon after
  kState,  // checkpoints of the keyspace: bulk writes, compressed, read once at start
};

struct BackendOptions {
  std::string name = "rocksdb";  // rocksdb, leveldb or memory
  std::string path;              // its directory, made if missing; not used by memory
  Profile profile = Profile::kState;

  // Upper bound of the memory that unflushed writes take. A log stays cheap while it retains less
  // than a third of this: most of its entries are then deleted before they are written to a table.
  size_t write_buffer_bytes = size_t{64} << 20;
  size_t block_cache_bytes = size_t{16} << 20;
  int max_open_files = 256;
  int background_threads = 2;

  // Not owned; outlives the backend. Null: straight to the operating system's files.
  FileLayer* file_layer = nullptr;
};

}  // namespace kiwi::storage
