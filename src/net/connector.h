// Connects to a TCP address without blocking the loop: numeric addresses at once, names through
// libuv's resolver threads, each of a name's addresses in turn.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "net/loop.h"

namespace kiwi::net {

enum class ConnectFailure : uint8_t {
  kNone,
  kRefused,      // nobody listens
  kTimeout,      // no answer in time
  kUnreachable,  // no such name, no route, out of descriptors, and the rest
  kAborted,      // the loop stops
};

struct ConnectResult {
  int fd = -1;  // non-blocking, close-on-exec, TCP_NODELAY; the receiver owns it
  ConnectFailure failure = ConnectFailure::kNone;
  Status status;  // with a failure: what and where
};

// Loop thread only. done is called exactly once, later, on the loop's thread; the latest when the
// loop stops. timeout_ms is for all of it, the name's resolution included. (A resolver that hangs
// holds up the stop of the loop: libuv cannot interrupt it.)
void ConnectTcp(Loop& loop, const std::string& host, int port, int64_t timeout_ms,
                std::function<void(ConnectResult)> done);

}  // namespace kiwi::net
