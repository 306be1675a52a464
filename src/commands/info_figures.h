// The figures behind INFO, MEMORY STATS and RAFT.STATUS: plain data that the server fills and
// commands/info.cc words. What a server cannot know stays at its default.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "commands/cluster_state.h"

namespace kiwi::commands {

struct NamedFigure {
  std::string name;
  std::variant<int64_t, double, std::string> value;
};

struct DbFigures {
  int index = 0;
  uint64_t keys = 0;
  uint64_t expiring = 0;
  int64_t average_ttl_ms = 0;
};

struct CommandFigures {
  int command_id = 0;  // CommandTable::ById
  uint64_t calls = 0;
  uint64_t nanoseconds = 0;
  uint64_t rejected = 0;  // refused before the call: arity, AUTH, OOM …
  uint64_t failed = 0;    // the call answered an error
};

// The time, in microseconds, below which each of the given percentages of a command's calls stayed.
struct CommandPercentiles {
  int command_id = 0;
  std::vector<std::pair<double, double>> us;  // (percent, microseconds)
};

struct ErrorFigures {
  std::string code;  // "ERR", "WRONGTYPE"
  uint64_t count = 0;
};

// Bytes.
struct MemoryFigures {
  uint64_t used = 0;  // allocated by the program (jemalloc's stats.allocated)
  uint64_t peak = 0;
  uint64_t at_startup = 0;
  uint64_t dataset = 0;  // objects and tables of the keyspace
  uint64_t clients = 0;
  uint64_t raft_log = 0;  // entries kept in memory
  uint64_t backends = 0;  // caches and memtables of the storage backends
  uint64_t resident = 0;  // of the process
  uint64_t allocator_allocated = 0;
  uint64_t allocator_active = 0;
  uint64_t allocator_resident = 0;
  uint64_t system_total = 0;
  uint64_t pending_frees = 0;     // large values and databases that wait to be freed
  uint64_t background_frees = 0;  // and those that were
  uint64_t maxmemory = 0;
  std::string maxmemory_policy = "noeviction";
  std::string allocator = "libc";  // "jemalloc-5.3.0"
};

struct ServerFigures {
  std::string version;  // Kiwi's
  std::string build_id;
  std::string os;  // "Linux 6.1.0 x86_64"
  std::string executable;
  std::string config_file;  // empty: none
  std::string run_id;       // 40 hexadecimal digits, new at each start
  int64_t process_id = 0;
  int tcp_port = 0;
  int64_t now_us = 0;
  int64_t uptime_s = 0;
  bool shutting_down = false;
};

struct ClientFigures {
  uint64_t connected = 0;
  uint64_t maxclients = 0;
  uint64_t blocked = 0;
  uint64_t largest_query_bytes = 0;   // over recent seconds
  uint64_t largest_output_bytes = 0;  // likewise
};

// Durability: the log, and checkpoints of the keyspace behind it.
struct PersistenceFigures {
  bool loading = false;
  bool checkpoint_running = false;
  bool last_checkpoint_ok = true;
  int64_t last_checkpoint_unix_s = 0;
  int64_t last_checkpoint_ms = -1;        // how long it took; -1: none yet
  int64_t current_checkpoint_s = -1;      // running for so long; -1: none runs
  uint64_t checkpoints = 0;               // completed since the start
  uint64_t changes_since_checkpoint = 0;  // applied entries behind it
  std::string fsync = "always";           // raft.fsync
  bool last_log_write_ok = true;
  uint64_t log_bytes = 0;
  uint64_t log_base_bytes = 0;
};

struct StatFigures {
  uint64_t connections_received = 0;
  uint64_t connections_rejected = 0;
  uint64_t commands_processed = 0;
  int64_t operations_per_s = 0;
  uint64_t input_bytes = 0;
  uint64_t output_bytes = 0;
  double input_kib_per_s = 0;
  double output_kib_per_s = 0;
  uint64_t expired_keys = 0;
  double expired_stale_percent = 0;
  uint64_t expired_time_cap_reached = 0;
  uint64_t evicted_keys = 0;
  uint64_t evicted_clients = 0;
  uint64_t keyspace_hits = 0;
  uint64_t keyspace_misses = 0;
  uint64_t error_replies = 0;
  uint64_t reads_processed = 0;  // socket reads and writes
  uint64_t writes_processed = 0;
};

struct CpuFigures {
  double system_s = 0;
  double user_s = 0;
  double children_system_s = 0;
  double children_user_s = 0;
  double main_thread_system_s = 0;
  double main_thread_user_s = 0;
};

// The history's figures, as INFO history and RAFT.STATUS HISTORY name them.
inline constexpr std::array<std::string_view, 10> kHistoryFigures = {
    "commands_per_second", "clients", "queued_batches", "network_threads", "storage_threads",
    "backpressure_events", "term",    "commit_index",   "applied_index",   "lag_entries"};

struct HistorySample {
  int64_t unix_ms = 0;
  std::array<double, kHistoryFigures.size()> figures{};
};

struct InfoFigures {
  ServerFigures server;
  ClientFigures clients;
  MemoryFigures memory;
  PersistenceFigures persistence;
  StatFigures stats;
  CpuFigures cpu;
  std::vector<CommandFigures> commands;  // those that were ever called or rejected
  std::vector<CommandPercentiles> latencies;
  std::vector<ErrorFigures> errors;
  std::vector<DbFigures> databases;    // those that are not empty
  std::vector<NamedFigure> runtime;    // Kiwi's pools and channel, in the order to show
  std::vector<NamedFigure> raft;       // as RAFT.STATUS shows them
  std::vector<HistorySample> history;  // the latest last
  ClusterState cluster;
};

// What the caller will use; the rest need not be collected.
enum InfoNeed : uint32_t {
  kNeedBasics = 1u << 0,  // server, clients, memory, persistence, stats, cpu
  kNeedCommands = 1u << 1,
  kNeedErrors = 1u << 2,
  kNeedDatabases = 1u << 3,  // takes shard locks
  kNeedRuntime = 1u << 4,
  kNeedRaft = 1u << 5,
  kNeedLatencies = 1u << 6,
  kNeedHistory = 1u << 7,
};

}  // namespace kiwi::commands
