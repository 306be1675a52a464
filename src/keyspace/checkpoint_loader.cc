#include "keyspace/checkpoint_loader.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>
#include <utility>

#include "base/coding.h"
#include "base/log.h"
#include "keyspace/blob.h"
#include "keyspace/checkpoint.h"
#include "keyspace/row_scanner.h"
#include "keyspace/types/hash_table.h"
#include "keyspace/types/packed_hash.h"

namespace kiwi::keyspace {
namespace {

Status Corrupt(const RowKey& key, std::string_view why) {
  return {StatusCode::kCorruption, key.ToString() + ": " + std::string(why)};
}

// The number of fields in a piece of a table of so many.
size_t FieldsIn(uint64_t size, size_t piece) {
  return static_cast<size_t>(
      std::min<uint64_t>(HashTable::kPieceFields, size - piece * HashTable::kPieceFields));
}

size_t PiecesOf(Encoding encoding, uint64_t size) {
  const uint64_t unit = encoding == Encoding::kTable ? HashTable::kPieceFields : Blob::kPieceBytes;
  return static_cast<size_t>(size == 0 ? 1 : (size - 1) / unit + 1);
}

RowKey BodyKey(const Body& body, size_t piece) {
  return {.kind = RowKind::kPiece,
          .db = body.db(),
          .id = body.id(),
          .piece = static_cast<uint32_t>(piece),
          .generation = UINT32_MAX};
}

}  // namespace

CheckpointLoader::CheckpointLoader(Keyspace* keyspace, storage::Backend* backend)
    : impl_(keyspace->impl()), backend_(*backend) {}

Status CheckpointLoader::InParallel(int threads, size_t count, FunctionRef<Status(size_t)> task) {
  std::atomic<size_t> next{0};
  std::atomic<bool> failed{false};
  Mutex mu;
  Status first_error;
  const auto work = [&] {
    for (size_t i = next++; i < count && !failed; i = next++) {
      if (Status status = task(i); !status.ok()) {
        MutexLock lock(mu);
        if (!failed.exchange(true)) first_error = std::move(status);
      }
    }
  };
  std::vector<std::thread> helpers;
  for (int i = 1; i < threads && static_cast<size_t>(i) < count; ++i) helpers.emplace_back(work);
  work();
  for (std::thread& helper : helpers) helper.join();
  return first_error;
}

Status CheckpointLoader::Load(int threads) {
  KIWI_RETURN_IF_ERROR(ReadMeta());
  if (meta_.generation == 0) return RemoveEverything();
  KIWI_RETURN_IF_ERROR(Adopt());
  KIWI_RETURN_IF_ERROR(LoadPages(threads));
  KIWI_RETURN_IF_ERROR(LoadBodies(threads));
  KIWI_RETURN_IF_ERROR(LoadCells());
  KIWI_RETURN_IF_ERROR(RemoveForeignPages());
  return RemoveGarbage();
}

Status CheckpointLoader::ReadMeta() {
  std::string row;
  const Status status = backend_.Get({}, kMetaKey, &row);
  if (status.code() == StatusCode::kNotFound) return {};
  KIWI_RETURN_IF_ERROR(status);
  KIWI_RETURN_IF_ERROR(DecodeMeta(row, &meta_));
  if (meta_.generation == 0 || meta_.generation >= (1u << 31) - 2) {
    return {StatusCode::kCorruption, "row M: generation out of range"};
  }
  return {};
}

// Takes over what the meta says of the keyspace as a whole.
Status CheckpointLoader::Adopt() {
  impl_.options.hash_seed = meta_.hash_seed;
  impl_.options.hash_max_listpack_entries = meta_.hash_max_listpack_entries;
  impl_.options.hash_max_listpack_value = meta_.hash_max_listpack_value;
  impl_.next_database_id = meta_.next_database_id;
  impl_.tracker.set_next_body_id(meta_.next_body_id);
  impl_.tracker.set_generation(meta_.generation + 1);
  for (size_t i = 0; i < meta_.databases.size(); ++i) {
    const auto& stored = meta_.databases[i];
    if (i >= impl_.databases.size()) {
      if (stored.keys == 0) continue;
      return {StatusCode::kConfig,
              "database " + std::to_string(i) + " holds " + std::to_string(stored.keys) +
                  " keys: set databases to at least " + std::to_string(meta_.databases.size())};
    }
    impl_.databases[i] = std::make_shared<Database>(stored.id);
    impl_.floors[i] = stored.floor;
  }
  for (size_t i = meta_.databases.size(); i < impl_.databases.size(); ++i) {
    impl_.databases[i] = std::make_shared<Database>(impl_.next_database_id++);
  }
  return {};
}

void CheckpointLoader::AddGarbage(Garbage garbage) {
  MutexLock lock(mu_);
  const auto append = [](std::vector<std::string>* to, std::vector<std::string>* from) {
    to->insert(to->end(), std::make_move_iterator(from->begin()),
               std::make_move_iterator(from->end()));
  };
  append(&garbage_.rows, &garbage.rows);
  append(&garbage_.tombstones, &garbage.tombstones);
}

// --- pages ---

Status CheckpointLoader::LoadPages(int threads) {
  const size_t databases = std::min(meta_.databases.size(), impl_.databases.size());
  const auto load_shard = [&](size_t shard) {
    Status status;
    for (size_t logical = 0; logical < databases && status.ok(); ++logical) {
      status = LoadPagesOf(logical, static_cast<int>(shard));
    }
    return status;
  };
  KIWI_RETURN_IF_ERROR(InParallel(threads, kShardCount, load_shard));
  for (size_t i = 0; i < databases; ++i) {
    uint64_t keys = 0;
    for (const auto& shard : impl_.databases[i]->shards)
      keys += shard == nullptr ? 0 : shard->count();
    if (keys == meta_.databases[i].keys) continue;
    return {StatusCode::kCorruption, "database " + std::to_string(i) + " has " +
                                         std::to_string(keys) + " keys where its checkpoint had " +
                                         std::to_string(meta_.databases[i].keys)};
  }
  return {};
}

Status CheckpointLoader::LoadPagesOf(size_t logical, int shard) {
  const uint32_t db = impl_.databases[logical]->id;
  const auto slot_key = [&](int slot) {
    return RowKey{.kind = RowKind::kPage,
                  .db = db,
                  .id = static_cast<uint64_t>(slot) << 32,
                  .generation = UINT32_MAX}
        .Encode();
  };
  Garbage garbage;
  std::vector<LoadedBody> bodies;
  // An empty database may have rows that wait for their deletion, but is not worth 64 seeks.
  if (meta_.databases[logical].keys == 0 && shard != 0) return {};
  const int end_shard = meta_.databases[logical].keys == 0 ? kShardCount : shard + 1;
  RowScanner rows(backend_, slot_key(shard * kSlotsPerShard), slot_key(end_shard * kSlotsPerShard),
                  meta_.generation, &garbage.rows);
  while (rows.Next()) {
    KIWI_RETURN_IF_ERROR(
        LoadPage(rows.key(), rows.bytes(), rows.parts() > 1, logical, &bodies, &garbage));
  }
  KIWI_RETURN_IF_ERROR(rows.status());
  AddGarbage(std::move(garbage));
  MutexLock lock(mu_);
  bodies_.insert(bodies_.end(), bodies.begin(), bodies.end());
  return {};
}

Status CheckpointLoader::LoadPage(const RowKey& key, std::string_view bytes, bool in_parts,
                                  size_t logical, std::vector<LoadedBody>* bodies,
                                  Garbage* garbage) {
  const auto slot = static_cast<uint16_t>(key.id >> 32);
  const uint64_t first_hash = key.id << 32;
  PageHead head;
  Leaf* leaf = nullptr;
  DbShard* shard = nullptr;
  const size_t bodies_before = bodies->size();
  const auto build = [&](const PageEntry& entry) -> Status {
    if (leaf == nullptr) {
      if (meta_.databases[logical].keys == 0) return Corrupt(key, "its database has no keys");
      leaf = Leaf::New(head.depth, head.count);
      shard = &impl_.MakeShard(*impl_.databases[logical], ShardOf(slot));
    }
    const uint64_t hash = shard->Hash(entry.key);
    const bool mine = head.depth == 0 || ((hash ^ first_hash) >> (64 - head.depth)) == 0;
    if (!mine || leaf->Find(hash, entry.key) != Leaf::kNotFound) {
      return Corrupt(key, "it holds a key that is not its own");
    }
    if (!HasBody(entry.shape.encoding)) {
      Object* object = Object::New(entry.shape, entry.key, entry.value.size());
      std::memcpy(object->mutable_value(), entry.value.data(), entry.value.size());
      leaf->Add(hash, object);
      return {};
    }
    const BodyIdentity identity{
        .db = key.db, .id = entry.body_id, .shard = static_cast<uint8_t>(ShardOf(slot))};
    Body* body = entry.shape.encoding == Encoding::kTable
                     ? static_cast<Body*>(new HashTable(identity, meta_.hash_seed))
                     : new Blob(identity);
    Object* object = Object::New(entry.shape, entry.key, sizeof(body));
    object->set_body(body);
    leaf->Add(hash, object);
    bodies->push_back({.body = body,
                       .shard = shard,
                       .encoding = entry.shape.encoding,
                       .size = entry.body_size,
                       .accounted = static_cast<int64_t>(body->memory_bytes())});
    return {};
  };
  Status status = DecodePage(bytes, &head, build);
  if (status.ok() && leaf == nullptr) {  // an empty page says that older rows are void
    garbage->tombstones.push_back(key.Encode());
    return {};
  }
  if (leaf != nullptr) {
    leaf->mark().stored = key.generation & 0x7fffffff;
    leaf->mark().stored_in_parts = in_parts ? 1 : 0;
    const bool aligned = head.depth == 32 || (key.id & 0xffffffff) << head.depth << 32 == 0;
    if (status.ok() && (!aligned || !shard->Install(slot, first_hash, leaf))) {
      status = Corrupt(key, "it overlaps another");
    }
    if (!status.ok()) {
      for (size_t i = 0; i < leaf->count(); ++i) {
        const BodyRef body(leaf->at(i)->body());
        Object::Free(leaf->at(i));
      }
      Leaf::Free(leaf);
      bodies->resize(bodies_before);
    }
  }
  return status.ok() || status.message().starts_with("row ") ? status
                                                             : status.WithContext(key.ToString());
}

// --- pieces ---

Status CheckpointLoader::LoadBodies(int threads) {
  std::vector<LoadedBody>* bodies;
  {
    MutexLock lock(mu_);  // no task runs
    bodies = &bodies_;
  }
  std::sort(bodies->begin(), bodies->end(), [](const LoadedBody& a, const LoadedBody& b) {
    return std::pair(a.body->db(), a.body->id()) < std::pair(b.body->db(), b.body->id());
  });
  const size_t slices = std::clamp<size_t>(bodies->size() / 16, 1, 64);
  const auto start = [&](size_t slice) { return bodies->size() * slice / slices; };
  const auto load_slice = [&](size_t slice) {
    std::string begin = slice == 0 ? KindBegin(RowKind::kPiece)
                                   : BodyKey(*(*bodies)[start(slice)].body, 0).Encode();
    std::string end = slice + 1 == slices ? KindEnd(RowKind::kPiece)
                                          : BodyKey(*(*bodies)[start(slice + 1)].body, 0).Encode();
    return LoadPiecesOf(start(slice), start(slice + 1), std::move(begin), std::move(end));
  };
  KIWI_RETURN_IF_ERROR(InParallel(threads, slices, load_slice));
  for (const LoadedBody& loaded : *bodies) {
    loaded.shard->AddBytes(static_cast<int64_t>(loaded.body->memory_bytes()) - loaded.accounted);
  }
  return {};
}

// Rows and bodies are in the same order, so one walk matches them.
Status CheckpointLoader::LoadPiecesOf(size_t first, size_t last, std::string begin,
                                      std::string end) {
  const std::vector<LoadedBody>* bodies;
  {
    MutexLock lock(mu_);  // no task changes it in this pass
    bodies = &bodies_;
  }
  Garbage garbage;
  RowScanner rows(backend_, std::move(begin), std::move(end), meta_.generation, &garbage.rows);
  size_t at = first;
  size_t pieces_seen = 0;
  while (rows.Next()) {
    const RowKey& key = rows.key();
    const auto place = [](const Body& body) { return std::pair(body.db(), body.id()); };
    while (at < last && place(*(*bodies)[at].body) < std::pair(key.db, key.id)) {
      KIWI_RETURN_IF_ERROR(CheckComplete((*bodies)[at], pieces_seen));
      ++at;
      pieces_seen = 0;
    }
    const bool known = at < last && place(*(*bodies)[at].body) == std::pair(key.db, key.id);
    if (!known || key.piece >= PiecesOf((*bodies)[at].encoding, (*bodies)[at].size)) {
      for (uint32_t part = 0; part < rows.parts(); ++part) {
        garbage.rows.push_back(RowKey(key).WithPart(part).Encode());
      }
      continue;
    }
    const LoadedBody& loaded = (*bodies)[at];
    if (key.piece != pieces_seen) return CheckComplete(loaded, pieces_seen);
    if (const Status status = RestorePiece(loaded, key.piece, rows.bytes()); !status.ok()) {
      return status.WithContext(key.ToString());
    }
    Mark& mark = loaded.body->mark(key.piece);
    mark.stored = key.generation & 0x7fffffff;
    mark.stored_in_parts = rows.parts() > 1 ? 1 : 0;
    ++pieces_seen;
  }
  KIWI_RETURN_IF_ERROR(rows.status());
  for (; at < last; ++at, pieces_seen = 0) {
    KIWI_RETURN_IF_ERROR(CheckComplete((*bodies)[at], pieces_seen));
  }
  AddGarbage(std::move(garbage));
  return {};
}

Status CheckpointLoader::RestorePiece(const LoadedBody& loaded, size_t piece,
                                      std::string_view bytes) {
  const Status malformed{StatusCode::kCorruption, "malformed piece"};
  if (loaded.encoding == Encoding::kTable) {
    auto& table = static_cast<HashTable&>(*loaded.body);
    for (size_t i = FieldsIn(loaded.size, piece); i > 0; --i) {
      std::string_view field;
      std::string_view value;
      if (!GetLengthPrefixed(&bytes, &field) || !GetLengthPrefixed(&bytes, &value)) {
        return malformed;
      }
      if (field.size() > UINT32_MAX || value.size() > UINT32_MAX) return malformed;
      if (!table.Restore(field, value)) return malformed;
    }
    return bytes.empty() ? Status() : malformed;
  }
  auto& blob = static_cast<Blob&>(*loaded.body);
  const size_t offset = piece * Blob::kPieceBytes;
  if (bytes.size() != std::min<uint64_t>(Blob::kPieceBytes, loaded.size - offset)) return malformed;
  if (piece == 0) blob.Restore(loaded.size);
  std::memcpy(blob.mutable_data() + offset, bytes.data(), bytes.size());
  return {};
}

Status CheckpointLoader::CheckComplete(const LoadedBody& loaded, size_t pieces_seen) {
  if (pieces_seen != PiecesOf(loaded.encoding, loaded.size)) {
    return Corrupt(BodyKey(*loaded.body, pieces_seen), "missing");
  }
  if (loaded.encoding == Encoding::kPackedBlob &&
      !PackedHash(static_cast<const Blob*>(loaded.body)->bytes()).Valid()) {
    return Corrupt(BodyKey(*loaded.body, 0), "malformed packed hash");
  }
  return {};
}

// --- the rest ---

Status CheckpointLoader::LoadCells() {
  Garbage garbage;
  RowScanner rows(backend_, KindBegin(RowKind::kCells), KindEnd(RowKind::kCells), meta_.generation,
                  &garbage.rows);
  while (rows.Next()) {
    const uint64_t shard = rows.key().id >> 8;
    const uint64_t block = rows.key().id & 0xff;
    if (shard >= kShardCount || block >= ModifiedCells::kBlocks) {
      return Corrupt(rows.key(), "no such block of cells");
    }
    std::string_view bytes = rows.bytes();
    ModifiedCells& cells = impl_.shards[shard].cells;
    for (size_t i = 0; i < ModifiedCells::kBlockCells; ++i) {
      uint64_t log_index = 0;
      if (!GetVarint(&bytes, &log_index)) return Corrupt(rows.key(), "malformed block of cells");
      cells.Note(block * ModifiedCells::kBlockCells + i, log_index, 0);
    }
    cells.mark(block).stored = rows.key().generation & 0x7fffffff;
  }
  KIWI_RETURN_IF_ERROR(rows.status());
  AddGarbage(std::move(garbage));
  return {};
}

// Pages of databases that no valid checkpoint knows lie between those that it knows.
Status CheckpointLoader::RemoveForeignPages() {
  std::vector<uint32_t> ids;
  for (const auto& stored : meta_.databases) ids.push_back(stored.id);
  std::sort(ids.begin(), ids.end());
  std::string begin = KindBegin(RowKind::kPage);
  RowWriter cleaner(&backend_, CheckpointOptions().batch_bytes);
  const auto clear_to = [&](const std::string& end) -> Status {
    auto it = backend_.NewIterator({.lower = begin, .upper = end});
    it->Seek(begin);
    if (it->Valid()) cleaner.DeleteRange(begin, end);
    return it->status();
  };
  for (const uint32_t id : ids) {
    const auto edge = [](uint32_t db) {
      return RowKey{.kind = RowKind::kPage, .db = db, .generation = UINT32_MAX}.Encode();
    };
    KIWI_RETURN_IF_ERROR(clear_to(edge(id)));
    begin = edge(id + 1);
  }
  KIWI_RETURN_IF_ERROR(clear_to(KindEnd(RowKind::kPage)));
  return cleaner.Flush();
}

Status CheckpointLoader::RemoveGarbage() {
  MutexLock lock(mu_);
  if (garbage_.rows.empty() && garbage_.tombstones.empty()) return {};
  KIWI_LOG(kInfo, "checkpoint leftovers removed rows={}",
           garbage_.rows.size() + garbage_.tombstones.size());
  RowWriter cleaner(&backend_, CheckpointOptions().batch_bytes);
  for (const auto* rows : {&garbage_.rows, &garbage_.tombstones}) {
    for (const std::string& row : *rows) cleaner.DeleteKey(row);
  }
  return cleaner.Flush();
}

Status CheckpointLoader::RemoveEverything() {
  RowWriter cleaner(&backend_, CheckpointOptions().batch_bytes);
  for (const RowKind kind : {RowKind::kCells, RowKind::kPage, RowKind::kPiece}) {
    auto it = backend_.NewIterator({.lower = KindBegin(kind), .upper = KindEnd(kind)});
    it->SeekToFirst();
    if (it->Valid()) cleaner.DeleteRange(KindBegin(kind), KindEnd(kind));
    KIWI_RETURN_IF_ERROR(it->status());
  }
  return cleaner.Flush();
}

}  // namespace kiwi::keyspace
