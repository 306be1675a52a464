#include "commands/client_info.h"

#include <algorithm>
#include <charconv>

namespace kiwi::commands {
namespace {

std::string_view ClientTypeFlag(const ClientInfo& client) {
  switch (client.type) {
    case ClientType::kMaster:
      return "M";
    case ClientType::kReplica:
      return "S";
    case ClientType::kPubsub:
      return "P";
    case ClientType::kNormal:
      return "";
  }
  return "";
}

std::string Flags(const ClientInfo& client) {
  std::string flags(ClientTypeFlag(client));
  if (client.queued_commands >= 0) flags += 'x';
  if (client.blocked) flags += 'b';
  if (client.transaction_dirty) flags += 'd';
  if (client.close_after_reply) flags += 'c';
  if (client.close_soon) flags += 'A';
  if (client.unix_socket) flags += 'U';
  if (client.no_evict) flags += 'e';
  if (flags.empty()) flags = "N";
  return flags;
}

// "name=value" pairs with one space between.
class LineWriter {
 public:
  explicit LineWriter(std::string* out) : out_(out) {}

  void Text(std::string_view name, std::string_view value) {
    if (!out_->empty()) out_->push_back(' ');
    out_->append(name).push_back('=');
    out_->append(value);
  }
  template <typename T>
  void Number(std::string_view name, T value) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    Text(name, std::string_view(digits, static_cast<size_t>(end - digits)));
  }

 private:
  std::string* out_;
};

}  // namespace

std::string_view ClientPriorityName(ClientPriority priority) {
  switch (priority) {
    case ClientPriority::kHigh:
      return "high";
    case ClientPriority::kNormal:
      return "normal";
    case ClientPriority::kLow:
      return "low";
  }
  return "normal";
}

std::string ReadConsistencyText(const ReadConsistency& consistency) {
  switch (consistency.level) {
    case ReadLevel::kLinearizable:
      return "linearizable";
    case ReadLevel::kBounded:
      return "bounded " + std::to_string(consistency.max_staleness_ms);
    case ReadLevel::kAny:
      return "any";
  }
  return "linearizable";
}

bool ValidClientName(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

std::string FormatClientInfo(const ClientInfo& client) {
  std::string events;
  if (!client.close_after_reply && !client.close_soon) events += 'r';
  if (client.unsent_bytes > 0) events += 'w';

  std::string line;
  LineWriter out(&line);
  out.Number("id", client.id);
  out.Text("addr", client.address);
  out.Text("laddr", client.local_address);
  out.Number("fd", client.fd);
  out.Text("name", client.name);
  out.Number("age", client.age_s);
  out.Number("idle", client.idle_s);
  out.Text("flags", Flags(client));
  out.Number("db", client.db);
  out.Number("sub", client.subscriptions);
  out.Number("psub", client.pattern_subscriptions);
  out.Number("ssub", client.shard_subscriptions);
  out.Number("multi", client.queued_commands);
  out.Number("qbuf", client.query_bytes);
  out.Number("qbuf-free", client.query_free_bytes);
  out.Number("argv-mem", client.argument_bytes);
  out.Number("multi-mem", client.queued_bytes);
  out.Number("rbs", client.reply_buffer_bytes);
  out.Number("rbp", client.reply_buffer_peak);
  out.Number("obl", 0);  // all unsent output is in blocks
  out.Number("oll", client.unsent_replies);
  out.Number("omem", client.unsent_bytes);
  out.Number("tot-mem", client.memory_bytes);
  out.Text("events", events);
  out.Text("cmd", client.last_command.empty() ? std::string_view("NULL")
                                              : std::string_view(client.last_command));
  out.Text("user", client.user);
  out.Number("redir", -1);  // no tracking
  out.Number("resp", client.resp_version);
  out.Text("lib-name", client.library_name);
  out.Text("lib-ver", client.library_version);
  out.Text("priority", ClientPriorityName(client.priority));
  return line;
}

bool ClientFilter::Matches(const ClientInfo& client) const {
  if (!ids.empty() && std::find(ids.begin(), ids.end(), client.id) == ids.end()) return false;
  if (type && *type != client.type) return false;
  if (!address.empty() && address != client.address) return false;
  if (!local_address.empty() && local_address != client.local_address) return false;
  if (!user.empty() && user != client.user) return false;
  return except_id == 0 || except_id != client.id;
}

}  // namespace kiwi::commands
