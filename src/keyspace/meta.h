// The one row that makes a checkpoint valid.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace kiwi::keyspace {

struct StoredMeta {
  struct StoredDatabase {
    uint32_t id = 0;
    uint64_t keys = 0;
    uint64_t floor = 0;  // keys count as modified up to this log index
  };

  uint32_t generation = 0;  // rows of later ones are void
  uint64_t applied_index = 0;
  uint64_t hash_seed = 0;
  uint32_t hash_max_listpack_entries = 0;
  uint32_t hash_max_listpack_value = 0;
  uint32_t next_database_id = 0;
  uint64_t next_body_id = 0;
  std::vector<StoredDatabase> databases;  // by logical index
  std::string host;
};

std::string EncodeMeta(const StoredMeta& meta);
Status DecodeMeta(std::string_view row, StoredMeta* meta);

}  // namespace kiwi::keyspace
