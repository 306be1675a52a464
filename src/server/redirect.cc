#include "server/redirect.h"

#include <vector>

#include "base/hash.h"
#include "commands/args.h"
#include "server/executor.h"
#include "server/session.h"

namespace kiwi::server {

using commands::Args;
using commands::Command;
using commands::CommandTable;

namespace {

constexpr int kNoSlot = -1;  // no key so far
constexpr std::string_view kCrossSlot = "CROSSSLOT Keys in request don't hash to the same slot";
constexpr std::string_view kClusterDown = "CLUSTERDOWN The cluster is down";

// Adds the slots of the command's keys to *slot. False: there are two.
bool MergeSlots(const Command& command, Args args, int* slot) {
  thread_local std::vector<int> positions;
  positions.clear();
  if (!CommandTable::KeyPositions(command, args, &positions)) return true;  // a syntax error
  for (const int i : positions) {
    const int of_key = KeySlot(args[static_cast<size_t>(i)]);
    if (*slot != kNoSlot && *slot != of_key) return false;
    *slot = of_key;
  }
  return true;
}

bool MergeSlots(const QueuedCommands& queue, int* slot) {
  std::vector<std::string_view> args;
  for (const QueuedCommands::Queued& queued : queue.commands()) {
    args.assign(queued.args.begin(), queued.args.end());
    if (!MergeSlots(*queued.command, args, slot)) return false;
  }
  return true;
}

}  // namespace

Redirect::Redirect(const raft::Node* node)
    : node_(node),
      exec_(CommandTable::Get().FindByName("exec")),
      move_(CommandTable::Get().FindByName("move")),
      copy_(CommandTable::Get().FindByName("copy")),
      swapdb_(CommandTable::Get().FindByName("swapdb")) {}

std::string Redirect::Check(const Session& session, const Command& command, Args args) const {
  int slot = kNoSlot;
  if (&command == exec_) {
    if (!session.in_transaction() || session.queue().empty()) return {};
    if (!MergeSlots(session.queue(), &slot)) return std::string(kCrossSlot);
    const bool write = session.queue().has_write();
    return CheckPlace(session, slot, write, !write);
  }
  if (!MergeSlots(command, args, &slot)) return std::string(kCrossSlot);
  // What WATCH looks at is what EXEC will find, here or nowhere.
  const bool write = command.Is(commands::kWrite);
  const bool read = command.Is(commands::kReadOnly) || command.Is(commands::kTransaction);
  std::string refusal = CheckPlace(session, slot, write, read);
  return refusal.empty() ? CheckDatabases(command, args) : refusal;
}

std::string Redirect::CheckPlace(const Session& session, int slot, bool write, bool read) const {
  if (slot == kNoSlot && !write) return {};
  const raft::NodeId leader = node_->leader();
  if (leader == node_->id()) return {};
  if (slot == kNoSlot) return std::string(kReadOnlyError);  // FLUSHALL and its like
  const bool known = leader != raft::kNoNode;
  if (read && session.read_only()) {
    const bool weak = session.consistency().level != commands::ReadLevel::kLinearizable;
    if (known || weak) return {};
  }
  if (!known) return std::string(kClusterDown);
  const std::optional<raft::Member> member = node_->FindMember(leader);
  if (!member || member->client_port == 0) return std::string(kClusterDown);  // not announced yet
  return "MOVED " + std::to_string(slot) + " " + member->client_host + ":" +
         std::to_string(member->client_port);
}

// There is one database. These would fail where they are applied, which must not depend on a
// setting of each node.
std::string Redirect::CheckDatabases(const Command& command, Args args) const {
  if (&command == move_) return "ERR MOVE is not allowed in cluster mode";
  if (&command == swapdb_) return "ERR SWAPDB is not allowed in cluster mode";
  if (&command != copy_) return {};
  for (size_t i = 3; i + 1 < args.size(); ++i) {
    if (commands::EqualsIgnoreCase(args[i], "db") && args[i + 1] != "0") {
      return "ERR Copying to another database is not allowed in cluster mode";
    }
  }
  return {};
}

}  // namespace kiwi::server
