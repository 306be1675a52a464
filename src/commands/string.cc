// Strings as whole values: SET and its relatives, GET and its relatives, MSET.
#include "commands/args.h"
#include "commands/large_reply.h"
#include "keyspace/types/string_value.h"

namespace kiwi::commands {
namespace {

using keyspace::kNoExpiry;
using keyspace::Object;
using keyspace::Type;

// Writes the value or null. False: not a string, the error is written; or as ReplyString.
bool ReplyGet(Context& ctx, std::string_view key, const Object** object) {
  if (!FindOfType(ctx, key, Type::kString, object)) return false;
  if (*object == nullptr) {
    ctx.reply.Null();
    return true;
  }
  CopyBudget budget;
  return ReplyString(ctx, **object, budget);
}

// A value whose time has already come is as good as deleted.
void SetUntil(Context& ctx, std::string_view key, std::string_view value, int64_t at_ms) {
  if (at_ms != kNoExpiry && at_ms <= ctx.now_ms()) {
    ctx.db.Delete(key);
  } else {
    StringSet(ctx.db, key, value, at_ms);
  }
}

// The options of SET and GETEX.
struct ValueOptions {
  bool nx = false;
  bool xx = false;
  bool get = false;
  bool keep_ttl = false;
  bool persist = false;
  std::string_view expire = {};  // null: none
  std::string_view expire_option = {};
  ExpireUnit unit;
};

// The expiry options exclude each other, but each may be repeated; the last one counts.
bool TakeExpire(std::string_view option, std::string_view value, ValueOptions* options) {
  static constexpr struct {
    std::string_view name;
    ExpireUnit unit;
  } kUnits[] = {{"ex", {true, true}},
                {"px", {false, true}},
                {"exat", {true, false}},
                {"pxat", {false, false}}};
  if (options->keep_ttl || options->persist) return false;
  for (const auto& [name, unit] : kUnits) {
    if (!EqualsIgnoreCase(option, name)) continue;
    if (!options->expire_option.empty() && options->expire_option != name) return false;
    options->expire_option = name;
    options->expire = value;
    options->unit = unit;
    return true;
  }
  return false;
}

bool TakeSetFlag(std::string_view option, ValueOptions* options) {
  if (EqualsIgnoreCase(option, "nx") && !options->xx) return options->nx = true;
  if (EqualsIgnoreCase(option, "xx") && !options->nx) return options->xx = true;
  if (EqualsIgnoreCase(option, "get")) return options->get = true;
  if (EqualsIgnoreCase(option, "keepttl") && options->expire_option.empty()) {
    return options->keep_ttl = true;
  }
  return false;
}

bool TakePersist(std::string_view option, ValueOptions* options) {
  if (!EqualsIgnoreCase(option, "persist") || !options->expire_option.empty()) return false;
  return options->persist = true;
}

bool ParseOptions(Context& ctx, size_t first, bool is_set, ValueOptions* options) {
  for (size_t i = first; i < ctx.args.size(); ++i) {
    const std::string_view option = ctx.args[i];
    if (is_set ? TakeSetFlag(option, options) : TakePersist(option, options)) continue;
    if (i + 1 < ctx.args.size() && TakeExpire(option, ctx.args[i + 1], options)) {
      ++i;
      continue;
    }
    ctx.reply.Error(kSyntaxError);
    return false;
  }
  return true;
}

void Set(Context& ctx) {
  const std::string_view key = ctx.args[1];
  if (ctx.args.size() == 3) {  // by far the most frequent form
    StringSet(ctx.db, key, ctx.args[2], kNoExpiry);
    ctx.reply.Ok();
    return;
  }
  ValueOptions options;
  if (!ParseOptions(ctx, 3, true, &options)) return;
  int64_t at_ms = kNoExpiry;
  if (!options.expire_option.empty() &&
      !ExpireArg(ctx, options.expire, options.unit, true, "set", &at_ms)) {
    return;
  }
  const Object* old = nullptr;
  if (options.get) {
    if (!ReplyGet(ctx, key, &old)) return;
  } else if (options.nx || options.xx || options.keep_ttl) {
    old = ctx.db.Find(key);
  }
  if ((options.nx && old != nullptr) || (options.xx && old == nullptr)) {
    if (!options.get) ctx.reply.Null();
    return;
  }
  if (options.keep_ttl && old != nullptr) at_ms = old->expire_at_ms();
  SetUntil(ctx, key, ctx.args[2], at_ms);
  if (!options.get) ctx.reply.Ok();
}

void SetWithTtl(Context& ctx, bool seconds, std::string_view name) {
  int64_t at_ms = 0;
  const ExpireUnit unit{.seconds = seconds, .relative = true};
  if (!ExpireArg(ctx, ctx.args[2], unit, true, name, &at_ms)) return;
  StringSet(ctx.db, ctx.args[1], ctx.args[3], at_ms);
  ctx.reply.Ok();
}

void Setex(Context& ctx) { SetWithTtl(ctx, true, "setex"); }
void Psetex(Context& ctx) { SetWithTtl(ctx, false, "psetex"); }

void Setnx(Context& ctx) {
  const bool missing = ctx.db.Find(ctx.args[1]) == nullptr;
  if (missing) StringSet(ctx.db, ctx.args[1], ctx.args[2], kNoExpiry);
  ctx.reply.Integer(missing);
}

void Get(Context& ctx) {
  const Object* object = nullptr;
  ReplyGet(ctx, ctx.args[1], &object);
}

void Getset(Context& ctx) {
  const Object* object = nullptr;
  if (!ReplyGet(ctx, ctx.args[1], &object)) return;
  StringSet(ctx.db, ctx.args[1], ctx.args[2], kNoExpiry);
}

void Getdel(Context& ctx) {
  const Object* object = nullptr;
  if (ReplyGet(ctx, ctx.args[1], &object) && object != nullptr) ctx.db.Delete(ctx.args[1]);
}

void Getex(Context& ctx) {
  const std::string_view key = ctx.args[1];
  ValueOptions options;
  if (!ParseOptions(ctx, 2, false, &options)) return;
  const Object* object = nullptr;
  if (!FindOfType(ctx, key, Type::kString, &object)) return;
  if (object == nullptr) {
    ctx.reply.Null();
    return;
  }
  int64_t at_ms = 0;
  const bool expires = !options.expire_option.empty();
  if (expires && !ExpireArg(ctx, options.expire, options.unit, true, "getex", &at_ms)) return;
  CopyBudget budget;
  if (!ReplyString(ctx, *object, budget)) return;
  if (expires) {
    ctx.db.SetExpiry(key, at_ms);
  } else if (options.persist) {
    ctx.db.ClearExpiry(key);
  }
}

void Mget(Context& ctx) {
  ReplyBound bound(ctx);
  CopyBudget budget;
  ctx.reply.Array(ctx.args.size() - 1);
  for (const std::string_view key : ctx.args.subspan(1)) {
    const Object* object = ctx.db.Find(key);
    if (object == nullptr || object->type() != Type::kString) {
      ctx.reply.Null();
    } else if (!ReplyString(ctx, *object, budget)) {
      return;
    }
    if (bound.Exceeded()) return;
  }
}

void SetPairs(Context& ctx) {
  for (size_t i = 1; i + 1 < ctx.args.size(); i += 2) {
    StringSet(ctx.db, ctx.args[i], ctx.args[i + 1], kNoExpiry);
  }
}

void Mset(Context& ctx) {
  if (ctx.args.size() % 2 == 0) return ReplyArityError(ctx, "mset");
  SetPairs(ctx);
  ctx.reply.Ok();
}

void Msetnx(Context& ctx) {
  if (ctx.args.size() % 2 == 0) return ReplyArityError(ctx, "msetnx");
  for (size_t i = 1; i < ctx.args.size(); i += 2) {
    if (ctx.db.Find(ctx.args[i]) != nullptr) return ctx.reply.Integer(0);
  }
  SetPairs(ctx);
  ctx.reply.Integer(1);
}

constexpr KeySpec kSetKeys[] = {{
    .flags = kKeyRW | kKeyAccess | kKeyUpdate | kKeyVariableFlags,
    .begin = 1,
    .notes = "Read as well as written because GET answers the old value",
}};
constexpr KeySpec kGetexKeys[] = {{
    .flags = kKeyRW | kKeyAccess | kKeyUpdate,
    .begin = 1,
    .notes = "Written as well as read because the time to live changes",
}};

constexpr CommandRow kRows[] = {
    {.name = "set",
     .handler = Set,
     .arity = -3,
     .flags = kWrite | kDenyOom | kCheap,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Stores a string under a key, whatever the key held, with conditions and expiry.",
     .key_specs = kSetKeys},
    {.name = "setex",
     .handler = Setex,
     .arity = 4,
     .flags = kWrite | kDenyOom | kCheap,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Stores a string that expires after a number of seconds.",
     .key_flags = kKeyOW | kKeyUpdate},
    {.name = "psetex",
     .handler = Psetex,
     .arity = 4,
     .flags = kWrite | kDenyOom | kCheap,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Stores a string that expires after a number of milliseconds.",
     .key_flags = kKeyOW | kKeyUpdate},
    {.name = "setnx",
     .handler = Setnx,
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Stores a string only if the key is free.",
     .key_flags = kKeyOW | kKeyInsert},
    {.name = "get",
     .handler = Get,
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers the string under a key.",
     .key_flags = kKeyRO | kKeyAccess},
    {.name = "getset",
     .handler = Getset,
     .arity = 3,
     .flags = kWrite | kDenyOom | kFast,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Stores a string and answers the one that it replaced.",
     .key_flags = kKeyRW | kKeyAccess | kKeyUpdate},
    {.name = "getdel",
     .handler = Getdel,
     .arity = 2,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Answers the string under a key and deletes the key.",
     .key_flags = kKeyRW | kKeyAccess | kKeyDelete},
    {.name = "getex",
     .handler = Getex,
     .arity = -2,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Answers the string under a key and sets or removes the key's time to live.",
     .key_specs = kGetexKeys},
    {.name = "mget",
     .handler = Mget,
     .arity = -2,
     .flags = kReadOnly | kFast | kPerArgument,
     .keys = {1, -1, 1},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.0",
     .complexity = "O(N) where N is the number of keys",
     .summary = "Answers the strings under several keys at one moment.",
     .key_flags = kKeyRO | kKeyAccess,
     .tips = "request_policy:multi_shard"},
    {.name = "mset",
     .handler = Mset,
     .arity = -3,
     .flags = kWrite | kDenyOom | kCheap | kPerArgument,
     .keys = {1, -1, 2},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.1",
     .complexity = "O(N) where N is the number of keys",
     .summary = "Stores several strings at once: all or none.",
     .key_flags = kKeyOW | kKeyUpdate,
     .tips = "request_policy:multi_shard response_policy:all_succeeded"},
    {.name = "msetnx",
     .handler = Msetnx,
     .arity = -3,
     .flags = kWrite | kDenyOom | kCheap | kPerArgument,
     .keys = {1, -1, 2},
     .group = Group::kString,
     .categories = kCatString,
     .since = "1.0.1",
     .complexity = "O(N) where N is the number of keys",
     .summary = "Stores several strings at once, only if all of their keys are free.",
     .key_flags = kKeyOW | kKeyInsert,
     .tips = "request_policy:multi_shard response_policy:agg_min"},
};

}  // namespace

std::span<const CommandRow> StringCommands() { return kRows; }

}  // namespace kiwi::commands
