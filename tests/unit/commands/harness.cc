#include "unit/commands/harness.h"

#include <cstdlib>

#include "commands/rest.h"
#include "protocol/reply_writer.h"
#include "protocol/request_parser.h"

namespace kiwi::commands {
namespace {

std::string_view TakeLine(std::string_view* resp) {
  const size_t end = resp->find("\r\n");
  EXPECT_NE(end, std::string_view::npos) << "a reply that is cut short";
  const std::string_view line = resp->substr(0, end);
  resp->remove_prefix(std::min(resp->size(), line.size() + 2));
  return line;
}

std::string RenderMany(std::string_view* resp, long n, bool pairs) {
  std::string text = pairs ? "{" : "[";
  for (long i = 0; i < n; ++i) {
    if (i > 0) text += ", ";
    text += Render(resp);
    if (pairs) text += ": " + Render(resp);
  }
  return text + (pairs ? "}" : "]");
}

}  // namespace

std::string Render(std::string_view* resp) {
  const std::string_view line = TakeLine(resp);
  if (line.empty()) return "(nothing)";
  const std::string rest(line.substr(1));
  const long n = std::strtol(rest.c_str(), nullptr, 10);
  switch (line[0]) {
    case '+':
    case ':':
      return rest;
    case '-':
      return "-" + rest;
    case '_':
      return "nil";
    case '$': {
      if (n < 0) return "nil";
      const std::string bytes(resp->substr(0, static_cast<size_t>(n)));
      resp->remove_prefix(static_cast<size_t>(n) + 2);
      return "\"" + bytes + "\"";
    }
    case '*':
      return n < 0 ? "nil" : RenderMany(resp, n, false);
    case '%':
      return RenderMany(resp, n, true);
    default:
      ADD_FAILURE() << "unexpected reply " << line;
      return "?";
  }
}

std::string CommandTest::Raw(const std::vector<std::string>& words) {
  const std::vector<std::string_view> args(words.begin(), words.end());
  std::string out;
  protocol::ReplyWriter reply(&out, resp_version_);
  const CommandTable& table = CommandTable::Get();
  const Command* command = table.Find(args);
  if (command == nullptr) {
    reply.Error(CommandTable::UnknownCommandError(args));
    return out;
  }
  if (!CommandTable::ArityOk(*command, args.size())) {
    reply.Error(CommandTable::ArityError(*command));
    return out;
  }
  const bool writes = command->Is(kWrite);
  Rest rest(Rest::Where::kHere);
  {
    const keyspace::ShardLock lock(
        keyspace_, CommandTable::Shards(*command, args),
        writes ? keyspace::LockMode::kExclusive : keyspace::LockMode::kShared);
    const keyspace::Moment moment{now_ms_, writes ? ++log_index_ : 0};
    keyspace::Db db(keyspace_, db_, moment);
    Context ctx{.args = args,
                .db = db,
                .keyspace = keyspace_,
                .reply = reply,
                .seed = ++seed_,
                .rest = in_steps_ && !writes ? &rest : nullptr};
    command->row->handler(ctx);
  }
  left_ += rest.pending();
  EXPECT_TRUE(rest.Run(&out));
  return out;
}

std::string CommandTest::RunArgs(const std::vector<std::string>& args) {
  const std::string out = Raw(args);
  std::string_view resp = out;
  std::string text = Render(&resp);
  EXPECT_TRUE(resp.empty()) << args[0] << " wrote more than one reply: " << out;
  return text;
}

std::string CommandTest::Run(std::string_view line) {
  std::vector<std::string> args;
  EXPECT_TRUE(protocol::SplitInlineArgs(line, &args)) << line;
  return RunArgs(args);
}

std::string CommandTest::Bulk(std::string_view line) {
  const std::string text = Run(line);
  EXPECT_TRUE(text.size() >= 2 && text.front() == '"') << text;
  return text.substr(1, text.size() - 2);
}

}  // namespace kiwi::commands
