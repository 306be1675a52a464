// The connection itself: who it is, which database and protocol it uses, and its end.
#include <array>
#include <string>

#include "base/numbers.h"
#include "commands/args.h"
#include "commands/client_info.h"
#include "commands/command.h"
#include "commands/server_view.h"
#include "commands/session_view.h"
#include "commands/version.h"

namespace kiwi::commands {
namespace {

constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";
constexpr std::string_view kDefaultUser = "default";

void Ping(Context& ctx) {
  if (ctx.args.size() > 2) return ReplyArityError(ctx, "ping");
  if (ctx.args.size() == 2) {
    ctx.reply.Bulk(ctx.args[1]);
  } else {
    ctx.reply.Simple("PONG");
  }
}

void Echo(Context& ctx) { ctx.reply.Bulk(ctx.args[1]); }

void Select(Context& ctx) {
  int db = 0;
  int64_t number = 0;
  if (ctx.server->cluster_enabled() && ParseInt64(ctx.args[1], &number) && number != 0) {
    return ctx.reply.Error("ERR SELECT is not allowed in cluster mode");
  }
  if (!DbArg(ctx, ctx.args[1], &db)) return;
  ctx.session->SetDb(db);
  ctx.reply.Ok();
}

void Quit(Context& ctx) {
  ctx.reply.Ok();
  ctx.session->CloseAfterReply();
}

void Reset(Context& ctx) {
  ctx.session->Reset();
  ctx.reply.set_resp_version(ctx.session->resp_version());
  ctx.reply.Simple("RESET");
}

void Auth(Context& ctx) {
  if (ctx.args.size() > 3) return ctx.reply.Error(kSyntaxError);
  const bool named = ctx.args.size() == 3;
  if (!named && !ctx.server->PasswordRequired()) {
    return ctx.reply.Error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  if (!ctx.server->CheckPassword(named ? ctx.args[1] : kDefaultUser, ctx.args.back())) {
    return ctx.reply.Error(kWrongPassword);
  }
  ctx.session->SetAuthenticated(true);
  ctx.reply.Ok();
}

void ReplyHello(Context& ctx) {
  const ClusterState cluster = ctx.server->DescribeCluster();
  ctx.reply.Map(7);
  ctx.reply.Bulk("server");
  ctx.reply.Bulk("redis");
  ctx.reply.Bulk("version");
  ctx.reply.Bulk(kRedisVersion);
  ctx.reply.Bulk("proto");
  ctx.reply.Integer(ctx.session->resp_version());
  ctx.reply.Bulk("id");
  ctx.reply.Integer(static_cast<int64_t>(ctx.session->id()));
  ctx.reply.Bulk("mode");
  ctx.reply.Bulk(cluster.enabled ? "cluster" : "standalone");
  ctx.reply.Bulk("role");
  ctx.reply.Bulk(cluster.leads() ? "master" : "replica");
  ctx.reply.Bulk("modules");
  ctx.reply.Array(0);
}

// The options behind HELLO's version, each with effect at once. False: the error is written.
bool HelloOptions(Context& ctx) {
  const Args args = ctx.args;
  for (size_t i = 2; i < args.size(); ++i) {
    const size_t behind = args.size() - i - 1;
    if (EqualsIgnoreCase(args[i], "auth") && behind >= 2) {
      if (!ctx.server->CheckPassword(args[i + 1], args[i + 2])) {
        ctx.reply.Error(kWrongPassword);
        return false;
      }
      ctx.session->SetAuthenticated(true);
      i += 2;
    } else if (EqualsIgnoreCase(args[i], "setname") && behind >= 1) {
      if (!ValidClientName(args[i + 1])) {
        ctx.reply.Error(kInvalidClientName);
        return false;
      }
      ctx.session->SetName(args[i + 1]);
      i += 1;
    } else {
      ctx.reply.Error("ERR Syntax error in HELLO option '" + std::string(UpToNul(args[i])) + "'");
      return false;
    }
  }
  return true;
}

void Hello(Context& ctx) {
  int64_t version = ctx.session->resp_version();
  if (ctx.args.size() > 1) {
    if (!ParseInt64(ctx.args[1], &version)) {
      return ctx.reply.Error("ERR Protocol version is not an integer or out of range");
    }
    if (version != 2 && version != 3) {
      return ctx.reply.Error("NOPROTO unsupported protocol version");
    }
  }
  if (!HelloOptions(ctx)) return;
  if (!ctx.session->authenticated()) {
    return ctx.reply.Error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
  }
  ctx.session->SetRespVersion(static_cast<int>(version));
  ctx.reply.set_resp_version(static_cast<int>(version));
  ReplyHello(ctx);
}

constexpr uint32_t kAnyState = kNoScript | kLoading | kStale | kFast | kNoAuth | kAllowBusy;

constexpr CommandRow kRows[] = {
    {.name = "auth",
     .handler = Auth,
     .arity = -2,
     .flags = kAnyState,
     .group = Group::kConnection,
     .categories = kCatConnection,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Proves to the server who the client is."},
    {.name = "echo",
     .handler = Echo,
     .arity = 2,
     .flags = kLoading | kStale | kFast,
     .group = Group::kConnection,
     .categories = kCatConnection,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers its argument."},
    {.name = "hello",
     .handler = Hello,
     .arity = -1,
     .flags = kAnyState,
     .group = Group::kConnection,
     .categories = kCatConnection,
     .since = "6.0.0",
     .complexity = "O(1)",
     .summary = "Chooses the version of the protocol, and may authenticate and name the "
                "connection."},
    {.name = "ping",
     .handler = Ping,
     .arity = -1,
     .flags = kFast,
     .group = Group::kConnection,
     .categories = kCatConnection,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Answers PONG, or its argument: the server lives.",
     .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "quit",
     .handler = Quit,
     .arity = -1,
     .flags = kAnyState,
     .group = Group::kConnection,
     .categories = kCatConnection,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Closes the connection once all replies have left."},
    {.name = "reset",
     .handler = Reset,
     .arity = 1,
     .flags = kAnyState,
     .group = Group::kConnection,
     .categories = kCatConnection,
     .since = "6.2.0",
     .complexity = "O(1)",
     .summary = "Puts the connection into the state of a new one."},
    {.name = "select",
     .handler = Select,
     .arity = 2,
     .flags = kLoading | kStale | kFast,
     .group = Group::kConnection,
     .categories = kCatConnection,
     .since = "1.0.0",
     .complexity = "O(1)",
     .summary = "Chooses the database of the connection."},
};

}  // namespace

std::span<const CommandRow> ConnectionCommands() { return kRows; }

}  // namespace kiwi::commands
