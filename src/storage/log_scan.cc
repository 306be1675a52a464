#include "storage/log_scan.h"

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"

namespace kiwi::storage {
namespace {

constexpr size_t kBlock = 32768;
constexpr size_t kHeader = 7;
constexpr size_t kSector = 512;

enum RecordType : unsigned char { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

uint32_t Unmask(uint32_t masked) {
  const uint32_t rotated = masked - 0xa282ead8u;
  return (rotated >> 17) | (rotated << 15);
}

bool AllZeros(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == 0; });
}

struct Record {
  uint32_t crc;
  size_t length;
  unsigned char type;
};

// The header is there in full.
Record HeaderAt(std::string_view file, size_t at) {
  Record record;
  std::memcpy(&record.crc, file.data() + at, sizeof(record.crc));
  const auto* p = reinterpret_cast<const unsigned char*>(file.data()) + at;
  record.length = p[4] | (size_t{p[5]} << 8);
  record.type = p[6];
  return record;
}

bool ChecksumHolds(std::string_view file, size_t at, const Record& record, size_t length) {
  return Unmask(record.crc) ==
         ExtendCrc32c(0, file.substr(at + kHeader - 1, 1 + length));  // type and payload
}

size_t BlockEnd(size_t at) { return (at / kBlock + 1) * kBlock; }

// Whether a whole record begins here.
bool ValidAt(std::string_view file, size_t at) {
  const size_t end = std::min(BlockEnd(at), file.size());
  if (at + kHeader > end) return false;
  const Record record = HeaderAt(file, at);
  return record.type >= kFull && record.type <= kLast && record.length <= end - at - kHeader &&
         ChecksumHolds(file, at, record, record.length);
}

// A batch and a version edit alike begin with bytes that a payload inside of another record could
// imitate only on purpose; see README.md.
bool AnythingValidBehind(std::string_view file, size_t damage) {
  for (size_t at = BlockEnd(damage); at < file.size(); at += kBlock) {
    if (ValidAt(file, at)) return true;
  }
  const size_t end = std::min(BlockEnd(damage), file.size());
  for (size_t at = damage + 1; at + kHeader <= end; ++at) {
    if (ValidAt(file, at)) return true;
  }
  return false;
}

// Whether a crash may have left the file's tail so: parts of it never reached the disk.
bool HasUnwrittenSectors(std::string_view file, size_t from) {
  const size_t first = (from + kSector - 1) / kSector * kSector;
  for (size_t at = first; at < file.size(); at += kSector) {
    if (AllZeros(file.substr(at, kSector))) return true;
  }
  return AllZeros(file.substr(from));
}

// The file does not go on as it should at `at`.
LogScan Judge(std::string_view file, size_t at, size_t valid_end, std::string what) {
  LogScan scan;
  scan.valid_end = valid_end;
  scan.offset = at;
  scan.what = std::move(what);
  scan.verdict = LogScan::Verdict::kDamaged;
  if (AnythingValidBehind(file, at)) {
    scan.what += ", with valid records behind it";
    return scan;
  }
  const size_t rest = file.size() - at;
  if (rest < kHeader || HasUnwrittenSectors(file, at)) {
    scan.verdict = LogScan::Verdict::kTornTail;
    return scan;
  }
  const Record record = HeaderAt(file, at);
  const bool fits_block = record.length <= BlockEnd(at) - at - kHeader;
  const bool type_known = record.type >= kFull && record.type <= kLast;
  if (!type_known || !fits_block || record.length <= rest - kHeader) return scan;
  if (ChecksumHolds(file, at, record, rest - kHeader)) {
    scan.what += ": its length is damaged";
    return scan;
  }
  scan.verdict = LogScan::Verdict::kTornTail;
  return scan;
}

}  // namespace

LogScan ScanLog(std::string_view file, size_t prefix, FunctionRef<void(std::string_view)> visit) {
  size_t at = 0;
  size_t valid_end = 0;
  bool in_pieces = false;
  std::string pieces;
  while (at < file.size()) {
    const size_t block_end = BlockEnd(at);
    if (block_end - at < kHeader) {
      const std::string_view trailer = file.substr(at, block_end - at);
      if (!AllZeros(trailer)) return Judge(file, at, valid_end, "a block's end is not zeros");
      at += trailer.size();
      continue;
    }
    if (at + kHeader > file.size()) {
      return Judge(file, at, valid_end, "a record's header is cut short");
    }
    const Record record = HeaderAt(file, at);
    if (at + kHeader + record.length > std::min(block_end, file.size())) {
      return Judge(file, at, valid_end, "a record is cut short or its length is damaged");
    }
    if (!ChecksumHolds(file, at, record, record.length)) {
      return Judge(file, at, valid_end, "a record fails its checksum");
    }
    const bool begins = record.type == kFull || record.type == kFirst;
    if (record.type < kFull || record.type > kLast || begins == in_pieces) {
      return Judge(file, at, valid_end, "a record is of a kind that does not belong here");
    }
    if (begins) pieces.clear();
    pieces.append(file.substr(at + kHeader, std::min(record.length, prefix - pieces.size())));
    if (record.type == kFull || record.type == kLast) visit(pieces);
    at += kHeader + record.length;
    in_pieces = record.type == kFirst || record.type == kMiddle;
    if (!in_pieces) valid_end = at;
  }
  LogScan scan;
  scan.valid_end = scan.offset = valid_end;
  if (in_pieces) {
    scan.verdict = LogScan::Verdict::kTornTail;
    scan.what = "the last record lacks its last piece";
  }
  return scan;
}

}  // namespace kiwi::storage
