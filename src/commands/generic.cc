// Keys of any type: existence, type, deletion, renaming, copying.
#include "commands/args.h"
#include "keyspace/object.h"

namespace kiwi::commands {
namespace {

using keyspace::Db;
using keyspace::Object;

void Del(Context& ctx) {
  int64_t deleted = 0;
  for (const std::string_view key : ctx.args.subspan(1)) deleted += ctx.db.Delete(key);
  ctx.reply.Integer(deleted);
}

void Exists(Context& ctx) {
  int64_t found = 0;
  for (const std::string_view key : ctx.args.subspan(1)) {
    found += ctx.db.FindNoTouch(key) != nullptr;
  }
  ctx.reply.Integer(found);
}

void Touch(Context& ctx) {
  int64_t found = 0;
  for (const std::string_view key : ctx.args.subspan(1)) found += ctx.db.Find(key) != nullptr;
  ctx.reply.Integer(found);
}

void TypeOf(Context& ctx) {
  const Object* object = ctx.db.FindNoTouch(ctx.args[1]);
  ctx.reply.Simple(object ? TypeName(object->type()) : "none");
}

void RenameKey(Context& ctx, bool only_if_free) {
  const std::string_view from = ctx.args[1];
  const std::string_view to = ctx.args[2];
  if (ctx.db.Find(from) == nullptr) return ctx.reply.Error(kNoSuchKey);
  const bool taken = only_if_free && (from == to || ctx.db.Find(to) != nullptr);
  if (!taken && from != to) ctx.db.Rename(from, ctx.db, to);
  if (only_if_free) return ctx.reply.Integer(!taken);
  ctx.reply.Ok();
}

void Rename(Context& ctx) { RenameKey(ctx, false); }
void Renamenx(Context& ctx) { RenameKey(ctx, true); }

void Copy(Context& ctx) {
  int to_index = ctx.db.index();
  bool replace = false;
  for (size_t i = 3; i < ctx.args.size(); ++i) {
    if (EqualsIgnoreCase(ctx.args[i], "replace")) {
      replace = true;
    } else if (EqualsIgnoreCase(ctx.args[i], "db") && i + 1 < ctx.args.size()) {
      if (!DbArg(ctx, ctx.args[++i], &to_index)) return;
    } else {
      return ctx.reply.Error(kSyntaxError);
    }
  }
  const std::string_view from = ctx.args[1];
  const std::string_view to = ctx.args[2];
  if (to_index == ctx.db.index() && from == to) return ctx.reply.Error(kSameObject);
  Db to_db(ctx.keyspace, to_index, ctx.db.moment());
  const bool possible =
      ctx.db.Find(from) != nullptr && (replace || to_db.FindNoTouch(to) == nullptr);
  ctx.reply.Integer(possible && ctx.db.Copy(from, to_db, to));
}

void Move(Context& ctx) {
  int to_index = 0;
  if (!DbArg(ctx, ctx.args[2], &to_index)) return;
  if (to_index == ctx.db.index()) return ctx.reply.Error(kSameObject);
  const std::string_view key = ctx.args[1];
  Db to_db(ctx.keyspace, to_index, ctx.db.moment());
  const bool possible = ctx.db.Find(key) != nullptr && to_db.FindNoTouch(key) == nullptr;
  ctx.reply.Integer(possible && ctx.db.Rename(key, to_db, key));
}

constexpr KeySpec kRenameKeys[] = {
    {.flags = kKeyRW | kKeyAccess | kKeyDelete, .begin = 1},
    {.flags = kKeyOW | kKeyUpdate, .begin = 2},
};
constexpr KeySpec kRenamenxKeys[] = {
    {.flags = kKeyRW | kKeyAccess | kKeyDelete, .begin = 1},
    {.flags = kKeyOW | kKeyInsert, .begin = 2},
};
constexpr KeySpec kCopyKeys[] = {
    {.flags = kKeyRO | kKeyAccess, .begin = 1},
    {.flags = kKeyOW | kKeyUpdate, .begin = 2},
};

constexpr CommandRow kRows[] = {
    {.name = "del",
     .handler = Del,
     .arity = -2,
     .flags = kWrite,
     .keys = {1, -1, 1},
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(N) where N is the number of keys and of the elements in them",
     .summary = "Deletes keys.",
     .key_flags = kKeyRM | kKeyDelete,
     .tips = "request_policy:multi_shard response_policy:agg_sum"},
    {.name = "unlink",
     .handler = Del,
     .arity = -2,
     .flags = kWrite | kFast | kPerArgument,
     .keys = {1, -1, 1},
     .categories = kCatKeyspace,
     .since = "4.0.0",
     .complexity = "O(1) for each key",
     .summary = "Deletes keys; what they held is freed later.",
     .key_flags = kKeyRM | kKeyDelete,
     .tips = "request_policy:multi_shard response_policy:agg_sum"},
    {.name = "exists",
     .handler = Exists,
     .arity = -2,
     .flags = kReadOnly | kFast | kPerArgument,
     .keys = {1, -1, 1},
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(N) where N is the number of keys",
     .summary = "Answers how many of the keys exist.",
     .key_flags = kKeyRO,
     .tips = "request_policy:multi_shard response_policy:agg_sum"},
    {.name = "touch",
     .handler = Touch,
     .arity = -2,
     .flags = kReadOnly | kFast | kPerArgument,
     .keys = {1, -1, 1},
     .categories = kCatKeyspace,
     .since = "3.2.1",
     .complexity = "O(N) where N is the number of keys",
     .summary = "Answers how many of the keys exist and notes that they were used.",
     .key_flags = kKeyRO,
     .tips = "request_policy:multi_shard response_policy:agg_sum"},
    {.name = "type",
     .handler = TypeOf,
     .arity = 2,
     .flags = kReadOnly | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers the type of the value under a key.",
     .key_flags = kKeyRO},
    {.name = "rename",
     .handler = Rename,
     .arity = 3,
     .flags = kWrite,
     .keys = {1, 2, 1},
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives a key another name, whatever that name held.",
     .key_specs = kRenameKeys},
    {.name = "renamenx",
     .handler = Renamenx,
     .arity = 3,
     .flags = kWrite | kFast,
     .keys = {1, 2, 1},
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Gives a key another name if that name is free.",
     .key_specs = kRenamenxKeys},
    {.name = "copy",
     .handler = Copy,
     .arity = -3,
     .flags = kWrite | kDenyOom,
     .keys = {1, 2, 1},
     .categories = kCatKeyspace,
     .since = "6.2.0",
     .complexity = "O(N) where N is the size of the value",
     .summary = "Copies the value of a key to another key, in this or another database.",
     .key_specs = kCopyKeys},
    {.name = "move",
     .handler = Move,
     .arity = 3,
     .flags = kWrite | kFast,
     .keys = {1, 1, 1},
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Moves a key to another database if it is free there.",
     .key_flags = kKeyRW | kKeyAccess | kKeyUpdate},
};

}  // namespace

std::span<const CommandRow> GenericCommands() { return kRows; }

}  // namespace kiwi::commands
