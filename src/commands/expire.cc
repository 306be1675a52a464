// Times to live: the EXPIRE family, the TTL family, PERSIST, and the server's own expiry.
#include <algorithm>
#include <string>

#include "commands/args.h"
#include "keyspace/object.h"

namespace kiwi::commands {
namespace {

using keyspace::Object;

struct ExpireConditions {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;

  // A key without a time to live counts as one that lives for ever.
  bool Allow(const Object& object, int64_t at_ms) const {
    const bool expires = object.has_expiry();
    if (nx && expires) return false;
    if (xx && !expires) return false;
    if (gt && (!expires || at_ms <= object.expire_at_ms())) return false;
    return !(lt && expires && at_ms >= object.expire_at_ms());
  }
};

bool ParseConditions(Context& ctx, ExpireConditions* conditions) {
  for (const std::string_view option : ctx.args.subspan(3)) {
    if (EqualsIgnoreCase(option, "nx")) {
      conditions->nx = true;
    } else if (EqualsIgnoreCase(option, "xx")) {
      conditions->xx = true;
    } else if (EqualsIgnoreCase(option, "gt")) {
      conditions->gt = true;
    } else if (EqualsIgnoreCase(option, "lt")) {
      conditions->lt = true;
    } else {
      ctx.reply.Error("ERR Unsupported option " + std::string(UpToNul(option)));
      return false;
    }
  }
  if (conditions->nx && (conditions->xx || conditions->gt || conditions->lt)) {
    ctx.reply.Error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (conditions->gt && conditions->lt) {
    ctx.reply.Error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

void ExpireKey(Context& ctx, ExpireUnit unit, std::string_view name) {
  ExpireConditions conditions;
  if (!ParseConditions(ctx, &conditions)) return;
  int64_t at_ms = 0;
  if (!ExpireArg(ctx, ctx.args[2], unit, false, name, &at_ms)) return;
  const Object* object = ctx.db.Find(ctx.args[1]);
  const bool applies = object != nullptr && conditions.Allow(*object, at_ms);
  if (applies) ctx.db.SetExpiry(ctx.args[1], at_ms);
  ctx.reply.Integer(applies);
}

void Expire(Context& ctx) { ExpireKey(ctx, {.seconds = true, .relative = true}, "expire"); }
void Pexpire(Context& ctx) { ExpireKey(ctx, {.seconds = false, .relative = true}, "pexpire"); }
void Expireat(Context& ctx) { ExpireKey(ctx, {.seconds = true, .relative = false}, "expireat"); }
void Pexpireat(Context& ctx) { ExpireKey(ctx, {.seconds = false, .relative = false}, "pexpireat"); }

void ReplyTime(Context& ctx, ExpireUnit unit) {
  const Object* object = ctx.db.FindNoTouch(ctx.args[1]);
  if (object == nullptr) return ctx.reply.Integer(-2);
  if (!object->has_expiry()) return ctx.reply.Integer(-1);
  // What is past its time by the wall clock alone is shown while it lives, at the last of its time.
  const int64_t at_ms = object->expire_at_ms();
  const int64_t ms = unit.relative ? std::max<int64_t>(at_ms - ctx.display_ms(), 0) : at_ms;
  ctx.reply.Integer(unit.seconds ? ms / 1000 + (ms % 1000 >= 500) : ms);
}

void Ttl(Context& ctx) { ReplyTime(ctx, {.seconds = true, .relative = true}); }
void Pttl(Context& ctx) { ReplyTime(ctx, {.seconds = false, .relative = true}); }
void Expiretime(Context& ctx) { ReplyTime(ctx, {.seconds = true, .relative = false}); }
void Pexpiretime(Context& ctx) { ReplyTime(ctx, {.seconds = false, .relative = false}); }

void Persist(Context& ctx) { ctx.reply.Integer(ctx.db.ClearExpiry(ctx.args[1])); }

// Proposed for keys that a read or the leader's expiry cycle saw past their time, by a wall clock. A
// key that was set again in the meantime stays, as does one whose time the log does not see come.
void RemoveExpired(Context& ctx) {
  int64_t gone = 0;
  for (const std::string_view key : ctx.args.subspan(1)) gone += ctx.db.DeleteExpired(key);
  ctx.reply.Integer(gone);
}

constexpr CommandRow kRows[] = {
    {.name = "expire",
     .handler = Expire,
     .arity = -3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Sets a key's time to live in seconds.",
     .key_flags = kKeyRW | kKeyUpdate},
    {.name = "pexpire",
     .handler = Pexpire,
     .arity = -3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Sets a key's time to live in milliseconds.",
     .key_flags = kKeyRW | kKeyUpdate},
    {.name = "expireat",
     .handler = Expireat,
     .arity = -3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "1.2.0",
     .complexity = "O(1)",
     .summary = "Sets when a key expires, in seconds of Unix time.",
     .key_flags = kKeyRW | kKeyUpdate},
    {.name = "pexpireat",
     .handler = Pexpireat,
     .arity = -3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Sets when a key expires, in milliseconds of Unix time.",
     .key_flags = kKeyRW | kKeyUpdate},
    {.name = "ttl",
     .handler = Ttl,
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers a key's time to live in seconds.",
     .key_flags = kKeyRO | kKeyAccess,
     .tips = "nondeterministic_output"},
    {.name = "pttl",
     .handler = Pttl,
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "2.6.0",
     .complexity = "O(1)",
     .summary = "Answers a key's time to live in milliseconds.",
     .key_flags = kKeyRO | kKeyAccess,
     .tips = "nondeterministic_output"},
    {.name = "expiretime",
     .handler = Expiretime,
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Answers when a key expires, in seconds of Unix time.",
     .key_flags = kKeyRO | kKeyAccess},
    {.name = "pexpiretime",
     .handler = Pexpiretime,
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Answers when a key expires, in milliseconds of Unix time.",
     .key_flags = kKeyRO | kKeyAccess},
    {.name = "persist",
     .handler = Persist,
     .arity = 2,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "2.2.0",
     .complexity = "O(1)",
     .summary = "Removes a key's time to live.",
     .key_flags = kKeyRW | kKeyUpdate},
    {.name = "_expire",
     .handler = RemoveExpired,
     .arity = -2,
     .flags = kWrite | kInternal,
     .keys = {1, -1, 1},
     .categories = kCatKeyspace,
     .complexity = "O(N) where N is the number of keys",
     .summary = "Deletes those of the keys whose time has come.",
     .key_flags = kKeyRM | kKeyDelete},
};

}  // namespace

std::span<const CommandRow> ExpireCommands() { return kRows; }

}  // namespace kiwi::commands
