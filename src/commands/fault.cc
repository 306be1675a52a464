// FAULT.DISK: breaks the disk on purpose, through the file layer under both backends. Refused unless
// fault.enabled and fault.file-layer stood in the configuration at the start.
#include "commands/command.h"
#include "commands/server_view.h"

namespace kiwi::commands {
namespace {

void FaultDisk(Context& ctx) {
  const ::kiwi::Status status = ctx.server->SetDiskFault(ctx.args[1], ctx.args[2]);
  if (status.ok()) {
    ctx.reply.Ok();
  } else {
    ctx.reply.Error("ERR " + std::string(status.message()));
  }
}

constexpr CommandRow kRows[] = {
    {.name = "fault.disk",
     .handler = FaultDisk,
     .arity = 3,
     .flags = kAdmin | kNoScript | kLoading | kStale,
     .group = Group::kServer,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Makes the disk under this server fail, lie, fill up or slow down, for tests."},
};

}  // namespace

std::span<const CommandRow> FaultCommands() { return kRows; }

}  // namespace kiwi::commands
