// Walks the stored rows of a range and yields, of each unit, the newest row that belongs to a valid
// generation, put together from its parts. The other rows are garbage.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "keyspace/rows.h"
#include "storage/backend.h"

namespace kiwi::keyspace {

class RowScanner {
 public:
  // Rows of generations above valid_generation are garbage. Appends the keys of all garbage.
  RowScanner(const storage::Backend& backend, std::string begin, std::string end,
             uint32_t valid_generation, std::vector<std::string>* garbage);

  // False: the end, or an error. The views and the key are valid until the next call.
  bool Next();
  const RowKey& key() const { return key_; }
  std::string_view bytes() const { return bytes_; }
  uint32_t parts() const { return parts_; }
  // kCorruption names the row.
  const Status& status() const { return status_; }

 private:
  bool ReadParts();
  bool Fail(const RowKey& key, std::string_view why);

  const uint32_t valid_generation_;
  std::vector<std::string>* const garbage_;
  std::unique_ptr<storage::Iterator> it_;
  bool on_row_ = false;  // the iterator stands on a row that was yielded
  RowKey key_;
  bool any_ = false;
  std::string_view bytes_;
  std::string joined_;
  uint32_t parts_ = 0;
  Status status_;
};

}  // namespace kiwi::keyspace
