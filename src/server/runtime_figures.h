// What the pools, the channel and the clients are doing: one snapshot, and the rows that INFO runtime
// and /metrics/runtime are made of.
#pragma once

#include <span>

#include "server/elastic.h"
#include "server/figures.h"

namespace kiwi::server {

class Server;

struct RuntimeSnapshot {
  ElasticStatus scaling;
  net::LoopPoolStats loops;
  runtime::WorkerPoolStats workers;
  runtime::ChannelStats channel;
  std::array<size_t, runtime::kPriorityCount> depth{};
  uint64_t backpressure_events = 0;
  uint64_t backpressure_waited_ns = 0;
  size_t backpressure_clients = 0;
  size_t backpressure_requests = 0;
};

// Any thread; takes no lock that a request waits for.
RuntimeSnapshot TakeRuntimeSnapshot(Server& server);

// In the order of INFO.
std::span<const Figure<RuntimeSnapshot>> RuntimeFigures();

}  // namespace kiwi::server
