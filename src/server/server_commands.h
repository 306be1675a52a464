// The server as its commands see it (commands/server_view.h).
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "commands/server_view.h"
#include "config/config.h"
#include "server/group_admin.h"
#include "server/server.h"

namespace kiwi::server {

// Thread-safe.
class ServerCommands final : public commands::ServerView {
 public:
  // All outlive it. request_shutdown ends the process in good order, request_restart begins it anew
  // (GroupAdmin); called from any thread. faults: null unless they are enabled.
  ServerCommands(Server* server, config::Config* config, Clock* clock,
                 std::function<void(const commands::ShutdownRequest&)> request_shutdown,
                 std::function<void()> request_restart, commands::FaultView* faults);

  GroupAdmin& group_admin() { return group_; }

  Clock& clock() override { return *clock_; }
  bool PasswordRequired() const override { return server_->PasswordRequired(); }
  bool CheckPassword(std::string_view user, std::string_view password) const override;
  std::vector<commands::NameValue> ConfigList() const override { return config_->List(); }
  std::optional<commands::ConfigSetError> ConfigSet(commands::NameValueViews options) override;
  Status ConfigRewrite() override { return config_->Rewrite(); }
  void CollectInfo(uint32_t needs, commands::InfoFigures* figures) override;
  bool cluster_enabled() const override { return server_->options().cluster_enabled; }
  commands::ClusterState DescribeCluster() override;
  uint64_t ReplicasWith(uint64_t index) override {
    return server_->engine().node().ReplicasWith(index);
  }
  void ResetStats() override { server_->stats().Reset(); }
  std::string AllocatorReport() override;
  void PurgeAllocator() override;
  std::vector<commands::ClientInfo> ListClients(const commands::ClientFilter& filter) override;
  size_t KillClients(const commands::ClientFilter& filter, uint64_t self_id) override;
  bool UnblockClient(uint64_t id, bool by_error) override;
  void PauseClients(commands::PauseMode mode, int64_t until_wall_ms) override {
    server_->PauseClients(mode, until_wall_ms);
  }
  void UnpauseClients() override { server_->UnpauseClients(); }
  std::vector<commands::SlowlogEntry> Slowlog(size_t count_max) const override;
  size_t SlowlogLength() const override { return server_->slowlog().length(); }
  void SlowlogReset() override { server_->slowlog().Reset(); }
  int64_t LatencyThresholdMs() const override { return server_->latency().threshold_ms(); }
  std::vector<commands::LatencyEvent> LatencyEvents() const override;
  size_t LatencyReset(std::span<const std::string_view> events) override;
  std::vector<commands::CommandHistogram> LatencyHistograms() const override;
  Status Checkpoint(bool wait) override;
  Result<commands::BackupReport> Backup(std::string_view path) override;
  Status RequestShutdown(const commands::ShutdownRequest& request) override;
  bool AbortShutdown() override { return false; }  // a shutdown is not held up, so none waits
  void ReadKeyspace(int db, keyspace::ShardSet shards,
                    FunctionRef<void(keyspace::Db&)> read) override;
  std::string ExecuteWrite(int db, std::span<const std::string_view> args) override;
  Status SetDiskFault(std::string_view fault, std::string_view value) override;
  commands::GroupView* group() override { return &group_; }
  commands::FaultView* faults() override { return faults_; }
  void SetActiveExpire(bool on) override { server_->SetActiveExpire(on); }
  void SleepUs(int64_t us) override;
  void HoldShards(keyspace::ShardSet shards, int64_t us) override;
  int ShardHolders() const override { return shard_holders_.load(); }
  void ReleaseShards() override { shard_releases_.fetch_add(1); }
  void BeforeRest() override;
  void PauseReads(bool on) override { reads_pause_.store(on); }
  int PausedReads() const override { return paused_reads_.load(); }

 private:
  void CollectBasics(commands::InfoFigures* figures);
  void CollectMemory(commands::MemoryFigures* memory);
  void CollectDatabases(commands::InfoFigures* figures);
  void CollectRuntime(commands::InfoFigures* figures);
  void CollectBackpressure(commands::InfoFigures* figures);
  void CollectBreaker(commands::InfoFigures* figures);
  void CollectRaft(commands::InfoFigures* figures);

  Server* const server_;
  config::Config* const config_;
  Clock* const clock_;
  const std::function<void(const commands::ShutdownRequest&)> request_shutdown_;
  GroupAdmin group_;
  commands::FaultView* const faults_;
  const std::string run_id_;
  std::atomic<uint64_t> memory_at_start_{0};
  std::atomic<bool> reads_pause_{false};
  std::atomic<int> paused_reads_{0};
  std::atomic<int> shard_holders_{0};
  std::atomic<uint64_t> shard_releases_{0};
};

}  // namespace kiwi::server
