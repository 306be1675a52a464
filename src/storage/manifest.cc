#include "storage/manifest.h"

#include "base/coding.h"

namespace kiwi::storage {
namespace {

enum Tag : uint64_t {
  kComparator = 1,
  kLogNumber = 2,
  kNextFileNumber = 3,
  kLastSequence = 4,
  kPrevLogNumber = 9,
  // RocksDB only.
  kMinLogNumberToKeep = 10,
  kMaxColumnFamily = 203,
  kSafeToIgnore = 1 << 13,  // a bit: the field is a length-prefixed string
};

}  // namespace

void ManifestSummary::Take(std::string_view record) {
  uint64_t tag = 0;
  uint64_t number = 0;
  std::string_view text;
  bool more = true;
  while (more && GetVarint(&record, &tag)) {
    switch (tag) {
      case kComparator:
        more = GetLengthPrefixed(&record, &text);
        break;
      case kLogNumber:
        more = GetVarint(&record, &log_number);
        break;
      case kLastSequence:
        more = GetVarint(&record, &last_sequence);
        break;
      case kNextFileNumber:
      case kPrevLogNumber:
      case kMinLogNumberToKeep:
      case kMaxColumnFamily:
        more = GetVarint(&record, &number);
        break;
      // Tables and other things of variable shape come last.
      default:
        more = (tag & kSafeToIgnore) != 0 && GetLengthPrefixed(&record, &text);
    }
  }
}

}  // namespace kiwi::storage
