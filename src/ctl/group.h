// The group behind a few addresses: whoever answers, and whoever leads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ctl/client.h"

namespace kiwi::ctl {

struct GroupOptions {
  std::vector<Address> nodes;  // at least one
  std::string password;
  int64_t timeout_ms = 30'000;  // for all that a call tries
};

class Group {
 public:
  Group(const GroupOptions& options, Clock* clock) : options_(options), clock_(clock) {}

  // RAFT.STATUS of the leader; of any node that answers if there is no leader in time, if `any`.
  Result<Value> Status(bool any);
  // Says the command to the leader, wherever that is. What surely had no effect is tried again.
  Result<Value> TellLeader(const std::vector<std::string>& command);
  // To the first of the nodes that answers. Nothing is said twice; while none can be reached it goes
  // round them again.
  Result<Value> TellAny(const std::vector<std::string>& command);

 private:
  struct Leader {
    std::unique_ptr<Client> client;
    Value status;
  };

  int64_t LeftMs(int64_t deadline_ns) const;
  // Sleeps, longer from time to time; tells once why, on standard error, so that nobody stares at a
  // silent tool. False: the time is over, and `why` is the last reason that says something.
  bool MayGoOn(int64_t deadline_ns, ::kiwi::Status* why);
  // Once around: the nodes given, and those that they name.
  Result<Leader> FindLeader(int64_t deadline_ns, Value* someone);

  const GroupOptions options_;
  Clock* const clock_;
  int64_t backoff_ms_ = 0;
  bool told_ = false;
  ::kiwi::Status before_;  // why the attempt before this one came to nothing
};

}  // namespace kiwi::ctl
