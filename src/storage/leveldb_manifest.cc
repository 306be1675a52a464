#include "storage/leveldb_manifest.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <string_view>

#include "base/coding.h"

namespace kiwi::storage {
namespace {

// The fields of a version edit, each a varint tag and what follows it.
enum Tag : uint64_t {
  kComparator = 1,
  kLogNumber = 2,
  kNextFileNumber = 3,
  kLastSequence = 4,
  kCompactPointer = 5,
  kDeletedFile = 6,
  kNewFile = 7,
  kPrevLogNumber = 9,
};

// Reads one field; *log_number changes if it is that one.
bool TakeField(std::string_view* in, uint64_t* log_number) {
  uint64_t tag = 0;
  uint64_t number = 0;
  std::string_view text;
  if (!GetVarint(in, &tag)) return false;
  switch (tag) {
    case kComparator:
      return GetLengthPrefixed(in, &text);
    case kLogNumber:
      return GetVarint(in, log_number);
    case kNextFileNumber:
    case kLastSequence:
    case kPrevLogNumber:
      return GetVarint(in, &number);
    case kCompactPointer:
      return GetVarint(in, &number) && GetLengthPrefixed(in, &text);
    case kDeletedFile:
      return GetVarint(in, &number) && GetVarint(in, &number);
    case kNewFile:
      return GetVarint(in, &number) && GetVarint(in, &number) && GetVarint(in, &number) &&
             GetLengthPrefixed(in, &text) && GetLengthPrefixed(in, &text);
    default:
      return false;
  }
}

}  // namespace

Status CheckLevelManifest(const std::string& directory, const RecoveryCheck& check) {
  uint64_t log_number = 0;
  for (std::string_view record : check.manifest_records) {
    while (!record.empty()) {
      if (!TakeField(&record, &log_number)) {
        return {StatusCode::kCorruption, directory + ": a record of the MANIFEST does not decode"};
      }
    }
  }
  const std::string name = fmt::format("{:06}.log", log_number);
  if (log_number == 0 ||
      std::find(check.files.begin(), check.files.end(), name) != check.files.end()) {
    return {};
  }
  return {StatusCode::kCorruption,
          fmt::format("{}/{} is missing, though the MANIFEST names it: it is lost, or the end of "
                      "the MANIFEST is",
                      directory, name)};
}

}  // namespace kiwi::storage
