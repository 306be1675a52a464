// What the executor refuses before it runs, and the words for it.
#include <utility>

#include "base/clock.h"
#include "server/breaker.h"
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
    case raft::ProposalError::kUnreadable:
      return "ERR The leader cannot read this write; do all nodes run the same version?";
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

// --- reads, by what their connection asks for ---

bool Executor::WeakReadsMayRun(const Session& session) const {
  constexpr int64_t kNsPerMs = 1'000'000;
  const commands::ReadConsistency asked = session.consistency();
  switch (asked.level) {
    case commands::ReadLevel::kLinearizable:
      return false;
    case commands::ReadLevel::kBounded:
      return node_->FreshWithin(asked.max_staleness_ms * kNsPerMs);
    case commands::ReadLevel::kAny:
      return true;
  }
  return false;
}

// Nobody could say in time how fresh this node's state is.
Executor::Step Executor::RefuseReads(Batch& batch, Item& item) {
  batch.guard.end = BatchEnd::kProvedNothing;
  std::string_view why = node_->leader() == raft::kNoNode ? kNoLeaderError : kBehindError;
  if (batch.session().consistency().level == commands::ReadLevel::kBounded) {
    why = kStaleError;
    stats_->Local().Add(Counter::kStaleReadsRefused);
  }
  if (item.command->full_name == "exec") batch.session().EndTransaction();  // as any EXEC does
  return Refuse(batch, item, why);
}

// --- the read-only mode ---

bool Executor::WouldWrite(const Session& session, const Command& command) {
  if (command.Is(commands::kWrite)) return true;
  return command.full_name == "exec" && session.in_transaction() &&
         !session.transaction_refused() && session.queue().has_write();
}

Executor::Step Executor::RefuseWrite(Batch& batch, Item& item) {
  if (item.command->full_name != "exec") return Refuse(batch, item, kReadOnlyError);
  batch.session().EndTransaction();
  return Refuse(batch, item,
                "EXECABORT Transaction discarded because of: " + std::string(kReadOnlyError));
}

// --- the circuit breaker ---

bool Executor::OnKeyspace(const Command& command) {
  return command.Is(commands::kWrite | commands::kReadOnly) || command.full_name == "exec" ||
         command.full_name == "watch";
}

// An EXEC that fails anyway has an error of its own.
bool Executor::IsGuarded(const Session& session, const Command& command) {
  if (!OnKeyspace(command)) return false;
  return command.full_name != "exec" ||
         (session.in_transaction() && !session.transaction_refused());
}

void Executor::AskBreaker(Batch& batch) {
  Batch::Guard& guard = batch.guard;
  if (!batch.has_keys || guard.refused) return;
  const runtime::Priority level = batch.batch_priority;
  if (guard.judged && !std::exchange(guard.dequeued, true)) {
    // A loop's iteration is short against any deadline.
    const net::Loop* loop = CurrentLoop();
    const int64_t now_ns = loop != nullptr ? loop->woke_ns() : SystemClock().MonotonicNs();
    if (now_ns - batch.queued_ns > breaker_->queue_deadline_ns(level)) {
      guard.end = BatchEnd::kQueuedTooLong;
    }
  }
  if (breaker_->all_closed()) [[likely]]
    return;
  if (!guard.probe && breaker_->IsOpen(level)) guard.refused = true;
}

// Inside MULTI as well: EXEC then finds that a command was refused, or is the one that is.
Executor::Step Executor::RefuseByBreaker(Batch& batch, Item& item) {
  Session& session = batch.session();
  breaker_->CountRefused(batch.batch_priority);
  std::string refusal = Breaker::RefusalText(batch.batch_priority);
  if (item.command->full_name == "exec") {
    refusal.insert(0, "EXECABORT Transaction discarded because of: ");
    session.EndTransaction();
  }
  return Refuse(batch, item, refusal);
}

}  // namespace kiwi::server
