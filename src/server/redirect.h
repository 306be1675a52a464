// With cluster-enabled yes: which commands this node refuses because of their keys, and where it
// sends the client instead, as Redis Cluster does. The leader has all slots. A node that does not
// lead runs no command with keys, but reads of READONLY connections: without a leader, those that ask
// for less than linearizable ones.
#pragma once

#include <string>

#include "commands/command.h"
#include "raft/node/node.h"

namespace kiwi::server {

class Session;

class Redirect {
 public:
  // The node outlives it.
  explicit Redirect(const raft::Node* node);

  // The text of the refusal; empty: the command may run, or be queued, here. Any thread.
  std::string Check(const Session& session, const commands::Command& command,
                    commands::Args args) const;

 private:
  std::string CheckPlace(const Session& session, int slot, bool write, bool read) const;
  std::string CheckDatabases(const commands::Command& command, commands::Args args) const;

  const raft::Node* const node_;
  const commands::Command* const exec_;
  const commands::Command* const move_;
  const commands::Command* const copy_;
  const commands::Command* const swapdb_;
};

}  // namespace kiwi::server
