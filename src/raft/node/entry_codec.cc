#include "raft/node/entry_codec.h"

#include "base/coding.h"

namespace kiwi::raft {
namespace {

constexpr uint8_t kExisted = 1;

bool ReadCommandBody(std::string_view* in, CommandRecord* command) {
  uint64_t count = 0;
  if (!GetVarint(in, &command->db) || !GetVarint(in, &count)) return false;
  if (count == 0 || count > in->size()) return false;  // every argument takes a byte or more
  command->args.resize(count);
  for (std::string_view& arg : command->args) {
    if (!GetLengthPrefixed(in, &arg)) return false;
  }
  return true;
}

}  // namespace

void AppendEnvelope(const Envelope& envelope, std::string* out) {
  out->push_back(static_cast<char>(kEnvelopeVersion));
  PutVarint(out, envelope.feature_level);
  PutFixed(out, envelope.time_ms);
  PutFixed(out, envelope.seed);
}

Status ReadEnvelope(std::string_view* in, Envelope* envelope) {
  if (in->empty()) return {StatusCode::kSerialization, "log entry without an envelope"};
  const auto version = static_cast<uint8_t>(in->front());
  if (version != kEnvelopeVersion) {
    return {StatusCode::kSerialization, "log entry of format " + std::to_string(version) +
                                            "; this build reads format " +
                                            std::to_string(kEnvelopeVersion)};
  }
  in->remove_prefix(1);
  if (!GetVarint(in, &envelope->feature_level) || !GetFixed(in, &envelope->time_ms) ||
      !GetFixed(in, &envelope->seed)) {
    return {StatusCode::kSerialization, "log entry with a cut envelope"};
  }
  if (envelope->feature_level > kFeatureLevel) {
    return {StatusCode::kSerialization,
            "log entry of feature level " + std::to_string(envelope->feature_level) +
                "; this build knows levels up to " + std::to_string(kFeatureLevel)};
  }
  return {};
}

void AppendCommandBody(uint64_t db, ArgSpan args, std::string* out) {
  PutVarint(out, db);
  PutVarint(out, args.size());
  for (const std::string_view arg : args) PutLengthPrefixed(out, arg);
}

void AppendCommand(uint64_t db, ArgSpan args, std::string* out) {
  out->push_back(static_cast<char>(RecordKind::kCommand));
  AppendCommandBody(db, args, out);
}

void AppendOrigin(const Origin& origin, std::string* out) {
  out->push_back(static_cast<char>(RecordKind::kOrigin));
  PutVarint(out, origin.node);
  PutFixed(out, origin.incarnation);
  PutVarint(out, origin.sequence);
  PutVarint(out, origin.length);
}

void AppendTransactionHeader(uint64_t watch_index, std::span<const WatchedKey> watches,
                             size_t command_count, std::string* out) {
  out->push_back(static_cast<char>(RecordKind::kTransaction));
  PutVarint(out, watch_index);
  PutVarint(out, watches.size());
  for (const WatchedKey& watch : watches) {
    PutVarint(out, watch.db);
    out->push_back(static_cast<char>(watch.existed ? kExisted : 0));
    PutLengthPrefixed(out, watch.key);
  }
  PutVarint(out, command_count);
}

bool RecordReader::Damaged(const char* what) {
  status_ = {StatusCode::kSerialization, std::string("log entry with a damaged ") + what};
  return false;
}

bool RecordReader::ReadTransaction(std::string_view* in) {
  uint64_t count = 0;
  if (!GetVarint(in, &transaction_.watch_index) || !GetVarint(in, &count) || count > in->size()) {
    return Damaged("transaction header");
  }
  transaction_.watches.resize(count);
  for (WatchedKey& watch : transaction_.watches) {
    if (!GetVarint(in, &watch.db) || in->empty()) return Damaged("watched key");
    watch.existed = (in->front() & kExisted) != 0;
    in->remove_prefix(1);
    if (!GetLengthPrefixed(in, &watch.key)) return Damaged("watched key");
  }
  if (!GetVarint(in, &count) || count > in->size()) return Damaged("transaction header");
  if (transaction_.commands.size() < count) transaction_.commands.resize(count);
  transaction_.command_count = count;
  for (size_t i = 0; i < count; ++i) {
    if (!ReadCommandBody(in, &transaction_.commands[i])) return Damaged("transaction command");
  }
  return true;
}

bool RecordReader::Next(std::string_view* in) {
  if (in->empty() || !status_.ok()) return false;
  const auto kind = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  if ((kind & kSessionBit) != 0) {  // reserved for exactly-once sessions: skipped by this build
    uint64_t session = 0;
    uint64_t sequence = 0;
    if (!GetVarint(in, &session) || !GetVarint(in, &sequence)) return Damaged("session");
  }
  kind_ = static_cast<RecordKind>(kind & ~kSessionBit);
  switch (kind_) {
    case RecordKind::kCommand:
      return ReadCommandBody(in, &command_) || Damaged("command");
    case RecordKind::kTransaction:
      return ReadTransaction(in);
    case RecordKind::kOrigin:
      return (GetVarint(in, &origin_.node) && GetFixed(in, &origin_.incarnation) &&
              GetVarint(in, &origin_.sequence) && GetVarint(in, &origin_.length) &&
              origin_.length <= in->size()) ||
             Damaged("origin");
  }
  return Damaged("record kind");
}

}  // namespace kiwi::raft
