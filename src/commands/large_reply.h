// Replies with values that may be large: copied at once, or left to be copied behind the locks.
#pragma once

#include <cstddef>
#include <string_view>

#include "commands/command.h"
#include "commands/rest.h"
#include "keyspace/object.h"

namespace kiwi::commands {

// What one command may still copy under its locks.
class CopyBudget {
 public:
  // False: too much.
  bool Take(size_t bytes) {
    if (bytes > left_) return bytes <= kAnyway;
    left_ -= bytes;
    return true;
  }

 private:
  static constexpr size_t kAnyway = 4 << 10;  // not worth a walk
  size_t left_ = kMaxBytesAtOnce;
};

// Each answers one bulk string. False: the handler returns, for the read will run again elsewhere.
[[nodiscard]] bool ReplyString(Context& ctx, const keyspace::Object& object, CopyBudget& budget);
[[nodiscard]] bool ReplySubstring(Context& ctx, const keyspace::Object& object, size_t offset,
                                  size_t size, CopyBudget& budget);
// The value of a field, or null.
[[nodiscard]] bool ReplyField(Context& ctx, const keyspace::Object& hash, std::string_view field,
                              CopyBudget& budget);

// True: a read of the whole hash goes in steps (keyspace::HashWalk).
bool IsLargeHash(const Context& ctx, const keyspace::Object& hash);

}  // namespace kiwi::commands
