#include "server/own_start.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "commands/cluster.h"
#include "raft/node/entry_codec.h"

namespace kiwi::server {
namespace {

constexpr uint64_t kPieceBytes = 64 << 10;
// Where clients reach it, and settings that are replicated.
constexpr std::string_view kOwnCommands[] = {commands::kMemberCommand, "_hash-limits"};

bool IsOwn(const raft::Entry& entry) {
  if (entry.type != raft::EntryType::kNormal) return false;
  std::string_view in = entry.bytes();
  if (in.empty()) return true;  // the beginning of a term
  raft::Envelope envelope;
  if (!raft::ReadEnvelope(&in, &envelope).ok()) return false;
  raft::RecordReader reader;
  while (reader.Next(&in)) {
    if (reader.kind() != raft::RecordKind::kCommand) return false;
    const std::string_view name = reader.command().args.front();
    if (std::find(std::begin(kOwnCommands), std::end(kOwnCommands), name) ==
        std::end(kOwnCommands)) {
      return false;
    }
  }
  return reader.status().ok();
}

}  // namespace

Status CheckOnlyOwnStart(const raft::LogReader& log) {
  const raft::LogIndex end = log.LastIndex() + 1;
  for (raft::LogIndex next = 1; next < end;) {
    const Result<std::vector<raft::Entry>> entries = log.Entries(next, end, kPieceBytes);
    if (!entries.ok() && entries.status().code() != StatusCode::kCompacted) {
      return entries.status();
    }
    if (!entries.ok() || entries->empty() ||
        !std::all_of(entries->begin(), entries->end(), IsOwn)) {
      return {StatusCode::kInvalidArgument, "this node has taken writes before"};
    }
    next = entries->back().index + 1;
  }
  return {};
}

}  // namespace kiwi::server
