#include "keyspace/checkpoint_writer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/log.h"
#include "keyspace/page.h"

namespace kiwi::keyspace {
namespace {

// How much is done under one hold of a shard's lock: some tens of microseconds.
constexpr size_t kLeavesPerHold = 16;
constexpr size_t kPiecesKeptPerHold = 4;
constexpr size_t kPiecesSeenPerHold = 4096;
// Bodies of so few bytes are kept with their page; larger ones wait for their turn.
constexpr size_t kCopyAtOnceBytes = 8 << 10;

// Rows of failed runs that are remembered for deletion; what is above, Load removes.
constexpr size_t kSupersededMax = 1 << 20;

// A run that wrote more has the backend's write buffers emptied behind it.
constexpr uint64_t kFlushBytes = 4 << 20;

ShardSet OneShard(int shard) {
  ShardSet set;
  set.AddSlot(static_cast<uint16_t>(shard * kSlotsPerShard));
  return set;
}

RowKey PageKey(const LeafPlace& place, uint32_t generation) {
  return {.kind = RowKind::kPage,
          .db = place.db,
          .id = uint64_t{place.slot} << 32 | place.prefix,
          .generation = generation};
}

RowKey PieceKey(const Body& body, size_t piece, uint32_t generation) {
  return {.kind = RowKind::kPiece,
          .db = body.db(),
          .id = body.id(),
          .piece = static_cast<uint32_t>(piece),
          .generation = generation};
}

}  // namespace

CheckpointWriter::CheckpointWriter(Keyspace* keyspace, storage::Backend* backend,
                                   const CheckpointOptions& options)
    : keyspace_(*keyspace), impl_(keyspace->impl()), backend_(*backend), options_(options) {}

CheckpointWriter::~CheckpointWriter() {
  if (!detached_) impl_.tracker.set_sink(nullptr);
}

void CheckpointWriter::Detach() {
  active_.store(false, std::memory_order_release);
  impl_.tracker.set_sink(nullptr);
  detached_ = true;
}

bool CheckpointWriter::NeedsWrite(const Mark& mark) const {
  if (mark.changed == 0 || mark.changed > generation_) return false;
  const bool void_row = mark.stored > last_valid_ && mark.stored != generation_;
  return mark.stored < mark.changed || void_row;
}

// --- Begin ---

void CheckpointWriter::Begin(uint64_t applied_index, std::string host) {
  KIWI_CHECK(!running(), "a checkpoint is running");
  last_valid_ = completed_;
  generation_ = impl_.tracker.generation();
  KIWI_CHECK(generation_ < (1u << 31) - 1, "out of generations");
  impl_.tracker.set_generation(generation_ + 1);
  databases_ = impl_.databases;
  rows_written_ = 0;
  bytes_written_ = 0;

  StoredMeta meta{.generation = generation_,
                  .applied_index = applied_index,
                  .hash_seed = impl_.options.hash_seed,
                  .hash_max_listpack_entries = impl_.options.hash_max_listpack_entries,
                  .hash_max_listpack_value = impl_.options.hash_max_listpack_value,
                  .next_database_id = impl_.next_database_id,
                  .next_body_id = impl_.tracker.next_body_id(),
                  .databases = {},
                  .host = std::move(host)};
  for (size_t i = 0; i < databases_.size(); ++i) {
    uint64_t keys = 0;
    for (const auto& shard : databases_[i]->shards) {
      if (shard == nullptr) continue;
      keys += shard->count();
      std::vector<DirtyLeaf>& frozen = shard->frozen();
      const bool failed_before = !frozen.empty();
      if (failed_before) {
        frozen.insert(frozen.end(), shard->dirty().begin(), shard->dirty().end());
        shard->dirty().clear();
        std::sort(frozen.begin(), frozen.end());
        frozen.erase(std::unique(frozen.begin(), frozen.end()), frozen.end());
      } else {
        frozen.swap(shard->dirty());
      }
    }
    meta.databases.push_back({.id = databases_[i]->id, .keys = keys, .floor = impl_.floors[i]});
  }
  meta_row_ = EncodeMeta(meta);

  for (const VoidRows& rows : impl_.tracker.TakeVoidRows()) void_rows_.push_back(rows);
  for (const uint32_t id : std::exchange(impl_.dropped_databases, {})) {
    dropped_databases_.push_back(id);
  }
  FreezeCells();
  {
    // From now on the applier may have to write out what it hands over.
    MutexLock lock(write_mu_);
    writer_ = std::make_unique<RowWriter>(&backend_, options_.batch_bytes);
  }
  impl_.tracker.set_sink(this);
  active_.store(true, std::memory_order_release);
}

// The cells are few and small: their state is copied at once.
void CheckpointWriter::FreezeCells() {
  for (size_t shard = 0; shard < impl_.shards.size(); ++shard) {
    ModifiedCells& cells = impl_.shards[shard].cells;
    for (size_t block = 0; block < ModifiedCells::kBlocks; ++block) {
      Mark& mark = cells.mark(block);
      if (!NeedsWrite(mark)) continue;
      std::string bytes;
      for (size_t i = 0; i < ModifiedCells::kBlockCells; ++i) {
        PutVarint(&bytes, cells.at(block * ModifiedCells::kBlockCells + i));
      }
      const RowKey key{
          .kind = RowKind::kCells, .id = shard << 8 | block, .generation = generation_};
      SetStoredMark(&mark, key, false);
      const size_t size = bytes.size();
      Keep({.key = key, .page = std::move(bytes), .image = nullptr}, size);
    }
  }
}

// --- keeping the frozen state, under the unit's shard lock ---

void CheckpointWriter::SetStoredMark(Mark* mark, const RowKey& unit, bool in_parts) {
  if (mark->stored != 0) {
    RowKey old = unit;
    old.generation = mark->stored;
    MutexLock lock(queue_mu_);
    superseded_.push_back({old, mark->stored_in_parts != 0});
  }
  mark->stored = generation_ & 0x7fffffff;
  mark->stored_in_parts = in_parts ? 1 : 0;
}

void CheckpointWriter::Keep(Kept kept, size_t bytes) {
  MutexLock lock(queue_mu_);
  queue_.push_back(std::move(kept));
  queue_bytes_ += bytes;
}

void CheckpointWriter::KeepLeafState(const LeafPlace& place, Leaf& leaf) {
  Mark& mark = leaf.mark();
  if (leaf.count() == 0 && mark.stored == 0) {  // no row, and none is needed
    mark.changed = 0;
    return;
  }
  for (size_t i = 0; i < leaf.count(); ++i) {
    if (Body* body = leaf.at(i)->body(); body != nullptr) KeepBody(*body);
  }
  const RowKey key = PageKey(place, generation_);
  std::string page = EncodePage(leaf);
  const size_t size = page.size();
  SetStoredMark(&mark, key, RowWriter::InParts(size));
  Keep({.key = key, .page = std::move(page), .image = nullptr}, size);
  if (leaf.count() > 0) return;
  MutexLock lock(queue_mu_);
  tombstones_.push_back(key);
}

void CheckpointWriter::KeepBody(Body& body) {
  if (body.piece_count() == 1 && body.memory_bytes() <= kCopyAtOnceBytes) {
    if (NeedsWrite(body.mark(0))) KeepPieceState(body, 0);
    return;
  }
  body.Ref();
  MutexLock lock(queue_mu_);
  bodies_.emplace_back(&body);
}

void CheckpointWriter::KeepPieceState(Body& body, size_t piece) {
  std::unique_ptr<PieceImage> image = body.Freeze(piece);
  const size_t size = image->size();
  const RowKey key = PieceKey(body, piece, generation_);
  SetStoredMark(&body.mark(piece), key, RowWriter::InParts(size));
  Keep({.key = key, .page = {}, .image = std::move(image)}, size);
}

void CheckpointWriter::KeepLeaf(const LeafPlace& place, Leaf& leaf) {
  if (!running() || !NeedsWrite(leaf.mark())) return;
  KeepLeafState(place, leaf);
  DrainIfLong();
}

void CheckpointWriter::KeepPiece(Body& body, size_t piece) {
  if (!running() || !NeedsWrite(body.mark(piece))) return;
  KeepPieceState(body, piece);
  DrainIfLong();
}

void CheckpointWriter::DrainIfLong() {
  {
    MutexLock lock(queue_mu_);
    if (queue_bytes_ <= options_.queue_bytes_max) return;
  }
  static_cast<void>(DrainQueue());  // an error stays with the RowWriter, where Run finds it
}

Status CheckpointWriter::DrainQueue() {
  if (cancelled_.load(std::memory_order_relaxed)) {
    return {StatusCode::kAborted, "another state takes the place of this one"};
  }
  MutexLock write_lock(write_mu_);
  std::deque<Kept> queue;
  {
    MutexLock lock(queue_mu_);
    queue.swap(queue_);
    queue_bytes_ = 0;
  }
  if (writer_ == nullptr) return {};  // the run is over, without success
  for (const Kept& kept : queue) {
    if (kept.image != nullptr) {
      writer_->Put(kept.key, *kept.image);
    } else {
      writer_->Put(kept.key, kept.page);
    }
  }
  rows_written_ = writer_->rows();
  bytes_written_ = writer_->bytes();
  return writer_->status();
}

// --- Run ---

Status CheckpointWriter::Run() {
  KIWI_CHECK(running(), "Begin comes first");
  const Status status = Write();
  active_.store(false, std::memory_order_release);
  {
    MutexLock lock(write_mu_);
    writer_.reset();
  }
  if (status.ok()) {
    completed_ = generation_;
    Clean();
  } else if (status.code() != StatusCode::kAborted) {
    // Deletions of earlier runs that were not synced may be lost with what failed.
    superseded_lost_ = true;
  }
  Forget();
  return status;
}

Status CheckpointWriter::Write() {
  // After an error of an earlier run, or of its cleaning up. Busy while a snapshot is read.
  KIWI_RETURN_IF_ERROR(backend_.Resume());
  KIWI_RETURN_IF_ERROR(WritePages());
  KIWI_RETURN_IF_ERROR(WriteBodies());
  KIWI_RETURN_IF_ERROR(DrainQueue());
  {
    MutexLock lock(write_mu_);
    KIWI_RETURN_IF_ERROR(writer_->Flush());
  }
  return Commit();
}

Status CheckpointWriter::WritePages() {
  for (const auto& database : databases_) {
    for (int shard = 0; shard < kShardCount; ++shard) {
      KIWI_RETURN_IF_ERROR(WriteShard(*database, shard));
    }
  }
  return {};
}

Status CheckpointWriter::WriteShard(Database& database, int shard) {
  for (size_t done = 0;;) {
    {
      const ShardLock lock(keyspace_, OneShard(shard), LockMode::kShared);
      DbShard* db_shard = database.shards[static_cast<size_t>(shard)].get();
      if (db_shard == nullptr || done >= db_shard->frozen().size()) return {};
      const size_t end = std::min(done + kLeavesPerHold, db_shard->frozen().size());
      for (; done < end; ++done) {
        const DirtyLeaf& dirty = db_shard->frozen()[done];
        const auto slot = static_cast<uint16_t>(static_cast<uint32_t>(shard) * kSlotsPerShard +
                                                dirty.slot_in_shard);
        Leaf* leaf = db_shard->table(slot).LeafFor(uint64_t{dirty.prefix} << 32);
        if (leaf == nullptr || !NeedsWrite(leaf->mark())) continue;  // handed over before
        KeepLeafState({.db = database.id, .slot = slot, .prefix = dirty.prefix}, *leaf);
      }
    }
    KIWI_RETURN_IF_ERROR(DrainQueue());
  }
}

Status CheckpointWriter::WriteBodies() {
  for (;;) {
    BodyRef body;
    {
      MutexLock lock(queue_mu_);
      if (bodies_.empty()) return {};
      body = std::move(bodies_.front());
      bodies_.pop_front();
    }
    KIWI_RETURN_IF_ERROR(WriteBody(*body));
  }
}

Status CheckpointWriter::WriteBody(Body& body) {
  for (size_t piece = 0;;) {
    {
      const int home = body.home();
      const ShardLock lock(keyspace_, OneShard(home), LockMode::kShared);
      if (body.home() != home) continue;  // renamed meanwhile
      size_t kept = 0;
      const size_t end = std::min(piece + kPiecesSeenPerHold, body.piece_count());
      if (piece >= end) return {};
      for (; piece < end && kept < kPiecesKeptPerHold; ++piece) {
        if (!NeedsWrite(body.mark(piece))) continue;
        KeepPieceState(body, piece);
        ++kept;
      }
    }
    KIWI_RETURN_IF_ERROR(DrainQueue());
  }
}

Status CheckpointWriter::Commit() {
  KIWI_RETURN_IF_ERROR(backend_.Sync());
  auto batch = backend_.NewBatch();
  batch->Put(kMetaKey, meta_row_);
  // Should this fail and yet reach the disk, what it makes valid is complete, and nothing of it is
  // removed before a later one is valid.
  return backend_.Write({.sync = true}, batch.get());
}

// Removes what the valid checkpoint superseded. After an error here the next run tries again: an
// empty page may only go once all older rows of its leaf are gone.
void CheckpointWriter::Clean() {
  for (int shard = 0; shard < kShardCount; ++shard) {
    const ShardLock lock(keyspace_, OneShard(shard), LockMode::kShared);
    for (const auto& database : databases_) {
      DbShard* db_shard = database->shards[static_cast<size_t>(shard)].get();
      if (db_shard != nullptr) std::vector<DirtyLeaf>().swap(db_shard->frozen());
    }
  }
  Status status = DeleteSuperseded();
  if (status.ok() && bytes_written() > kFlushBytes) status = backend_.Flush();
  if (!status.ok()) {
    superseded_lost_ = true;
    KIWI_LOG(kWarn, "checkpoint cleanup failed generation={} error=\"{}\"", generation_,
             status.ToString());
  }
}

Status CheckpointWriter::DeleteSuperseded() {
  std::vector<Superseded> superseded;
  std::vector<RowKey> tombstones;
  {
    // Nothing is added now: no run is going on.
    MutexLock lock(queue_mu_);
    superseded = superseded_;
    tombstones = tombstones_;
  }
  RowWriter cleaner(&backend_, options_.batch_bytes);
  for (const Superseded& row : superseded) cleaner.Delete(row.key, row.in_parts);
  for (const RowKey& key : tombstones) {
    RowKey behind = key;
    ++behind.piece;
    // Older rows that are not listed would come to light.
    superseded_lost_ ? cleaner.DeleteRange(key.Encode(), behind.Encode())
                     : cleaner.Delete(key, false);
  }
  for (const VoidRows& rows : void_rows_) DeleteVoid(rows, &cleaner);
  for (const uint32_t id : dropped_databases_) {
    for (const RowKind kind : {RowKind::kPage, RowKind::kPiece}) {
      const RowKey begin{.kind = kind, .db = id, .generation = UINT32_MAX};
      const RowKey end{.kind = kind, .db = id + 1, .generation = UINT32_MAX};
      cleaner.DeleteRange(begin.Encode(), end.Encode());
    }
  }
  KIWI_RETURN_IF_ERROR(cleaner.Flush());
  void_rows_.clear();
  dropped_databases_.clear();
  MutexLock lock(queue_mu_);
  superseded_.clear();
  tombstones_.clear();
  return {};
}

void CheckpointWriter::DeleteVoid(const VoidRows& rows, RowWriter* cleaner) {
  RowKey begin{.kind = RowKind::kPiece, .db = rows.db, .id = rows.body};
  begin.generation = UINT32_MAX;  // sorts first
  RowKey end = begin;
  if (rows.piece == VoidRows::kAllPieces) {
    ++end.id;
  } else {
    begin.piece = end.piece = rows.piece;
    begin.generation = rows.generation;
    end.generation = rows.generation - 1;
  }
  cleaner->DeleteRange(begin.Encode(), end.Encode());
}

void CheckpointWriter::Forget() {
  databases_.clear();
  std::deque<Kept> queue;
  std::deque<BodyRef> bodies;
  MutexLock lock(queue_mu_);
  queue.swap(queue_);
  bodies.swap(bodies_);
  queue_bytes_ = 0;
  if (superseded_.size() > kSupersededMax) {
    superseded_.resize(kSupersededMax);
    superseded_lost_ = true;
  }
}

}  // namespace kiwi::keyspace
