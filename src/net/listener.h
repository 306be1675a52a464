// Accepts on TCP addresses and unix sockets, and hands out descriptors.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "net/loop.h"

namespace kiwi::net {

struct ListenerOptions {
  static constexpr int kAnyPort = -1;  // a free one, the same for all addresses: see port()

  // Numeric IPv4 or IPv6 addresses. "-::1": no error when it is not available; "*": all of IPv4;
  // "::*" or "::": all of IPv6.
  std::vector<std::string> bind = {"127.0.0.1"};
  int port = 6379;  // 0: no TCP
  int backlog = 511;
  std::string unix_socket;               // empty: none
  unsigned unix_socket_permissions = 0;  // 0: as umask says
};

class Listener {
 public:
  // Accepts on `loop`'s thread; on_accept gets each descriptor (non-blocking, close-on-exec,
  // TCP_NODELAY) and owns it. When the process is out of descriptors, accepting pauses for a moment
  // instead of spinning. The loop outlives the listener.
  Listener(Loop* loop, const ListenerOptions& options, std::function<void(int fd)> on_accept);
  ~Listener();  // Close()

  // Binds and listens; on an error (address in use …) nothing is left open. A unix socket's file
  // left behind by a server that is gone is replaced; one that somebody listens on is an error.
  // Before the loop starts, or while it runs; once.
  Status Start();
  // Any thread; no accept after it returns. Removes the unix socket's file. Idempotent.
  void Close();
  std::vector<std::string> addresses() const;  // "127.0.0.1:6379", "/path" for unix
  int port() const;                            // the TCP port, 0 without one

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kiwi::net
