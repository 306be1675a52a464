// Settings that decide how values are laid out, and with it the order of their fields: part of the
// replicated state, so that they change through the log, at one position on every node.
#include "base/numbers.h"
#include "commands/command.h"

namespace kiwi::commands {
namespace {

void HashLimits(Context& ctx) {
  int64_t entries = 0;
  int64_t value_bytes = 0;
  if (!ParseInt64(ctx.args[1], &entries) || !ParseInt64(ctx.args[2], &value_bytes) || entries < 0 ||
      value_bytes < 0 || entries > UINT32_MAX || value_bytes > UINT32_MAX) {
    ctx.reply.Error("ERR value is not an integer or out of range");
    return;
  }
  ctx.keyspace.SetHashLimits(static_cast<uint32_t>(entries), static_cast<uint32_t>(value_bytes));
  ctx.reply.Ok();
}

constexpr CommandRow kRows[] = {
    {.name = "_hash-limits",
     .handler = HashLimits,
     .arity = 3,
     .flags = kWrite | kInternal | kAllShards,
     .group = Group::kHash,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Sets hash-max-listpack-entries and hash-max-listpack-value."},
};

}  // namespace

std::span<const CommandRow> LimitCommands() { return kRows; }

}  // namespace kiwi::commands
