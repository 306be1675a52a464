// The group as the RAFT commands see it (commands/group_view.h).
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/function_ref.h"
#include "base/mutex.h"
#include "commands/group_view.h"
#include "server/identity.h"
#include "server/server.h"

namespace kiwi::server {

// Thread-safe.
class GroupAdmin final : public commands::GroupView {
 public:
  // Both outlive it. request_restart asks main to end the server in good order, to call
  // CommitJoin, and to start the process anew; called from any thread.
  GroupAdmin(Server* server, Clock* clock, std::function<void()> request_restart);

  commands::GroupReport Report() override;
  Status TransferLeader(uint64_t id) override;
  Status AddNode(uint64_t id, const commands::HostPort& raft,
                 const commands::HostPort& client) override;
  Status PromoteNode(uint64_t id, bool force) override;
  Status RemoveNode(uint64_t id, bool force) override;
  Status Join(const std::vector<commands::HostPort>& contacts) override;
  Status AcceptLoss() override;

  // After the server has stopped, when nothing is acknowledged any more: writes down who this node
  // has become. kAborted: it is not empty any more, and stays what it was.
  Status CommitJoin() KIWI_EXCLUDES(mu_);

 private:
  Result<Cluster*> WithPeers();
  bool HoldsKeys();
  // Alone, without a key, and with nothing in the log that could still change that.
  Status CheckEmpty();
  // Becomes a member of what `find` finds, unless this node is not empty or takes others in.
  Status JoinBy(FunctionRef<Result<JoinAnswer>()> find) KIWI_EXCLUDES(mu_);
  Status Follow(const Invitation& invitation) KIWI_EXCLUDES(mu_);
  Result<JoinAnswer> AskInviter(const Invitation& invitation);
  Status CheckUnused();
  Status JoinAny(const raft::Member& self, const std::vector<commands::HostPort>& contacts);
  Result<JoinAnswer> AskLeader(const raft::Member& self, commands::HostPort contact,
                               int64_t deadline_ns, const std::function<bool()>& given_up);
  void DescribeMembers(const raft::NodeStatus& status, commands::GroupReport* report);

  Server* const server_;
  Clock* const clock_;
  const std::function<void()> request_restart_;
  std::atomic<bool> joining_{false};  // for an operator: an invitation gives way
  Mutex mu_;
  CondVar changed_;
  bool following_ KIWI_GUARDED_BY(mu_) = false;  // an invitation
  std::optional<Identity> joined_ KIWI_GUARDED_BY(mu_);
  bool invited_ KIWI_GUARDED_BY(mu_) = false;  // joined_ follows an invitation
};

}  // namespace kiwi::server
