#include "keyspace/meta.h"

#include "base/coding.h"
#include "keyspace/rows.h"

namespace kiwi::keyspace {
namespace {

bool GetVarint32(std::string_view* in, uint32_t* v) {
  uint64_t wide = 0;
  if (!GetVarint(in, &wide) || wide > UINT32_MAX) return false;
  *v = static_cast<uint32_t>(wide);
  return true;
}

}  // namespace

std::string EncodeMeta(const StoredMeta& meta) {
  std::string out;
  PutVarint(&out, meta.generation);
  PutVarint(&out, meta.applied_index);
  PutFixed(&out, meta.hash_seed);
  PutVarint(&out, meta.hash_max_listpack_entries);
  PutVarint(&out, meta.hash_max_listpack_value);
  PutVarint(&out, meta.next_database_id);
  PutVarint(&out, meta.next_body_id);
  PutVarint(&out, meta.databases.size());
  for (const auto& database : meta.databases) {
    PutVarint(&out, database.id);
    PutVarint(&out, database.keys);
    PutVarint(&out, database.floor);
  }
  PutLengthPrefixed(&out, meta.host);
  return FrameRow(kMetaKey, 1, out);
}

Status DecodeMeta(std::string_view row, StoredMeta* meta) {
  uint32_t parts = 0;
  std::string_view in;
  KIWI_RETURN_IF_ERROR(UnframeRow(kMetaKey, row, &parts, &in).WithContext("row M"));
  const Status malformed{StatusCode::kCorruption, "row M: malformed"};
  uint64_t databases = 0;
  if (!GetVarint32(&in, &meta->generation) || !GetVarint(&in, &meta->applied_index) ||
      !GetFixed(&in, &meta->hash_seed) || !GetVarint32(&in, &meta->hash_max_listpack_entries) ||
      !GetVarint32(&in, &meta->hash_max_listpack_value) ||
      !GetVarint32(&in, &meta->next_database_id) || !GetVarint(&in, &meta->next_body_id) ||
      !GetVarint(&in, &databases) || databases > in.size()) {
    return malformed;
  }
  for (uint64_t i = 0; i < databases; ++i) {
    StoredMeta::StoredDatabase database;
    if (!GetVarint32(&in, &database.id) || !GetVarint(&in, &database.keys) ||
        !GetVarint(&in, &database.floor)) {
      return malformed;
    }
    meta->databases.push_back(database);
  }
  std::string_view host;
  if (!GetLengthPrefixed(&in, &host) || !in.empty()) return malformed;
  meta->host = host;
  return {};
}

}  // namespace kiwi::keyspace
