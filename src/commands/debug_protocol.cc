// DEBUG PROTOCOL: one reply of each type, for the tests of client libraries.
#include <string_view>

#include "commands/args.h"
#include "commands/debug.h"

namespace kiwi::commands {
namespace {

using protocol::ReplyWriter;

void ReplyAttribute(ReplyWriter& reply) {
  if (reply.resp3()) {
    reply.Attribute(1);
    reply.Bulk("key-popularity");
    reply.Array(2);
    reply.Bulk("key:123");
    reply.Integer(90);
  }
  reply.Bulk("Some real reply following the attribute");
}

void ReplyPush(ReplyWriter& reply) {
  if (!reply.resp3()) return reply.Error("ERR RESP2 is not supported by this command");
  reply.Push(2);
  reply.Bulk("server-cpu-usage");
  reply.Integer(42);
  reply.Bulk("Some real reply following the push reply");
}

void ReplyMap(ReplyWriter& reply) {
  reply.Map(3);
  for (int i = 0; i < 3; ++i) {
    reply.Integer(i);
    reply.Bool(i == 1);
  }
}

}  // namespace

void DebugProtocol(Context& ctx) {
  const std::string_view type = ctx.args[2];
  ReplyWriter& reply = ctx.reply;
  if (EqualsIgnoreCase(type, "string")) {
    reply.Bulk("Hello World");
  } else if (EqualsIgnoreCase(type, "integer")) {
    reply.Integer(12345);
  } else if (EqualsIgnoreCase(type, "double")) {
    reply.Double(3.141);
  } else if (EqualsIgnoreCase(type, "bignum")) {
    reply.BigNumber("1234567999999999999999999999999999999");
  } else if (EqualsIgnoreCase(type, "null")) {
    reply.Null();
  } else if (EqualsIgnoreCase(type, "array")) {
    reply.Array(3);
    for (int i = 0; i < 3; ++i) reply.Integer(i);
  } else if (EqualsIgnoreCase(type, "set")) {
    reply.Set(3);
    for (int i = 0; i < 3; ++i) reply.Integer(i);
  } else if (EqualsIgnoreCase(type, "map")) {
    ReplyMap(reply);
  } else if (EqualsIgnoreCase(type, "attrib")) {
    ReplyAttribute(reply);
  } else if (EqualsIgnoreCase(type, "push")) {
    ReplyPush(reply);
  } else if (EqualsIgnoreCase(type, "verbatim")) {
    reply.Verbatim("This is a verbatim\nstring");
  } else if (EqualsIgnoreCase(type, "true")) {
    reply.Bool(true);
  } else if (EqualsIgnoreCase(type, "false")) {
    reply.Bool(false);
  } else {
    reply.Error(
        "ERR Wrong protocol type name. Please use one of the following: "
        "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false");
  }
}

}  // namespace kiwi::commands
