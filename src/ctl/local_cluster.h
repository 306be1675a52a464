// Three nodes on this machine's loopback, for a try-out: started together, stopped together.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace kiwi::ctl {

struct LocalClusterOptions {
  std::string server;  // the kiwi-server program
  std::string dir = "kiwi-cluster";
  std::vector<int> ports = {7001, 7002, 7003};  // for clients; the raft port is 10000 above
  std::vector<std::string> server_args;         // for each of them
};

// Starts the nodes (which go on with what their folders hold), waits until they serve, and then for
// SIGINT or SIGTERM, or the end of the last of them; stops what runs. One that ends meanwhile is told
// of, and the others go on. The nodes end with this process, however that ends.
Status RunLocalCluster(const LocalClusterOptions& options, Clock* clock);

}  // namespace kiwi::ctl
