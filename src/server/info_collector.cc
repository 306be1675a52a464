// The figures behind INFO, MEMORY STATS and RAFT.STATUS.
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "server/allocator.h"
#include "server/raft_figures.h"
#include "server/server_commands.h"

namespace kiwi::server {

using commands::InfoFigures;

namespace {

double Seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t size = 0;
  uint64_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string OsName() {
  utsname name{};
  uname(&name);
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

std::string ExecutablePath() {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof(path));
  return n > 0 ? std::string(path, static_cast<size_t>(n)) : "";
}

std::string_view FsyncName(raft::FsyncMode mode) {
  switch (mode) {
    case raft::FsyncMode::kAlways:
      return "always";
    case raft::FsyncMode::kEverysec:
      return "everysec";
    case raft::FsyncMode::kNo:
      return "no";
  }
  return "always";
}

std::string JoinIds(const std::vector<raft::NodeId>& ids) {
  std::string text;
  for (const raft::NodeId id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

}  // namespace

void ServerCommands::CollectInfo(uint32_t needs, InfoFigures* figures) {
  if ((needs & commands::kNeedBasics) != 0) CollectBasics(figures);
  if ((needs & commands::kNeedCommands) != 0) figures->commands = server_->stats().Commands();
  if ((needs & commands::kNeedErrors) != 0) figures->errors = server_->stats().Errors();
  if ((needs & commands::kNeedLatencies) != 0) {
    figures->latencies = server_->stats().LatencyPercentiles();
  }
  if ((needs & commands::kNeedDatabases) != 0) CollectDatabases(figures);
  if ((needs & commands::kNeedRuntime) != 0) CollectRuntime(figures);
  if ((needs & commands::kNeedRaft) != 0) CollectRaft(figures);
  if ((needs & commands::kNeedHistory) != 0) figures->history = server_->metrics().History();
}

void ServerCommands::CollectBasics(InfoFigures* figures) {
  const raft::NodeStatus node = server_->engine().node().GetStatus();
  Stats& stats = server_->stats();

  figures->cluster = DescribeCluster();
  auto& server = figures->server;
  server.version = kKiwiVersion;
  server.os = OsName();
  server.executable = ExecutablePath();
  server.config_file = config_->file();
  server.run_id = run_id_;
  server.process_id = getpid();
  server.tcp_port = server_->options().listener.port;
  server.now_us = clock_->WallUs();
  server.uptime_s = (clock_->WallMs() - server_->started_ms()) / 1000;
  server.shutting_down = server_->draining();

  auto& clients = figures->clients;
  clients.connected = server_->registry().count();
  clients.maxclients = server_->max_clients();
  uint64_t client_bytes = 0;
  server_->registry().ForEach([&](ClientRecord& record) {
    const commands::ClientInfo client = record.Describe(0);
    client_bytes += client.memory_bytes;
    clients.blocked += client.blocked ? 1 : 0;
    clients.largest_query_bytes =
        std::max<uint64_t>(clients.largest_query_bytes, client.query_bytes);
    clients.largest_output_bytes =
        std::max<uint64_t>(clients.largest_output_bytes, client.unsent_bytes);
  });

  auto& persistence = figures->persistence;
  persistence.checkpoint_running = node.checkpoint_running;
  persistence.last_checkpoint_ok = node.checkpoint_ok;
  persistence.last_checkpoint_unix_s = node.last_checkpoint_unix_ms / 1000;
  persistence.last_checkpoint_ms = server_->engine().checkpointer().progress().duration_ms;
  persistence.checkpoints = node.checkpoints;
  persistence.changes_since_checkpoint = node.applied_index - node.snapshot_index;
  persistence.fsync = FsyncName(server_->engine().node().fsync_mode());
  persistence.last_log_write_ok = node.storage_error.empty();
  persistence.log_bytes = node.log_bytes;

  auto& s = figures->stats;
  s.connections_received = stats.Total(Counter::kConnectionsReceived);
  s.connections_rejected = stats.Total(Counter::kConnectionsRejected);
  s.commands_processed = stats.Total(Counter::kCommandsProcessed);
  s.operations_per_s = stats.OperationsPerSecond();
  s.input_kib_per_s = stats.InputKibPerSecond();
  s.output_kib_per_s = stats.OutputKibPerSecond();
  const net::LoopStats totals = server_->loops().stats().totals;
  s.input_bytes = totals.bytes_in;
  s.output_bytes = totals.bytes_out;
  s.reads_processed = totals.reads;
  s.writes_processed = totals.flushes;
  s.expired_keys = server_->expired_keys() + stats.Total(Counter::kExpiredKeys);
  s.keyspace_hits = stats.Total(Counter::kKeyspaceHits);
  s.keyspace_misses = stats.Total(Counter::kKeyspaceMisses);
  s.error_replies = stats.Total(Counter::kErrorReplies);

  rusage self{};
  getrusage(RUSAGE_SELF, &self);
  figures->cpu.system_s = Seconds(self.ru_stime);
  figures->cpu.user_s = Seconds(self.ru_utime);
  rusage children{};
  getrusage(RUSAGE_CHILDREN, &children);
  figures->cpu.children_system_s = Seconds(children.ru_stime);
  figures->cpu.children_user_s = Seconds(children.ru_utime);
  CollectMemory(&figures->memory);
  figures->memory.clients = client_bytes;
}

void ServerCommands::CollectMemory(commands::MemoryFigures* memory) {
  const AllocatorFigures allocator = ReadAllocator();
  memory->allocator = allocator.name;
  memory->allocator_allocated = allocator.allocated;
  memory->allocator_active = allocator.active;
  memory->allocator_resident = allocator.resident;
  memory->used = allocator.allocated;
  server_->NoteMemory(memory->used);
  Engine& engine = server_->engine();
  memory->dataset = engine.keyspace().memory_bytes();
  memory->pending_frees = engine.keyspace().pending_frees();
  memory->background_frees = engine.keyspace().background_frees();
  // As near to the start as the first question came: what is not data.
  uint64_t none = 0;
  memory_at_start_.compare_exchange_strong(none,
                                           memory->used - std::min(memory->used, memory->dataset));
  memory->peak = server_->memory_peak();
  memory->at_startup = memory_at_start_.load();
  memory->backends =
      engine.log_backend().GetStats().memory_bytes + engine.snapshots().StateStats().memory_bytes;
  memory->resident = ResidentBytes();
  struct sysinfo system {};
  sysinfo(&system);
  memory->system_total = uint64_t{system.totalram} * system.mem_unit;
  memory->maxmemory = server_->executor().max_memory();
  memory->maxmemory_policy = config_->Get<"maxmemory-policy">();
}

void ServerCommands::CollectDatabases(InfoFigures* figures) {
  keyspace::ShardSet all;
  all.AddAll();
  const int count = server_->engine().keyspace().databases();
  for (int i = 0; i < count; ++i) {
    ReadKeyspace(i, all, [&](keyspace::Db& db) {
      if (db.size() == 0) return;
      figures->databases.push_back({.index = i,
                                    .keys = db.size(),
                                    .expiring = db.expiring_size(),
                                    .average_ttl_ms = db.average_ttl_ms()});
    });
  }
}

void ServerCommands::CollectRaft(InfoFigures* figures) {
  const raft::NodeStatus node = server_->engine().node().GetStatus();
  auto add = [&](std::string name, std::variant<int64_t, double, std::string> value) {
    figures->raft.push_back({.name = std::move(name), .value = std::move(value)});
  };
  add("node_id", static_cast<int64_t>(node.id));
  add("role", std::string(RoleName(node.role)));
  AddToInfo(RaftFigures(), node, &figures->raft);
  add("voters", JoinIds(node.conf_state.voters));
  add("learners", JoinIds(node.conf_state.learners));
  const size_t factor = server_->cluster() != nullptr ? server_->cluster()->voters_max() : 0;
  add("replication_factor",
      static_cast<int64_t>(factor != 0 ? factor : node.conf_state.voters.size()));
  add("fsync", std::string(FsyncName(server_->engine().node().fsync_mode())));
  add("checkpoint_running", std::string(node.checkpoint_running ? "yes" : "no"));
  add("checkpoint_ok", std::string(node.checkpoint_ok ? "yes" : "no"));
  add("storage_error", node.storage_error);
  const StageStats::Reads reads = server_->stages().SumReads();
  for (size_t i = 0; i < kReadKinds; ++i) {
    const auto us = [&](double part) { return std::to_string(reads[i].QuantileNs(part) / 1000); };
    add("reads_" + std::string(kReadKindNames[i]), "sampled=" + std::to_string(reads[i].count()) +
                                                       ",p50_us=" + us(0.5) +
                                                       ",p99_us=" + us(0.99));
  }
  add("reads_stale_refused",
      static_cast<int64_t>(server_->stats().Total(Counter::kStaleReadsRefused)));
}

}  // namespace kiwi::server
