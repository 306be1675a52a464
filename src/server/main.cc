// kiwi-server [file] [--name value …]…
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/command_line.h"
#include "config/config.h"
#include "server/backup.h"
#include "server/fault_admin.h"
#include "server/server.h"
#include "server/server_commands.h"
#include "server/settings.h"
#include "server/settings_cluster.h"

// Read by jemalloc at start: free pages go back to the system after a second, by a thread of its
// own, so that what a checkpoint used for a moment does not stay.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0";
}

namespace kiwi::server {
namespace {

constexpr int kStartAnew = -1;  // of Run, beside exit codes

int Fail(const Status& status) {
  std::fprintf(stderr, "kiwi-server: %s\n", std::string(status.message()).c_str());
  return 1;
}

// Descriptors for every client and the backends' files, as far as the system allows.
void RaiseDescriptorLimit(int64_t max_clients) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto wanted = static_cast<rlim_t>(max_clients + 1024);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted) {
    KIWI_LOG(kWarn, "descriptor limit is {}; maxclients {} wants {}", limit.rlim_cur, max_clients,
             wanted);
  }
}

int WaitForSignal(const sigset_t& signals) {
  int received = 0;
  while (sigwait(&signals, &received) != 0) {
  }
  return received;
}

int Run(const config::CommandLine& line) {
  // Blocked here, before any thread starts, and waited for below: handlers would run anywhere.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGUSR1);  // start anew, see GroupAdmin
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  Result<std::unique_ptr<config::Config>> loaded = config::Config::Load(line);
  if (!loaded.ok()) return Fail(loaded.status());
  config::Config& config = **loaded;
  if (const Status s = InitLog(MakeLogOptions(config)); !s.ok()) return Fail(s);
  RaiseDescriptorLimit(config.Get<"maxclients">());

  ServerOptions options = MakeServerOptions(config);
  if (const Status s = CheckMetrics(options.metrics); !s.ok()) return Fail(s);
  if (const Status s = CheckFolders(config); !s.ok()) return Fail(s);
  if (const Status s = SetUpCluster(config, &options); !s.ok()) return Fail(s);
  std::unique_ptr<FaultAdmin> faults;
  if (config.Get<"fault.enabled">()) {
    faults = std::make_unique<FaultAdmin>(&SystemClock(),
                                          MakeFaultOptions(config, options.engine.node.core.id));
    options.engine.file_layer = faults->file_layer();
    if (options.cluster) options.cluster->transport.faults = &faults->links();
  }
  Clock& clock = faults ? faults->clock() : SystemClock();
  if (!line.restore_from.empty()) {
    if (const Status s = RestoreBackup(options.engine, line.restore_from); !s.ok()) return Fail(s);
  }
  Result<std::unique_ptr<Engine>> engine = Engine::Open(options.engine, &clock);
  if (!engine.ok()) return Fail(engine.status());

  Server server(options, std::move(*engine), &clock);
  ServerCommands view(
      &server, &config, &clock, [](const commands::ShutdownRequest&) { kill(getpid(), SIGTERM); },
      [] { kill(getpid(), SIGUSR1); }, faults.get());
  server.SetView(&view);
  BindSettings(&config, &server);
  if (const Status s = server.Start(); !s.ok()) return Fail(s);
  ApplyReplicatedSettings(config, &server);
  for (const std::string& address : server.addresses()) {
    KIWI_LOG(kInfo, "ready to accept connections address={}", address);
  }

  const int received = WaitForSignal(signals);
  KIWI_LOG(kInfo, "shutting down signal={}", received);
  server.Stop();
  if (received == SIGUSR1) {
    if (const Status s = view.group_admin().CommitJoin(); !s.ok()) {
      KIWI_LOG(kWarn, "no group is joined error=\"{}\"", s.ToString());
    }
    return kStartAnew;
  }
  KIWI_LOG(kInfo, "bye");
  FlushLog();
  return 0;
}

// The same process with the same arguments. Nothing of the old life is left, save the signals that
// are blocked, which the new one wants as well.
int StartAnew(std::vector<std::string> args) {
  // The backup has been restored.
  if (const auto it = std::find(args.begin(), args.end(), "--restore-from");
      it != args.end() && it + 1 != args.end()) {
    args.erase(it, it + 2);
  }
  std::string name = "kiwi-server";
  std::vector<char*> argv = {name.data()};
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  KIWI_LOG(kInfo, "starting anew");
  FlushLog();
  execv("/proc/self/exe", argv.data());
  std::perror("kiwi-server cannot start itself anew");
  return 1;
}

int Main(const std::vector<std::string>& args) {
  const Result<config::CommandLine> line = config::ParseCommandLine(args);
  if (!line.ok()) return Fail(line.status());
  if (line->help) {
    std::fputs(config::UsageText().c_str(), stdout);
    return 0;
  }
  if (line->version) {
    std::printf("kiwi-server %s\n", std::string(kKiwiVersion).c_str());
    return 0;
  }
  const int code = Run(*line);
  return code == kStartAnew ? StartAnew(args) : code;
}

}  // namespace
}  // namespace kiwi::server

int main(int argc, char** argv) {
  return kiwi::server::Main(std::vector<std::string>(argv + 1, argv + argc));
}
