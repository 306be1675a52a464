#include "keyspace/snapshot_sink.h"

#include "keyspace/rows.h"

namespace kiwi::keyspace {
namespace {

constexpr size_t kBatchBytes = 1 << 20;

Status Malformed(std::string_view what) {
  return {StatusCode::kSerialization, "snapshot: " + std::string(what)};
}

}  // namespace

SnapshotSink::SnapshotSink(storage::Backend* backend)
    : backend_(backend), batch_(backend->NewBatch()) {}

Status SnapshotSink::Write(std::string_view chunk) {
  KIWI_RETURN_IF_ERROR(failed_);
  ChunkHeader header;
  std::string_view payload;
  const Status status = DecodeChunk(chunk, &header, &payload);
  if (status.code() == StatusCode::kSerialization) failed_ = status;
  KIWI_RETURN_IF_ERROR(status);
  if (complete_ || header.position != position_ || (position_ > 0 && header.stream != stream_)) {
    return {StatusCode::kInvalidArgument,
            "snapshot: the chunk at " + std::to_string(header.position) + " of stream " +
                std::to_string(header.stream) + " does not continue stream " +
                std::to_string(stream_) + " at " + std::to_string(position_)};
  }
  stream_ = header.stream;
  failed_ = TakePayload(payload, header.last);
  if (failed_.ok()) position_ += chunk.size();
  return failed_;
}

Status SnapshotSink::TakePayload(std::string_view payload, bool last) {
  if (rest_.empty()) {
    KIWI_RETURN_IF_ERROR(TakeRecords(&payload));
    rest_ = payload;
  } else {
    rest_.append(payload);
    std::string_view in = rest_;
    KIWI_RETURN_IF_ERROR(TakeRecords(&in));
    rest_.erase(0, rest_.size() - in.size());
  }
  if (ended_ != last || (last && !rest_.empty())) {
    return Malformed("its end is not where the last chunk ends");
  }
  complete_ = last;
  return {};
}

Status SnapshotSink::TakeRecords(std::string_view* in) {
  for (;;) {
    SnapshotRecord record;
    bool whole = false;
    KIWI_RETURN_IF_ERROR(TakeRecord(in, &record, &whole));
    if (!whole) return {};
    if (ended_) return Malformed("a record behind its end");
    if (has_meta() == (record.kind == SnapshotRecordKind::kHeader)) {
      return Malformed("its header is not its first record");
    }
    switch (record.kind) {
      case SnapshotRecordKind::kHeader:
        KIWI_RETURN_IF_ERROR(TakeHeader(record.value));
        break;
      case SnapshotRecordKind::kRow:
        KIWI_RETURN_IF_ERROR(TakeRow(record.key, record.value));
        break;
      case SnapshotRecordKind::kEnd:
        if (record.totals != totals_) return Malformed("rows are missing, or are not those sent");
        ended_ = true;
        break;
    }
  }
}

Status SnapshotSink::TakeHeader(std::string_view meta_row) {
  if (const Status status = DecodeMeta(meta_row, &meta_); !status.ok()) {
    return Malformed(status.message());
  }
  meta_row_ = meta_row;
  return {};
}

Status SnapshotSink::TakeRow(std::string_view key, std::string_view value) {
  RowKey row;
  if (!RowKey::Decode(key, &row) || row.generation > meta_.generation || key <= last_key_ ||
      (row.kind != RowKind::kCells && row.kind != RowKind::kPage && row.kind != RowKind::kPiece)) {
    return Malformed("a row that cannot be in it");
  }
  uint32_t parts = 0;
  std::string_view bytes;
  if (const Status status = UnframeRow(key, value, &parts, &bytes); !status.ok()) {
    return Malformed(row.ToString() + ": " + std::string(status.message()));
  }
  last_key_ = key;
  totals_.Add(key, value);
  batch_->Put(key, value);
  return batch_->SizeBytes() >= kBatchBytes ? Flush() : Status();
}

Status SnapshotSink::Flush() {
  KIWI_RETURN_IF_ERROR(backend_->Write({}, batch_.get()));
  batch_->Clear();
  return {};
}

Status SnapshotSink::Finish(const std::string* host) {
  KIWI_RETURN_IF_ERROR(failed_);
  if (!complete_) {
    return {StatusCode::kInvalidArgument,
            "snapshot: it ends at " + std::to_string(position_) + ", before its last chunk"};
  }
  if (host != nullptr) {
    meta_.host = *host;
    meta_row_ = EncodeMeta(meta_);
  }
  failed_ = Flush();
  if (failed_.ok()) failed_ = backend_->Sync();
  if (failed_.ok()) {
    batch_->Put(kMetaKey, meta_row_);
    failed_ = backend_->Write({.sync = true}, batch_.get());
    batch_->Clear();
  }
  return failed_.WithContext("snapshot");
}

}  // namespace kiwi::keyspace
