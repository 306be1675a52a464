#include "server/server.h"

#include <unistd.h>

#include <chrono>
#include <limits>
#include <thread>
#include <unordered_map>

#include "base/log.h"
#include "base/ticks.h"
#include "commands/redact.h"
#include "net/connection.h"
#include "server/allocator.h"
#include "server/internal_write.h"
#include "server/session.h"
#include "server/urgent.h"

namespace kiwi::server {

using runtime::Affinity;
using runtime::Priority;

namespace {

// What a loop takes from the channel before it polls its sockets again.
constexpr int kMaxTasksPerIteration = 256;
// A task is a batch of up to a thousand requests: no more begin after so long.
constexpr uint64_t kDrainNs = 2'000'000;
constexpr int64_t kCronMs = 100;
constexpr int64_t kBreakerMs = 50;
constexpr int64_t kMemoryMs = 500;
// Bounds of one expiry cycle, ten times a second.
constexpr size_t kExpirePerShard = 200;
constexpr int kMaxExpirationsUnderWay = 256;

net::LoopOptions Named(net::LoopOptions options, std::string name) {
  options.name = std::move(name);
  return options;
}

constexpr std::string_view kTooManyClients = "-ERR max number of clients reached\r\n";
constexpr std::string_view kProtectedMode =
    "-DENIED Kiwi is running in protected mode because protected mode is enabled and no password "
    "is set. In this mode connections are only accepted from the loopback interface. To connect "
    "from another host, set a password (requirepass), or disable protected mode by 'CONFIG SET "
    "protected-mode no' from the loopback interface, knowing what that means for who can reach the "
    "server.\r\n";

}  // namespace

Server::Server(const ServerOptions& options, std::unique_ptr<Engine> engine, Clock* clock)
    : options_(options),
      clock_(clock),
      engine_(std::move(engine)),
      roster_(&engine_->node(), options.client_address, options.cluster_enabled, clock),
      redirect_(&engine_->node()),
      stats_(commands::CommandTable::Get().id_count()),
      stages_(commands::CommandTable::Get().id_count()),
      channel_(options.channel),
      workers_(&channel_, "kiwi-worker"),
      replica_waits_(&engine_->node(), clock, [this](Batch& batch) { Resume(batch); }),
      breaker_(options.breaker),
      loops_(Named(options.loop, "kiwi-net"), [this](net::Loop& loop) { SetUpLoop(loop); }),
      elastic_(options.elastic),
      metrics_(options.metrics, this, clock),
      default_priorities_(static_cast<size_t>(commands::CommandTable::Get().id_count())) {
  for (auto& priority : default_priorities_) priority = Priority::kNormal;
}

Server::~Server() { Stop(); }

void Server::SetView(commands::ServerView* view) {
  executor_ = std::make_unique<Executor>(&engine_->keyspace(), &engine_->node(), view, &stats_);
  executor_->SetResume([this](Batch& batch) { Resume(batch); });
  engine_->keyspace().SetBetweenHolds([this] { RunMoreUrgent(channel_); });
  if (options_.cluster_enabled) executor_->SetRedirect(&redirect_);
  executor_->SetReplicaWaits(&replica_waits_);
  executor_->SetBreaker(&breaker_);
  executor_->SetOnSlow(
      [this](const commands::Command& command, const Session& session, commands::Args args,
             int64_t elapsed_ns) { OnSlowCall(command, session, args, elapsed_ns); });
}

Status Server::Start() {
  Status status = Begin();
  if (!status.ok()) Stop();
  return status;
}

Status Server::Begin() {
  started_ms_ = clock_->WallMs();
  engine_->applier().SetExecutor(executor_.get());
  engine_->node().SetScheduler([this](bool fast) { ScheduleApply(fast); });
  channel_.SetSpaceListener([this](Priority) { OnSpace(); });

  listener_ = std::make_unique<net::Listener>(&loops_.Prepare(), options_.listener, [this](int fd) {
    loops_.Place(fd, [this](net::Loop& loop, int client) { Adopt(loop, client); });
  });
  // Bound first, so that a port in use costs no replay; accepted from only once all is served.
  KIWI_RETURN_IF_ERROR(listener_->Start());
  const runtime::ScalerOptions pools = elastic_.options().scaler;
  workers_.Resize(pools.storage.min);
  if (options_.cluster) {
    cluster_ = std::make_unique<Cluster>(*options_.cluster, &engine_->node(), &engine_->log(),
                                         &engine_->applier(), clock_);
    cluster_->SetInvited(invited_);
  }
  KIWI_RETURN_IF_ERROR(engine_->node().Start());
  if (cluster_) KIWI_RETURN_IF_ERROR(cluster_->Start());
  KIWI_RETURN_IF_ERROR(metrics_.Start());  // before clients: who is answered can be scraped
  KIWI_RETURN_IF_ERROR(loops_.Start(pools.network.min));
  elastic_.Start({.loops = &loops_,
                  .workers = &workers_,
                  .channel = &channel_,
                  .stats = &stats_,
                  .backpressure = &backpressure_,
                  .helping = &helping_,
                  .under_way = &under_way_,
                  .node = &engine_->node(),
                  .clock = clock_});
  return {};
}

void Server::Stop() {
  if (std::exchange(stopped_, true)) return;
  engine_->node().StepDown(options_.step_down_timeout_ms);
  draining_ = true;
  if (cluster_) cluster_->Interrupt();
  metrics_.Stop();
  elastic_.Stop();
  if (listener_) listener_->Close();
  replica_waits_.Stop();
  const int64_t deadline_ns = clock_->MonotonicNs() + options_.shutdown_timeout_ms * 1'000'000;
  while (under_way_.load() > 0 && clock_->MonotonicNs() < deadline_ns) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (cluster_) cluster_->Stop();
  // What is still under way is told so: nothing else would answer it any more.
  engine_->node().Stop();
  workers_.Stop();
  loops_.Stop();
}

void Server::SetUpLoop(net::Loop& loop) {
  const auto state = std::make_shared<LoopState>(&loop, &backpressure_, &breaker_);
  loop.SetContext(state);
  loop.SetEndOfIteration([this, &loop] { return DrainOnLoop(loop); });
  loop.AddTimer(1000, [this, raw = state.get()] { raw->Tick(clock_->MonotonicNs() / 1'000'000); });
  loop.AddTimer(kBreakerMs,
                [this, raw = state.get()] { raw->watch().Sweep(clock_->MonotonicNs()); });
  if (!std::exchange(first_loop_made_, true)) loop.AddTimer(kCronMs, [this] { Cron(); });
}

// The end of a loop's iteration: all that the iteration's reads have queued, and what was committed
// meanwhile, is executed here before any output is written.
bool Server::DrainOnLoop(net::Loop& loop) {
  Executor::SetCurrentLoop(&loop);
  runtime::Task* task = nullptr;
  const uint64_t start = Ticks::Now();
  for (int i = 0; i < kMaxTasksPerIteration; ++i) {
    task = channel_.TryPopForHelper();
    if (task == nullptr) break;
    task->Run();
    if (Ticks::ToNs(start, Ticks::Now()) > kDrainNs) break;
  }
  engine_->node().Kick(true);
  const bool work_left = channel_.total_depth() > channel_.worker_only_depth();
  if (task != nullptr && work_left) channel_.WakeWorkers(1);  // behind: workers take over a part
  return work_left;
}

void Server::ScheduleApply(bool fast) {
  if (fast && helping_.load(std::memory_order_relaxed)) {
    if (fast_apply_.scheduled.exchange(true)) return;
    KIWI_CHECK(channel_.TryPush(&fast_apply_, Priority::kCritical, Affinity::kAny),
               "Critical is never refused");
    loops_.WakeOne();
    return;
  }
  if (slow_apply_.scheduled.exchange(true)) return;
  KIWI_CHECK(channel_.TryPush(&slow_apply_, Priority::kCritical, Affinity::kWorkerOnly),
             "Critical is never refused");
}

void Server::ApplyTask::Run() {
  scheduled.store(false);
  server_->engine_->node().ApplyCommitted(Executor::CurrentLoop() != nullptr);
}

void Server::TrustTask::Run() {
  server_->engine_->WriteTrust();
  scheduled.store(false);
}

void Server::PauseClients(commands::PauseMode mode, int64_t until_wall_ms) {
  // A pause is only ever made stricter and longer, as in Redis; UNPAUSE ends it.
  pause_all_ = pause_all_ || mode == commands::PauseMode::kAll;
  pause_until_ms_ = std::max(pause_until_ms_.load(), until_wall_ms);
}

void Server::UnpauseClients() {
  pause_until_ms_ = 0;
  pause_all_ = false;
  OnSpace();
}

SubmitResult Server::Submit(Batch& batch) {
  if (pause_until_ms_.load(std::memory_order_relaxed) != 0 &&
      (pause_all_.load(std::memory_order_relaxed) || batch.has_write)) {
    return SubmitResult::kPaused;  // the end of the pause submits it again
  }
  if (batch.has_keys && !breaker_.all_closed()) [[unlikely]]
    AskBreaker(batch);
  const Affinity affinity = AffinityOf(batch);
  if (!channel_.TryPush(&batch, batch.batch_priority, affinity)) {
    if (!batch.guard.refused) return SubmitResult::kFull;
    KIWI_CHECK(channel_.TryPush(&batch, Priority::kCritical, affinity),
               "Critical is never refused");
  }
  under_way_.fetch_add(1, std::memory_order_relaxed);
  return SubmitResult::kTaken;
}

// What is refused is told so at once, by the loop itself: it waits neither for a worker, nor for room
// behind what the level has queued.
void Server::AskBreaker(Batch& batch) {
  if (batch.guard.probe) return;  // the channel had no room for it
  const auto admission = breaker_.Admit(batch.batch_priority, batch.guard.judged, batch.queued_ns);
  batch.guard.refused = admission.verdict == runtime::CircuitBreaker::Verdict::kRefused;
  batch.guard.probe = admission.verdict == runtime::CircuitBreaker::Verdict::kProbe;
  batch.watched.probe = admission.probe;
}

// A batch that has waited for its reads. It was taken once and is not refused now: a level that is
// full is passed by.
void Server::Resume(Batch& batch) {
  const Affinity affinity = AffinityOf(batch);
  net::Loop& home = batch.session().loop();
  if (!channel_.TryPush(&batch, batch.batch_priority, affinity)) {
    KIWI_CHECK(channel_.TryPush(&batch, Priority::kCritical, affinity),
               "Critical is never refused");
  }
  if (affinity == Affinity::kAny) home.Wake();
}

Affinity Server::AffinityOf(const Batch& batch) const {
  if (batch.guard.refused && !batch.has_own_pace) [[unlikely]]
    return Affinity::kAny;
  return helping_.load(std::memory_order_relaxed) && !batch.has_slow ? Affinity::kAny
                                                                     : Affinity::kWorkerOnly;
}

BatchLatencies Server::Latencies() const {
  LatencySum held_up;
  LatencySum others;
  held_up.Add(backpressure_.held_up);
  others.Add(backpressure_.others);
  loops_.ForEachLoop([&](net::Loop& loop) {
    held_up.Add(LoopState::Of(loop).latency_held_up());
    others.Add(LoopState::Of(loop).latency_of_others());
  });
  return {.held_up_count = held_up.count(),
          .held_up_mean_us = held_up.mean_us(),
          .others_count = others.count(),
          .others_mean_us = others.mean_us()};
}

void Server::OnSpace() {
  loops_.ForEachLoop([](net::Loop& loop) {
    loop.PostFunction([&loop] { LoopState::Of(loop).ResubmitWaiting(); });
  });
}

void Server::Adopt(net::Loop& loop, int fd) {
  net::Connection* const connection = net::AdoptDescriptor(loop, fd);
  if (connection == nullptr) {
    KIWI_LOG(kWarn, "client dropped: its socket cannot be watched fd={}", fd);
    return;
  }
  const bool full = registry_.count() >= max_clients_.load();
  const bool stranger = protected_mode_.load() && !PasswordRequired() &&
                        !connection->peer_is_loopback() && !connection->is_unix();
  if (full || stranger) {
    stats_.Local().Add(Counter::kConnectionsRejected);
    connection->Write(full ? kTooManyClients : kProtectedMode);
    connection->CloseAfterFlush();
    return;
  }
  stats_.Local().Add(Counter::kConnectionsReceived);
  connection->SetKeepAlive(tcp_keepalive_s_.load());
  auto record = registry_.Add({.address = connection->peer_address(),
                               .local_address = connection->local_address(),
                               .fd = fd,
                               .unix_socket = connection->is_unix(),
                               .created_ms = clock_->MonotonicNs() / 1'000'000},
                              [this](uint64_t id) { KillSession(id); });
  // Owns itself until DeleteSession; its loop knows it.
  (void)std::make_unique<Session>(this, connection, std::move(record)).release();
}

// Sessions move: every loop is asked. One that is between two loops sees the mark in its record.
void Server::KillSession(uint64_t id) {
  loops_.ForEachLoop([id](net::Loop& loop) {
    loop.PostFunction([id, &loop] { LoopState::Of(loop).CloseSession(id, kKilled); });
  });
}

void Server::OnSessionClosed(Session& session, const Status& reason) {
  KIWI_LOG(kDebug, "client closed id={} reason=\"{}\"", session.id(), reason.ToString());
  registry_.Remove(session.id());
}

void Server::DeleteSession(Session* session) { const std::unique_ptr<Session> owned(session); }

void Server::NoteMemory(uint64_t used) {
  uint64_t seen = memory_peak_.load(std::memory_order_relaxed);
  while (used > seen && !memory_peak_.compare_exchange_weak(seen, used)) {
  }
}

void Server::Cron() {
  stats_.Sample(clock_->MonotonicNs());
  executor_->SetAccessSecond(clock_->WallMs() / 1000);
  if (const int64_t until = pause_until_ms_.load(); until != 0 && clock_->WallMs() >= until) {
    UnpauseClients();
  }
  if (const int64_t now_ms = clock_->MonotonicNs() / 1'000'000;
      now_ms - memory_noted_ms_ >= kMemoryMs) {
    memory_noted_ms_ = now_ms;
    NoteMemory(ReadAllocator().allocated);
  }
  if (engine_->MaintainTrust() && !trust_task_.scheduled.exchange(true) &&
      !channel_.TryPush(&trust_task_, Priority::kLow, Affinity::kWorkerOnly)) {
    trust_task_.scheduled = false;  // the next look tries again
  }
  if (cluster_) cluster_->Maintain();
  roster_.Maintain(cluster_ != nullptr);
  if (active_expire_ && !draining_) ExpireCycle();
}

// Keys whose time has come are deleted through the log, so that every node agrees.
void Server::ExpireCycle() {
  raft::Node& node = engine_->node();
  if (!node.ReadAllowed() || node.storage_failed()) return;
  keyspace::Keyspace& keyspace = engine_->keyspace();
  // Due by either clock: the wall clock may be the slower one. The entry's stamp decides.
  const int64_t now_ms = std::max(node.group_clock().WallMs(), node.ReadTime());
  std::vector<keyspace::Keyspace::ExpiredKey> expired;
  for (int shard = 0; shard < keyspace::kShardCount; ++shard) {
    if (expirations_under_way_.load() >= kMaxExpirationsUnderWay) break;
    expired.clear();
    {
      keyspace::ShardSet one;
      one.AddSlot(static_cast<uint16_t>(shard * keyspace::kSlotsPerShard));
      const keyspace::ShardLock lock(keyspace, one, keyspace::LockMode::kShared,
                                     keyspace::LockWait::kNever);
      if (!lock.held()) continue;  // the next round finds them
      keyspace.CollectExpired(shard, now_ms, kExpirePerShard, &expired);
    }
    std::unordered_map<int, std::vector<std::string>> by_db;
    for (auto& key : expired) {
      auto& args = by_db[key.db];
      if (args.empty()) args.emplace_back("_expire");
      args.push_back(std::move(key.key));
    }
    for (const auto& [db, args] : by_db) {
      const size_t count = args.size() - 1;
      expirations_under_way_.fetch_add(1);
      InternalWrite::Propose(node, Priority::kLow, db, args, [this, count](std::string reply) {
        if (!reply.empty() && reply.front() != '-') expired_keys_.fetch_add(count);
        expirations_under_way_.fetch_sub(1);
      });
    }
  }
  node.Kick(Executor::CurrentLoop() != nullptr);  // one sync for all
}

void Server::OnSlowCall(const commands::Command& command, const Session& session,
                        commands::Args args, int64_t elapsed_ns) {
  const int64_t unix_s = clock_->WallMs() / 1000;
  if (latency_.Wants(elapsed_ns)) {
    latency_.Record(command.Is(commands::kFast) ? "fast-command" : "command", elapsed_ns, unix_s);
  }
  if (!slowlog_.Wants(elapsed_ns) || command.Is(commands::kSkipSlowlog)) return;
  const commands::ClientInfo client = session.Describe();
  slowlog_.Record(commands::RedactedArgs(command, args), elapsed_ns, unix_s, client.address,
                  client.name);
}

void Server::UpdateSlowThreshold(int64_t slowlog_us) {
  slowlog_.SetThresholdUs(slowlog_us);
  int64_t ns = slowlog_us < 0 ? std::numeric_limits<int64_t>::max() : slowlog_us * 1000;
  if (const int64_t ms = latency_.threshold_ms(); ms > 0) ns = std::min(ns, ms * 1'000'000);
  executor_->SetSlowThreshold(ns);
}

void Server::SetPassword(std::string_view password) {
  MutexLock lock(settings_mu_);
  password_ = password;
  password_required_ = !password.empty();
}

bool Server::CheckPassword(std::string_view password) const {
  MutexLock lock(settings_mu_);
  if (password.size() != password_.size()) return false;
  unsigned char difference = 0;  // in constant time
  for (size_t i = 0; i < password.size(); ++i) {
    difference |= static_cast<unsigned char>(password[i] ^ password_[i]);
  }
  return difference == 0;
}

void Server::SetOutputLimit(const OutputLimit& limit) {
  output_hard_bytes_ = limit.hard_bytes;
  output_soft_bytes_ = limit.soft_bytes;
  output_soft_seconds_ = limit.soft_seconds;
}

OutputLimit Server::output_limit() const {
  return {.hard_bytes = output_hard_bytes_.load(std::memory_order_relaxed),
          .soft_bytes = output_soft_bytes_.load(std::memory_order_relaxed),
          .soft_seconds = output_soft_seconds_.load(std::memory_order_relaxed)};
}

bool Server::DebugAllowed(bool local) const {
  return options_.debug_access == DebugAccess::kYes ||
         (options_.debug_access == DebugAccess::kLocal && local);
}

void Server::SetDefaultPriorities(Priority others, std::optional<Priority> user,
                                  const std::vector<std::string>& high,
                                  const std::vector<std::string>& low) {
  for (auto& priority : default_priorities_) priority = user.value_or(others);
  const Priority highest = user.value_or(Priority::kHigh);
  auto set = [this, highest](const std::vector<std::string>& names, Priority priority) {
    for (const std::string& name : names) {
      const auto* command = commands::CommandTable::Get().FindByName(name);
      if (command == nullptr) continue;
      default_priorities_[static_cast<size_t>(command->id)] = std::max(priority, highest);
    }
  };
  set(high, Priority::kHigh);
  set(low, Priority::kLow);
}

}  // namespace kiwi::server
