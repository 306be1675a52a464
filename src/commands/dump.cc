// DUMP and RESTORE.
#include <algorithm>
#include <limits>
#include <memory>
#include <string>

#include "commands/args.h"
#include "commands/dump_format.h"
#include "commands/large_reply.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/string_value.h"
#include "keyspace/types/value_walk.h"

namespace kiwi::commands {
namespace {

using keyspace::HashReader;
using keyspace::HashWalk;
using keyspace::kNoExpiry;
using keyspace::Object;
using keyspace::StringWalk;
using protocol::ReplyWriter;

void Dump(Context& ctx) {
  const Object* object = ctx.db.Find(ctx.args[1]);
  if (object == nullptr) return ctx.reply.Null();
  if (object->type() == keyspace::Type::kHash) {
    const auto encode = [](auto& hash) {
      return EncodeHashDump(hash.size(), [&](VisitField visit) { hash.ForEach(visit); });
    };
    if (!IsLargeHash(ctx, *object)) {
      HashReader hash(*object);
      return ctx.reply.Bulk(encode(hash));
    }
    if (!ctx.rest->Accepts()) return;
    const auto walk = std::make_shared<HashWalk>(ctx.keyspace, *object);
    return ctx.rest->Add(ctx.reply, object->memory_bytes(), [walk, encode](ReplyWriter& reply) {
      reply.Bulk(encode(*walk));
      return true;
    });
  }
  const size_t size = StringLength(*object);
  if (size <= kMaxBytesAtOnce || ctx.rest == nullptr || !StringWalk::Can(*object)) {
    keyspace::StringScratch scratch;
    return ctx.reply.Bulk(EncodeStringDump(StringBytes(*object, scratch)));
  }
  if (!ctx.rest->Accepts()) return;
  const auto walk = std::make_shared<StringWalk>(ctx.keyspace, *object, 0, size);
  ctx.rest->Add(ctx.reply, size, [walk](ReplyWriter& reply) {
    std::string bytes;
    walk->AppendTo(&bytes);
    reply.Bulk(EncodeStringDump(bytes));
    return true;
  });
}

struct RestoreOptions {
  bool replace = false;
  bool absolute_ttl = false;
  int64_t idle_s = -1;
  int64_t frequency = -1;  // checked and forgotten: there is no LFU policy
};

bool ParseRestoreOptions(Context& ctx, RestoreOptions* options) {
  for (size_t i = 4; i < ctx.args.size(); ++i) {
    const std::string_view option = ctx.args[i];
    const bool has_value = i + 1 < ctx.args.size();
    if (EqualsIgnoreCase(option, "replace")) {
      options->replace = true;
    } else if (EqualsIgnoreCase(option, "absttl")) {
      options->absolute_ttl = true;
    } else if (EqualsIgnoreCase(option, "idletime") && has_value && options->frequency == -1) {
      if (!IntArg(ctx, ctx.args[++i], &options->idle_s)) return false;
      if (options->idle_s < 0) {
        ctx.reply.Error("ERR Invalid IDLETIME value, must be >= 0");
        return false;
      }
    } else if (EqualsIgnoreCase(option, "freq") && has_value && options->idle_s == -1) {
      if (!IntArg(ctx, ctx.args[++i], &options->frequency)) return false;
      if (options->frequency < 0 || options->frequency > 255) {
        ctx.reply.Error("ERR Invalid FREQ value, must be >= 0 and <= 255");
        return false;
      }
    } else {
      ctx.reply.Error(kSyntaxError);
      return false;
    }
  }
  return true;
}

// The absolute time that TTL and ABSTTL ask for; 0 is none.
int64_t ExpireTime(Context& ctx, int64_t ttl, bool absolute) {
  if (ttl == 0) return kNoExpiry;
  if (absolute) return ttl;
  int64_t at_ms = 0;
  const bool overflow = __builtin_add_overflow(ttl, ctx.now_ms(), &at_ms);
  return overflow ? std::numeric_limits<int64_t>::max() : at_ms;
}

void Store(Context& ctx, const DumpedValue& value, int64_t at_ms) {
  const std::string_view key = ctx.args[1];
  if (value.type == keyspace::Type::kString) {
    StringSet(ctx.db, key, value.string, at_ms);
    return;
  }
  {
    keyspace::HashWriter hash(ctx.db, key);
    for (const auto& [field, content] : value.fields) hash.Set(field, content);
  }
  if (at_ms != kNoExpiry) ctx.db.SetExpiry(key, at_ms);
}

// What was idle for longer than there is time counts as used at the beginning of it.
void NoteIdle(Context& ctx, int64_t idle_s) {
  const int64_t now_s = ctx.now_ms() / 1000;
  ctx.db.FindNoTouch(ctx.args[1])
      ->NoteAccess(static_cast<uint32_t>(std::clamp<int64_t>(now_s - idle_s, 1, now_s)));
}

void Restore(Context& ctx) {
  RestoreOptions options;
  if (!ParseRestoreOptions(ctx, &options)) return;
  const std::string_view key = ctx.args[1];
  if (!options.replace && ctx.db.Find(key) != nullptr) {
    return ctx.reply.Error("BUSYKEY Target key name already exists.");
  }
  int64_t ttl = 0;
  if (!IntArg(ctx, ctx.args[2], &ttl)) return;
  if (ttl < 0) return ctx.reply.Error("ERR Invalid TTL value, must be >= 0");
  if (!VerifyDump(ctx.args[3])) {
    return ctx.reply.Error("ERR DUMP payload version or checksum are wrong");
  }
  DumpedValue value;
  if (!DecodeDump(ctx.args[3], &value)) return ctx.reply.Error("ERR Bad data format");

  ctx.db.Delete(key);
  const int64_t at_ms = ExpireTime(ctx, ttl, options.absolute_ttl);
  if (at_ms == kNoExpiry || at_ms > ctx.now_ms()) {
    Store(ctx, value, at_ms);
    if (options.idle_s >= 0) NoteIdle(ctx, options.idle_s);
  }
  ctx.reply.Ok();
}

constexpr CommandRow kRows[] = {
    {.name = "dump",
     .handler = Dump,
     .arity = 2,
     .flags = kReadOnly,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "2.6.0",
     .complexity = "O(N) where N is the size of the value",
     .summary = "Answers a value in a form that RESTORE takes.",
     .key_flags = kKeyRO | kKeyAccess,
     .tips = "nondeterministic_output"},
    {.name = "restore",
     .handler = Restore,
     .arity = -4,
     .flags = kWrite | kDenyOom,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace | kCatDangerous,
     .since = "2.6.0",
     .complexity = "O(N) where N is the size of the value",
     .summary = "Creates a key from what DUMP answered.",
     .key_flags = kKeyOW | kKeyUpdate},
};

}  // namespace

std::span<const CommandRow> DumpCommands() { return kRows; }

}  // namespace kiwi::commands
