#include "commands/help.h"

#include <string>

namespace kiwi::commands {

void ReplyHelp(Context& ctx, std::string_view command, std::span<const std::string_view> lines) {
  ctx.reply.Array(lines.size() + 3);
  ctx.reply.Simple(std::string(command) +
                   " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string_view line : lines) ctx.reply.Simple(line);
  ctx.reply.Simple("HELP");
  ctx.reply.Simple("    Print this help.");
}

}  // namespace kiwi::commands
