// MEMORY: what a key takes, what the server takes, and the allocator's part in it.
#include <limits>
#include <string>

#include "base/numbers.h"
#include "commands/args.h"
#include "commands/command.h"
#include "commands/help.h"
#include "commands/info_sections.h"
#include "commands/info_writer.h"
#include "commands/server_view.h"

namespace kiwi::commands {
namespace {

// The size of a value is kept with it, so that SAMPLES need not estimate anything.
void Usage(Context& ctx) {
  for (size_t i = 3; i < ctx.args.size(); ++i) {
    int64_t samples = 0;
    if (!EqualsIgnoreCase(ctx.args[i], "samples") || i + 1 == ctx.args.size()) {
      return ctx.reply.Error(kSyntaxError);
    }
    if (!IntArg(ctx, ctx.args[++i], &samples)) return;
    if (samples < 0) return ctx.reply.Error(kSyntaxError);
  }
  const keyspace::Object* object = ctx.db.FindNoTouch(ctx.args[2]);
  if (object == nullptr) return ctx.reply.Null();
  ctx.reply.Integer(static_cast<int64_t>(object->memory_bytes()));
}

// A map of figures whose size is known only at its end.
class FigureMap {
 public:
  void Integer(std::string_view name, uint64_t value) { Add(name, static_cast<int64_t>(value)); }
  void Signed(std::string_view name, int64_t value) { Add(name, value); }
  void Double(std::string_view name, double value) { Add(name, value); }

  void Write(protocol::ReplyWriter& reply) const {
    reply.Map(figures_.size());
    for (const NamedFigure& figure : figures_) {
      reply.Bulk(figure.name);
      if (const auto* integer = std::get_if<int64_t>(&figure.value)) {
        reply.Integer(*integer);
      } else {
        reply.Double(std::get<double>(figure.value));
      }
    }
  }

 private:
  template <typename T>
  void Add(std::string_view name, T value) {
    figures_.push_back({std::string(name), value});
  }

  std::vector<NamedFigure> figures_;
};

int64_t Difference(uint64_t a, uint64_t b) {
  return static_cast<int64_t>(a) - static_cast<int64_t>(b);
}

void Stats(Context& ctx) {
  InfoFigures figures;
  ctx.server->CollectInfo(kNeedBasics | kNeedDatabases, &figures);
  const MemoryFigures& memory = figures.memory;
  uint64_t keys = 0;
  for (const DbFigures& db : figures.databases) keys += db.keys;
  const uint64_t overhead = memory.used > memory.dataset ? memory.used - memory.dataset : 0;
  const uint64_t above_startup =
      memory.used > memory.at_startup ? memory.used - memory.at_startup : 0;

  FigureMap map;
  map.Integer("peak.allocated", memory.peak);
  map.Integer("total.allocated", memory.used);
  map.Integer("startup.allocated", memory.at_startup);
  map.Integer("replication.backlog", 0);
  map.Integer("clients.slaves", 0);
  map.Integer("clients.normal", memory.clients);
  map.Integer("cluster.links", 0);
  map.Integer("aof.buffer", 0);
  map.Integer("lua.caches", 0);
  map.Integer("functions.caches", 0);
  map.Integer("raft.log", memory.raft_log);
  map.Integer("backends", memory.backends);
  map.Integer("overhead.total", overhead);
  map.Integer("keys.count", keys);
  map.Integer("keys.bytes-per-key", keys == 0 ? 0 : memory.dataset / keys);
  map.Integer("dataset.bytes", memory.dataset);
  map.Double("dataset.percentage", 100 * Ratio(memory.dataset, above_startup));
  map.Double("peak.percentage", 100 * Ratio(memory.used, memory.peak));
  map.Integer("allocator.allocated", memory.allocator_allocated);
  map.Integer("allocator.active", memory.allocator_active);
  map.Integer("allocator.resident", memory.allocator_resident);
  map.Double("allocator-fragmentation.ratio",
             Ratio(memory.allocator_active, memory.allocator_allocated));
  map.Signed("allocator-fragmentation.bytes",
             Difference(memory.allocator_active, memory.allocator_allocated));
  map.Double("allocator-rss.ratio", Ratio(memory.allocator_resident, memory.allocator_active));
  map.Signed("allocator-rss.bytes", Difference(memory.allocator_resident, memory.allocator_active));
  map.Double("rss-overhead.ratio", Ratio(memory.resident, memory.allocator_resident));
  map.Signed("rss-overhead.bytes", Difference(memory.resident, memory.allocator_resident));
  map.Double("fragmentation", Ratio(memory.resident, memory.used));
  map.Signed("fragmentation.bytes", Difference(memory.resident, memory.used));
  map.Write(ctx.reply);
}

void Doctor(Context& ctx) {
  constexpr uint64_t kTooLittle = 5 << 20;
  constexpr double kMuch = 1.4;
  constexpr uint64_t kManyBytes = 10 << 20;
  InfoFigures figures;
  ctx.server->CollectInfo(kNeedBasics, &figures);
  const MemoryFigures& memory = figures.memory;
  if (memory.used < kTooLittle) {
    return ctx.reply.Verbatim(
        "The server holds too little for a judgement: " + HumanBytes(memory.used) + ".\n");
  }
  std::string text;
  if (Ratio(memory.peak, memory.used) > 1.5) {
    text += "* The peak was " + HumanBytes(memory.peak) + ", now it is " + HumanBytes(memory.used) +
            ": the allocator may keep what was freed. MEMORY PURGE asks it to give it back.\n";
  }
  if (Ratio(memory.allocator_active, memory.allocator_allocated) > kMuch &&
      Difference(memory.allocator_active, memory.allocator_allocated) >
          static_cast<int64_t>(kManyBytes)) {
    text += "* Fragmentation inside the allocator is high: " + HumanBytes(memory.allocator_active) +
            " in pages for " + HumanBytes(memory.allocator_allocated) + " of data.\n";
  }
  if (Ratio(memory.resident, memory.allocator_resident) > kMuch) {
    text += "* Much of the process's memory is outside of the allocator: " +
            HumanBytes(memory.resident - memory.allocator_resident) + ".\n";
  }
  if (memory.maxmemory != 0 && memory.used > memory.maxmemory / 10 * 9) {
    text += "* Over 90 % of maxmemory is in use: soon, writes will be refused.\n";
  }
  ctx.reply.Verbatim(text.empty() ? "Nothing is wrong with the memory of this server.\n" : text);
}

void MallocStats(Context& ctx) {
  const std::string report = ctx.server->AllocatorReport();
  ctx.reply.Verbatim(report.empty() ? "The allocator has no report.\n" : report);
}

void Purge(Context& ctx) {
  ctx.server->PurgeAllocator();
  ctx.reply.Ok();
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Say in words what is wrong with the memory of the server.",
      "MALLOC-STATS",
      "    The allocator's own report.",
      "PURGE",
      "    Ask the allocator to give back what is free.",
      "STATS",
      "    The memory figures of the server.",
      "USAGE <key> [SAMPLES <count>]",
      "    The bytes that a key takes with its value, exactly, whatever <count>.",
  };
  ReplyHelp(ctx, "MEMORY", kLines);
}

constexpr std::string_view kSpecial =
    "nondeterministic_output request_policy:all_shards response_policy:special";

constexpr CommandRow kSubcommands[] = {
    {.name = "doctor",
     .handler = Doctor,
     .arity = 2,
     .group = Group::kServer,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Says in words what is wrong with the server's memory.",
     .tips = kSpecial},
    {.name = "help",
     .handler = Help,
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = kHelpSummary},
    {.name = "malloc-stats",
     .handler = MallocStats,
     .arity = 2,
     .group = Group::kServer,
     .since = "4.0.0",
     .complexity = "Depends on how much memory is allocated, could be slow",
     .summary = "Answers the allocator's own report.",
     .tips = kSpecial},
    {.name = "purge",
     .handler = Purge,
     .arity = 2,
     .group = Group::kServer,
     .since = "4.0.0",
     .complexity = "Depends on how much memory is allocated, could be slow",
     .summary = "Asks the allocator to give back what is free.",
     .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "stats",
     .handler = Stats,
     .arity = 2,
     .group = Group::kServer,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Answers the memory figures of the server.",
     .tips = kSpecial},
    {.name = "usage",
     .handler = Usage,
     .arity = -3,
     .flags = kReadOnly,
     .keys = {2, 2, 1},
     .group = Group::kServer,
     .since = "4.0.0",
     .complexity = "O(1)",
     .summary = "Answers the bytes that a key takes with its value.",
     .key_flags = kKeyRO},
};

constexpr CommandRow kRows[] = {
    {.name = "memory",
     .arity = -2,
     .group = Group::kServer,
     .since = "4.0.0",
     .complexity = "Depends on subcommand.",
     .summary = "Shows what takes memory.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandRow> MemoryCommands() { return kRows; }

}  // namespace kiwi::commands
