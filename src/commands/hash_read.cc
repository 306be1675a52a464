// Hashes: the commands that read one.
#include <algorithm>
#include <limits>
#include <memory>
#include <unordered_set>
#include <vector>

#include "base/random.h"
#include "commands/args.h"
#include "commands/large_reply.h"
#include "commands/scan_options.h"
#include "keyspace/types/hash_value.h"
#include "keyspace/types/value_walk.h"

namespace kiwi::commands {
namespace {

using keyspace::HashField;
using keyspace::HashImage;
using keyspace::HashReader;
using keyspace::HashWalk;
using keyspace::Object;
using keyspace::Type;
using protocol::ReplyWriter;

bool FindHash(Context& ctx, const Object** object) {
  return FindOfType(ctx, ctx.args[1], Type::kHash, object);
}

void Hget(Context& ctx) {
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  if (object == nullptr) return ctx.reply.Null();
  CopyBudget budget;
  if (!ReplyField(ctx, *object, ctx.args[2], budget)) return;
}

void Hmget(Context& ctx) {
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  ReplyBound bound(ctx);
  CopyBudget budget;
  ctx.reply.Array(ctx.args.size() - 2);
  for (const std::string_view field : ctx.args.subspan(2)) {
    if (object == nullptr) {
      ctx.reply.Null();
    } else if (!ReplyField(ctx, *object, field, budget)) {
      return;
    }
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
  if (object == nullptr) return fields && values ? ctx.reply.Map(0) : ctx.reply.Array(0);
  const auto write = [fields, values](ReplyWriter& reply, auto& hash) {
    fields&& values ? reply.Map(hash.size()) : reply.Array(hash.size());
    hash.ForEach([&](HashField pair) {
      if (fields) reply.Bulk(pair.field);
      if (values) reply.Bulk(pair.value);
    });
    return true;
  };
  if (IsLargeHash(ctx, *object)) {
    if (!ctx.rest->Accepts()) return;
    const auto walk = std::make_shared<HashWalk>(ctx.keyspace, *object);
    return ctx.rest->Add(ctx.reply, object->memory_bytes(),
                         [walk, write](ReplyWriter& reply) { return write(reply, *walk); });
  }
  HashReader hash(*object);
  write(ctx.reply, hash);
}

void Hkeys(Context& ctx) { ReplyAll(ctx, true, false); }
void Hvals(Context& ctx) { ReplyAll(ctx, false, true); }
void Hgetall(Context& ctx) { ReplyAll(ctx, true, true); }

constexpr size_t kFewOf = 8;  // fewer than one in so many are drawn; more are sifted out of all

// Whether so many picks take long, or give much.
bool AreManyPicks(const Object& object, size_t size, int64_t count) {
  const uint64_t picks = static_cast<uint64_t>(count < 0 ? -count : count);
  const uint64_t steps = count < 0 || picks < size / kFewOf ? picks : size;
  return steps > kMaxStepsAtOnce || picks * (object.memory_bytes() / size) > kMaxBytesAtOnce;
}

// Random fields, written as they are picked: alone, in a flat array (RESP2), or as pairs (RESP3).
template <typename Hash>  // HashReader, HashImage
class FieldPicker {
 public:
  FieldPicker(ReplyWriter& reply, const Hash& hash, uint64_t seed, bool with_values)
      : reply_(reply), hash_(hash), random_(seed), with_values_(with_values) {}

  // Below 0: so many independent picks.
  void Pick(int64_t count) {
    if (count < 0) {
      Repeated(static_cast<uint64_t>(-count));
    } else {
      Distinct(static_cast<uint64_t>(count));
    }
  }

 private:
  void Repeated(uint64_t count) {
    ReplyBound bound(reply_);
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
    if (count < size / kFewOf) return DistinctFew(count);
    // Takes each field with the chance that (still wanted) / (still to come) gives it.
    uint64_t wanted = count;
    uint64_t to_come = size;
    hash_.ForEach([&](HashField pair) {
      if (random_.Below(to_come--) >= wanted) return;
      Emit(pair);
      --wanted;
    });
  }

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

  void Header(uint64_t count) { reply_.Array(with_values_ && !reply_.resp3() ? count * 2 : count); }

  void Emit(HashField pair) {
    if (with_values_ && reply_.resp3()) reply_.Array(2);
    reply_.Bulk(pair.field);
    if (with_values_) reply_.Bulk(pair.value);
  }

  ReplyWriter& reply_;
  const Hash& hash_;
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
  if (ctx.rest != nullptr && AreManyPicks(*object, hash.size(), count)) {
    if (!ctx.rest->Accepts()) return;
    const auto walk = std::make_shared<HashWalk>(ctx.keyspace, *object);
    return ctx.rest->Add(ctx.reply, 0, [=, seed = ctx.seed](ReplyWriter& reply) {
      const HashImage image(*walk);
      FieldPicker(reply, image, seed, with_values).Pick(count);
      return true;
    });
  }
  FieldPicker(ctx.reply, hash, ctx.seed, with_values).Pick(count);
}

// The positions that HashReader::Scan visits, in steps.
void LeaveScan(Context& ctx, const Object& object, const ScanOptions& options) {
  const size_t size = HashReader(object).size();
  const size_t end = options.cursor == 0 ? size : std::min<size_t>(options.cursor, size);
  const size_t begin = end - std::min(options.count, end);
  const auto walk = std::make_shared<HashWalk>(ctx.keyspace, object, begin, end);
  ctx.rest->Add(ctx.reply, 0, [=, match = options.match](ReplyWriter& reply) {
    ScanReply scan(reply);
    walk->ForEach([&](HashField pair) {
      if (!match.Matches(pair.field)) return;
      scan.Add(pair.field);
      scan.Add(pair.value);
    });
    scan.End(walk->begin());
    return true;
  });
}

void Hscan(Context& ctx) {
  ScanOptions options;
  if (!ParseCursor(ctx, ctx.args[2], &options.cursor)) return;
  const Object* object = nullptr;
  if (!FindHash(ctx, &object)) return;
  if (object == nullptr) return ReplyScan(ctx, 0, {});
  if (!ParseScanOptions(ctx, 3, false, &options)) return;
  const HashReader hash(*object);
  if (options.count > kMaxStepsAtOnce && IsLargeHash(ctx, *object)) {
    if (!ctx.rest->Accepts()) return;
    return LeaveScan(ctx, *object, options);
  }
  std::vector<std::string_view> elements;
  const uint64_t next = hash.Scan(options.cursor, options.count, [&](HashField pair) {
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
