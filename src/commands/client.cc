// CLIENT: what a connection knows and changes about itself and, for an operator, about the others.
#include <array>
#include <limits>
#include <string>

#include "base/numbers.h"
#include "commands/args.h"
#include "commands/client_commands.h"
#include "commands/client_info.h"
#include "commands/help.h"
#include "commands/server_view.h"
#include "commands/session_view.h"

namespace kiwi::commands {
namespace {

void Id(Context& ctx) { ctx.reply.Integer(static_cast<int64_t>(ctx.session->id())); }

void Info(Context& ctx) { ctx.reply.Verbatim(FormatClientInfo(DescribeSelf(*ctx.session)) + "\n"); }

void GetName(Context& ctx) {
  const std::string_view name = ctx.session->name();
  if (name.empty()) {
    ctx.reply.Null();
  } else {
    ctx.reply.Bulk(name);
  }
}

void SetName(Context& ctx) {
  if (!ValidClientName(ctx.args[2])) return ctx.reply.Error(kInvalidClientName);
  ctx.session->SetName(ctx.args[2]);
  ctx.reply.Ok();
}

void SetInfo(Context& ctx) {
  const std::string_view option = ctx.args[2];
  const std::string_view value = ctx.args[3];
  const bool is_name = EqualsIgnoreCase(option, "lib-name");
  if (!is_name && !EqualsIgnoreCase(option, "lib-ver")) {
    return ctx.reply.Error("ERR Unrecognized option '" + std::string(UpToNul(option)) + "'");
  }
  if (!ValidClientName(value)) {
    return ctx.reply.Error("ERR " + std::string(is_name ? "lib-name" : "lib-ver") +
                           " cannot contain spaces, newlines or special characters.");
  }
  if (is_name) {
    ctx.session->SetLibraryName(value);
  } else {
    ctx.session->SetLibraryVersion(value);
  }
  ctx.reply.Ok();
}

void NoEvict(Context& ctx) {
  const bool on = EqualsIgnoreCase(ctx.args[2], "on");
  if (!on && !EqualsIgnoreCase(ctx.args[2], "off")) return ctx.reply.Error(kSyntaxError);
  ctx.session->SetNoEvict(on);
  ctx.reply.Ok();
}

void Reply(Context& ctx) {
  if (EqualsIgnoreCase(ctx.args[2], "on")) {
    ctx.session->SetReplyMode(ReplyMode::kOn);
    ctx.reply.Ok();
  } else if (EqualsIgnoreCase(ctx.args[2], "off")) {
    ctx.session->SetReplyMode(ReplyMode::kOff);
    ctx.reply.Ok();  // dropped by the mode
  } else if (EqualsIgnoreCase(ctx.args[2], "skip")) {
    ctx.session->SetReplyMode(ReplyMode::kSkipNext);
    ctx.reply.Ok();  // dropped by the mode
  } else {
    ctx.reply.Error(kSyntaxError);
  }
}

void Priority(Context& ctx) {
  if (ctx.args.size() > 3) return ReplyArityError(ctx, "client|priority");
  if (ctx.args.size() == 2) return ctx.reply.Bulk(ClientPriorityName(ctx.session->priority()));
  for (const ClientPriority priority :
       {ClientPriority::kHigh, ClientPriority::kNormal, ClientPriority::kLow}) {
    if (!EqualsIgnoreCase(ctx.args[2], ClientPriorityName(priority))) continue;
    ctx.session->SetPriority(priority);
    return ctx.reply.Ok();
  }
  ctx.reply.Error("ERR priority must be one of high, normal or low");
}

// CLIENT CONSISTENCY [LINEARIZABLE | BOUNDED max-staleness-ms | ANY]
void Consistency(Context& ctx) {
  if (ctx.args.size() == 2) {
    return ctx.reply.Bulk(ReadConsistencyText(ctx.session->consistency()));
  }
  ReadConsistency wanted;
  size_t arity = 3;
  if (EqualsIgnoreCase(ctx.args[2], "any")) {
    wanted.level = ReadLevel::kAny;
  } else if (EqualsIgnoreCase(ctx.args[2], "bounded")) {
    wanted.level = ReadLevel::kBounded;
    arity = 4;
  } else if (!EqualsIgnoreCase(ctx.args[2], "linearizable")) {
    return ctx.reply.Error("ERR consistency must be one of linearizable, bounded or any");
  }
  if (ctx.args.size() != arity) return ReplyArityError(ctx, "client|consistency");
  if (arity == 4) {
    int64_t ms = 0;
    if (!RangeArg(ctx, ctx.args[3], 1, kMaxStalenessMs, &ms)) return;
    wanted.max_staleness_ms = static_cast<uint32_t>(ms);
  }
  ctx.session->SetConsistency(wanted);
  ctx.reply.Ok();
}

void Pause(Context& ctx) {
  PauseMode mode = PauseMode::kAll;
  if (ctx.args.size() > 4) return ReplyArityError(ctx, "client|pause");
  if (ctx.args.size() == 4) {
    if (EqualsIgnoreCase(ctx.args[3], "write")) {
      mode = PauseMode::kWrites;
    } else if (!EqualsIgnoreCase(ctx.args[3], "all")) {
      return ctx.reply.Error("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  int64_t timeout_ms = 0;
  if (!ParseInt64(ctx.args[2], &timeout_ms)) {
    return ctx.reply.Error("ERR timeout is not an integer or out of range");
  }
  if (timeout_ms < 0) return ctx.reply.Error("ERR timeout is negative");
  const int64_t now_ms = ctx.server->clock().WallMs();
  if (timeout_ms > std::numeric_limits<int64_t>::max() - now_ms) {
    return ctx.reply.Error("ERR timeout is out of range");
  }
  ctx.server->PauseClients(mode, now_ms + timeout_ms);
  ctx.reply.Ok();
}

void Unpause(Context& ctx) {
  ctx.server->UnpauseClients();
  ctx.reply.Ok();
}

void Unblock(Context& ctx) {
  if (ctx.args.size() > 4) return ReplyArityError(ctx, "client|unblock");
  const bool by_error = ctx.args.size() == 4 && EqualsIgnoreCase(ctx.args[3], "error");
  if (ctx.args.size() == 4 && !by_error && !EqualsIgnoreCase(ctx.args[3], "timeout")) {
    return ctx.reply.Error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  int64_t id = 0;
  if (!IntArg(ctx, ctx.args[2], &id)) return;
  const bool unblocked = id > 0 && ctx.server->UnblockClient(static_cast<uint64_t>(id), by_error);
  ctx.reply.Integer(unblocked ? 1 : 0);
}

void GetRedir(Context& ctx) { ctx.reply.Integer(-1); }

void TrackingInfo(Context& ctx) {
  ctx.reply.Map(3);
  ctx.reply.Bulk("flags");
  ctx.reply.Set(1);
  ctx.reply.Bulk("off");
  ctx.reply.Bulk("redirect");
  ctx.reply.Integer(-1);
  ctx.reply.Bulk("prefixes");
  ctx.reply.Array(0);
}

void Help(Context& ctx) {
  static constexpr std::string_view kLines[] = {
      "CONSISTENCY [LINEARIZABLE | BOUNDED <max-staleness-ms> | ANY]",
      "    What reads of this connection must see; without a level, shows it.",
      "GETNAME",
      "    The name of this connection.",
      "GETREDIR",
      "    Where tracking messages go: -1, tracking is off.",
      "ID",
      "    The id of this connection.",
      "INFO",
      "    This connection's line of CLIENT LIST.",
      "KILL <ip:port>",
      "    Close the connection from that address.",
      "KILL <option> <value> [<option> <value> [...]]",
      "    Close all connections that fit every option:",
      "    * ADDR <ip:port>: its own address",
      "    * LADDR <ip:port>: the server's address that it came to",
      "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
      "    * USER <name>",
      "    * ID <id>",
      "    * SKIPME (YES|NO): whether to spare this connection (default: yes)",
      "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB) | ID <id> [<id> ...]]",
      "    One line for each connection.",
      "NO-EVICT (ON|OFF)",
      "    Spare this connection when clients are evicted.",
      "PAUSE <timeout> [WRITE|ALL]",
      "    Hold back all, or only writing, clients for <timeout> milliseconds.",
      "PRIORITY [HIGH|NORMAL|LOW]",
      "    The priority of what follows on this connection; without a level, shows it.",
      "REPLY (ON|OFF|SKIP)",
      "    Whether the commands of this connection are answered.",
      "SETINFO (LIB-NAME|LIB-VER) <value>",
      "    What the client library calls itself.",
      "SETNAME <name>",
      "    Give this connection a name.",
      "TRACKINGINFO",
      "    The state of tracking on this connection.",
      "UNBLOCK <id> [TIMEOUT|ERROR]",
      "    Wake the connection with that id out of a blocking command.",
      "UNPAUSE",
      "    End a CLIENT PAUSE.",
  };
  ReplyHelp(ctx, "CLIENT", kLines);
}

constexpr uint32_t kOwn = kNoScript | kLoading | kStale;
constexpr uint32_t kOperator = kOwn | kAdmin;

constexpr CommandRow Row(std::string_view name, Handler handler, int arity, uint32_t flags,
                         std::string_view since, std::string_view complexity,
                         std::string_view summary, std::string_view tips = {}) {
  return {.name = name,
          .handler = handler,
          .arity = arity,
          .flags = flags,
          .group = Group::kConnection,
          .categories = kCatConnection,
          .since = since,
          .complexity = complexity,
          .summary = summary,
          .tips = tips};
}

constexpr std::string_view kOneForEach = "O(N) where N is the number of connections";

constexpr CommandRow kSubcommands[] = {
    Row("consistency", Consistency, -2, kOwn | kCheap, "7.0.0", "O(1)",
        "Shows or sets what the connection's reads must see of what was acknowledged before them."),
    Row("getname", GetName, 2, kOwn | kCheap, "2.6.9", "O(1)",
        "Answers the name of the connection."),
    Row("getredir", GetRedir, 2, kOwn | kCheap, "6.0.0", "O(1)",
        "Answers where the connection's tracking messages go."),
    Row("help", Help, 2, kLoading | kStale, "5.0.0", "O(1)", kHelpSummary),
    Row("id", Id, 2, kOwn | kCheap, "5.0.0", "O(1)", "Answers the id of the connection."),
    Row("info", Info, 2, kOwn, "6.2.0", "O(1)", "Answers the connection's line of CLIENT LIST.",
        "nondeterministic_output"),
    Row("kill", ClientKill, -3, kOperator, "2.4.0", kOneForEach, "Closes connections."),
    Row("list", ClientList, -2, kOperator, "2.4.0", kOneForEach, "Lists the connections.",
        "nondeterministic_output"),
    Row("no-evict", NoEvict, 3, kOperator | kCheap, "7.0.0", "O(1)",
        "Spares the connection when clients are evicted."),
    Row("pause", Pause, -3, kOperator, "2.9.50", "O(1)", "Holds back clients for a time."),
    Row("priority", Priority, -2, kOwn | kCheap, "7.0.0", "O(1)",
        "Shows or sets the priority of what follows on the connection."),
    Row("reply", Reply, 3, kOwn | kCheap, "3.2.0", "O(1)",
        "Chooses whether the connection's commands are answered."),
    Row("setinfo", SetInfo, 4, kOwn | kCheap, "7.2.0", "O(1)",
        "Notes the name or version of the client library."),
    Row("setname", SetName, 3, kOwn | kCheap, "2.6.9", "O(1)", "Gives the connection a name."),
    Row("trackinginfo", TrackingInfo, 2, kOwn | kCheap, "6.2.0", "O(1)",
        "Answers the state of tracking on the connection."),
    Row("unblock", Unblock, -3, kOperator, "5.0.0", "O(1)",
        "Wakes a connection out of a blocking command."),
    Row("unpause", Unpause, 2, kOperator, "6.2.0", "O(1)", "Ends a CLIENT PAUSE."),
};

constexpr CommandRow kRows[] = {
    {.name = "client",
     .arity = -2,
     .group = Group::kConnection,
     .since = "2.4.0",
     .complexity = "Depends on subcommand.",
     .summary = "Shows and changes what the server knows of connections.",
     .subcommands = kSubcommands},
};

}  // namespace

std::span<const CommandRow> ClientCommands() { return kRows; }

}  // namespace kiwi::commands
