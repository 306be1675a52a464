// Strings by parts: GETRANGE, SETRANGE, APPEND, STRLEN.
#include <algorithm>

#include "commands/args.h"
#include "commands/large_reply.h"
#include "keyspace/types/string_value.h"

namespace kiwi::commands {
namespace {

using keyspace::Object;
using keyspace::Type;

// `size` bytes are there and `more` come behind them; both are at least 0.
bool CheckLength(Context& ctx, int64_t size, size_t more) {
  if (size <= kMaxStringBytes && static_cast<int64_t>(more) <= kMaxStringBytes - size) return true;
  ctx.reply.Error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  return false;
}

void Getrange(Context& ctx) {
  int64_t start = 0;
  int64_t end = 0;
  if (!IntArg(ctx, ctx.args[2], &start) || !IntArg(ctx, ctx.args[3], &end)) return;
  const Object* object = nullptr;
  if (!FindOfType(ctx, ctx.args[1], Type::kString, &object)) return;
  if (object == nullptr || (start < 0 && end < 0 && start > end)) return ctx.reply.Bulk("");
  const auto length = static_cast<int64_t>(StringLength(*object));
  // An index before the start counts as the start, for the end too.
  if (start < 0) start = std::max<int64_t>(start + length, 0);
  if (end < 0) end = std::max<int64_t>(end + length, 0);
  end = std::min(end, length - 1);
  if (start > end) return ctx.reply.Bulk("");
  CopyBudget budget;
  if (!ReplySubstring(ctx, *object, static_cast<size_t>(start),
                      static_cast<size_t>(end - start + 1), budget)) {
    return;
  }
}

void Setrange(Context& ctx) {
  int64_t offset = 0;
  if (!IntArg(ctx, ctx.args[2], &offset)) return;
  if (offset < 0) return ctx.reply.Error("ERR offset is out of range");
  const Object* object = nullptr;
  if (!FindOfType(ctx, ctx.args[1], Type::kString, &object)) return;
  const std::string_view bytes = ctx.args[3];
  if (bytes.empty()) {  // changes nothing, whatever the offset
    return ctx.reply.Integer(object ? static_cast<int64_t>(StringLength(*object)) : 0);
  }
  if (!CheckLength(ctx, offset, bytes.size())) return;
  const size_t length = StringSetRange(ctx.db, ctx.args[1], static_cast<size_t>(offset), bytes);
  ctx.reply.Integer(static_cast<int64_t>(length));
}

void Append(Context& ctx) {
  const Object* object = nullptr;
  if (!FindOfType(ctx, ctx.args[1], Type::kString, &object)) return;
  const size_t size = object ? StringLength(*object) : 0;
  if (!CheckLength(ctx, static_cast<int64_t>(size), ctx.args[2].size())) return;
  ctx.reply.Integer(static_cast<int64_t>(StringAppend(ctx.db, ctx.args[1], ctx.args[2])));
}

void Strlen(Context& ctx) {
  const Object* object = nullptr;
  if (!FindOfType(ctx, ctx.args[1], Type::kString, &object)) return;
  ctx.reply.Integer(object ? static_cast<int64_t>(StringLength(*object)) : 0);
}

constexpr CommandRow kRows[] = {
    {.name = "getrange",
     .handler = Getrange,
     .arity = 4,
     .flags = kReadOnly | kCheap,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "2.4.0",
     .complexity = "O(N) where N is the length of the answer",
     .summary = "Answers the part of a string between two positions.",
     .key_flags = kKeyRO | kKeyAccess},
    {.name = "substr",
     .handler = Getrange,
     .arity = 4,
     .flags = kReadOnly | kCheap,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(N) where N is the length of the answer",
     .summary = "The old name of GETRANGE.",
     .key_flags = kKeyRO | kKeyAccess},
    {.name = "setrange",
     .handler = Setrange,
     .arity = 4,
     .flags = kWrite | kDenyOom,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "2.2.0",
     .complexity = "O(N) where N is the length of the value and of the padding",
     .summary = "Overwrites a part of a string, padding it with zero bytes up to the offset.",
     .key_flags = kKeyRW | kKeyUpdate},
    {.name = "append",
     .handler = Append,
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "2.0.0",
     .complexity = "O(1) amortized for short appended values",
     .summary = "Appends to a string; a missing key counts as empty.",
     .key_flags = kKeyRW | kKeyInsert},
    {.name = "strlen",
     .handler = Strlen,
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Answers the length of a string in bytes.",
     .key_flags = kKeyRO},
};

}  // namespace

std::span<const CommandRow> StringRangeCommands() { return kRows; }

}  // namespace kiwi::commands
