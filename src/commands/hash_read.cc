// Hashes: the commands that read one.
#include <algorithm>
#include <limits>
#include <unordered_set>
#include <vector>

#include "base/random.h"
#include "commands/args.h"
#include "commands/scan_options.h"
#include "keyspace/types/hash_value.h"

namespace kiwi::commands {
namespace {

using keyspace::HashField;
using keyspace::HashReader;
using keyspace::Object;
using keyspace::Type;

bool FindHash(Context& ctx, const Object** object) {
  return FindOfType(ctx, ctx.args[1], Type::kHash, object);
}

void ReplyOptional(Context& ctx, std::optional<std::string_view> value) {
  if (value) {
    ctx.reply.Bulk(*value);
  } else {
    ctx.reply.Null();
  }
}

void Hget(Context& ctx) {
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  ReplyOptional(ctx, object ? HashReader(*object).Get(ctx.args[2]) : std::nullopt);
}

void Hmget(Context& ctx) {
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  ReplyBound bound(ctx);
  ctx.reply.Array(ctx.args.size() - 2);
  for (const std::string_view field : ctx.args.subspan(2)) {
    ReplyOptional(ctx, object ? HashReader(*object).Get(field) : std::nullopt);
    if (bound.Exceeded()) return;
  }
}

void Hlen(Context& ctx) {
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  ctx.reply.Integer(object ? static_cast<int64_t>(HashReader(*object).size()) : 0);
}

void Hstrlen(Context& ctx) {
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  const auto value = object ? HashReader(*object).Get(ctx.args[2]) : std::nullopt;
  ctx.reply.Integer(value ? static_cast<int64_t>(value->size()) : 0);
}

void Hexists(Context& ctx) {
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  ctx.reply.Integer(object && HashReader(*object).Get(ctx.args[2]));
}

void ReplyAll(Context& ctx, bool fields, bool values) {
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  const size_t size = object ? HashReader(*object).size() : 0;
  if (fields && values) {
    ctx.reply.Map(size);
  } else {
    ctx.reply.Array(size);
  }
  if (object == nullptr) return;
  HashReader(*object).ForEach([&](HashField pair) {
    if (fields) ctx.reply.Bulk(pair.field);
    if (values) ctx.reply.Bulk(pair.value);
  });
}

void Hkeys(Context& ctx) { ReplyAll(ctx, true, false); }
void Hvals(Context& ctx) { ReplyAll(ctx, false, true); }
void Hgetall(Context& ctx) { ReplyAll(ctx, true, true); }

// Random fields, written as they are picked: alone, in a flat array (RESP2), or as pairs (RESP3).
class FieldPicker {
 public:
  FieldPicker(Context& ctx, const HashReader& hash, bool with_values)
      : ctx_(ctx), hash_(hash), random_(ctx.seed), with_values_(with_values) {}

  // `count` independent picks.
  void Repeated(uint64_t count) {
    ReplyBound bound(ctx_);
    if (!bound.Admits(count)) return;
    Header(count);
    for (uint64_t i = 0; i < count; ++i) {
      Emit(hash_.At(random_.Below(hash_.size())));
      if (bound.Exceeded()) return;
    }
  }

  // `count` different fields, or all if there are no more.
  void Distinct(uint64_t count) {
    const size_t size = hash_.size();
    Header(std::min<uint64_t>(count, size));
    if (count >= size) return hash_.ForEach([&](HashField pair) { Emit(pair); });
    if (count < size / 8) return DistinctFew(count);
    // Takes each field with the chance that (still wanted) / (still to come) gives it.
    uint64_t wanted = count;
    uint64_t to_come = size;
    hash_.ForEach([&](HashField pair) {
      if (random_.Below(to_come--) >= wanted) return;
      Emit(pair);
      --wanted;
    });
  }

 private:
  // Floyd's sampling: each step takes a position up to `last`, or `last` itself where that position
  // is taken already.
  void DistinctFew(uint64_t count) {
    std::unordered_set<size_t> taken;
    for (size_t last = hash_.size() - count; last < hash_.size(); ++last) {
      size_t pick = random_.Below(last + 1);
      if (!taken.insert(pick).second) {
        pick = last;
        taken.insert(pick);
      }
      Emit(hash_.At(pick));
    }
  }

  void Header(uint64_t count) {
    ctx_.reply.Array(with_values_ && !ctx_.reply.resp3() ? count * 2 : count);
  }

  void Emit(HashField pair) {
    if (with_values_ && ctx_.reply.resp3()) ctx_.reply.Array(2);
    ctx_.reply.Bulk(pair.field);
    if (with_values_) ctx_.reply.Bulk(pair.value);
  }

  Context& ctx_;
  const HashReader& hash_;
  Random random_;
  const bool with_values_;
};

void HrandfieldOne(Context& ctx) {
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  if (object == nullptr) return ctx.reply.Null();
  const HashReader hash(*object);
  Random random(ctx.seed);
  ctx.reply.Bulk(hash.At(random.Below(hash.size())).field);
}

void Hrandfield(Context& ctx) {
  if (ctx.args.size() == 2) return HrandfieldOne(ctx);
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  int64_t count = 0;
  if (!RangeArg(ctx, ctx.args[2], -kMax, kMax, &count)) return;
  const bool with_values = ctx.args.size() == 4;
  if (ctx.args.size() > 4 || (with_values && !EqualsIgnoreCase(ctx.args[3], "withvalues"))) {
    return ctx.reply.Error(kSyntaxError);
  }
  if (with_values && (count < -kMax / 2 || count > kMax / 2)) {
    return ctx.reply.Error("ERR value is out of range");
  }
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  if (object == nullptr || count == 0) return ctx.reply.Array(0);
  const HashReader hash(*object);
  FieldPicker picker(ctx, hash, with_values);
  if (count < 0) {
    picker.Repeated(static_cast<uint64_t>(-count));
  } else {
    picker.Distinct(static_cast<uint64_t>(count));
  }
}

void Hscan(Context& ctx) {
  ScanOptions options;
  if (!ParseCursor(ctx, ctx.args[2], &options.cursor)) return;
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  if (object == nullptr) return ReplyScan(ctx, 0, {});
  if (!ParseScanOptions(ctx, 3, false, &options)) return;
  std::vector<std::string_view> elements;
  const uint64_t next =
      HashReader(*object).Scan(options.cursor, options.count, [&](HashField pair) {
        if (!options.match.Matches(pair.field)) return;
        elements.push_back(pair.field);
        elements.push_back(pair.value);
      });
  ReplyScan(ctx, next, elements);
}

constexpr CommandRow kRows[] = {
    {.name = "hget",
     .handler = Hget,
     .arity = 3,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Answers the value of a field of a hash.",
     .key_flags = kKeyRO | kKeyAccess},
    {.name = "hmget",
     .handler = Hmget,
     .arity = -3,
     .flags = kReadOnly | kFast | kPerArgument,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of fields",
     .summary = "Answers the values of several fields of a hash.",
     .key_flags = kKeyRO | kKeyAccess},
    {.name = "hlen",
     .handler = Hlen,
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Answers how many fields a hash has.",
     .key_flags = kKeyRO},
    {.name = "hstrlen",
     .handler = Hstrlen,
     .arity = 3,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "3.2.0",
     .complexity = "O(1)",
     .summary = "Answers the length of the value of a field.",
     .key_flags = kKeyRO},
    {.name = "hexists",
     .handler = Hexists,
     .arity = 3,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(1)",
     .summary = "Answers whether a hash has a field.",
     .key_flags = kKeyRO},
    {.name = "hkeys",
     .handler = Hkeys,
     .arity = 2,
     .flags = kReadOnly,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of fields",
     .summary = "Answers all fields of a hash.",
     .key_flags = kKeyRO | kKeyAccess,
     .tips = "nondeterministic_output_order"},
    {.name = "hvals",
     .handler = Hvals,
     .arity = 2,
     .flags = kReadOnly,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of fields",
     .summary = "Answers all values of a hash.",
     .key_flags = kKeyRO | kKeyAccess,
     .tips = "nondeterministic_output_order"},
    {.name = "hgetall",
     .handler = Hgetall,
     .arity = 2,
     .flags = kReadOnly,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.0.0",
     .complexity = "O(N) where N is the number of fields",
     .summary = "Answers all fields of a hash with their values.",
     .key_flags = kKeyRO | kKeyAccess,
     .tips = "nondeterministic_output_order"},
    {.name = "hrandfield",
     .handler = Hrandfield,
     .arity = -2,
     .flags = kReadOnly,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "6.2.0",
     .complexity = "O(N) where N is the number of fields asked for",
     .summary = "Answers random fields of a hash, different ones or with repetition.",
     .key_flags = kKeyRO | kKeyAccess,
     .tips = "nondeterministic_output"},
    {.name = "hscan",
     .handler = Hscan,
     .arity = -3,
     .flags = kReadOnly,
     .keys = {1, 1, 1},
     .group = Group::kHash,
     .categories = kCatHash,
     .since = "2.8.0",
     .complexity = "O(1) for every call, O(N) for a walk over N fields",
     .summary = "Answers the next fields of a walk over a hash, with their values.",
     .key_flags = kKeyRO | kKeyAccess,
     .tips = "nondeterministic_output"},
};

}  // namespace

std::span<const CommandRow> HashReadCommands() { return kRows; }

}  // namespace kiwi::commands
