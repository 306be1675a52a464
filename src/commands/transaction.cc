// The rows of the transaction commands. The session runs them: they are about what it queues.
#include "commands/command.h"

namespace kiwi::commands {
namespace {

constexpr uint32_t kAnyState = kNoScript | kLoading | kStale | kTransaction;

constexpr CommandRow kRows[] = {
    {.name = "multi",
     .arity = 1,
     .flags = kAnyState | kFast | kAllowBusy,
     .group = Group::kTransactions,
     .categories = kCatTransaction,
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Begins a transaction: what follows is queued."},
    {.name = "exec",
     .arity = 1,
     .flags = kAnyState | kSkipSlowlog,
     .group = Group::kTransactions,
     .categories = kCatTransaction,
     .since = "1.2.0",
     .complexity = "Depends on commands in the transaction",
     .summary = "Runs all queued commands as one."},
    {.name = "discard",
     .arity = 1,
     .flags = kAnyState | kFast | kAllowBusy,
     .group = Group::kTransactions,
     .categories = kCatTransaction,
     .since = "2.0.0",
     .complexity = "O(N), when N is the number of queued commands",
     .summary = "Ends a transaction without running it."},
    {.name = "watch",
     .arity = -2,
     .flags = kAnyState | kFast | kAllowBusy,
     .keys = {1, -1, 1},
     .group = Group::kTransactions,
     .categories = kCatTransaction,
     .since = "2.2.0",
     .complexity = "O(1) for every key.",
     .summary = "Makes the next EXEC depend on these keys staying as they are.",
     .key_flags = kKeyRO},
    {.name = "unwatch",
     .arity = 1,
     .flags = kAnyState | kFast | kAllowBusy,
     .group = Group::kTransactions,
     .categories = kCatTransaction,
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Forgets all watched keys."},
};

}  // namespace

std::span<const CommandRow> TransactionCommands() { return kRows; }

}  // namespace kiwi::commands
