// FAULT.*: breaks this server on purpose, for tests: its links to other nodes, its disk, its clocks,
// itself. Refused unless fault.enabled stood in the configuration at the start.
#include <algorithm>
#include <string>

#include "base/numbers.h"
#include "commands/args.h"
#include "commands/command.h"
#include "commands/fault_view.h"
#include "commands/server_view.h"

namespace kiwi::commands {
namespace {

struct FaultKind {
  std::string_view name;
  bool link;              // takes from, to and probability
  std::string_view unit;  // of the amount; empty: there is none
  int64_t min = 0;
  int64_t max = 0;
};

constexpr int64_t kYearMs = int64_t{365} * 24 * 3600 * 1000;
constexpr FaultKind kKinds[] = {
    {"delay", true, "ms", 1, 600'000},
    {"drop", true, ""},
    {"partition", true, ""},
    {"duplicate", true, ""},
    {"reorder", true, "ms", 1, 600'000},
    {"crash", false, ""},
    {"pause", false, "ms", 1, 60'000},
    {"fsync-error", false, ""},
    {"disk-full", false, "bytes", 0, int64_t{1} << 50},
    {"slow-disk", false, "ms", 0, 60'000},
    {"clock-skew", false, "ms", -kYearMs, kYearMs},
    {"clock-drift", false, "percent", -90, 900},
};

void ReplyStatus(Context& ctx, const ::kiwi::Status& status) {
  if (status.ok()) return ctx.reply.Ok();
  ctx.reply.Error("ERR " + std::string(status.message()));
}

// Null: the error is written.
FaultView* Faults(Context& ctx) {
  FaultView* const faults = ctx.server->faults();
  if (faults == nullptr) {
    ctx.reply.Error(
        "ERR fault injection is disabled: set fault.enabled yes in the configuration and start the "
        "server anew");
  }
  return faults;
}

bool NodeArg(std::string_view text, uint64_t* id) {
  int64_t value = 0;
  if (text == "*") {
    *id = 0;
    return true;
  }
  if (!ParseInt64(text, &value) || value < 1) return false;
  *id = static_cast<uint64_t>(value);
  return true;
}

// One word or pair from `at` on; moves `at` behind it. False: it makes no sense.
bool ParseWord(Args args, const FaultKind& kind, size_t* at, FaultOrder* order) {
  const auto amount = [&](std::string_view text) {
    return !kind.unit.empty() && ParseInt64(text, &order->amount) && order->amount >= kind.min &&
           order->amount <= kind.max;
  };
  const std::string_view word = args[*at];
  if (amount(word)) {
    *at += 1;
    return true;
  }
  if (*at + 1 >= args.size()) return false;
  const std::string_view value = args[*at + 1];
  *at += 2;
  if (!kind.unit.empty() && EqualsIgnoreCase(word, kind.unit)) return amount(value);
  if (!kind.link) return false;
  if (EqualsIgnoreCase(word, "from")) return NodeArg(value, &order->from);
  if (EqualsIgnoreCase(word, "to")) return NodeArg(value, &order->to);
  return EqualsIgnoreCase(word, "probability") && kind.name != "partition" &&
         ParseDouble(value, &order->probability) && order->probability > 0 &&
         order->probability <= 1;
}

void Inject(Context& ctx) {
  FaultView* const faults = Faults(ctx);
  if (faults == nullptr) return;
  const auto* const kind =
      std::find_if(std::begin(kKinds), std::end(kKinds),
                   [&](const FaultKind& k) { return EqualsIgnoreCase(ctx.args[1], k.name); });
  if (kind == std::end(kKinds)) {
    std::string names;
    for (const FaultKind& k : kKinds) names += (names.empty() ? "" : ", ") + std::string(k.name);
    return ctx.reply.Error("ERR no such fault; there are: " + names);
  }
  FaultOrder order{.kind = std::string(kind->name)};
  if (!kind->unit.empty()) order.amount = faults->DefaultAmount(kind->name);
  if (kind->link && kind->name != "partition") order.probability = faults->DefaultProbability();
  for (size_t at = 2; at < ctx.args.size();) {
    if (ParseWord(ctx.args, *kind, &at, &order)) continue;
    std::string usage = "FAULT.INJECT " + order.kind;
    if (!kind->unit.empty()) usage += " [" + std::string(kind->unit) + "] <n>";
    if (kind->link) usage += " [from <id|*>] [to <id|*>]";
    if (kind->link && kind->name != "partition") usage += " [probability <p>]";
    return ctx.reply.Error("ERR syntax error, or a value out of range; usage: " + usage);
  }
  const Result<uint64_t> id = faults->Inject(order);
  if (!id.ok()) return ReplyStatus(ctx, id.status());
  ctx.reply.Integer(static_cast<int64_t>(*id));
}

void ReplyNode(Context& ctx, std::string_view name, uint64_t id) {
  ctx.reply.Bulk(name);
  ctx.reply.Bulk(id == 0 ? "*" : std::to_string(id));
}

void List(Context& ctx) {
  FaultView* const faults = Faults(ctx);
  if (faults == nullptr) return;
  const std::vector<ActiveFault> active = faults->List();
  ctx.reply.Array(active.size());
  for (const ActiveFault& fault : active) {
    ctx.reply.Map(7);
    ctx.reply.Bulk("id");
    ctx.reply.Integer(static_cast<int64_t>(fault.id));
    ctx.reply.Bulk("kind");
    ctx.reply.Bulk(fault.order.kind);
    ReplyNode(ctx, "from", fault.order.from);
    ReplyNode(ctx, "to", fault.order.to);
    ctx.reply.Bulk("probability");
    ctx.reply.Double(fault.order.probability);
    ctx.reply.Bulk("amount");
    ctx.reply.Integer(fault.order.amount);
    ctx.reply.Bulk("hits");
    ctx.reply.Integer(static_cast<int64_t>(fault.hits));
  }
}

void Clear(Context& ctx) {
  FaultView* const faults = Faults(ctx);
  if (faults == nullptr) return;
  if (ctx.args.size() > 2) return ReplyArityError(ctx, "fault.clear");
  if (ctx.args.size() == 1 || EqualsIgnoreCase(ctx.args[1], "all")) {
    return ctx.reply.Integer(static_cast<int64_t>(faults->ClearAll()));
  }
  int64_t id = 0;
  if (!IntArg(ctx, ctx.args[1], &id)) return;
  ctx.reply.Integer(id > 0 && faults->Clear(static_cast<uint64_t>(id)) ? 1 : 0);
}

void Log(Context& ctx) {
  FaultView* const faults = Faults(ctx);
  if (faults == nullptr) return;
  if (ctx.args.size() > 2) return ReplyArityError(ctx, "fault.log");
  int64_t count = 100;
  if (ctx.args.size() == 2 && !RangeArg(ctx, ctx.args[1], 0, 1 << 20, &count)) return;
  std::vector<FaultEvent> events = faults->Events();
  const size_t shown = std::min(events.size(), static_cast<size_t>(count));
  ctx.reply.Array(shown);
  for (size_t i = events.size() - shown; i < events.size(); ++i) {
    ctx.reply.Map(4);
    ctx.reply.Bulk("time");
    ctx.reply.Integer(events[i].wall_ms);
    ctx.reply.Bulk("event");
    ctx.reply.Bulk(events[i].what);
    ReplyNode(ctx, "from", events[i].from);
    ReplyNode(ctx, "to", events[i].to);
  }
}

void Disk(Context& ctx) { ReplyStatus(ctx, ctx.server->SetDiskFault(ctx.args[1], ctx.args[2])); }

constexpr uint32_t kFlags = kAdmin | kNoScript | kLoading | kStale | kNoMulti;

constexpr CommandRow kRows[] = {
    {.name = "fault.clear",
     .handler = Clear,
     .arity = -1,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of faults",
     .summary = "Ends one injected fault, or all."},
    {.name = "fault.disk",
     .handler = Disk,
     .arity = 3,
     .flags = kAdmin | kNoScript | kLoading | kStale,
     .group = Group::kServer,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Makes the disk under this server fail, lie, fill up or slow down, for tests."},
    {.name = "fault.inject",
     .handler = Inject,
     .arity = -2,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "7.0.0",
     .complexity = "O(1)",
     .summary = "Breaks links, disk, clocks or the server itself, for tests; answers the fault's "
                "id."},
    {.name = "fault.list",
     .handler = List,
     .arity = 1,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of faults",
     .summary = "Lists the injected faults that hold."},
    {.name = "fault.log",
     .handler = Log,
     .arity = -1,
     .flags = kFlags,
     .group = Group::kServer,
     .since = "7.0.0",
     .complexity = "O(N) where N is the number of events",
     .summary = "Answers the last events of fault injection: what was done, and what it met."},
};

}  // namespace

std::span<const CommandRow> FaultCommands() { return kRows; }

}  // namespace kiwi::commands
