// LATENCY: what took long, by event, and how long the calls of each command take.
#include <algorithm>
#include <string>

#include "commands/args.h"
#include "commands/command.h"
#include "commands/help.h"
#include "commands/server_view.h"

namespace kiwi::commands {
namespace {

const LatencyEvent* FindEvent(const std::vector<LatencyEvent>& events, std::string_view name) {
  const auto it = std::find_if(events.begin(), events.end(),
                               [name](const LatencyEvent& e) { return e.name == name; });
  return it == events.end() ? nullptr : &*it;
}

void Latest(Context& ctx) {
  const std::vector<LatencyEvent> events = ctx.server->LatencyEvents();
  ctx.reply.Array(events.size());
  for (const LatencyEvent& event : events) {
    ctx.reply.Array(4);
    ctx.reply.Bulk(event.name);
    ctx.reply.Integer(event.samples.back().unix_s);
    ctx.reply.Integer(event.samples.back().latency_ms);
    ctx.reply.Integer(event.all_time_max_ms);
  }
}

void History(Context& ctx) {
  const std::vector<LatencyEvent> events = ctx.server->LatencyEvents();
  const LatencyEvent* event = FindEvent(events, ctx.args[2]);
  if (event == nullptr) return ctx.reply.Array(0);
  ctx.reply.Array(event->samples.size());
  for (const LatencySample& sample : event->samples) {
    ctx.reply.Array(2);
    ctx.reply.Integer(sample.unix_s);
    ctx.reply.Integer(sample.latency_ms);
  }
}

void Reset(Context& ctx) {
  ctx.reply.Integer(static_cast<int64_t>(ctx.server->LatencyReset(ctx.args.subspan(2))));
}

// Bars of the newest samples, one column each, the age below.
void Graph(Context& ctx) {
  constexpr size_t kColumns = 72;
  constexpr int64_t kRows = 5;
  const std::vector<LatencyEvent> events = ctx.server->LatencyEvents();
  const LatencyEvent* event = FindEvent(events, ctx.args[2]);
  if (event == nullptr) {
    return ctx.reply.Error("ERR No samples available for event '" +
                           std::string(UpToNul(ctx.args[2])) + "'");
  }
  const size_t shown = std::min(event->samples.size(), kColumns);
  const std::span<const LatencySample> samples(
      event->samples.data() + (event->samples.size() - shown), shown);
  int64_t high = 0;
  int64_t low = samples.front().latency_ms;
  for (const LatencySample& sample : samples) {
    high = std::max(high, sample.latency_ms);
    low = std::min(low, sample.latency_ms);
  }
  std::string text = event->name + " - high " + std::to_string(high) + " ms, low " +
                     std::to_string(low) + " ms (all time high " +
                     std::to_string(event->all_time_max_ms) + " ms)\n" + std::string(shown, '-') +
                     "\n";
  for (int64_t row = kRows; row > 0; --row) {
    for (const LatencySample& sample : samples) {
      const int64_t bar = high == 0 ? 1 : std::max<int64_t>(1, sample.latency_ms * kRows / high);
      text += bar >= row ? '#' : ' ';
    }
    text += '\n';
  }
  const int64_t now_s = ctx.server->clock().WallMs() / 1000;
  text += "oldest: " + std::to_string(now_s - samples.front().unix_s) +
          " s ago, newest: " + std::to_string(now_s - samples.back().unix_s) + " s ago\n";
  ctx.reply.Verbatim(text);
}

std::string_view Advice(std::string_view event) {
  if (event == "command") return "See SLOWLOG GET for the commands that took long.";
  if (event == "fast-command") {
    return "Commands of constant cost were slow: the machine lacks CPU time or memory.";
  }
  return "";
}

void Doctor(Context& ctx) {
  if (ctx.server->LatencyThresholdMs() == 0) {
    return ctx.reply.Verbatim(
        "Nothing was measured: the latency monitor is off. Switch it on with CONFIG SET "
        "latency-monitor-threshold <milliseconds>.\n");
  }
  const std::vector<LatencyEvent> events = ctx.server->LatencyEvents();
  if (events.empty()) {
    return ctx.reply.Verbatim("Nothing took longer than the threshold of " +
                              std::to_string(ctx.server->LatencyThresholdMs()) +
                              " ms since the last reset.\n");
  }
  std::string text;
  for (const LatencyEvent& event : events) {
    int64_t sum = 0;
    for (const LatencySample& sample : event.samples) sum += sample.latency_ms;
    const auto count = static_cast<int64_t>(event.samples.size());
    text += event.name + ": " + std::to_string(count) + " spikes, mean " +
            std::to_string(sum / count) + " ms, worst ever " +
            std::to_string(event.all_time_max_ms) + " ms. " + std::string(Advice(event.name)) +
            "\n";
  }
  ctx.reply.Verbatim(text);
}

// Whether a command's histogram was asked for: by its name or its container's, or all were.
bool Asked(const Command& command, Args names) {
  if (names.empty()) return true;
  return std::any_of(names.begin(), names.end(), [&](std::string_view name) {
    return EqualsIgnoreCase(name, command.full_name) ||
           (command.parent != nullptr && EqualsIgnoreCase(name, command.parent->full_name));
  });
}

void Histogram(Context& ctx) {
  const CommandTable& table = CommandTable::Get();
  std::vector<CommandHistogram> histograms = ctx.server->LatencyHistograms();
  std::erase_if(histograms, [&](const CommandHistogram& h) {
    return !Asked(table.ById(h.command_id), ctx.args.subspan(2));
  });
  ctx.reply.Map(histograms.size());
  for (const CommandHistogram& histogram : histograms) {
    ctx.reply.Bulk(table.ById(histogram.command_id).full_name);
    ctx.reply.Map(2);
    ctx.reply.Bulk("calls");
    ctx.reply.Integer(static_cast<int64_t>(histogram.calls));
    ctx.reply.Bulk("histogram_usec");
    ctx.reply.Map(histogram.buckets.size());
    for (const auto& bucket : histogram.buckets) {
      ctx.reply.Integer(static_cast<int64_t>(bucket.le_us));
      ctx.reply.Integer(static_cast<int64_t>(bucket.cumulative_calls));
    }
  }
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "DOCTOR",
      "    Say in words what was slow and what may be done about it.",
      "GRAPH <event>",
      "    Draw the samples of an event.",
      "HISTORY <event>",
      "    The samples of an event: Unix time and milliseconds.",
      "LATEST",
      "    The last and the worst sample of each event.",
      "RESET [<event> [<event> ...]]",
      "    Forget the samples of these events (default: all).",
      "HISTOGRAM [<command> [<command> ...]]",
      "    How many calls of a command took how long, cumulative (default: all commands).",
  };
  ReplyHelp(ctx, "LATENCY", kLines);
}

constexpr CommandRow Row(std::string_view name, Handler handler, int arity, std::string_view since,
                         std::string_view complexity, std::string_view summary,
                         std::string_view tips) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = kAdmin | kNoScript | kLoading | kStale,
          .group = Group::kServer,
          .since = since,
          .complexity = complexity,
          .summary = summary,
          .tips = tips};
}

constexpr std::string_view kSpecial =
    "nondeterministic_output request_policy:all_nodes response_policy:special";

constexpr CommandRow kSubcommands[] = {
    Row("doctor", Doctor, 2, "2.8.13", "O(1)", "Says in words what was slow.", kSpecial),
    Row("graph", Graph, 3, "2.8.13", "O(1)", "Draws the samples of an event.", kSpecial),
    {.name = "help",
     .handler = Help,
     .arity = 2,
     .flags = kLoading | kStale,
     .group = Group::kServer,
     .since = "2.8.13",
     .complexity = "O(1)",
     .summary = kHelpSummary},
    Row("histogram", Histogram, -2, "7.0.0",
        "O(N) where N is the number of commands with latency information being retrieved.",
        "Answers how long the calls of commands take.", kSpecial),
    Row("history", History, 3, "2.8.13", "O(1)", "Answers the samples of an event.", kSpecial),
    Row("latest", Latest, 2, "2.8.13", "O(1)", "Answers the last sample of each event.", kSpecial),
    Row("reset", Reset, -2, "2.8.13", "O(1)", "Forgets the samples of events.",
        "request_policy:all_nodes response_policy:all_succeeded"),
};

constexpr CommandRow kRows[] = {
    {.name = "latency",
     .arity = -2,
     .group = Group::kServer,
     .since = "2.8.13",
     .complexity = "Depends on subcommand.",
     .summary = "Shows what took long.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandRow> LatencyCommands() { return kRows; }

}  // namespace kiwi::commands
