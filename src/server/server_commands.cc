#include "server/server_commands.h"

#include <chrono>
#include <thread>

#include "base/random.h"
#include "server/allocator.h"
#include "server/backup.h"
#include "server/internal_write.h"
#include "storage/file_layer.h"

namespace kiwi::server {
namespace {

std::string MakeRunId() {
  static constexpr char kHex[] = "0123456789abcdef";
  Random random(EntropySeed());
  std::string id;
  for (int i = 0; i < 40; ++i) id.push_back(kHex[random.Below(16)]);
  return id;
}

}  // namespace

ServerCommands::ServerCommands(
    Server* server, config::Config* config, Clock* clock,
    std::function<void(const commands::ShutdownRequest&)> request_shutdown,
    std::function<void()> request_restart, commands::FaultView* faults)
    : server_(server),
      config_(config),
      clock_(clock),
      request_shutdown_(std::move(request_shutdown)),
      group_(server, clock, std::move(request_restart)),
      faults_(faults),
      run_id_(MakeRunId()) {}

bool ServerCommands::CheckPassword(std::string_view user, std::string_view password) const {
  if (user != "default") return false;
  return !server_->PasswordRequired() || server_->CheckPassword(password);
}

std::optional<commands::ConfigSetError> ServerCommands::ConfigSet(
    commands::NameValueViews options) {
  auto error = config_->Set(options);
  if (!error) return std::nullopt;
  return commands::ConfigSetError{.unknown = error->unknown,
                                  .name = std::move(error->name),
                                  .reason = std::move(error->reason)};
}

Status ServerCommands::SetDiskFault(std::string_view fault, std::string_view value) {
  storage::FileLayer* const layer = server_->options().engine.file_layer;
  if (layer == nullptr) {
    return {
        StatusCode::kUnavailable,
        "fault injection is disabled: set fault.enabled yes (and fault.file-layer not to no) in "
        "the configuration and start the server anew"};
  }
  return layer->faults().Set(fault, value);
}

std::string ServerCommands::AllocatorReport() { return ReadAllocatorReport(); }
void ServerCommands::PurgeAllocator() { ReleaseFreeMemory(); }

commands::ClusterState ServerCommands::DescribeCluster() {
  Cluster* const cluster = server_->cluster();
  return server_->roster().Describe(cluster != nullptr ? &cluster->transport() : nullptr);
}

std::vector<commands::ClientInfo> ServerCommands::ListClients(
    const commands::ClientFilter& filter) {
  return server_->registry().List(filter, clock_->MonotonicNs() / 1'000'000);
}

size_t ServerCommands::KillClients(const commands::ClientFilter& filter, uint64_t self_id) {
  return server_->registry().Kill(filter, self_id, clock_->MonotonicNs() / 1'000'000);
}

bool ServerCommands::UnblockClient(uint64_t id, bool by_error) {
  return server_->registry().Unblock(id, by_error);
}

std::vector<commands::SlowlogEntry> ServerCommands::Slowlog(size_t count_max) const {
  return server_->slowlog().Newest(count_max);
}

std::vector<commands::LatencyEvent> ServerCommands::LatencyEvents() const {
  return server_->latency().Events();
}

size_t ServerCommands::LatencyReset(std::span<const std::string_view> events) {
  return server_->latency().Reset(events);
}

std::vector<commands::CommandHistogram> ServerCommands::LatencyHistograms() const {
  return server_->stats().Histograms();
}

Status ServerCommands::Checkpoint(bool wait) {
  raft::Node& node = server_->engine().node();
  if (wait) return node.WaitCheckpoint();
  if (node.GetStatus().checkpoint_running) {
    return {StatusCode::kBusy, "a checkpoint is being written"};
  }
  node.RequestCheckpoint();
  return {};
}

Result<commands::BackupReport> ServerCommands::Backup(std::string_view path) {
  Engine& engine = server_->engine();
  KIWI_ASSIGN_OR_RETURN(const std::string target, BackupPath(engine.dir(), std::string(path)));
  KIWI_RETURN_IF_ERROR(engine.node().WaitCheckpoint());
  KIWI_ASSIGN_OR_RETURN(const BackupInfo info, WriteBackup(engine.snapshots(), target));
  return commands::BackupReport{
      .path = info.path, .index = info.index, .term = info.term, .bytes = info.bytes};
}

Status ServerCommands::RequestShutdown(const commands::ShutdownRequest& request) {
  const bool save = request.save != commands::ShutdownRequest::Save::kNo;
  if (save && !request.now) {
    const Status status = server_->engine().node().WaitCheckpoint();
    if (!status.ok() && !request.force) return status;
  }
  request_shutdown_(request);
  return {};
}

void ServerCommands::ReadKeyspace(int db_index, keyspace::ShardSet shards,
                                  FunctionRef<void(keyspace::Db&)> read) {
  keyspace::Keyspace& keyspace = server_->engine().keyspace();
  // Nothing is proposed on its behalf: what expires, it sees as the replicated clock has it.
  keyspace::WallView wall(clock_);
  const auto read_now = [&] {
    keyspace::Db db(keyspace, db_index, server_->executor().ReadMoment(&wall));
    read(db);
  };
  if (Executor::HoldsShards()) return read_now();
  const keyspace::ShardLock lock(keyspace, shards, keyspace::LockMode::kShared);
  read_now();
}

std::string ServerCommands::ExecuteWrite(int db, std::span<const std::string_view> args) {
  if (Executor::HoldsShards()) return {};
  return ExecuteInternalWrite(server_->engine().node(), db, {args.begin(), args.end()});
}

void ServerCommands::SleepUs(int64_t us) {
  constexpr int64_t kPieceUs = 10'000;
  const int64_t end_ns = clock_->MonotonicNs() + us * 1000;
  while (!server_->draining()) {
    const int64_t left_us = (end_ns - clock_->MonotonicNs()) / 1000;
    if (left_us <= 0) return;
    std::this_thread::sleep_for(std::chrono::microseconds(std::min(left_us, kPieceUs)));
  }
}

void ServerCommands::HoldShards(keyspace::ShardSet shards, int64_t us) {
  constexpr int64_t kPieceUs = 1000;
  const int64_t end_ns = clock_->MonotonicNs() + us * 1000;
  ReadKeyspace(0, shards, [&](keyspace::Db&) {
    const uint64_t releases = shard_releases_.load();
    shard_holders_.fetch_add(1);
    while (shard_releases_.load() == releases && clock_->MonotonicNs() < end_ns &&
           !server_->draining()) {
      SleepUs(kPieceUs);
    }
    shard_holders_.fetch_sub(1);
  });
}

void ServerCommands::BeforeRest() {
  if (!reads_pause_.load(std::memory_order_relaxed)) return;
  constexpr int64_t kPieceUs = 1000;
  paused_reads_.fetch_add(1);
  while (reads_pause_.load() && !server_->draining()) {
    SleepUs(kPieceUs);
    server_->engine().keyspace().BetweenHolds();
  }
  paused_reads_.fetch_sub(1);
}

}  // namespace kiwi::server
