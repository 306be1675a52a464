#include "keyspace/snapshot_source.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace kiwi::keyspace {

SnapshotSource::SnapshotSource(uint64_t stream, size_t chunk_bytes)
    : stream_(stream),
      payload_bytes_max_(std::max(chunk_bytes, 2 * ChunkHeader::kBytes) - ChunkHeader::kBytes) {}

Result<std::unique_ptr<SnapshotSource>> SnapshotSource::Open(const storage::Backend& backend,
                                                             uint64_t stream, size_t chunk_bytes) {
  std::unique_ptr<SnapshotSource> source(new SnapshotSource(stream, chunk_bytes));
  source->view_ = backend.GetSnapshot();
  const Status status =
      backend.Get({.snapshot = source->view_.get()}, kMetaKey, &source->meta_row_);
  if (status.code() == StatusCode::kNotFound) {
    return Status(StatusCode::kUnavailable, "there is no complete checkpoint yet");
  }
  KIWI_RETURN_IF_ERROR(status);
  KIWI_RETURN_IF_ERROR(DecodeMeta(source->meta_row_, &source->meta_));
  for (const auto& database : source->meta_.databases) source->databases_.push_back(database.id);
  std::sort(source->databases_.begin(), source->databases_.end());
  source->rows_ = backend.NewIterator({.snapshot = source->view_.get()});
  source->here_.on_header = true;
  source->places_.push_back(source->here_);
  KIWI_RETURN_IF_ERROR(source->GoTo(source->places_.front()));
  return source;
}

Result<std::string> SnapshotSource::Read(uint64_t position) {
  if (end_ == position) return std::string();
  if (here_.position != position || record_.empty()) {
    const auto place = std::lower_bound(
        places_.begin(), places_.end(), position,
        [](const Place& candidate, uint64_t wanted) { return candidate.position < wanted; });
    if (place == places_.end() || place->position != position) {
      return Status(StatusCode::kInvalidArgument,
                    "no chunk of the snapshot begins at " + std::to_string(position));
    }
    KIWI_RETURN_IF_ERROR(GoTo(Place(*place)));
  }
  std::string payload;
  payload.reserve(payload_bytes_max_);
  while (!record_.empty() && payload.size() < payload_bytes_max_) {
    const size_t n =
        std::min(record_.size() - here_.record_at, payload_bytes_max_ - payload.size());
    payload.append(record_, here_.record_at, n);
    here_.record_at += static_cast<uint32_t>(n);
    if (here_.record_at < record_.size()) break;
    if (const Status status = NextRecord(); !status.ok()) {
      record_.clear();  // the next Read finds its place anew
      return status.WithContext("snapshot");
    }
  }
  const bool last = record_.empty();
  std::string chunk = EncodeChunk({.stream = stream_, .position = position, .last = last}, payload);
  here_.position = position + chunk.size();
  if (last) {
    end_ = here_.position;
  } else if (places_.back().position < here_.position) {
    places_.push_back(here_);
  }
  return chunk;
}

Status SnapshotSource::GoTo(const Place& place) {
  here_ = place;
  record_.clear();
  unit_.reset();
  if (place.on_header) {
    AppendHeaderRecord(meta_row_, &record_);
    return {};
  }
  if (place.on_end) {
    AppendEndRecord(place.totals, &record_);
    return {};
  }
  const std::string_view key(place.key.data(), place.key.size());
  rows_->Seek(key);
  KIWI_RETURN_IF_ERROR(rows_->status());
  KIWI_CHECK(rows_->Valid() && rows_->key() == key, "a consistent view has lost a row");
  AppendRowRecord(key, rows_->value(), &record_);
  RowKey::Decode(key, &unit_.emplace());
  return {};
}

Status SnapshotSource::NextRecord() {
  record_.clear();
  here_.record_at = 0;
  if (here_.on_end) return {};
  if (here_.on_header) {
    here_.on_header = false;
    rows_->SeekToFirst();
  } else {
    rows_->Next();
  }
  for (; rows_->Valid(); rows_->Next()) {
    if (rows_->key() == kMetaKey) continue;
    RowKey key;
    if (!RowKey::Decode(rows_->key(), &key)) {
      return {StatusCode::kCorruption, "a row has a malformed key"};
    }
    if (!Wanted(key)) continue;
    unit_ = key;
    std::memcpy(here_.key.data(), rows_->key().data(), here_.key.size());
    here_.totals.Add(rows_->key(), rows_->value());
    AppendRowRecord(rows_->key(), rows_->value(), &record_);
    return {};
  }
  KIWI_RETURN_IF_ERROR(rows_->status());
  here_.on_end = true;
  AppendEndRecord(here_.totals, &record_);
  return {};
}

bool SnapshotSource::Wanted(const RowKey& key) const {
  if (key.generation > meta_.generation) return false;
  if (unit_ && key.SameUnit(*unit_) && key.generation != unit_->generation) return false;
  return key.kind == RowKind::kCells ||
         std::binary_search(databases_.begin(), databases_.end(), key.db);
}

}  // namespace kiwi::keyspace
