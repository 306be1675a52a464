// kiwi-ctl [--node host:port]… [--password P] [--timeout seconds] <command> …
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/numbers.h"
#include "ctl/group.h"
#include "ctl/local_cluster.h"
#include "ctl/status.h"

namespace kiwi::ctl {
namespace {

constexpr char kUsage[] =
    "kiwi-ctl [--node host:port]... [--password P] [--timeout seconds] <command>\n"
    "\n"
    "  status                          the members, who leads, who lags\n"
    "  add <id> <host:port> [<client-host:port>]\n"
    "                                  take in a node by its raft address; one that was never\n"
    "                                  used follows by itself, any other is told by join\n"
    "  join <host:port>...             make --node, alone and empty, a member of that group\n"
    "  promote <id> [force]            let a learner vote now\n"
    "  remove <id> [force]             remove a node for good\n"
    "  transfer [<id>]                 hand the leadership over\n"
    "  snapshot                        a checkpoint of --node; its log is compacted\n"
    "  backup <path>                   a backup of --node, into a new file on its machine\n"
    "  restore <path> <dir> [args...]  start a server with a backup, in a new data directory\n"
    "  accept-loss                     --node votes again although it may have lost writes\n"
    "  fault inject|list|clear|log ... faults of --node, for tests (fault.enabled yes)\n"
    "  cluster create [--dir D] [--ports a,b,c] [--server PATH] [-- args...]\n"
    "                                  three nodes on loopback, until Ctrl-C\n"
    "\n"
    "--node is any member (default 127.0.0.1:6379); changes find the leader from there. What "
    "cannot\n"
    "be said yet is tried again for --timeout seconds (default 30). The password may stand in\n"
    "REDISCLI_AUTH instead, where other users of the machine do not see it.\n"
    "Exit: 0 done, 1 refused, 2 not known whether it took effect.\n";

using Words = std::vector<std::string>;

int Fail(const std::string& message) {
  std::fprintf(stderr, "kiwi-ctl: %s\n", message.c_str());
  return 1;
}

int Print(const Result<Value>& reply, bool maps = false) {
  if (!reply.ok()) {
    Fail(std::string(reply.status().message()));
    return reply.status().code() == StatusCode::kAborted ? 2 : 1;
  }
  if (reply->error) {
    Fail(reply->text);
    return reply->text.starts_with("UNKNOWN") ? 2 : 1;
  }
  std::fputs(Describe(*reply, maps).c_str(), stdout);
  return 0;
}

// A program beside this one.
std::string Beside(const std::string& name) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? name : (self.parent_path() / name).string();
}

// Takes "--name value" out of the words before the first "--"; false: the value is missing.
bool TakeOption(Words* words, const std::string& name, std::string* value) {
  const auto end = std::find(words->begin(), words->end(), "--");
  const auto at = std::find(words->begin(), end, name);
  if (at == end) return true;
  if (at + 1 == end) return false;
  *value = *(at + 1);
  words->erase(at, at + 2);
  return true;
}

int CreateCluster(Words words) {
  LocalClusterOptions options{.server = Beside("kiwi-server")};
  std::string ports;
  if (!TakeOption(&words, "--dir", &options.dir) || !TakeOption(&words, "--ports", &ports) ||
      !TakeOption(&words, "--server", &options.server)) {
    return Fail("an option lacks its value");
  }
  if (!words.empty() && words[0] != "--") return Fail("what is \"" + words[0] + "\"?");
  if (!words.empty()) options.server_args.assign(words.begin() + 1, words.end());
  if (!ports.empty()) options.ports.clear();
  for (size_t begin = 0; begin < ports.size();) {
    const size_t end = std::min(ports.find(',', begin), ports.size());
    int64_t port = 0;
    if (!ParseInt64(ports.substr(begin, end - begin), &port) || port < 1 || port > 55'535) {
      return Fail("--ports wants ports up to 55535, separated by commas");
    }
    options.ports.push_back(static_cast<int>(port));
    begin = end + 1;
  }
  const Status status = RunLocalCluster(options, &SystemClock());
  return status.ok() ? 0 : Fail(std::string(status.message()));
}

int Restore(const Words& words) {
  if (words.size() < 2) return Fail("restore wants a backup and a data directory");
  Words args = {Beside("kiwi-server"), "--dir", words[1], "--restore-from", words[0]};
  args.insert(args.end(), words.begin() + 2, words.end());
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  return Fail("cannot start " + args[0]);
}

// A command of the tool, as the server names it.
struct Row {
  const char* name;
  const char* command;  // followed by the words
  size_t words_min;
  size_t words_max;
  bool leader;
  bool maps = false;  // its reply is one, or a list of them
};

constexpr size_t kMany = 64;
constexpr Row kRows[] = {
    {"add", "RAFT.NODE ADD", 2, 3, true},
    {"promote", "RAFT.NODE PROMOTE", 1, 2, true},
    {"remove", "RAFT.NODE REMOVE", 1, 2, true},
    {"transfer", "RAFT.TRANSFER_LEADER", 0, 1, true},
    {"join", "RAFT.CLUSTER JOIN", 1, kMany, false},
    {"snapshot", "RAFT.SNAPSHOT", 0, 0, false},
    {"backup", "RAFT.BACKUP", 1, 1, false, true},
    {"accept-loss", "RAFT.ACCEPT_LOSS", 0, 0, false},
    {"fault inject", "FAULT.INJECT", 1, kMany, false},
    {"fault list", "FAULT.LIST", 0, 0, false, true},
    {"fault clear", "FAULT.CLEAR", 0, 1, false},
    {"fault log", "FAULT.LOG", 0, 1, false, true},
};

int RunRow(const GroupOptions& options, std::string name, Words words) {
  if (name == "fault" && !words.empty()) {
    name += " " + words[0];
    words.erase(words.begin());
  }
  const auto* const row = std::find_if(std::begin(kRows), std::end(kRows),
                                       [&name](const Row& r) { return name == r.name; });
  if (row == std::end(kRows)) return Fail("no command \"" + name + "\"; kiwi-ctl --help");
  if (words.size() < row->words_min) return Fail(name + " wants more; kiwi-ctl --help");
  if (words.size() > row->words_max) return Fail(name + " wants less; kiwi-ctl --help");
  Words command;
  const std::string text = row->command;
  const size_t space = text.find(' ');
  command.push_back(text.substr(0, space));
  if (space != std::string::npos) command.push_back(text.substr(space + 1));
  command.insert(command.end(), words.begin(), words.end());
  Group group(options, &SystemClock());
  return Print(row->leader ? group.TellLeader(command) : group.TellAny(command), row->maps);
}

// Before a "--", behind which words are somebody else's.
bool AsksForHelp(const Words& words) {
  const auto end = std::find(words.begin(), words.end(), "--");
  return words[0] == "help" || std::find(words.begin(), end, "--help") != end;
}

int Main(Words words) {
  if (words.empty() || AsksForHelp(words)) {
    std::fputs(kUsage, words.empty() ? stderr : stdout);
    return words.empty() ? 1 : 0;
  }
  GroupOptions options;
  if (const char* password = std::getenv("REDISCLI_AUTH"); password != nullptr) {
    options.password = password;
  }
  while (words[0].starts_with("--")) {
    if (words.size() < 3) return Fail("an option lacks its value, or the command is missing");
    int64_t seconds = 0;
    if (words[0] == "--node") {
      const Result<Address> node = ParseAddress(words[1]);
      if (!node.ok()) return Fail(std::string(node.status().message()));
      options.nodes.push_back(*node);
    } else if (words[0] == "--password") {
      options.password = words[1];
    } else if (words[0] == "--timeout" && ParseInt64(words[1], &seconds) && seconds > 0 &&
               seconds <= 86'400) {
      options.timeout_ms = seconds * 1000;
    } else {
      return Fail("no such option, or value: " + words[0] + " " + words[1]);
    }
    words.erase(words.begin(), words.begin() + 2);
  }
  if (options.nodes.empty()) options.nodes.push_back({.host = "127.0.0.1", .port = 6379});
  const std::string name = words[0];
  words.erase(words.begin());
  if (name == "cluster" && !words.empty() && words[0] == "create") {
    return CreateCluster({words.begin() + 1, words.end()});
  }
  if (name == "restore") return Restore(words);
  if (name != "status") return RunRow(options, name, std::move(words));
  if (!words.empty()) return Fail("status wants less; kiwi-ctl --help");
  const Result<Value> status = Group(options, &SystemClock()).Status(true);
  if (!status.ok()) return Print(status);
  std::fputs(DescribeGroup(*status).c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace kiwi::ctl

int main(int argc, char** argv) {
  return kiwi::ctl::Main(std::vector<std::string>(argv + 1, argv + argc));
}
