#include "server/settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/numbers.h"
#include "server/internal_write.h"
#include "server/settings_cluster.h"
#include "server/settings_metrics.h"
#include "server/settings_runtime.h"
#include "server/settings_scaling.h"

namespace kiwi::server {

using config::Config;

namespace {

raft::FsyncMode FsyncOf(const std::string& name) {
  if (name == "everysec") return raft::FsyncMode::kEverysec;
  if (name == "no") return raft::FsyncMode::kNo;
  return raft::FsyncMode::kAlways;
}

LogLevel LevelOf(const std::string& name) {
  if (name == "trace") return LogLevel::kTrace;
  if (name == "debug") return LogLevel::kDebug;
  if (name == "verbose") return LogLevel::kDebug;
  if (name == "warning") return LogLevel::kWarn;
  if (name == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

DebugAccess DebugAccessOf(const std::string& name) {
  if (name == "yes") return DebugAccess::kYes;
  return name == "local" ? DebugAccess::kLocal : DebugAccess::kNo;
}

raft::NodeOptions MakeNodeOptions(const Config& config) {
  raft::NodeOptions node;
  const int64_t heartbeat_ms = config.Get<"raft.heartbeat-ms">();
  node.core.id = static_cast<raft::NodeId>(config.Get<"raft.node-id">());
  // Fine enough that two nodes rarely draw the same election timeout.
  node.tick_ms = std::max<int64_t>(5, heartbeat_ms / 5);
  const int64_t election_ms = config.Get<"raft.election-timeout-min-ms">();
  node.core.heartbeat_ticks = static_cast<int>(heartbeat_ms / node.tick_ms);
  node.core.election_ticks = static_cast<int>(election_ms / node.tick_ms);
  // Two clocks that drift apart count differently by twice that; and a tick is cut off at each end.
  node.core.lease_margin_ticks =
      1 + static_cast<int>(node.core.election_ticks * 2 * config.Get<"raft.clock-drift-percent">() /
                           100);
  node.core.max_uncommitted_bytes =
      static_cast<uint64_t>(config.Get<"raft.max-uncommitted-bytes">());
  node.fsync = FsyncOf(config.Get<"raft.fsync">());
  node.max_entry_bytes = static_cast<size_t>(config.Get<"raft.max-entry-bytes">());
  node.snapshot_entries = static_cast<uint64_t>(config.Get<"raft.snapshot-entries">());
  node.snapshot_bytes = static_cast<uint64_t>(config.Get<"raft.snapshot-bytes">());
  node.log_max_bytes = static_cast<uint64_t>(config.Get<"raft.log-max-bytes">());
  node.storage_retry_ms = config.Get<"raft.storage-retry-ms">();
  node.leader_wait_ms = config.Get<"raft.leader-wait-ms">();
  return node;
}

EngineOptions MakeEngineOptions(const Config& config) {
  EngineOptions engine;
  engine.dir = config.Get<"dir">();
  engine.log_dir = config.Get<"raft.log-dir">();
  engine.backend = config.Get<"storage.backend">();
  engine.boot_id = config.Get<"fault.boot-id">();
  engine.log_buffer_bytes = static_cast<size_t>(config.Get<"raft.log-write-buffer-bytes">());
  engine.log_cache_bytes = static_cast<uint64_t>(config.Get<"raft.log-cache-bytes">());
  engine.state_buffer_bytes = static_cast<size_t>(config.Get<"storage.write-buffer-bytes">());
  engine.block_cache_bytes = static_cast<size_t>(config.Get<"storage.block-cache-bytes">());
  engine.max_open_files = static_cast<int>(config.Get<"storage.max-open-files">());
  engine.background_threads = static_cast<int>(config.Get<"storage.background-threads">());
  engine.keyspace.databases = static_cast<int>(config.Get<"databases">());
  engine.keyspace.hash_max_listpack_entries =
      static_cast<uint32_t>(config.Get<"hash-max-listpack-entries">());
  engine.keyspace.hash_max_listpack_value =
      static_cast<uint32_t>(config.Get<"hash-max-listpack-value">());
  engine.node = MakeNodeOptions(config);
  return engine;
}

// Tried, since rights do not tell of a file system that is read-only. Empty: it can be written to.
std::string WhyNotWritable(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return "cannot be made: " + error.message();
  std::string probe = folder + "/.writable-XXXXXX";
  const int fd = mkostemp(probe.data(), O_CLOEXEC);
  if (fd < 0 && (errno == ENOSPC || errno == EDQUOT)) return {};  // what is there can be read
  if (fd < 0) return std::string("cannot be written to: ") + std::strerror(errno);
  close(fd);
  unlink(probe.c_str());
  return {};
}

// Changes the limits through the log, so that replay finds them where they changed.
Status SetHashLimits(const Config& config, Server* server) {
  const auto entries = config.Get<"hash-max-listpack-entries">();
  const auto value = config.Get<"hash-max-listpack-value">();
  const auto& current = server->engine().keyspace().options();
  if (current.hash_max_listpack_entries == entries && current.hash_max_listpack_value == value) {
    return {};
  }
  const std::string reply = ExecuteInternalWrite(
      server->engine().node(), 0, {"_hash-limits", std::to_string(entries), std::to_string(value)});
  if (reply.starts_with('-')) {
    return {StatusCode::kUnavailable, reply.substr(1, reply.find('\r') - 1)};
  }
  return {};
}

}  // namespace

ServerOptions MakeServerOptions(const Config& config) {
  ServerOptions options;
  options.engine = MakeEngineOptions(config);
  options.listener.bind = config.Get<"bind">();
  options.listener.port = static_cast<int>(config.Get<"port">());
  options.listener.backlog = static_cast<int>(config.Get<"tcp-backlog">());
  options.listener.unix_socket = config.Get<"unixsocket">();
  options.listener.unix_socket_permissions = static_cast<unsigned>(config.Get<"unixsocketperm">());
  options.loop.read_chunk_bytes = static_cast<size_t>(config.Get<"network.read-chunk-bytes">());
  options.channel = MakeChannelOptions(config);
  options.breaker = MakeBreakerSettings(config);
  options.elastic = MakeElasticOptions(config);
  options.metrics = MakeMetricsOptions(config);
  options.debug_access = DebugAccessOf(config.Get<"enable-debug-command">());
  options.shutdown_timeout_ms = config.Get<"shutdown-timeout">() * 1000;
  return options;
}

LogOptions MakeLogOptions(const Config& config) {
  return {.level = LevelOf(config.Get<"loglevel">()), .file = config.Get<"logfile">()};
}

FaultOptions MakeFaultOptions(const Config& config, raft::NodeId node) {
  return {.node = node,
          .file_layer = config.Get<"fault.file-layer">() != "no",
          .probability = static_cast<double>(config.Get<"fault.probability-percent">()) / 100,
          .amounts = {{"delay", config.Get<"fault.delay-ms">()},
                      {"reorder", config.Get<"fault.reorder-ms">()},
                      {"pause", config.Get<"fault.pause-ms">()},
                      {"slow-disk", config.Get<"fault.slow-disk-ms">()},
                      {"disk-full", config.Get<"fault.disk-full-bytes">()},
                      {"clock-skew", config.Get<"fault.clock-skew-ms">()},
                      {"clock-drift", config.Get<"fault.clock-drift-percent">()}}};
}

Status CheckFolders(const Config& config) {
  for (const std::string_view option : {"dir", "raft.log-dir"}) {
    const std::string folder = *config.Find(option);
    if (folder.empty()) continue;
    if (const std::string why = WhyNotWritable(folder); !why.empty()) {
      return {StatusCode::kConfig, config.Where(option) + ": " + why +
                                       "; allowed: a folder that this user may make or write to"};
    }
  }
  return {};
}

void BindSettings(Config* config, Server* server) {
  // Each setting is brought in once now, and again by its listener.
  auto bind = [config](std::initializer_list<std::string_view> names, auto apply) {
    apply(*config);
    config->OnChange(names, [apply](const Config& changed) {
      apply(changed);
      return Status::Ok();
    });
  };
  bind({"requirepass"}, [server](const Config& c) { server->SetPassword(c.Get<"requirepass">()); });
  bind({"maxclients"}, [server](const Config& c) {
    server->SetMaxClients(static_cast<size_t>(c.Get<"maxclients">()));
  });
  bind({"timeout"}, [server](const Config& c) { server->SetTimeout(c.Get<"timeout">() * 1000); });
  bind({"tcp-keepalive"}, [server](const Config& c) {
    server->SetKeepAlive(static_cast<int>(c.Get<"tcp-keepalive">()));
  });
  bind({"protected-mode"},
       [server](const Config& c) { server->SetProtectedMode(c.Get<"protected-mode">()); });
  bind({"proto-max-bulk-len"}, [server](const Config& c) {
    server->SetMaxBulk(static_cast<uint64_t>(c.Get<"proto-max-bulk-len">()));
  });
  bind({"client-query-buffer-limit"}, [server](const Config& c) {
    server->SetQueryBufferLimit(static_cast<size_t>(c.Get<"client-query-buffer-limit">()));
  });
  bind({"client-output-buffer-limit"}, [server](const Config& c) {
    const config::OutputLimit limit = c.Get<"client-output-buffer-limit">().normal;
    server->SetOutputLimit({.hard_bytes = limit.hard_bytes,
                            .soft_bytes = limit.soft_bytes,
                            .soft_seconds = limit.soft_seconds});
  });
  bind({"network.reply-backlog-bytes"}, [server](const Config& c) {
    server->SetReplyBacklog(static_cast<size_t>(c.Get<"network.reply-backlog-bytes">()));
  });
  bind({"network.read-only"},
       [server](const Config& c) { server->executor().SetReadOnly(c.Get<"network.read-only">()); });
  bind({"runtime.storage-reserve"}, [server](const Config& c) {
    server->workers().SetReserve(c.Get<"runtime.storage-reserve">());
  });
  bind({"runtime.helping"},
       [server](const Config& c) { server->SetHelping(c.Get<"runtime.helping">()); });
  bind({"maxmemory"}, [server](const Config& c) {
    server->executor().SetMaxMemory(static_cast<uint64_t>(c.Get<"maxmemory">()));
  });
  bind({"loglevel"}, [](const Config& c) { SetLogLevel(LevelOf(c.Get<"loglevel">())); });
  bind({"slowlog-max-len"}, [server](const Config& c) {
    server->slowlog().SetMaxLength(static_cast<size_t>(c.Get<"slowlog-max-len">()));
  });
  bind({"slowlog-log-slower-than", "latency-monitor-threshold"}, [server](const Config& c) {
    server->latency().SetThresholdMs(c.Get<"latency-monitor-threshold">());
    server->UpdateSlowThreshold(c.Get<"slowlog-log-slower-than">());
  });
  bind({"latency-tracking"}, [server](const Config& c) {
    server->stats().SetLatencyTracking(c.Get<"latency-tracking">());
  });
  bind({"latency-tracking-info-percentiles"}, [server](const Config& c) {
    std::vector<double> percents;
    for (const std::string& word : c.Get<"latency-tracking-info-percentiles">()) {
      if (double percent = 0; ParseDouble(word, &percent)) percents.push_back(percent);
    }
    server->stats().SetLatencyPercentiles(std::move(percents));
  });
  BindScaling(config, server);
  BindMetrics(config, server);
  BindRuntime(config, server);
  BindCluster(config, server);
  config->OnChange({"hash-max-listpack-entries", "hash-max-listpack-value"},
                   [server](const Config& c) { return SetHashLimits(c, server); });
}

void ApplyReplicatedSettings(const Config& config, Server* server) {
  if (const Status status = SetHashLimits(config, server); !status.ok()) {
    KIWI_LOG(kWarn, "hash limits of the configuration not applied error=\"{}\"", status.ToString());
  }
}

}  // namespace kiwi::server
