// The arguments that SCAN and the SCANs of collections share, and their reply.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "commands/command.h"

namespace kiwi::commands {

struct ScanOptions {
  uint64_t cursor = 0;
  size_t count = 10;
  std::optional<std::string_view> match;  // empty: everything
  std::optional<std::string_view> type;   // SCAN only; any case

  bool Matches(std::string_view text) const;
};

// Reads a cursor as leniently as Redis does, which takes what strtoul takes. False: the error is
// written.
bool ParseCursor(Context& ctx, std::string_view text, uint64_t* cursor);
// Reads the options from args[first] on.
bool ParseScanOptions(Context& ctx, size_t first, bool with_type, ScanOptions* options);
void ReplyScan(Context& ctx, uint64_t cursor, const std::vector<std::string_view>& elements);

}  // namespace kiwi::commands
