// The group as the RAFT commands see it (commands/group_view.h).
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <vector>

#include "base/clock.h"
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
  // has become. kAborted: keys were written meanwhile, and the node stays what it was.
  Status CommitJoin() KIWI_EXCLUDES(mu_);

 private:
  Result<Cluster*> WithPeers();
  bool HoldsKeys();
  // Alone, and without a key.
  Status CheckEmpty();
  Status JoinAs(const raft::Member& self, const std::vector<commands::HostPort>& contacts);
  Result<JoinAnswer> FindGroup(const raft::Member& self,
                               const std::vector<commands::HostPort>& contacts);
  Result<JoinAnswer> AskLeader(const raft::Member& self, commands::HostPort contact,
                               int64_t deadline_ns);
  void DescribeMembers(const raft::NodeStatus& status, commands::GroupReport* report);

  Server* const server_;
  Clock* const clock_;
  const std::function<void()> request_restart_;
  std::atomic<bool> joining_{false};
  Mutex mu_;
  std::optional<Identity> joined_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::server
