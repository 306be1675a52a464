// Keeps the keyspace in a storage backend, incrementally and atomically.
//
// A checkpoint is begun at one applied index and then written by a background thread while the
// applier goes on; a crash at any moment leaves the previous checkpoint or the new one. What has
// not changed since the last checkpoint is not written again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"
#include "keyspace/keyspace.h"
#include "storage/backend.h"

namespace kiwi::keyspace {

struct CheckpointMeta {
  uint64_t applied_index = 0;
  std::string host;  // opaque to the keyspace: the host's term, membership and the like
};

struct CheckpointOptions {
  size_t batch_bytes = 1 << 20;  // rows are written in unsynced batches of about so much
  // What changes while a run is going on is kept in memory, as it was, until the run writes it; the
  // applier that finds this much waiting writes it out itself.
  size_t queue_bytes_max = 64 << 20;
};

class Checkpointer {
 public:
  // Both outlive it; the backend, until another takes its place.
  Checkpointer(Keyspace* keyspace, storage::Backend* backend,
               const CheckpointOptions& options = {});
  ~Checkpointer();

  // Once, before anything else, into an empty keyspace: loads the last complete checkpoint (a meta
  // with applied_index 0 when there is none) and removes what an unfinished one left behind. Sets
  // the keyspace's seed and encoding limits to the stored ones. Uses up to `threads` threads.
  Result<CheckpointMeta> Load(int threads);

  // Freezes what has changed since the last checkpoint. All shards held exclusively by the caller;
  // takes microseconds a shard. One checkpoint at a time.
  void Begin(CheckpointMeta meta);
  // Writes what Begin froze; takes shard locks (shared) by itself, some tens of microseconds at a
  // time; durable at return.
  // On an error (disk full) the previous checkpoint stays valid, and what was frozen counts as
  // changed again, so that the next checkpoint writes it.
  Status Run();

  // So much of what changes waits to be written (a quarter of queue_bytes_max) that who must not wait
  // for a disk had better leave changes to another thread. Costs next to nothing. Not beside
  // TakeOver.
  bool FallsBehind() const;

  // Puts what `loaded` has loaded, from another backend into another keyspace, in the place of what
  // is here, and goes on writing to that backend. A checkpoint that is begun is given up: its Run
  // returns kAborted. Readers go on until all shards are taken, for some hundred microseconds; no
  // mutation and no Begin runs meanwhile. At return nothing uses the old backend any more. `loaded`
  // and its keyspace are spent.
  void TakeOver(Checkpointer& loaded);

  struct Progress {
    bool running = false;
    uint64_t generation = 0;     // of the last complete one
    uint64_t applied_index = 0;  // of the last complete one
    uint64_t pages_written = 0;  // by the last or current run
    uint64_t bytes_written = 0;
    int64_t duration_ms = 0;  // of the last complete one
  };
  Progress progress() const;  // any thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::keyspace
