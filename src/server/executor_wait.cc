// WAIT: put off, without a thread, until other nodes have the connection's last write.
#include <algorithm>
#include <utility>

#include "base/numbers.h"
#include "server/executor.h"
#include "server/replica_waits.h"
#include "server/session.h"

namespace kiwi::server {

using commands::Args;

// Of a WAIT that need not wait, or not any more: nothing, or the error that CLIENT UNBLOCK asked for.
std::string_view Executor::EndWait(Batch& batch) {
  if (!std::exchange(batch.wait_over, false)) return "";
  batch.session().SetBlocked(false);
  return batch.session().TakeUnblocked() ? "UNBLOCKED client unblocked via CLIENT UNBLOCK" : "";
}

// False as well where its arguments make no sense: the handler says so.
bool Executor::MustWait(const Batch& batch, Args args) const {
  int64_t replicas = 0;
  int64_t timeout_ms = 0;
  if (!ParseInt64(args[1], &replicas) || !ParseInt64(args[2], &timeout_ms) || timeout_ms < 0) {
    return false;
  }
  return replicas > 0 && node_->is_leader() &&
         node_->ReplicasWith(batch.session().last_write()) < static_cast<uint64_t>(replicas);
}

void Executor::AwaitReplicas(Batch& batch) {
  const Args args = batch.ArgsOf(batch.items[batch.next]);
  int64_t replicas = 0;
  int64_t timeout_ms = 0;
  KIWI_CHECK(ParseInt64(args[1], &replicas) && ParseInt64(args[2], &timeout_ms),
             "WAIT was put off with arguments that it refuses");
  constexpr int64_t kNsPerMs = 1'000'000;
  constexpr int64_t kForeverMs = int64_t{1} << 40;  // as good as: 34 years
  const int64_t deadline_ns =
      timeout_ms == 0 ? 0 : clock_->MonotonicNs() + std::min(timeout_ms, kForeverMs) * kNsPerMs;
  batch.session().SetBlocked(true);
  replica_waits_->Add(&batch, batch.session().last_write(), static_cast<uint64_t>(replicas),
                      deadline_ns);
}

}  // namespace kiwi::server
