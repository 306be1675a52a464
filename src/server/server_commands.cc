#include "server/server_commands.h"

#include <chrono>
#include <condition_variable>
#include <thread>

#include "base/random.h"
#include "server/allocator.h"
#include "server/internal_write.h"

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
    Server* server, ConfigService* config, Clock* clock,
    std::function<void(const commands::ShutdownRequest&)> request_shutdown)
    : server_(server),
      config_(config),
      clock_(clock),
      request_shutdown_(std::move(request_shutdown)),
      run_id_(MakeRunId()) {}

bool ServerCommands::CheckPassword(std::string_view user, std::string_view password) const {
  if (user != "default") return false;
  return !server_->PasswordRequired() || server_->CheckPassword(password);
}

std::string ServerCommands::AllocatorReport() { return ReadAllocatorReport(); }
void ServerCommands::PurgeAllocator() { ReleaseFreeMemory(); }

std::vector<commands::ClientInfo> ServerCommands::ListClients(
    const commands::ClientFilter& filter) {
  return server_->registry().List(filter, clock_->MonotonicNs() / 1'000'000);
}

size_t ServerCommands::KillClients(const commands::ClientFilter& filter, uint64_t self_id) {
  return server_->registry().Kill(filter, self_id, clock_->MonotonicNs() / 1'000'000);
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
  keyspace::Db db(keyspace, db_index, server_->executor().ReadMoment());
  if (Executor::HoldsShards()) {
    read(db);
    return;
  }
  const keyspace::ShardLock lock(keyspace, shards, keyspace::LockMode::kShared);
  read(db);
}

std::string ServerCommands::ExecuteWrite(int db, std::span<const std::string_view> args) {
  if (Executor::HoldsShards()) return {};
  struct Outcome {
    Mutex mu;
    CondVar done;
    bool ready KIWI_GUARDED_BY(mu) = false;
    std::string reply KIWI_GUARDED_BY(mu);
  };
  auto outcome = std::make_shared<Outcome>();
  raft::Node& node = server_->engine().node();
  InternalWrite::Propose(node, runtime::Priority::kNormal, db, {args.begin(), args.end()},
                         [outcome](std::string reply) {
                           MutexLock lock(outcome->mu);
                           outcome->reply = std::move(reply);
                           outcome->ready = true;
                           outcome->done.NotifyAll();
                         });
  for (;;) {
    {
      MutexLock lock(outcome->mu);
      if (outcome->ready) return outcome->reply;
      outcome->done.WaitFor(outcome->mu, std::chrono::milliseconds(1));
      if (outcome->ready) return outcome->reply;
    }
    node.ApplyCommitted(false);  // this may be the only worker: it must not wait for another
  }
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

}  // namespace kiwi::server
