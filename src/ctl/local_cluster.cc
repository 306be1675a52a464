#include "ctl/local_cluster.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "ctl/group.h"
#include "ctl/status.h"

namespace kiwi::ctl {
namespace {

constexpr int kRaftPortAbove = 10'000;
constexpr int64_t kStartMs = 30'000;

std::string Members(const std::vector<int>& ports) {
  std::string text;
  for (size_t i = 0; i < ports.size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(i + 1) +
            "@127.0.0.1:" + std::to_string(ports[i] + kRaftPortAbove);
  }
  return text;
}

// Of the child: becomes the server, or ends.
[[noreturn]] void Become(std::vector<std::string> args, const std::string& log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  setpgid(0, 0);  // a Ctrl-C is the parent's to pass on
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  if (fd >= 0) {
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
  }
  std::vector<char*> argv;
  argv.reserve(args.size() + 1);
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  std::fprintf(stderr, "cannot start %s: %s\n", argv[0], std::strerror(errno));
  _exit(127);
}

struct Node {
  size_t id = 0;
  pid_t pid = 0;  // 0: it has ended
  std::vector<std::string> command;
};

Result<Node> StartNode(const LocalClusterOptions& options, size_t index) {
  const std::string id = std::to_string(index + 1);
  const int port = options.ports[index];
  const std::string dir = options.dir + "/node" + id;
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return Status(StatusCode::kIo, "cannot make " + dir + ": " + error.message());
  std::vector<std::string> args = {options.server,
                                   "--port",
                                   std::to_string(port),
                                   "--dir",
                                   dir,
                                   "--raft.node-id",
                                   id,
                                   "--raft.port",
                                   std::to_string(port + kRaftPortAbove),
                                   "--raft.initial-members",
                                   Members(options.ports)};
  args.insert(args.end(), options.server_args.begin(), options.server_args.end());
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return Status(StatusCode::kIo, "cannot fork");
  if (child == 0) Become(std::move(args), dir + ".log", parent);
  return Node{.id = index + 1, .pid = child, .command = std::move(args)};
}

void StopAll(const std::vector<Node>& nodes) {
  for (const Node& node : nodes) {
    if (node.pid != 0) kill(node.pid, SIGTERM);
  }
  for (const Node& node : nodes) {
    while (node.pid != 0 && waitpid(node.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

std::string HowItEnded(int how) {
  return WIFSIGNALED(how) ? "killed by signal " + std::to_string(WTERMSIG(how))
                          : "exit code " + std::to_string(WEXITSTATUS(how));
}

// As a shell takes it.
std::string Quoted(const std::vector<std::string>& command) {
  std::string line;
  for (const std::string& word : command) {
    const bool plain = !word.empty() && word.find_first_of(" \t\n'\"\\$`*?;&|<>()#~") == word.npos;
    std::string quoted = word;
    for (size_t at = 0; !plain && (at = quoted.find('\'', at)) != quoted.npos; at += 4) {
      quoted.replace(at, 1, "'\\''");
    }
    line += (line.empty() ? "" : " ") + (plain ? word : "'" + quoted + "'");
  }
  return line;
}

// Tells of the nodes that have ended since; a stopped one (SIGSTOP) has not. Returns how many there
// were.
size_t ReapEnded(const LocalClusterOptions& options, std::vector<Node>* nodes) {
  size_t ended = 0;
  for (Node& node : *nodes) {
    int how = 0;
    if (node.pid == 0 || waitpid(node.pid, &how, WNOHANG) != node.pid) continue;
    node.pid = 0;
    ++ended;
    std::printf(
        "\nnode %zu has ended (%s); its log: %s/node%zu.log\n"
        "To start it again, in another terminal: %s\n",
        node.id, HowItEnded(how).c_str(), options.dir.c_str(), node.id,
        Quoted(node.command).c_str());
  }
  if (ended == 0) return 0;
  std::printf("The others go on, and serve as long as %zu of the %zu run.\n", nodes->size() / 2 + 1,
              nodes->size());
  std::fflush(stdout);
  return ended;
}

Status WaitServing(const LocalClusterOptions& options, const sigset_t& signals,
                   std::vector<Node>* nodes, Clock* clock) {
  GroupOptions group;
  for (const int port : options.ports) group.nodes.push_back({.host = "127.0.0.1", .port = port});
  group.timeout_ms = 500;
  const timespec at_once{};
  const int64_t deadline_ns = clock->MonotonicNs() + kStartMs * 1'000'000;
  while (true) {
    const int received = sigtimedwait(&signals, nullptr, &at_once);
    if (received == SIGCHLD && ReapEnded(options, nodes) > 0) {
      return {StatusCode::kAborted, "a node has ended; its log in " + options.dir + " says why"};
    }
    if (received > 0 && received != SIGCHLD) return {StatusCode::kAborted, "interrupted"};
    const Result<Value> status = Group(group, clock).Status(false);
    if (status.ok()) {
      std::fputs(DescribeGroup(*status).c_str(), stdout);
      return {};
    }
    if (clock->MonotonicNs() > deadline_ns) return status.status();
  }
}

// Until a signal says to stop, or none of the nodes is left.
Status Watch(const LocalClusterOptions& options, const sigset_t& signals,
             std::vector<Node>* nodes) {
  while (true) {
    int received = 0;
    if (sigwait(&signals, &received) != 0) continue;
    if (received != SIGCHLD) return {};
    ReapEnded(options, nodes);
    if (std::all_of(nodes->begin(), nodes->end(), [](const Node& n) { return n.pid == 0; })) {
      return {StatusCode::kAborted,
              "all nodes have ended; their logs in " + options.dir + " say why"};
    }
  }
}

}  // namespace

Status RunLocalCluster(const LocalClusterOptions& options, Clock* clock) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);

  std::vector<Node> nodes;
  Status status;
  for (size_t i = 0; i < options.ports.size() && status.ok(); ++i) {
    Result<Node> node = StartNode(options, i);
    status = node.status();
    if (node.ok()) nodes.push_back(std::move(*node));
  }
  if (status.ok()) status = WaitServing(options, signals, &nodes, clock);
  if (status.ok()) {
    std::printf(
        "\n%zu nodes serve, their data and logs lie in %s. Try: redis-cli -p %d\n"
        "Ctrl-C stops them; the same command starts them again.\n",
        nodes.size(), options.dir.c_str(), options.ports[0]);
    std::fflush(stdout);
    status = Watch(options, signals, &nodes);
  }
  StopAll(nodes);
  return status;
}

}  // namespace kiwi::ctl
