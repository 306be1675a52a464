// The state as a stream of chunks, from one node's state machine to another's: what the node moves
// when a peer lags behind the log, without looking inside. Implemented by the server
// (docs/formats.md, "Snapshot stream").
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "raft/core/types.h"
#include "raft/node/members.h"

namespace kiwi::raft {

// One consistent view of the last durable checkpoint. Holding it delays no checkpoint, but keeps
// what it replaces on the disk: let go of it when it is no longer wanted. One thread at a time.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;

  // What the view holds: at or behind the log's own snapshot, so it is this, not the log's, that
  // goes into the message which offers the snapshot.
  virtual const SnapshotMeta& meta() const = 0;
  // Names this very stream, different for each reader: a receiver may go on with a stream of the
  // same id only.
  virtual uint64_t id() const = 0;
  // About how many bytes the stream has, for progress.
  virtual uint64_t estimated_bytes() const = 0;
  // The chunk that begins at `position`: 0, or where a chunk before it ended (its position and its
  // size, summed). Chunks are cut alike whoever asks. Empty: the stream ended there.
  // kInvalidArgument: no chunk begins there.
  virtual Result<std::string> Read(uint64_t position) = 0;
};

// A state on its way in, written beside the present one. Destroyed before it was installed, it
// removes what it has written, unless Finish succeeded: then that stays until the next start, since
// the log may already name it, or until it is told that the log does not. One thread at a time.
class SnapshotStage {
 public:
  virtual ~SnapshotStage() = default;

  // The next chunk, checked. kInvalidArgument: not the chunk that begins at position(), nothing
  // was changed; kCorruption: the chunk is damaged, nothing was changed, ask for it again;
  // kSerialization: a format that this release does not know. Other errors end the stage.
  virtual Status Write(std::string_view chunk) = 0;
  // Where the next chunk begins.
  virtual uint64_t position() const = 0;
  // Of the stream that is being received; 0 before the first chunk.
  virtual uint64_t id() const = 0;
  // Valid behind the first chunk.
  virtual const SnapshotMeta& meta() const = 0;
  // The replicated clock at meta().index; behind the first chunk. 0: the machine keeps none.
  virtual int64_t clock_ms() const { return 0; }
  // The members at meta().index, likewise. Null: the machine keeps none.
  virtual const Membership* membership() const { return nullptr; }
  // The last chunk is written: only Finish is left to do.
  virtual bool complete() const = 0;
  // Checks the whole, makes it durable and loads it beside the present state, which goes on being
  // read and applied to. Takes as long as a restart, and as much memory: on a thread that may wait.
  // An error: the snapshot cannot be used, nothing of the present state was changed.
  virtual Status Finish() = 0;
  // Behind Finish: what LogBatch::state_dir must say in the batch that makes meta() the snapshot.
  virtual const std::string& state_dir() const = 0;
  // Behind Finish: the log does not name it and will not. What was written goes with the stage.
  virtual void NotTaken() {}
};

}  // namespace kiwi::raft
