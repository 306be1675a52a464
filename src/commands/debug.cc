// DEBUG: for tests of the server and of client libraries. Protected: refused unless the
// configuration allows it.
//
// One row, as in Redis: its subcommands are not commands of their own. So the row names no key, and
// what reads the keyspace takes its locks through ServerView::ReadKeyspace.
#include "commands/debug.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/log.h"
#include "base/numbers.h"
#include "commands/args.h"
#include "commands/help.h"
#include "commands/server_view.h"
#include "commands/session_view.h"

namespace kiwi::commands {
namespace {

using keyspace::Db;
using keyspace::Keyspace;
using keyspace::Object;
using keyspace::ShardSet;

ShardSet ShardsOf(Args keys) {
  ShardSet shards;
  for (const std::string_view key : keys) shards.AddKey(key);
  return shards;
}

std::string Hex(const std::array<uint8_t, 20>& digest) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

bool DurationArg(Context& ctx, int64_t* us) {
  double seconds = 0;
  if (!ParseDouble(ctx.args[2], &seconds) || seconds < 0 || seconds > 1e9) {
    ctx.reply.Error(kNotFloat);
    return false;
  }
  *us = std::llround(seconds * 1e6);
  return true;
}

void Sleep(Context& ctx) {
  int64_t us = 0;
  if (!DurationArg(ctx, &us)) return;
  ctx.server->SleepUs(us);
  ctx.reply.Ok();
}

void HoldShards(Context& ctx) {
  int64_t us = 0;
  if (!DurationArg(ctx, &us)) return;
  ShardSet shards = ShardsOf(ctx.args.subspan(3));
  if (shards.empty()) shards.AddAll();
  ctx.server->HoldShards(shards, us);
  ctx.reply.Ok();
}

void ShardHolders(Context& ctx) { ctx.reply.Integer(ctx.server->ShardHolders()); }

void ReleaseShards(Context& ctx) {
  ctx.server->ReleaseShards();
  ctx.reply.Ok();
}

void PauseReads(Context& ctx) {
  int64_t on = 0;
  if (!IntArg(ctx, ctx.args[2], &on)) return;
  ctx.server->PauseReads(on != 0);
  ctx.reply.Ok();
}

void PausedReads(Context& ctx) { ctx.reply.Integer(ctx.server->PausedReads()); }

void SetActiveExpire(Context& ctx) {
  int64_t on = 0;
  if (!IntArg(ctx, ctx.args[2], &on)) return;
  ctx.server->SetActiveExpire(on != 0);
  ctx.reply.Ok();
}

void Log(Context& ctx) {
  KIWI_LOG(kWarn, "DEBUG LOG: {}", ctx.args[2]);
  ctx.reply.Ok();
}

void Error(Context& ctx) { ctx.reply.Error(ctx.args[2]); }

// The fields of Redis's answer that exist here: no two keys share a value.
void DescribeObject(Context& ctx) {
  std::string text;
  ctx.server->ReadKeyspace(ctx.db.index(), ShardsOf(ctx.args.subspan(2)), [&](Db& db) {
    const Object* object = db.FindNoTouch(ctx.args[2]);
    if (object == nullptr) return;
    const uint32_t last_s = object->last_access_s();
    const int64_t idle_s =
        last_s == 0 ? 0 : std::max<int64_t>(0, db.display_ms() / 1000 - int64_t{last_s});
    text = fmt::format("Value at:{} refcount:1 encoding:{} memory:{} lru:{} lru_seconds_idle:{}",
                       static_cast<const void*>(object), object->encoding_name(),
                       object->memory_bytes(), last_s, idle_s);
  });
  if (text.empty()) return ctx.reply.Error(kNoSuchKey);
  ctx.reply.Simple(text);
}

void Digest(Context& ctx) {
  ShardSet all;
  all.AddAll();
  std::string hex;
  ctx.server->ReadKeyspace(ctx.db.index(), all,
                           [&](Db& db) { hex = Hex(ctx.keyspace.Digest(db.moment().now_ms)); });
  ctx.reply.Simple(hex);
}

void DigestValue(Context& ctx) {
  const Args keys = ctx.args.subspan(2);
  ctx.reply.Array(keys.size());
  ctx.server->ReadKeyspace(ctx.db.index(), ShardsOf(keys), [&](Db& db) {
    for (const std::string_view key : keys) {
      const Object* object = db.FindNoTouch(key);
      ctx.reply.Simple(
          Hex(object == nullptr ? std::array<uint8_t, 20>{} : Keyspace::ValueDigest(*object)));
    }
  });
}

// --- POPULATE ---

struct Population {
  int64_t count = 0;
  std::string_view prefix = "key";
  int64_t value_bytes = -1;  // -1: as long as "value:<n>"
};

// Writes keys [begin, end) that do not exist yet. False: it cannot be done here.
bool PopulateChunk(Context& ctx, const Population& population, int64_t begin, int64_t end) {
  std::vector<std::string> strings;
  strings.reserve(static_cast<size_t>(end - begin) * 2);
  for (int64_t i = begin; i < end; ++i) {
    strings.push_back(fmt::format("{}:{}", population.prefix, i));
    std::string value = fmt::format("value:{}", i);
    if (population.value_bytes >= 0) {
      value.resize(static_cast<size_t>(population.value_bytes), '\0');
    }
    strings.push_back(std::move(value));
  }
  ShardSet all;
  all.AddAll();
  std::vector<std::string_view> mset = {"MSET"};
  ctx.server->ReadKeyspace(ctx.db.index(), all, [&](Db& db) {
    for (size_t i = 0; i < strings.size(); i += 2) {
      if (db.FindNoTouch(strings[i]) != nullptr) continue;
      mset.push_back(strings[i]);
      mset.push_back(strings[i + 1]);
    }
  });
  if (mset.size() == 1) return true;
  const std::string reply = ctx.server->ExecuteWrite(ctx.db.index(), mset);
  if (reply.starts_with('+')) return true;
  if (reply.empty()) {
    ctx.reply.Error("ERR DEBUG POPULATE cannot write here");
  } else {
    ctx.reply.Error(std::string_view(reply).substr(1, reply.find('\r') - 1));
  }
  return false;
}

void Populate(Context& ctx) {
  Population population;
  if (!RangeArg(ctx, ctx.args[2], 0, int64_t{1} << 40, &population.count)) return;
  if (ctx.args.size() > 3) population.prefix = ctx.args[3];
  if (ctx.args.size() > 4 &&
      !RangeArg(ctx, ctx.args[4], 0, kMaxStringBytes, &population.value_bytes)) {
    return;
  }
  // A chunk is one write: its size bounds what a log entry takes.
  constexpr int64_t kChunkBytes = 1 << 20;
  const int64_t chunk = std::clamp<int64_t>(
      kChunkBytes / (64 + std::max<int64_t>(0, population.value_bytes)), 1, 4096);
  for (int64_t i = 0; i < population.count; i += chunk) {
    if (!PopulateChunk(ctx, population, i, std::min(i + chunk, population.count))) return;
  }
  ctx.reply.Ok();
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "DIGEST",
      "    A digest of all data: equal data has an equal digest.",
      "DIGEST-VALUE <key> [<key> ...]",
      "    A digest of each of these values.",
      "ERROR <text>",
      "    Answer with this error.",
      "HOLD-SHARDS <seconds> [<key> ...]",
      "    Read the shards of these keys for so long, as a slow command would. Default: all.",
      "LOG <message>",
      "    Write the message to the server's log.",
      "OBJECT <key>",
      "    How a key and its value are kept.",
      "PAUSE-READS <0|1>",
      "    Whether reads of much wait, without a lock, where they would go on in steps.",
      "PAUSED-READS",
      "    How many of them wait.",
      "POPULATE <count> [<prefix>] [<size>]",
      "    Create string keys <prefix>:<n> (default: key:<n>), those that are missing.",
      "PROTOCOL <type>",
      "    Answer with an example of that type: string, integer, double, bignum, null, array,",
      "    set, map, attrib, push, verbatim, true or false.",
      "RELEASE-SHARDS",
      "    End every HOLD-SHARDS that is under way.",
      "SET-ACTIVE-EXPIRE <0|1>",
      "    Whether expired keys are removed before anybody touches them.",
      "SHARD-HOLDERS",
      "    How many HOLD-SHARDS are under way.",
      "SLEEP <seconds>",
      "    Occupy a worker for so long. Decimals allowed.",
  };
  ReplyHelp(ctx, "DEBUG", kLines);
}

struct DebugCommand {
  std::string_view name;
  int args_min;  // of the whole command
  int args_max;  // -1: no bound
  Handler handler;
};

constexpr DebugCommand kDebugCommands[] = {
    {"digest", 2, 2, Digest},
    {"digest-value", 2, -1, DigestValue},
    {"error", 3, 3, Error},
    {"help", 2, 2, Help},
    {"hold-shards", 3, -1, HoldShards},
    {"log", 3, 3, Log},
    {"object", 3, 3, DescribeObject},
    {"pause-reads", 3, 3, PauseReads},
    {"paused-reads", 2, 2, PausedReads},
    {"populate", 3, 5, Populate},
    {"protocol", 3, 3, DebugProtocol},
    {"release-shards", 2, 2, ReleaseShards},
    {"set-active-expire", 3, 3, SetActiveExpire},
    {"shard-holders", 2, 2, ShardHolders},
    {"sleep", 3, 3, Sleep},
};

void Debug(Context& ctx) {
  const auto argc = static_cast<int>(ctx.args.size());
  for (const DebugCommand& command : kDebugCommands) {
    if (EqualsIgnoreCase(ctx.args[1], command.name) && argc >= command.args_min &&
        (command.args_max < 0 || argc <= command.args_max)) {
      return command.handler(ctx);
    }
  }
  ctx.reply.Error("ERR unknown subcommand or wrong number of arguments for '" +
                  std::string(UpToNul(ctx.args[1].substr(0, 128))) + "'. Try DEBUG HELP.");
}

constexpr CommandRow kRows[] = {
    {.name = "debug",
     .handler = Debug,
     .arity = -2,
     .flags = kAdmin | kNoScript | kLoading | kStale | kProtected,
     .group = Group::kServer,
     .since = "1.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Helps to test the server and client libraries."},
};

}  // namespace

std::span<const CommandRow> DebugCommands() { return kRows; }

}  // namespace kiwi::commands
