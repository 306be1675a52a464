// Hashes: the commands that change one.
#include <cmath>
#include <string>

#include "base/numbers.h"
#include "commands/args.h"
#include "keyspace/types/hash_value.h"

namespace kiwi::commands {
namespace {

using keyspace::HashWriter;
using keyspace::Object;
using keyspace::Type;

bool CheckHash(Context& ctx) {
  const Object* object = nullptr;
  return FindOfType(ctx, ctx.args[1], Type::kHash, &object);
}

// Returns how many fields are new.
int64_t SetFields(Context& ctx) {
  HashWriter hash(ctx.db, ctx.args[1]);
  int64_t added = 0;
  for (size_t i = 2; i + 1 < ctx.args.size(); i += 2) {
    added += hash.Set(ctx.args[i], ctx.args[i + 1]);
  }
  return added;
}

void Hset(Context& ctx) {
  if (ctx.args.size() % 2 == 1) return ReplyArityError(ctx, "hset");
  if (CheckHash(ctx)) ctx.reply.Integer(SetFields(ctx));
}

void Hmset(Context& ctx) {
  if (ctx.args.size() % 2 == 1) return ReplyArityError(ctx, "hmset");
  if (!CheckHash(ctx)) return;
  SetFields(ctx);
  ctx.reply.Ok();
}

void Hsetnx(Context& ctx) {
  if (!CheckHash(ctx)) return;
  HashWriter hash(ctx.db, ctx.args[1]);
  const bool missing = !hash.Get(ctx.args[2]);
  if (missing) hash.Set(ctx.args[2], ctx.args[3]);
  ctx.reply.Integer(missing);
}

void Hdel(Context& ctx) {
  const Object* object = nullptr;
  if (!FindOfType(ctx, ctx.args[1], Type::kHash, &object)) return;
  int64_t deleted = 0;
  if (object != nullptr) {
    HashWriter hash(ctx.db, ctx.args[1]);
    for (const std::string_view field : ctx.args.subspan(2)) {
      deleted += hash.Delete(field);
      if (hash.size() == 0) break;
    }
  }
  ctx.reply.Integer(deleted);
}

void Hincrby(Context& ctx) {
  int64_t increment = 0;
  if (!IntArg(ctx, ctx.args[3], &increment) || !CheckHash(ctx)) return;
  HashWriter hash(ctx.db, ctx.args[1]);
  int64_t value = 0;
  const auto old = hash.Get(ctx.args[2]);
  if (old && !ParseInt64(*old, &value)) return ctx.reply.Error("ERR hash value is not an integer");
  if (__builtin_add_overflow(value, increment, &value)) {
    return ctx.reply.Error(kIncrementOverflow);
  }
  char digits[kMaxInt64Chars];
  const char* end = FormatInt64(digits, value);
  hash.Set(ctx.args[2], {digits, static_cast<size_t>(end - digits)});
  ctx.reply.Integer(value);
}

void Hincrbyfloat(Context& ctx) {
  long double increment = 0;
  if (!ParseLongDouble(ctx.args[3], &increment)) return ctx.reply.Error(kNotFloat);
  if (!std::isfinite(increment)) return ctx.reply.Error("ERR value is NaN or Infinity");
  if (!CheckHash(ctx)) return;
  HashWriter hash(ctx.db, ctx.args[1]);
  long double value = 0;
  const auto old = hash.Get(ctx.args[2]);
  if (old && !ParseLongDouble(*old, &value)) {
    return ctx.reply.Error("ERR hash value is not a float");
  }
  value += increment;
  if (!std::isfinite(value)) return ctx.reply.Error(kIncrementNan);
  const std::string text = HumanDouble(value);
  hash.Set(ctx.args[2], text);
  ctx.reply.Bulk(text);
}

constexpr CommandRow kRows[] = {
    {.name = "hset",
     .handler = Hset,
     .arity = -4,
     .flags = kWrite | kDenyOom | kFast | kPerArgument,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(1) for each field, O(N) for N of them",
     .summary = "Sets fields of a hash and answers how many of them are new.",
     .key_flags = kKeyRW | kKeyUpdate},
    {.name = "hmset",
     .handler = Hmset,
     .arity = -4,
     .flags = kWrite | kDenyOom | kFast | kPerArgument,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of fields",
     .summary = "Sets fields of a hash; HSET does the same and says more.",
     .key_flags = kKeyRW | kKeyUpdate},
    {.name = "hsetnx",
     .handler = Hsetnx,
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Sets a field of a hash only if it is missing.",
     .key_flags = kKeyRW | kKeyInsert},
    {.name = "hdel",
     .handler = Hdel,
     .arity = -3,
     .flags = kWrite | kFast | kPerArgument,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of fields",
     .summary = "Deletes fields of a hash, and the hash with its last field.",
     .key_flags = kKeyRW | kKeyDelete},
    {.name = "hincrby",
     .handler = Hincrby,
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Adds a number to the integer in a field; a missing field counts as 0.",
     .key_flags = kKeyRW | kKeyAccess | kKeyUpdate},
    {.name = "hincrbyfloat",
     .handler = Hincrbyfloat,
     .arity = 4,
     .flags = kWrite | kDenyOom | kFast,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Adds a decimal fraction to the number in a field; a missing field counts as 0.",
     .key_flags = kKeyRW | kKeyAccess | kKeyUpdate},
};

}  // namespace

std::span<const CommandRow> HashCommands() { return kRows; }

}  // namespace kiwi::commands
