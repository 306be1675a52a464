// Walks over a database: SCAN, KEYS, RANDOMKEY.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/glob.h"
#include "base/numbers.h"
#include "base/random.h"
#include "commands/args.h"
#include "commands/rest.h"
#include "commands/scan_options.h"
#include "keyspace/key_walk.h"

namespace kiwi::commands {

namespace {

constexpr size_t kMaxStars = 1000;

// Stars that something else follows; of neighbours only the last counts.
bool TooManyStars(std::string_view glob) {
  if (glob.size() <= 2 * kMaxStars) return false;
  size_t stars = 0;
  bool in_class = false;
  for (size_t i = 0; i + 1 < glob.size(); ++i) {
    if (glob[i] == '\\') {
      ++i;
    } else if (in_class) {
      in_class = glob[i] != ']';
    } else if (glob[i] == '[') {
      in_class = true;
    } else if (glob[i] == '*' && glob[i + 1] != '*') {
      ++stars;
    }
  }
  return stars > kMaxStars;
}

}  // namespace

KeyPattern::KeyPattern(std::string_view glob)
    : glob_(glob),
      kind_(GlobMatchesAll(glob)  ? Kind::kAll
            : GlobIsLiteral(glob) ? Kind::kLiteral
            : TooManyStars(glob)  ? Kind::kNothing
                                  : Kind::kGlob) {}

bool KeyPattern::Matches(std::string_view text) const {
  switch (kind_) {
    case Kind::kAll:
      return true;
    case Kind::kNothing:
      return false;
    case Kind::kLiteral:
      return text == glob_;
    case Kind::kGlob:
      break;
  }
  return GlobMatch(glob_, text);
}

bool ParseCursor(Context& ctx, std::string_view text, uint64_t* cursor) {
  if (ParseUint64(text, cursor)) return true;
  const std::string copy(UpToNul(text));
  const bool leading_space = !copy.empty() && (copy[0] == ' ' || (copy[0] >= 9 && copy[0] <= 13));
  char* end = nullptr;
  errno = 0;
  *cursor = std::strtoull(copy.c_str(), &end, 10);
  if (!leading_space && *end == '\0' && errno != ERANGE) return true;
  ctx.reply.Error("ERR invalid cursor");
  return false;
}

bool ParseScanOptions(Context& ctx, size_t first, bool with_type, ScanOptions* options) {
  for (size_t i = first; i < ctx.args.size(); i += 2) {
    const std::string_view option = ctx.args[i];
    const bool has_value = i + 1 < ctx.args.size();
    if (has_value && EqualsIgnoreCase(option, "count")) {
      int64_t count = 0;
      if (!IntArg(ctx, ctx.args[i + 1], &count)) return false;
      if (count < 1) {
        ctx.reply.Error(kSyntaxError);
        return false;
      }
      options->count = static_cast<size_t>(count);
    } else if (has_value && EqualsIgnoreCase(option, "match")) {
      options->match = KeyPattern(ctx.args[i + 1]);
    } else if (has_value && with_type && EqualsIgnoreCase(option, "type")) {
      options->type = ctx.args[i + 1];
    } else {
      ctx.reply.Error(kSyntaxError);
      return false;
    }
  }
  return true;
}

void ScanReply::End(uint64_t cursor) {
  std::string header;
  protocol::ReplyWriter writer(&header, 2);
  writer.Array(2);
  writer.Bulk(std::to_string(cursor));
  writer.Array(count_);
  reply_.buffer().insert(begin_, header);
}

void ReplyScan(Context& ctx, uint64_t cursor, const std::vector<std::string_view>& elements) {
  ctx.reply.Array(2);
  ctx.reply.Bulk(std::to_string(cursor));
  ctx.reply.Array(elements.size());
  for (const std::string_view element : elements) ctx.reply.Bulk(element);
}

namespace {

using keyspace::KeyList;
using keyspace::Keyspace;
using keyspace::KeyWalk;
using keyspace::Moment;
using keyspace::Object;
using protocol::ReplyWriter;

bool IsOfType(const ScanOptions& options, const Object& object) {
  return !options.type || EqualsIgnoreCase(*options.type, TypeName(object.type()));
}

// What many calls would answer, all at the first one's time.
void ScanInSteps(Keyspace& keyspace, int db_index, const Moment& moment, const ScanOptions& options,
                 ReplyWriter& reply) {
  ScanReply scan(reply);
  keyspace::ShardSet all;
  all.AddAll();
  KeyList keys;
  uint64_t cursor = options.cursor;
  size_t left = options.count;
  do {
    size_t visited = 0;
    keys.Clear();
    keyspace.BetweenHolds();
    {
      const keyspace::ShardLock lock(keyspace, all, keyspace::LockMode::kShared);
      const keyspace::Db db(keyspace, db_index, moment);
      cursor = db.Scan(cursor, std::min(left, kMaxStepsAtOnce), [&](const Object& object) {
        ++visited;
        if (IsOfType(options, object)) keys.Add(object.key());
      });
    }
    left -= std::min(left, visited);
    keys.ForEach([&](std::string_view key) {
      if (options.match.Matches(key)) scan.Add(key);
    });
  } while (cursor != 0 && left > 0);
  scan.End(cursor);
}

void Scan(Context& ctx) {
  ScanOptions options;
  if (!ParseCursor(ctx, ctx.args[1], &options.cursor)) return;
  if (!ParseScanOptions(ctx, 2, true, &options)) return;
  if (options.count > kMaxStepsAtOnce && ctx.rest != nullptr) {
    if (!ctx.rest->Accepts()) return;
    return ctx.rest->Add(ctx.reply, 0,
                         [&keyspace = ctx.keyspace, db = ctx.db.index(), moment = ctx.db.moment(),
                          options](ReplyWriter& reply) {
                           ScanInSteps(keyspace, db, moment, options, reply);
                           return true;
                         });
  }
  std::vector<std::string_view> keys;
  const uint64_t next = ctx.db.Scan(options.cursor, options.count, [&](const Object& object) {
    if (!IsOfType(options, object)) return;
    if (options.match.Matches(object.key())) keys.push_back(object.key());
  });
  ReplyScan(ctx, next, keys);
}

// The keys of one moment, a few under each hold of a shard.
bool WriteKeys(KeyWalk& walk, const KeyPattern& pattern, ReplyWriter& reply) {
  std::string& buffer = reply.buffer();
  const size_t begin = buffer.size();
  size_t count = 0;
  KeyList keys;
  KeyWalk::Step step = KeyWalk::Step::kMore;
  while ((step = walk.Next(&keys)) == KeyWalk::Step::kMore) {
    keys.ForEach([&](std::string_view key) {
      if (!pattern.Matches(key)) return;
      ++count;
      reply.Bulk(key);
    });
  }
  std::string header;
  ReplyWriter(&header, 2).Array(count);
  buffer.insert(begin, header);
  return step == KeyWalk::Step::kEnd;
}

void Keys(Context& ctx) {
  const KeyPattern pattern(ctx.args[1]);
  if (!pattern.literal() && ctx.rest != nullptr && ctx.db.size() > kMaxStepsAtOnce) {
    if (!ctx.rest->Accepts()) return;
    const auto walk = std::make_shared<KeyWalk>(ctx.db);
    return ctx.rest->Add(ctx.reply, 0, [walk, pattern](ReplyWriter& reply) {
      return WriteKeys(*walk, pattern, reply);
    });
  }
  std::vector<std::string_view> keys;
  if (pattern.literal()) {
    if (const Object* object = ctx.db.FindNoTouch(ctx.args[1])) keys.push_back(object->key());
  } else {
    ctx.db.ForEach([&](const Object& object) {
      if (pattern.Matches(object.key())) keys.push_back(object.key());
    });
  }
  ctx.reply.Array(keys.size());
  for (const std::string_view key : keys) ctx.reply.Bulk(key);
}

bool WriteFirstKey(KeyWalk& walk, ReplyWriter& reply) {
  KeyList keys;
  const KeyWalk::Step step = walk.Next(&keys);
  if (step == KeyWalk::Step::kMore) {
    reply.Bulk(keys.front());
  } else {
    reply.Null();
  }
  return step != KeyWalk::Step::kOverflow;
}

// Draws; where nearly all keys are expired and wait to be removed, the first live one there is.
void Randomkey(Context& ctx) {
  Random random(ctx.seed);
  const Object* object = ctx.db.DrawKey(random);
  if (object == nullptr && ctx.rest != nullptr && ctx.db.size() > kMaxStepsAtOnce) {
    if (!ctx.rest->Accepts()) return;
    const auto walk = std::make_shared<KeyWalk>(ctx.db);
    return ctx.rest->Add(ctx.reply, 0,
                         [walk](ReplyWriter& reply) { return WriteFirstKey(*walk, reply); });
  }
  if (object == nullptr) object = ctx.db.FirstKey();
  if (object == nullptr) return ctx.reply.Null();
  ctx.reply.Bulk(object->key());
}

constexpr CommandRow kRows[] = {
    {.name = "scan",
     .handler = Scan,
     .arity = -2,
     .flags = kReadOnly | kAllShards,
     .categories = kCatKeyspace,
     .since = "2.8.0",
     .complexity = "O(1) for every call, O(N) for a walk over N keys",
     .summary = "Answers the next keys of a walk over the database.",
     .tips = "nondeterministic_output request_policy:special"},
    {.name = "keys",
     .handler = Keys,
     .arity = 2,
     .flags = kReadOnly | kAllShards,
     .categories = kCatKeyspace | kCatDangerous,
     .since = "1.0.0",
     .complexity = "O(N) where N is the number of keys in the database",
     .summary = "Answers all keys that match a pattern.",
     .tips = "request_policy:all_shards nondeterministic_output_order"},
    {.name = "randomkey",
     .handler = Randomkey,
     .arity = 1,
     .flags = kReadOnly | kAllShards,
     .categories = kCatKeyspace,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers a random key.",
     .tips = "request_policy:all_shards nondeterministic_output"},
};

}  // namespace

std::span<const CommandRow> ScanCommands() { return kRows; }

}  // namespace kiwi::commands
