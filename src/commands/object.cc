// OBJECT: what is known of a value besides the value.
#include "keyspace/object.h"

#include <algorithm>
#include <limits>

#include "commands/args.h"
#include "keyspace/types/string_value.h"

namespace kiwi::commands {
namespace {

using keyspace::Object;

// Null, with the reply written, when the key is missing. Not an access.
const Object* Find(Context& ctx) {
  const Object* object = ctx.db.FindNoTouch(ctx.args[2]);
  if (object == nullptr) ctx.reply.Null();
  return object;
}

void Encoding(Context& ctx) {
  if (const Object* object = Find(ctx)) ctx.reply.Bulk(object->encoding_name());
}

void Freq(Context& ctx) {
  if (Find(ctx) == nullptr) return;
  ctx.reply.Error(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
      "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

void Idletime(Context& ctx) {
  const Object* object = Find(ctx);
  if (object == nullptr) return;
  const int64_t last_s = object->last_access_s();
  ctx.reply.Integer(last_s == 0 ? 0 : std::max<int64_t>(ctx.display_ms() / 1000 - last_s, 0));
}

// Redis shares the values 0 to 9999 between all keys and says so with a number that clients know:
// such a value costs nothing besides its key. So it is here, where it lies inside the key's object.
void Refcount(Context& ctx) {
  const Object* object = Find(ctx);
  if (object == nullptr) return;
  const bool is_integer = object->encoding_name() == "int";
  const int64_t value = is_integer ? StringAsInt(*object).value_or(-1) : -1;
  const bool shared = value >= 0 && value < 10000;
  ctx.reply.Integer(shared ? std::numeric_limits<int32_t>::max() : 1);
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ENCODING <key>",
      "    How the value of <key> is kept in memory.",
      "FREQ <key>",
      "    How often <key> was used lately, on a logarithmic scale. Needs an LFU policy.",
      "IDLETIME <key>",
      "    Seconds since <key> was last used, approximately.",
      "REFCOUNT <key>",
      "    How many references to the value of <key> there are.",
      "HELP",
      "    This text.",
  };
  ctx.reply.Array(std::size(kLines));
  for (const std::string_view line : kLines) ctx.reply.Simple(line);
}

constexpr CommandRow kSubcommands[] = {
    {.name = "encoding",
     .handler = Encoding,
     .arity = 3,
     .flags = kReadOnly,
     .keys = {2, 2, 1},
     .categories = kCatKeyspace,
     .since = "2.2.3",
     .complexity = "O(1)",
     .summary = "Answers how a value is kept in memory.",
     .key_flags = kKeyRO,
     .tips = "nondeterministic_output"},
    {.name = "freq",
     .handler = Freq,
     .arity = 3,
     .flags = kReadOnly,
     .keys = {2, 2, 1},
     .categories = kCatKeyspace,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Answers how often a key was used lately.",
     .key_flags = kKeyRO,
     .tips = "nondeterministic_output"},
    {.name = "help",
     .handler = Help,
     .arity = 2,
     .flags = kLoading | kStale,
     .categories = kCatKeyspace,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Answers a list of the subcommands."},
    {.name = "idletime",
     .handler = Idletime,
     .arity = 3,
     .flags = kReadOnly,
     .keys = {2, 2, 1},
     .categories = kCatKeyspace,
     .since = "2.2.3",
     .complexity = "O(1)",
     .summary = "Answers how long a key has not been used, in seconds.",
     .key_flags = kKeyRO,
     .tips = "nondeterministic_output"},
    {.name = "refcount",
     .handler = Refcount,
     .arity = 3,
     .flags = kReadOnly,
     .keys = {2, 2, 1},
     .categories = kCatKeyspace,
     .since = "2.2.3",
     .complexity = "O(1)",
     .summary = "Answers how many references to a value there are.",
     .key_flags = kKeyRO,
     .tips = "nondeterministic_output"},
};

constexpr CommandRow kRows[] = {
    {.name = "object",
     .arity = -2,
     .since = "2.2.3",
     .complexity = "Depends on the subcommand",
     .summary = "Answers what is known of a value besides the value.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandRow> ObjectCommands() { return kRows; }

}  // namespace kiwi::commands
