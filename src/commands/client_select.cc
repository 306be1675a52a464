// CLIENT LIST and CLIENT KILL: commands that choose among the connections.
#include <string>

#include "base/numbers.h"
#include "commands/args.h"
#include "commands/client_commands.h"
#include "commands/client_info.h"
#include "commands/server_view.h"
#include "commands/session_view.h"

namespace kiwi::commands {
namespace {

bool ParseClientType(std::string_view name, ClientType* type) {
  if (EqualsIgnoreCase(name, "normal")) {
    *type = ClientType::kNormal;
  } else if (EqualsIgnoreCase(name, "pubsub")) {
    *type = ClientType::kPubsub;
  } else if (EqualsIgnoreCase(name, "master")) {
    *type = ClientType::kMaster;
  } else if (EqualsIgnoreCase(name, "replica") || EqualsIgnoreCase(name, "slave")) {
    *type = ClientType::kReplica;
  } else {
    return false;
  }
  return true;
}

bool TypeArg(Context& ctx, std::string_view name, ClientFilter* filter) {
  ClientType type;
  if (!ParseClientType(name, &type)) {
    ctx.reply.Error("ERR Unknown client type '" + std::string(UpToNul(name)) + "'");
    return false;
  }
  filter->type = type;
  return true;
}

// One "name value" pair of CLIENT KILL. False: the error is written.
bool KillOption(Context& ctx, std::string_view name, std::string_view value, ClientFilter* filter,
                bool* skip_self) {
  if (EqualsIgnoreCase(name, "id")) {
    int64_t id = 0;
    if (!ParseInt64(value, &id) || id < 1) {
      ctx.reply.Error("ERR client-id should be greater than 0");
      return false;
    }
    filter->ids = {static_cast<uint64_t>(id)};
  } else if (EqualsIgnoreCase(name, "type")) {
    return TypeArg(ctx, value, filter);
  } else if (EqualsIgnoreCase(name, "addr")) {
    filter->address = value;
  } else if (EqualsIgnoreCase(name, "laddr")) {
    filter->local_address = value;
  } else if (EqualsIgnoreCase(name, "user")) {
    if (value != "default") {
      ctx.reply.Error("ERR No such user '" + std::string(UpToNul(value)) + "'");
      return false;
    }
    filter->user = value;
  } else if (EqualsIgnoreCase(name, "skipme")) {
    if (EqualsIgnoreCase(value, "yes")) {
      *skip_self = true;
    } else if (EqualsIgnoreCase(value, "no")) {
      *skip_self = false;
    } else {
      ctx.reply.Error(kSyntaxError);
      return false;
    }
  } else {
    ctx.reply.Error(kSyntaxError);
    return false;
  }
  return true;
}

// Closes them; the caller's own connection, when it is among them, behind this reply.
size_t Kill(Context& ctx, const ClientFilter& filter) {
  const uint64_t self = ctx.session->id();
  if (filter.except_id != self && filter.Matches(ctx.session->Describe())) {
    ctx.session->CloseAfterReply();
  }
  return ctx.server->KillClients(filter, self);
}

}  // namespace

ClientInfo DescribeSelf(const SessionView& session) {
  ClientInfo info = session.Describe();
  info.db = session.db();
  info.resp_version = session.resp_version();
  info.priority = session.priority();
  return info;
}

void ClientList(Context& ctx) {
  ClientFilter filter;
  if (ctx.args.size() == 4 && EqualsIgnoreCase(ctx.args[2], "type")) {
    if (!TypeArg(ctx, ctx.args[3], &filter)) return;
  } else if (ctx.args.size() > 3 && EqualsIgnoreCase(ctx.args[2], "id")) {
    for (const std::string_view arg : ctx.args.subspan(3)) {
      int64_t id = 0;
      if (!ParseInt64(arg, &id)) return ctx.reply.Error("ERR Invalid client ID");
      filter.ids.push_back(static_cast<uint64_t>(id));
    }
  } else if (ctx.args.size() != 2) {
    return ctx.reply.Error(kSyntaxError);
  }
  const uint64_t self = ctx.session->id();
  std::string text;
  for (const ClientInfo& client : ctx.server->ListClients(filter)) {
    text += FormatClientInfo(client.id == self ? DescribeSelf(*ctx.session) : client);
    text += '\n';
  }
  ctx.reply.Verbatim(text);
}

void ClientKill(Context& ctx) {
  ClientFilter filter;
  if (ctx.args.size() == 3) {  // CLIENT KILL <address>, the form of Redis 2.4
    filter.address = ctx.args[2];
    if (Kill(ctx, filter) == 0) return ctx.reply.Error("ERR No such client");
    return ctx.reply.Ok();
  }
  if (ctx.args.size() % 2 != 0) return ctx.reply.Error(kSyntaxError);
  bool skip_self = true;
  for (size_t i = 2; i < ctx.args.size(); i += 2) {
    if (!KillOption(ctx, ctx.args[i], ctx.args[i + 1], &filter, &skip_self)) return;
  }
  if (skip_self) filter.except_id = ctx.session->id();
  ctx.reply.Integer(static_cast<int64_t>(Kill(ctx, filter)));
}

}  // namespace kiwi::commands
