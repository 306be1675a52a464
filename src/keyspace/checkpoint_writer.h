// Writes one checkpoint after the other: what Begin froze, from the writer's thread and, for what
// changes meanwhile, out of the applier's hands.
//
// A unit that is frozen and not yet written is known by its mark alone (NeedsWrite). Whoever meets it
// first, the writer on its walk or the applier right before it changes it, keeps its state in the
// queue and marks it as stored; both do so under the unit's shard lock. A failed run leaves the marks
// of a generation that never became valid, which NeedsWrite counts as not stored.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "keyspace/checkpoint.h"
#include "keyspace/impl.h"
#include "keyspace/meta.h"
#include "keyspace/rows.h"
#include "keyspace/tracker.h"
#include "storage/backend.h"

namespace kiwi::keyspace {

class CheckpointWriter final : public CheckpointSink {
 public:
  CheckpointWriter(Keyspace* keyspace, storage::Backend* backend, const CheckpointOptions& options);
  ~CheckpointWriter() override;

  // After Load: the generation that is valid in the backend; 0: none.
  void SetStored(uint32_t generation) { completed_ = generation; }
  // All shards held exclusively.
  void Begin(uint64_t applied_index, std::string host);
  Status Run();
  // Any thread: a Run that is going on ends soon, with kAborted, as if it had failed.
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  // The keyspace belongs to another writer from now on. All shards held exclusively, no Run going
  // on; what Begin froze is never written.
  void Detach();

  // Much of what was kept waits to be written.
  bool falls_behind() const {
    return queue_bytes_.load(std::memory_order_relaxed) > options_.queue_bytes_max / 4;
  }
  bool running() const { return active_.load(std::memory_order_acquire); }
  uint32_t generation() const { return generation_; }  // of the last Begin
  uint64_t rows_written() const { return rows_written_.load(std::memory_order_relaxed); }
  uint64_t bytes_written() const { return bytes_written_.load(std::memory_order_relaxed); }

  void KeepLeaf(const LeafPlace& place, Leaf& leaf) override;
  void KeepPiece(Body& body, size_t piece) override;

 private:
  struct Kept {
    RowKey key;
    std::string page;
    std::unique_ptr<PieceImage> image;  // null: it is a page
  };
  struct Superseded {
    RowKey key;
    bool in_parts;
  };

  bool NeedsWrite(const Mark& mark) const;
  void SetStoredMark(Mark* mark, const RowKey& unit, bool in_parts);
  void Keep(Kept kept, size_t bytes);
  void KeepLeafState(const LeafPlace& place, Leaf& leaf);
  void KeepBody(Body& body);
  void KeepPieceState(Body& body, size_t piece);
  void FreezeCells();

  Status Write();
  Status WritePages();
  Status WriteShard(Database& database, int shard);
  Status WriteBodies();
  Status WriteBody(Body& body);
  void DrainIfLong();
  Status DrainQueue();
  Status Commit();
  void Clean();
  Status DeleteSuperseded();
  static void DeleteVoid(const VoidRows& rows, RowWriter* cleaner);
  void Forget();

  Keyspace& keyspace_;
  Keyspace::Impl& impl_;
  storage::Backend& backend_;
  const CheckpointOptions options_;

  std::atomic<bool> active_{false};
  std::atomic<bool> cancelled_{false};
  bool detached_ = false;
  std::atomic<uint64_t> rows_written_{0};
  std::atomic<uint64_t> bytes_written_{0};

  // Set by Begin with all shards held; constant while active.
  uint32_t generation_ = 0;
  uint32_t last_valid_ = 0;  // generation
  std::vector<std::shared_ptr<Database>> databases_;
  std::string meta_row_;

  // Of the thread that runs.
  uint32_t completed_ = 0;
  std::vector<VoidRows> void_rows_;
  std::vector<uint32_t> dropped_databases_;
  bool superseded_lost_ = false;  // there may be some that no list names

  Mutex queue_mu_;  // taken with shard locks held
  std::deque<Kept> queue_ KIWI_GUARDED_BY(queue_mu_);
  std::atomic<size_t> queue_bytes_{0};                     // written under queue_mu_
  std::deque<BodyRef> bodies_ KIWI_GUARDED_BY(queue_mu_);  // may have pieces to write
  // Rows to delete once the checkpoint is valid. Kept when it fails: the next one supersedes them too.
  std::vector<Superseded> superseded_ KIWI_GUARDED_BY(queue_mu_);
  std::vector<RowKey> tombstones_ KIWI_GUARDED_BY(queue_mu_);  // deleted after what they supersede

  Mutex write_mu_;  // before queue_mu_
  std::unique_ptr<RowWriter> writer_ KIWI_GUARDED_BY(write_mu_);
};

}  // namespace kiwi::keyspace
