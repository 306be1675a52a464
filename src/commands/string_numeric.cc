// Strings as numbers: INCR and its relatives.
#include <cmath>
#include <limits>
#include <string>

#include "base/numbers.h"
#include "commands/args.h"
#include "keyspace/types/string_value.h"

namespace kiwi::commands {
namespace {

using keyspace::kNoExpiry;
using keyspace::Object;
using keyspace::StringScratch;
using keyspace::Type;

void IncrementBy(Context& ctx, int64_t increment) {
  const Object* object = nullptr;
  if (!FindOfType(ctx, ctx.args[1], Type::kString, &object)) return;
  int64_t value = 0;
  int64_t expire_at_ms = kNoExpiry;
  if (object != nullptr) {
    const std::optional<int64_t> old = StringAsInt(*object);
    if (!old) return ctx.reply.Error(kNotInteger);
    value = *old;
    expire_at_ms = object->expire_at_ms();
  }
  if (__builtin_add_overflow(value, increment, &value)) {
    return ctx.reply.Error(kIncrementOverflow);
  }
  StringSetInt(ctx.db, ctx.args[1], value, expire_at_ms);
  ctx.reply.Integer(value);
}

void Incr(Context& ctx) { IncrementBy(ctx, 1); }
void Decr(Context& ctx) { IncrementBy(ctx, -1); }

void Incrby(Context& ctx) {
  int64_t increment = 0;
  if (IntArg(ctx, ctx.args[2], &increment)) IncrementBy(ctx, increment);
}

void Decrby(Context& ctx) {
  int64_t decrement = 0;
  if (!IntArg(ctx, ctx.args[2], &decrement)) return;
  if (decrement == std::numeric_limits<int64_t>::min()) {  // has no negative
    return ctx.reply.Error("ERR decrement would overflow");
  }
  IncrementBy(ctx, -decrement);
}

void Incrbyfloat(Context& ctx) {
  const Object* object = nullptr;
  if (!FindOfType(ctx, ctx.args[1], Type::kString, &object)) return;
  long double value = 0;
  int64_t expire_at_ms = kNoExpiry;
  if (object != nullptr) {
    StringScratch scratch;
    if (!ParseLongDouble(StringBytes(*object, scratch), &value)) return ctx.reply.Error(kNotFloat);
    expire_at_ms = object->expire_at_ms();
  }
  long double increment = 0;
  if (!ParseLongDouble(ctx.args[2], &increment)) return ctx.reply.Error(kNotFloat);
  value += increment;
  if (!std::isfinite(value)) return ctx.reply.Error(kIncrementNan);
  const std::string text = HumanDouble(value);
  StringSet(ctx.db, ctx.args[1], text, expire_at_ms);
  ctx.reply.Bulk(text);
}

constexpr uint32_t kFlags = kWrite | kDenyOom | kFast;
constexpr uint16_t kKeyFlags = kKeyRW | kKeyAccess | kKeyUpdate;

constexpr CommandRow kRows[] = {
    {.name = "incr",
     .handler = Incr,
     .arity = 2,
     .flags = kFlags,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Adds 1 to the integer under a key; a missing key counts as 0.",
     .key_flags = kKeyFlags},
    {.name = "decr",
     .handler = Decr,
     .arity = 2,
     .flags = kFlags,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Subtracts 1 from the integer under a key; a missing key counts as 0.",
     .key_flags = kKeyFlags},
    {.name = "incrby",
     .handler = Incrby,
     .arity = 3,
     .flags = kFlags,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Adds a number to the integer under a key; a missing key counts as 0.",
     .key_flags = kKeyFlags},
    {.name = "decrby",
     .handler = Decrby,
     .arity = 3,
     .flags = kFlags,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Subtracts a number from the integer under a key; a missing key counts as 0.",
     .key_flags = kKeyFlags},
    {.name = "incrbyfloat",
     .handler = Incrbyfloat,
     .arity = 3,
     .flags = kFlags,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Adds a decimal fraction to the number under a key; a missing key counts as 0.",
     .key_flags = kKeyFlags},
};

}  // namespace

std::span<const CommandRow> NumericCommands() { return kRows; }

}  // namespace kiwi::commands
