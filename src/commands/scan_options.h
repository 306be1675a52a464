// The arguments that SCAN and the SCANs of collections share, and their reply.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "commands/command.h"

namespace kiwi::commands {

// A pattern as KEYS and MATCH take it: a glob (base/glob.h), but one with more than a thousand stars
// that something follows matches nothing, because Redis gives up there.
class KeyPattern {
 public:
  explicit KeyPattern(std::string_view glob);

  bool Matches(std::string_view text) const;
  bool literal() const { return kind_ == Kind::kLiteral; }  // matches only itself

 private:
  enum class Kind : uint8_t { kAll, kNothing, kLiteral, kGlob };

  std::string_view glob_;
  Kind kind_;
};

struct ScanOptions {
  uint64_t cursor = 0;
  size_t count = 10;
  KeyPattern match{"*"};
  std::optional<std::string_view> type;  // SCAN only; any case
};

// Reads a cursor as leniently as Redis does, which takes what strtoul takes. False: the error is
// written.
bool ParseCursor(Context& ctx, std::string_view text, uint64_t* cursor);
// Reads the options from args[first] on.
bool ParseScanOptions(Context& ctx, size_t first, bool with_type, ScanOptions* options);
// The reply of a SCAN whose elements come one by one, and its cursor behind them.
class ScanReply {
 public:
  explicit ScanReply(protocol::ReplyWriter& reply) : reply_(reply), begin_(reply.buffer().size()) {}
  void Add(std::string_view element) {
    reply_.Bulk(element);
    ++count_;
  }
  void End(uint64_t cursor);

 private:
  protocol::ReplyWriter& reply_;
  const size_t begin_;
  size_t count_ = 0;
};

void ReplyScan(Context& ctx, uint64_t cursor, const std::vector<std::string_view>& elements);

}  // namespace kiwi::commands
