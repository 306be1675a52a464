// What a normal log entry holds: an envelope, then records of client commands. The format is
// described in docs/formats.md and versioned from its first byte on; later builds read every
// version that earlier ones wrote.
//
//   envelope = version u8 · feature level varint · leader time ms fixed64 · seed fixed64 · records
//   record   = kind u8 · [session varint · sequence varint, if kind has kSessionBit] · body
//     kCommand:     db varint · argument count varint · arguments, each length-prefixed
//     kTransaction: watch index varint · watches (count, each: db · flags u8 · key) ·
//                   command count varint · commands, each like kCommand's body
//     kOrigin:      node varint · incarnation fixed64 · sequence varint · length varint; the next
//                   `length` bytes of records were forwarded by that node
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace kiwi::raft {

inline constexpr uint8_t kEnvelopeVersion = 1;
// Raised through the log once every member supports it, so that mixed versions apply alike.
inline constexpr uint64_t kFeatureLevel = 1;

struct Envelope {
  uint64_t feature_level = kFeatureLevel;
  int64_t time_ms = 0;  // the leader's, at composition (entry_clock.h)
  uint64_t seed = 0;    // for random picks in apply
};

void AppendEnvelope(const Envelope& envelope, std::string* out);
// Leaves `in` at the first record. kSerialization for a version or level that this build does not
// know, or for a cut envelope.
Status ReadEnvelope(std::string_view* in, Envelope* envelope);

enum class RecordKind : uint8_t { kCommand = 1, kTransaction = 2, kOrigin = 3 };
inline constexpr uint8_t kSessionBit = 0x80;

using ArgSpan = std::span<const std::string_view>;

struct CommandRecord {
  uint64_t db = 0;
  std::vector<std::string_view> args;  // at least one
};

struct WatchedKey {
  uint64_t db = 0;
  bool existed = false;  // at the time of WATCH
  std::string_view key;
};

struct TransactionRecord {
  uint64_t watch_index = 0;  // the keys must not have changed at a log index above it
  std::vector<WatchedKey> watches;
  std::vector<CommandRecord> commands;
  size_t command_count = 0;  // commands[0..command_count): the vectors are reused between records
};

// Whose clients wait for the records that follow: the node that forwarded them, which finds its
// proposal again by (incarnation, sequence). Its applier answers; for all others it means nothing.
struct Origin {
  uint64_t node = 0;
  uint64_t incarnation = 0;  // of the node's process
  uint64_t sequence = 0;
  uint64_t length = 0;  // bytes of records
};

void AppendCommand(uint64_t db, ArgSpan args, std::string* out);
void AppendOrigin(const Origin& origin, std::string* out);

// Writes a kTransaction: the header with its watches, then exactly command_count AppendBody calls.
void AppendTransactionHeader(uint64_t watch_index, std::span<const WatchedKey> watches,
                             size_t command_count, std::string* out);
void AppendCommandBody(uint64_t db, ArgSpan args, std::string* out);

// Reads one record after another. Views point into the input. Reuse one reader to spare
// allocations.
class RecordReader {
 public:
  // kind() and command() or transaction() are set on true; false at the end or on damage: status().
  bool Next(std::string_view* in);
  RecordKind kind() const { return kind_; }
  const CommandRecord& command() const { return command_; }
  const TransactionRecord& transaction() const { return transaction_; }
  // Behind kOrigin the input stands at the first of its records, and holds all of them.
  const Origin& origin() const { return origin_; }
  const Status& status() const { return status_; }

 private:
  bool ReadTransaction(std::string_view* in);
  bool Damaged(const char* what);

  RecordKind kind_ = RecordKind::kCommand;
  CommandRecord command_;
  TransactionRecord transaction_;
  Origin origin_;
  Status status_;
};

}  // namespace kiwi::raft
