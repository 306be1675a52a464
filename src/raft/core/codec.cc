#include "raft/core/codec.h"

#include <memory>
#include <utility>

#include "base/coding.h"
#include "base/hash.h"
#include "raft/core/confchange.h"

namespace kiwi::raft {
namespace {

constexpr char kMessageVersion = 1;
constexpr char kEntryVersion = 1;
constexpr char kConfChangeVersion = 1;
constexpr char kConfStateVersion = 1;

constexpr uint8_t kFlagReject = 1;
constexpr uint8_t kFlagForce = 2;
constexpr uint8_t kFlagSnapshot = 4;
constexpr uint8_t kFlagsKnown = kFlagReject | kFlagForce | kFlagSnapshot;

// term, index, type and length take a byte each at least.
constexpr size_t kEntryBytesMin = 4;

Status Corrupt(const char* what) {
  return {StatusCode::kCorruption, std::string(what) + " does not decode"};
}

Status CheckVersion(std::string_view bytes, char version, const char* what) {
  if (bytes.empty()) return Corrupt(what);
  if (bytes[0] == version) return Status::Ok();
  return {StatusCode::kSerialization, std::string(what) + " has format version " +
                                          std::to_string(static_cast<unsigned char>(bytes[0])) +
                                          "; this program knows version " +
                                          std::to_string(version)};
}

// Records that are small or lie inside others end in four bytes of checksum.
void PutChecksum32(std::string* out, size_t begin) {
  PutFixed<uint32_t>(out, static_cast<uint32_t>(Checksum64(std::string_view(*out).substr(begin))));
}

// `rest` is what follows the record's body in `whole`; takes the checksum off it.
bool TakeChecksum32(std::string_view whole, std::string_view* rest) {
  const std::string_view body = whole.substr(0, whole.size() - rest->size());
  uint32_t stored = 0;
  return GetFixed(rest, &stored) && stored == static_cast<uint32_t>(Checksum64(body));
}

void PutNodes(std::string* out, const std::vector<NodeId>& nodes) {
  PutVarint(out, nodes.size());
  for (NodeId id : nodes) PutVarint(out, id);
}

bool GetNodes(std::string_view* in, std::vector<NodeId>* nodes) {
  uint64_t count = 0;
  if (!GetVarint(in, &count) || count > in->size()) return false;
  nodes->resize(count);
  for (NodeId& id : *nodes) {
    if (!GetVarint(in, &id)) return false;
  }
  return true;
}

bool GetByte(std::string_view* in, uint8_t* byte) { return GetFixed(in, byte); }

void PutEntryBody(const Entry& e, std::string* out) {
  PutVarint(out, e.term);
  PutVarint(out, e.index);
  out->push_back(static_cast<char>(e.type));
  PutLengthPrefixed(out, e.bytes());
}

bool GetEntryBody(std::string_view* in, Entry* e) {
  uint8_t type = 0;
  std::string_view data;
  if (!GetVarint(in, &e->term) || !GetVarint(in, &e->index) || !GetByte(in, &type) ||
      type > static_cast<uint8_t>(EntryType::kConfChange) || !GetLengthPrefixed(in, &data)) {
    return false;
  }
  e->type = static_cast<EntryType>(type);
  if (!data.empty()) e->data = std::make_shared<const std::string>(data);
  return true;
}

bool GetConfState(std::string_view* in, ConfState* state) {
  auto decoded = DecodeConfState(in);
  if (!decoded.ok()) return false;
  *state = std::move(*decoded);
  return true;
}

}  // namespace

std::string EncodeConfChange(const ConfChange& change) {
  std::string out(1, kConfChangeVersion);
  out.push_back(static_cast<char>(change.transition));
  PutVarint(&out, change.steps.size());
  for (const ConfChangeStep& step : change.steps) {
    out.push_back(static_cast<char>(step.type));
    PutVarint(&out, step.node);
  }
  PutLengthPrefixed(&out, change.context);
  PutChecksum32(&out, 0);
  return out;
}

Result<ConfChange> DecodeConfChange(std::string_view bytes) {
  constexpr const char* kWhat = "a membership change";
  KIWI_RETURN_IF_ERROR(CheckVersion(bytes, kConfChangeVersion, kWhat));
  std::string_view in = bytes.substr(1);
  ConfChange change;
  uint8_t transition = 0;
  uint64_t count = 0;
  if (!GetByte(&in, &transition) ||
      transition > static_cast<uint8_t>(ConfChangeTransition::kJointExplicit) ||
      !GetVarint(&in, &count) || count > in.size() / 2) {
    return Corrupt(kWhat);
  }
  change.transition = static_cast<ConfChangeTransition>(transition);
  change.steps.resize(count);
  for (ConfChangeStep& step : change.steps) {
    uint8_t type = 0;
    if (!GetByte(&in, &type) || type > static_cast<uint8_t>(ConfChangeType::kAddLearner) ||
        !GetVarint(&in, &step.node) || step.node == kNoNode) {
      return Corrupt(kWhat);
    }
    step.type = static_cast<ConfChangeType>(type);
  }
  std::string_view context;
  if (!GetLengthPrefixed(&in, &context)) return Corrupt(kWhat);
  change.context = context;
  if (!TakeChecksum32(bytes, &in) || !in.empty()) return Corrupt(kWhat);
  return change;
}

void EncodeConfState(const ConfState& state, std::string* out) {
  const size_t begin = out->size();
  out->push_back(kConfStateVersion);
  PutNodes(out, state.voters);
  PutNodes(out, state.learners);
  PutNodes(out, state.voters_outgoing);
  PutNodes(out, state.learners_next);
  out->push_back(state.auto_leave ? 1 : 0);
  PutVarint(out, state.index);
  PutChecksum32(out, begin);
}

Result<ConfState> DecodeConfState(std::string_view* bytes) {
  constexpr const char* kWhat = "a membership";
  KIWI_RETURN_IF_ERROR(CheckVersion(*bytes, kConfStateVersion, kWhat));
  std::string_view in = bytes->substr(1);
  ConfState state;
  uint8_t auto_leave = 0;
  if (!GetNodes(&in, &state.voters) || !GetNodes(&in, &state.learners) ||
      !GetNodes(&in, &state.voters_outgoing) || !GetNodes(&in, &state.learners_next) ||
      !GetByte(&in, &auto_leave) || auto_leave > 1 || !GetVarint(&in, &state.index) ||
      !TakeChecksum32(*bytes, &in)) {
    return Corrupt(kWhat);
  }
  state.auto_leave = auto_leave == 1;
  if (!CheckConfState(state).ok()) return Corrupt(kWhat);
  *bytes = in;
  return state;
}

void EncodeEntry(const Entry& entry, std::string* out) {
  const size_t begin = out->size();
  out->push_back(kEntryVersion);
  PutEntryBody(entry, out);
  PutChecksum32(out, begin);
}

Result<Entry> DecodeEntry(std::string_view* bytes) {
  constexpr const char* kWhat = "a log entry";
  KIWI_RETURN_IF_ERROR(CheckVersion(*bytes, kEntryVersion, kWhat));
  std::string_view in = bytes->substr(1);
  Entry entry;
  if (!GetEntryBody(&in, &entry) || !TakeChecksum32(*bytes, &in)) return Corrupt(kWhat);
  *bytes = in;
  return entry;
}

void EncodeMessage(const Message& m, std::string* out) {
  const size_t begin = out->size();
  const bool has_snapshot = m.snapshot != SnapshotMeta{};
  out->push_back(kMessageVersion);
  out->push_back(static_cast<char>(m.type));
  out->push_back(static_cast<char>((m.reject ? kFlagReject : 0) | (m.force ? kFlagForce : 0) |
                                   (has_snapshot ? kFlagSnapshot : 0)));
  for (uint64_t v :
       {m.from, m.to, m.term, m.index, m.log_term, m.commit, m.reject_hint, m.context}) {
    PutVarint(out, v);
  }
  if (has_snapshot) {
    PutVarint(out, m.snapshot.index);
    PutVarint(out, m.snapshot.term);
    EncodeConfState(m.snapshot.conf_state, out);
  }
  PutVarint(out, m.entries.size());
  for (const Entry& e : m.entries) PutEntryBody(e, out);
  PutFixed<uint64_t>(out, Checksum64(std::string_view(*out).substr(begin)));
}

Result<Message> DecodeMessage(std::string_view bytes) {
  constexpr const char* kWhat = "a Raft message";
  KIWI_RETURN_IF_ERROR(CheckVersion(bytes, kMessageVersion, kWhat));
  if (bytes.size() < sizeof(uint64_t)) return Corrupt(kWhat);
  std::string_view in = bytes.substr(0, bytes.size() - sizeof(uint64_t));
  std::string_view tail = bytes.substr(in.size());
  uint64_t stored = 0;
  if (!GetFixed(&tail, &stored) || stored != Checksum64(in)) return Corrupt(kWhat);
  in.remove_prefix(1);

  Message m;
  uint8_t type = 0;
  uint8_t flags = 0;
  if (!GetByte(&in, &type) || type < static_cast<uint8_t>(MessageType::kAppend) ||
      type > static_cast<uint8_t>(MessageType::kLogEndResponse) || !GetByte(&in, &flags) ||
      (flags & ~kFlagsKnown) != 0) {
    return Corrupt(kWhat);
  }
  m.type = static_cast<MessageType>(type);
  m.reject = (flags & kFlagReject) != 0;
  m.force = (flags & kFlagForce) != 0;
  for (uint64_t* v :
       {&m.from, &m.to, &m.term, &m.index, &m.log_term, &m.commit, &m.reject_hint, &m.context}) {
    if (!GetVarint(&in, v)) return Corrupt(kWhat);
  }
  if ((flags & kFlagSnapshot) != 0 &&
      (!GetVarint(&in, &m.snapshot.index) || !GetVarint(&in, &m.snapshot.term) ||
       !GetConfState(&in, &m.snapshot.conf_state))) {
    return Corrupt(kWhat);
  }
  uint64_t count = 0;
  if (!GetVarint(&in, &count) || count > in.size() / kEntryBytesMin) return Corrupt(kWhat);
  m.entries.resize(count);
  for (Entry& e : m.entries) {
    if (!GetEntryBody(&in, &e)) return Corrupt(kWhat);
  }
  if (!in.empty()) return Corrupt(kWhat);
  return m;
}

}  // namespace kiwi::raft
