// A Kiwi server: listener, net loops, priority channel, worker pool, engine; and the services that
// sessions use.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "commands/client_info.h"
#include "commands/server_view.h"
#include "net/listener.h"
#include "net/loop_pool.h"
#include "protocol/request_parser.h"
#include "runtime/priority_channel.h"
#include "runtime/worker_pool.h"
#include "server/breaker.h"
#include "server/client_registry.h"
#include "server/cluster.h"
#include "server/elastic.h"
#include "server/engine.h"
#include "server/executor.h"
#include "server/latency.h"
#include "server/loop_state.h"
#include "server/metrics_service.h"
#include "server/redirect.h"
#include "server/replica_waits.h"
#include "server/roster.h"
#include "server/slowlog.h"
#include "server/stage_stats.h"
#include "server/stats.h"

namespace kiwi::server {

class Session;

// client-output-buffer-limit of normal clients; 0: no limit.
struct OutputLimit {
  size_t hard_bytes = 0;
  size_t soft_bytes = 0;
  int64_t soft_seconds = 0;
};

inline constexpr std::string_view kKiwiVersion = "0.1.0";

enum class DebugAccess : uint8_t { kNo, kLocal, kYes };

enum class SubmitResult : uint8_t {
  kTaken,
  kFull,    // the level has no room
  kPaused,  // CLIENT PAUSE holds it up
};

struct ServerOptions {
  EngineOptions engine;
  std::optional<ClusterOptions> cluster;  // none: a group of its own for good
  ClientAddress client_address;           // as clients are told
  bool cluster_enabled = false;           // clients are sent to the leader
  net::ListenerOptions listener;
  net::LoopOptions loop;
  runtime::ChannelOptions channel;
  ElasticOptions elastic;
  MetricsOptions metrics;
  BreakerSettings breaker;
  DebugAccess debug_access = DebugAccess::kNo;
  int64_t shutdown_timeout_ms = 10'000;
  int64_t step_down_timeout_ms = 2'000;  // for another node to take over the leadership
};

class Server {
 public:
  // `view` is what commands see. The clock outlives the server, the view all that Start has begun.
  Server(const ServerOptions& options, std::unique_ptr<Engine> engine, Clock* clock);
  ~Server();

  // Once, before settings are brought in and before Start.
  void SetView(commands::ServerView* view);
  // Who follows invitations into a group (Cluster::SetInvited). Before Start.
  void SetInvited(std::function<Status(const Invitation&)> invited) {
    invited_ = std::move(invited);
  }
  // Binds, elects, replays, then accepts. When it fails, all that it had begun has ended, as by Stop.
  Status Start();
  // Takes no new requests, lets those under way finish (up to shutdown_timeout_ms), then ends all
  // threads. Idempotent.
  void Stop();

  // --- settings that may change while it runs; any thread ---
  void SetPassword(std::string_view password) KIWI_EXCLUDES(settings_mu_);
  void SetMaxClients(size_t n) { max_clients_ = n; }
  void SetTimeout(int64_t ms) { timeout_ms_ = ms; }
  void SetQueryBufferLimit(size_t bytes) { query_buffer_limit_ = bytes; }
  void SetMaxBulk(uint64_t bytes) { max_bulk_bytes_ = bytes; }
  void SetOutputLimit(const OutputLimit& limit);
  // Unsent replies beyond which a connection is neither read nor executed further.
  void SetReplyBacklog(size_t bytes) { reply_backlog_bytes_ = bytes; }
  size_t reply_backlog() const { return reply_backlog_bytes_.load(std::memory_order_relaxed); }
  void SetActiveExpire(bool on) { active_expire_ = on; }
  // CLIENT PAUSE: batches (or those that write) wait until then, or until UnpauseClients.
  void PauseClients(commands::PauseMode mode, int64_t until_wall_ms);
  void UnpauseClients();
  // Of the requests of connections that chose none by CLIENT PRIORITY; commands by full name. user: of
  // the authenticated user, in place of `others`; none of its commands runs above it.
  void SetDefaultPriorities(runtime::Priority others, std::optional<runtime::Priority> user,
                            const std::vector<std::string>& high,
                            const std::vector<std::string>& low);
  // Of the connections that chose none by CLIENT CONSISTENCY.
  void SetDefaultConsistency(commands::ReadConsistency reads) { default_consistency_ = reads; }
  void SetHelping(bool on) { helping_ = on; }
  void SetProtectedMode(bool on) { protected_mode_ = on; }
  void SetKeepAlive(int seconds) { tcp_keepalive_s_ = seconds; }
  // Recomputes what the executor must report as slow, after the slow log's or the latency monitor's
  // threshold has changed.
  void UpdateSlowThreshold(int64_t slowlog_us);

  // --- for sessions ---
  Executor& executor() { return *executor_; }
  bool PasswordRequired() const { return password_required_.load(std::memory_order_relaxed); }
  bool CheckPassword(std::string_view password) const KIWI_EXCLUDES(settings_mu_);
  protocol::ParserLimits parser_limits() const {
    return {.max_bulk_bytes = max_bulk_bytes_.load(std::memory_order_relaxed)};
  }
  size_t query_buffer_limit() const { return query_buffer_limit_.load(std::memory_order_relaxed); }
  OutputLimit output_limit() const;
  int64_t timeout_ms() const { return timeout_ms_.load(std::memory_order_relaxed); }
  bool DebugAllowed(bool local) const;
  runtime::Priority DefaultPriority(const commands::Command& command) const {
    return default_priorities_[static_cast<size_t>(command.id)].load(std::memory_order_relaxed);
  }
  commands::ReadConsistency default_consistency() const {
    return default_consistency_.load(std::memory_order_relaxed);
  }
  // Unless it is taken, the session waits to be asked to submit again.
  SubmitResult Submit(Batch& batch);
  void OnBatchBack() { under_way_.fetch_sub(1, std::memory_order_relaxed); }
  // As LoopPool::MoveAway.
  bool MoveAway(net::Connection& connection, std::function<void(net::Connection&)> done) {
    return loops_.MoveAway(connection, std::move(done));
  }
  Backpressure& backpressure() { return backpressure_; }
  BatchLatencies Latencies() const;  // since the start
  void OnSessionClosed(Session& session, const Status& reason);
  void DeleteSession(Session* session);
  void CountOutput(size_t bytes) { stats_.Local().Add(Counter::kOutputBytes, bytes); }
  bool draining() const { return draining_.load(std::memory_order_relaxed); }

  // --- for the view ---
  Engine& engine() { return *engine_; }
  Cluster* cluster() { return cluster_.get(); }  // null: there is no raft.port
  const Roster& roster() const { return roster_; }
  Stats& stats() { return stats_; }
  StageStats& stages() { return stages_; }
  MetricsService& metrics() { return metrics_; }
  Clock& clock() { return *clock_; }
  Slowlog& slowlog() { return slowlog_; }
  LatencyMonitor& latency() { return latency_; }
  ClientRegistry& registry() { return registry_; }
  runtime::PriorityChannel& channel() { return channel_; }
  runtime::WorkerPool& workers() { return workers_; }
  const net::LoopPool& loops() const { return loops_; }
  Elastic& elastic() { return elastic_; }
  Breaker& breaker() { return breaker_; }
  // The most that was ever seen allocated, as often as it is looked at.
  uint64_t memory_peak() const { return memory_peak_.load(std::memory_order_relaxed); }
  void NoteMemory(uint64_t used);
  std::vector<std::string> addresses() const { return listener_->addresses(); }
  const ServerOptions& options() const { return options_; }
  size_t max_clients() const { return max_clients_; }
  int64_t started_ms() const { return started_ms_; }
  uint64_t expired_keys() const { return expired_keys_; }

 private:
  // Asks the node to apply what is committed.
  class ApplyTask final : public runtime::Task {
   public:
    explicit ApplyTask(Server* server) : server_(server) {}
    void Run() override;
    std::atomic<bool> scheduled{false};

   private:
    Server* const server_;
  };

  // Writes down that the log can be trusted again, which waits for the disk.
  class TrustTask final : public runtime::Task {
   public:
    explicit TrustTask(Server* server) : server_(server) {}
    void Run() override;
    std::atomic<bool> scheduled{false};

   private:
    Server* const server_;
  };

  Status Begin();
  void SetUpLoop(net::Loop& loop);
  bool DrainOnLoop(net::Loop& loop);
  void ScheduleApply(bool fast);
  void Resume(Batch& batch);
  void AskBreaker(Batch& batch);
  runtime::Affinity AffinityOf(const Batch& batch) const;
  void Adopt(net::Loop& loop, int fd);
  void KillSession(uint64_t id);
  void OnSpace();
  void Cron();
  void ExpireCycle();
  void OnSlowCall(const commands::Command& command, const Session& session, commands::Args args,
                  int64_t elapsed_ns);

  const ServerOptions options_;
  Clock* const clock_;
  const std::unique_ptr<Engine> engine_;
  std::function<Status(const Invitation&)> invited_;
  std::unique_ptr<Cluster> cluster_;
  Roster roster_;
  const Redirect redirect_;
  int64_t started_ms_ = 0;

  Stats stats_;
  StageStats stages_;
  Slowlog slowlog_;
  LatencyMonitor latency_;
  ClientRegistry registry_;
  runtime::PriorityChannel channel_;
  runtime::WorkerPool workers_;
  std::unique_ptr<Executor> executor_;
  ReplicaWaits replica_waits_;
  Backpressure backpressure_;
  Breaker breaker_;
  net::LoopPool loops_;
  bool first_loop_made_ = false;  // of the thread that sets loops up
  std::unique_ptr<net::Listener> listener_;
  Elastic elastic_;
  MetricsService metrics_;
  ApplyTask fast_apply_{this};
  ApplyTask slow_apply_{this};
  TrustTask trust_task_{this};
  std::atomic<size_t> under_way_{0};  // batches submitted and not yet back
  std::atomic<bool> draining_{false};
  std::atomic<bool> active_expire_{true};
  std::atomic<int> expirations_under_way_{0};
  std::atomic<uint64_t> expired_keys_{0};
  std::atomic<uint64_t> memory_peak_{0};
  int64_t memory_noted_ms_ = 0;  // of Cron
  bool stopped_ = false;

  std::atomic<int64_t> pause_until_ms_{0};  // 0: no pause
  std::atomic<bool> pause_all_{false};
  std::atomic<bool> helping_{true};
  std::atomic<bool> protected_mode_{true};
  std::atomic<int> tcp_keepalive_s_{300};
  std::atomic<size_t> max_clients_{10'000};
  std::atomic<int64_t> timeout_ms_{0};
  std::atomic<size_t> query_buffer_limit_{size_t{1} << 30};
  std::atomic<size_t> reply_backlog_bytes_{size_t{1} << 20};
  std::atomic<uint64_t> max_bulk_bytes_{uint64_t{512} << 20};
  std::atomic<size_t> output_hard_bytes_{0};
  std::atomic<size_t> output_soft_bytes_{0};
  std::atomic<int64_t> output_soft_seconds_{0};
  std::vector<std::atomic<runtime::Priority>> default_priorities_;  // by command id
  std::atomic<commands::ReadConsistency> default_consistency_{commands::ReadConsistency{}};
  std::atomic<bool> password_required_{false};
  mutable Mutex settings_mu_;
  std::string password_ KIWI_GUARDED_BY(settings_mu_);
};

}  // namespace kiwi::server
