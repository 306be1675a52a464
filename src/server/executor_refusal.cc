// What the executor refuses before it runs, and the words for it.
#include "server/executor.h"
#include "server/session.h"

namespace kiwi::server {

using commands::Args;
using commands::Command;
using commands::CommandTable;

std::string_view ProposalErrorText(raft::ProposalError error) {
  switch (error) {
    case raft::ProposalError::kNotLeader:
      return kNoLeaderError;
    case raft::ProposalError::kStorage:
      return kStorageFailedError;
    case raft::ProposalError::kShutdown:
      return "ERR The server is shutting down";
    case raft::ProposalError::kUnknown:
      return "UNKNOWN outcome: the write may or may not take effect";
  }
  return "ERR";
}

std::string Executor::Refusal(Session& session, const Command& command, Args args) {
  if (!CommandTable::ArityOk(command, args.size())) return CommandTable::ArityError(command);
  if (!session.authenticated() && !command.Is(commands::kNoAuth)) {
    return "NOAUTH Authentication required.";
  }
  if (command.Is(commands::kProtected) && !session.MayUseProtected()) {
    return "ERR " +
           std::string(command.parent != nullptr ? command.parent->full_name : command.full_name) +
           " command not allowed. If the enable-debug-command option is set to \"local\", you can "
           "run it from a local connection, otherwise you need to set this option in the "
           "configuration file, and then restart the server.";
  }
  if (session.in_transaction() && command.Is(commands::kNoMulti)) {
    return "ERR Command not allowed inside a transaction";
  }
  if (command.Is(commands::kDenyOom)) {
    const uint64_t limit = max_memory_.load(std::memory_order_relaxed);
    if (limit != 0 && keyspace_->memory_bytes() > limit) {
      return "OOM command not allowed when used memory > 'maxmemory'.";
    }
  }
  if (command.Is(commands::kWrite) && node_->storage_failed()) {
    return std::string(kStorageFailedError);
  }
  return {};
}

}  // namespace kiwi::server
