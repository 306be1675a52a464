// The log's records as bytes: keys, values, and their checks. Format (docs/formats.md):
//
//   key                     value
//   'e' + index, 8 bytes    version u8, type u8, term u64, checksum u64; then the payload as it is
//       big-endian
//   'b'  base               version u8, checksum u64; then varints: index, term
//   'c'  conf state             "            "         four lists (count, ids), auto_leave u8, and
//                                                      index
//   'd'  state directory        "            "         its name
//   'h'  hard state             "            "         term, vote, commit
//   's'  snapshot meta          "            "         index, term, then a conf state
//
// Numbers of fixed size are little-endian save in keys. A checksum covers everything else in its
// record and what the record is for (index, or key), so that no record passes for another one.
// Decoders return kCorruption naming the record.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/status.h"
#include "raft/core/types.h"

namespace kiwi::raft {

inline constexpr uint8_t kLogFormatVersion = 1;

inline constexpr std::string_view kBaseKey = "b";
inline constexpr std::string_view kConfStateKey = "c";
inline constexpr std::string_view kStateDirKey = "d";
inline constexpr std::string_view kHardStateKey = "h";
inline constexpr std::string_view kSnapshotKey = "s";
// All entries lie in [kEntriesBegin, kEntriesEnd).
inline constexpr std::string_view kEntriesBegin = "e";
inline constexpr std::string_view kEntriesEnd = "f";

// The last entry before the first one kept.
struct LogBase {
  LogIndex index = 0;
  Term term = 0;
};

// Where the state machine's checkpoints lie.
struct StateDir {
  std::string name;
};

class EntryKey {
 public:
  explicit EntryKey(LogIndex index);
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::array<char, 9> bytes_;
};

// What precedes the payload in an entry's value.
class EntryHeader {
 public:
  static constexpr size_t kBytes = 18;
  explicit EntryHeader(const Entry& entry);
  std::string_view view() const { return {bytes_.data(), bytes_.size()}; }

 private:
  std::array<char, kBytes> bytes_;
};

Result<Entry> DecodeEntry(std::string_view key, std::string_view value);

// Append to *out, which they clear first (it is a buffer to be used again).
void EncodeRecord(const LogBase& base, std::string* out);
void EncodeRecord(const ConfState& conf_state, std::string* out);
void EncodeRecord(const StateDir& state_dir, std::string* out);
void EncodeRecord(const HardState& hard_state, std::string* out);
void EncodeRecord(const SnapshotMeta& snapshot, std::string* out);

Status DecodeRecord(std::string_view value, LogBase* base);
Status DecodeRecord(std::string_view value, ConfState* conf_state);
Status DecodeRecord(std::string_view value, StateDir* state_dir);
Status DecodeRecord(std::string_view value, HardState* hard_state);
Status DecodeRecord(std::string_view value, SnapshotMeta* snapshot);

}  // namespace kiwi::raft
