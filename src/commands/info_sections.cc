#include "commands/info_sections.h"

#include <variant>

#include "commands/command.h"
#include "commands/version.h"

namespace kiwi::commands {
namespace {

int64_t Difference(uint64_t a, uint64_t b) {
  return static_cast<int64_t>(a) - static_cast<int64_t>(b);
}

struct WriteFigure {
  InfoWriter& out;
  const std::string& name;
  void operator()(int64_t value) const { out.Field(name, value); }
  void operator()(double value) const { out.Decimal(name, value, 2); }
  void operator()(const std::string& value) const { out.Field(name, value); }
};

void WriteNamed(const std::vector<NamedFigure>& figures, InfoWriter& out) {
  for (const NamedFigure& figure : figures) {
    std::visit(WriteFigure{out, figure.name}, figure.value);
  }
}

const std::string& CommandName(int id) { return CommandTable::Get().ById(id).full_name; }

}  // namespace

double Ratio(uint64_t a, uint64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

void WriteServerSection(const InfoFigures& figures, InfoWriter& out) {
  constexpr int64_t kSecondsPerDay = 86400;
  const ServerFigures& server = figures.server;
  out.Section("Server");
  out.Field("redis_version", kRedisVersion);
  out.Field("redis_git_sha1", "00000000");
  out.Field("redis_git_dirty", 0);
  out.Field("redis_build_id", server.build_id);
  out.Field("redis_mode", figures.cluster.enabled ? "cluster" : "standalone");
  out.Field("kiwi_version", server.version);
  out.Field("os", server.os);
  out.Field("arch_bits", 8 * sizeof(void*));
  out.Field("monotonic_clock", "POSIX clock_gettime");
  out.Field("multiplexing_api", "libuv");
  out.Field("process_id", server.process_id);
  out.Field("process_supervised", "no");
  out.Field("run_id", server.run_id);
  out.Field("tcp_port", server.tcp_port);
  out.Field("server_time_usec", server.now_us);
  out.Field("uptime_in_seconds", server.uptime_s);
  out.Field("uptime_in_days", server.uptime_s / kSecondsPerDay);
  out.Field("hz", 10);
  out.Field("configured_hz", 10);
  out.Field("executable", server.executable);
  out.Field("config_file", server.config_file);
  out.Field("io_threads_active", 1);
  if (server.shutting_down) out.Field("shutdown_in_milliseconds", 0);
}

void WriteClientsSection(const InfoFigures& figures, InfoWriter& out) {
  const ClientFigures& clients = figures.clients;
  out.Section("Clients");
  out.Field("connected_clients", clients.connected);
  out.Field("cluster_connections", 0);
  out.Field("maxclients", clients.maxclients);
  out.Field("client_recent_max_input_buffer", clients.largest_query_bytes);
  out.Field("client_recent_max_output_buffer", clients.largest_output_bytes);
  out.Field("blocked_clients", clients.blocked);
  out.Field("tracking_clients", 0);
  out.Field("clients_in_timeout_table", 0);
}

void WriteMemorySection(const InfoFigures& figures, InfoWriter& out) {
  const MemoryFigures& memory = figures.memory;
  const uint64_t overhead = memory.used > memory.dataset ? memory.used - memory.dataset : 0;
  const uint64_t above_startup =
      memory.used > memory.at_startup ? memory.used - memory.at_startup : memory.used;
  out.Section("Memory");
  out.Bytes("used_memory", memory.used);
  out.Bytes("used_memory_rss", memory.resident);
  out.Bytes("used_memory_peak", memory.peak);
  out.Field("used_memory_peak_perc", FormatDecimal(100 * Ratio(memory.used, memory.peak), 2) + "%");
  out.Field("used_memory_overhead", overhead);
  out.Field("used_memory_startup", memory.at_startup);
  out.Field("used_memory_dataset", memory.dataset);
  out.Field("used_memory_dataset_perc",
            FormatDecimal(100 * Ratio(memory.dataset, above_startup), 2) + "%");
  out.Field("used_memory_raft_log", memory.raft_log);
  out.Field("used_memory_backends", memory.backends);
  out.Field("allocator_allocated", memory.allocator_allocated);
  out.Field("allocator_active", memory.allocator_active);
  out.Field("allocator_resident", memory.allocator_resident);
  out.Bytes("total_system_memory", memory.system_total);
  out.Bytes("used_memory_lua", 0);
  out.Bytes("used_memory_scripts", 0);
  out.Field("number_of_cached_scripts", 0);
  out.Field("number_of_functions", 0);
  out.Field("number_of_libraries", 0);
  out.Bytes("maxmemory", memory.maxmemory);
  out.Field("maxmemory_policy", memory.maxmemory_policy);
  out.Decimal("allocator_frag_ratio", Ratio(memory.allocator_active, memory.allocator_allocated),
              2);
  out.Field("allocator_frag_bytes",
            Difference(memory.allocator_active, memory.allocator_allocated));
  out.Decimal("allocator_rss_ratio", Ratio(memory.allocator_resident, memory.allocator_active), 2);
  out.Field("allocator_rss_bytes", Difference(memory.allocator_resident, memory.allocator_active));
  out.Decimal("rss_overhead_ratio", Ratio(memory.resident, memory.allocator_resident), 2);
  out.Field("rss_overhead_bytes", Difference(memory.resident, memory.allocator_resident));
  out.Decimal("mem_fragmentation_ratio", Ratio(memory.resident, memory.used), 2);
  out.Field("mem_fragmentation_bytes", Difference(memory.resident, memory.used));
  out.Field("mem_not_counted_for_evict", 0);
  out.Field("mem_replication_backlog", 0);
  out.Field("mem_clients_slaves", 0);
  out.Field("mem_clients_normal", memory.clients);
  out.Field("mem_aof_buffer", 0);
  out.Field("mem_allocator", memory.allocator);
  out.Field("active_defrag_running", 0);
  out.Field("lazyfree_pending_objects", memory.pending_frees);
  out.Field("lazyfreed_objects", memory.background_frees);
}

void WritePersistenceSection(const InfoFigures& figures, InfoWriter& out) {
  const PersistenceFigures& state = figures.persistence;
  const int64_t last_s = state.last_checkpoint_ms < 0 ? -1 : state.last_checkpoint_ms / 1000;
  out.Section("Persistence");
  out.Field("loading", int{state.loading});
  out.Field("async_loading", 0);
  // The checkpoint takes the place of Redis's RDB file …
  out.Field("rdb_changes_since_last_save", state.changes_since_checkpoint);
  out.Field("rdb_bgsave_in_progress", int{state.checkpoint_running});
  out.Field("rdb_last_save_time", state.last_checkpoint_unix_s);
  out.Field("rdb_last_bgsave_status", state.last_checkpoint_ok ? "ok" : "err");
  out.Field("rdb_last_bgsave_time_sec", last_s);
  out.Field("rdb_current_bgsave_time_sec", state.current_checkpoint_s);
  out.Field("rdb_saves", state.checkpoints);
  // … and the Raft log that of its append-only file, which is never rewritten.
  out.Field("aof_enabled", 0);
  out.Field("aof_rewrite_in_progress", 0);
  out.Field("aof_rewrite_scheduled", 0);
  out.Field("aof_last_rewrite_time_sec", -1);
  out.Field("aof_current_rewrite_time_sec", -1);
  out.Field("aof_last_bgrewrite_status", "ok");
  out.Field("aof_last_write_status", state.last_log_write_ok ? "ok" : "err");
  out.Field("raft_log_fsync", state.fsync);
  out.Field("raft_log_bytes", state.log_bytes);
  out.Field("raft_log_last_write_status", state.last_log_write_ok ? "ok" : "err");
  out.Field("checkpoint_last_ms", state.last_checkpoint_ms);
}

void WriteStatsSection(const InfoFigures& figures, InfoWriter& out) {
  const StatFigures& stats = figures.stats;
  out.Section("Stats");
  out.Field("total_connections_received", stats.connections_received);
  out.Field("total_commands_processed", stats.commands_processed);
  out.Field("instantaneous_ops_per_sec", stats.operations_per_s);
  out.Field("total_net_input_bytes", stats.input_bytes);
  out.Field("total_net_output_bytes", stats.output_bytes);
  out.Decimal("instantaneous_input_kbps", stats.input_kib_per_s, 2);
  out.Decimal("instantaneous_output_kbps", stats.output_kib_per_s, 2);
  out.Field("rejected_connections", stats.connections_rejected);
  out.Field("sync_full", 0);
  out.Field("sync_partial_ok", 0);
  out.Field("sync_partial_err", 0);
  out.Field("expired_keys", stats.expired_keys);
  out.Decimal("expired_stale_perc", stats.expired_stale_percent, 2);
  out.Field("expired_time_cap_reached_count", stats.expired_time_cap_reached);
  out.Field("evicted_keys", stats.evicted_keys);
  out.Field("evicted_clients", stats.evicted_clients);
  out.Field("keyspace_hits", stats.keyspace_hits);
  out.Field("keyspace_misses", stats.keyspace_misses);
  out.Field("pubsub_channels", 0);
  out.Field("pubsub_patterns", 0);
  out.Field("pubsubshard_channels", 0);
  out.Field("latest_fork_usec", 0);
  out.Field("total_forks", 0);
  out.Field("tracking_total_keys", 0);
  out.Field("tracking_total_items", 0);
  out.Field("tracking_total_prefixes", 0);
  out.Field("unexpected_error_replies", 0);
  out.Field("total_error_replies", stats.error_replies);
  out.Field("total_reads_processed", stats.reads_processed);
  out.Field("total_writes_processed", stats.writes_processed);
}

namespace {

void WriteMasterFields(const ClusterState& cluster, uint64_t offset, InfoWriter& out) {
  const ClusterNode* const leader = cluster.leader();
  out.Field("master_host", leader != nullptr ? leader->host : "");
  out.Field("master_port", leader != nullptr ? leader->port : 0);
  out.Field("master_link_status", cluster.ok ? "up" : "down");
  out.Field("master_last_io_seconds_ago", leader != nullptr && cluster.ok ? leader->lag_s : -1);
  out.Field("master_sync_in_progress", 0);
  out.Field("slave_read_repl_offset", offset);
  out.Field("slave_repl_offset", offset);
  if (!cluster.ok) {
    const bool heard = leader != nullptr && leader->node != cluster.own && leader->heard_ms != 0;
    out.Field("master_link_down_since_seconds", heard ? leader->lag_s : -1);
  }
  out.Field("slave_priority", 100);
  out.Field("slave_read_only", 1);
  out.Field("replica_announced", 1);
}

void WriteReplicas(const ClusterState& cluster, InfoWriter& out) {
  std::vector<const ClusterNode*> replicas;
  for (const ClusterNode& node : cluster.nodes) {
    if (node.node != cluster.own && !node.failed) replicas.push_back(&node);
  }
  out.Field("connected_slaves", replicas.size());
  for (size_t i = 0; i < replicas.size(); ++i) {
    const ClusterNode& node = *replicas[i];
    out.Field("slave" + std::to_string(i),
              "ip=" + node.host + ",port=" + std::to_string(node.port) +
                  ",state=" + (node.loading ? "send_bulk" : "online") +
                  ",offset=" + std::to_string(node.offset) + ",lag=" + std::to_string(node.lag_s));
  }
}

}  // namespace

// The leader is the master, the others are its replicas; offsets are positions of the Raft log.
void WriteReplicationSection(const InfoFigures& figures, InfoWriter& out) {
  const ClusterState& cluster = figures.cluster;
  const ClusterNode* const self = cluster.self();
  const uint64_t offset = self != nullptr ? self->offset : 0;
  out.Section("Replication");
  if (cluster.leads()) {
    out.Field("role", "master");
    WriteReplicas(cluster, out);
  } else {
    out.Field("role", "slave");
    WriteMasterFields(cluster, offset, out);
    out.Field("connected_slaves", 0);
  }
  out.Field("master_failover_state", "no-failover");
  out.Field("master_replid", cluster.replication_id);
  out.Field("master_replid2", std::string(40, '0'));
  out.Field("master_repl_offset", offset);
  out.Field("second_repl_offset", -1);
  out.Field("repl_backlog_active", 0);
  out.Field("repl_backlog_size", 0);
  out.Field("repl_backlog_first_byte_offset", 0);
  out.Field("repl_backlog_histlen", 0);
}

void WriteCpuSection(const InfoFigures& figures, InfoWriter& out) {
  const CpuFigures& cpu = figures.cpu;
  out.Section("CPU");
  out.Decimal("used_cpu_sys", cpu.system_s, 6);
  out.Decimal("used_cpu_user", cpu.user_s, 6);
  out.Decimal("used_cpu_sys_children", cpu.children_system_s, 6);
  out.Decimal("used_cpu_user_children", cpu.children_user_s, 6);
}

void WriteModulesSection(const InfoFigures&, InfoWriter& out) { out.Section("Modules"); }

void WriteCommandstatsSection(const InfoFigures& figures, InfoWriter& out) {
  out.Section("Commandstats");
  for (const CommandFigures& command : figures.commands) {
    const uint64_t us = command.nanoseconds / 1000;
    out.Field(
        "cmdstat_" + CommandName(command.command_id),
        "calls=" + std::to_string(command.calls) + ",usec=" + std::to_string(us) +
            ",usec_per_call=" + FormatDecimal(Ratio(command.nanoseconds, command.calls) / 1000, 2) +
            ",rejected_calls=" + std::to_string(command.rejected) +
            ",failed_calls=" + std::to_string(command.failed));
  }
}

void WriteErrorstatsSection(const InfoFigures& figures, InfoWriter& out) {
  out.Section("Errorstats");
  for (const ErrorFigures& error : figures.errors) {
    out.Field("errorstat_" + error.code, "count=" + std::to_string(error.count));
  }
}

void WriteLatencystatsSection(const InfoFigures& figures, InfoWriter& out) {
  out.Section("Latencystats");
  for (const CommandPercentiles& command : figures.latencies) {
    std::string line;
    for (const auto& [percent, us] : command.us) {
      if (!line.empty()) line += ',';
      std::string shown = FormatDecimal(percent, 6);  // 50, 99, 99.9: no trailing zeros
      shown.erase(shown.find_last_not_of('0') + 1);
      if (shown.back() == '.') shown.pop_back();
      line += "p" + shown + "=" + FormatDecimal(us, 3);
    }
    out.Field("latency_percentiles_usec_" + CommandName(command.command_id), line);
  }
}

void WriteClusterSection(const InfoFigures& figures, InfoWriter& out) {
  out.Section("Cluster");
  out.Field("cluster_enabled", int{figures.cluster.enabled});
}

void WriteKeyspaceSection(const InfoFigures& figures, InfoWriter& out) {
  out.Section("Keyspace");
  for (const DbFigures& db : figures.databases) {
    out.Field("db" + std::to_string(db.index), "keys=" + std::to_string(db.keys) +
                                                   ",expires=" + std::to_string(db.expiring) +
                                                   ",avg_ttl=" + std::to_string(db.average_ttl_ms));
  }
}

void WriteRuntimeSection(const InfoFigures& figures, InfoWriter& out) {
  out.Section("Runtime");
  WriteNamed(figures.runtime, out);
}

void WriteRaftSection(const InfoFigures& figures, InfoWriter& out) {
  out.Section("Raft");
  WriteNamed(figures.raft, out);
}

void WriteHistorySection(const InfoFigures& figures, InfoWriter& out) {
  out.Section("History");
  for (size_t i = 0; i < figures.history.size(); ++i) {
    const HistorySample& sample = figures.history[i];
    std::string line = "unix_ms=" + std::to_string(sample.unix_ms);
    for (size_t f = 0; f < kHistoryFigures.size(); ++f) {
      line += "," + std::string(kHistoryFigures[f]) + "=" +
              std::to_string(static_cast<int64_t>(sample.figures[f]));
    }
    out.Field("history_" + std::to_string(i), line);
  }
}

}  // namespace kiwi::commands
