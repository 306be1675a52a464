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
  std::vector<std::string> bind = {"127.0.0.1"};  // "-::1": may be missing; "*": all of IPv4
  int port = 6379;                                // 0: no TCP
  int backlog = 511;
  std::string unix_socket;                        // empty: none
  unsigned unix_socket_permissions = 0;           // 0: as umask says
};

class Listener {
 public:
  // Accepts on `loop`'s thread; on_accept gets each descriptor (non-blocking, close-on-exec,
  // TCP_NODELAY) and owns it. When the process is out of descriptors, accepting pauses for a moment
  // instead of spinning.
  Listener(Loop* loop, const ListenerOptions& options, std::function<void(int fd)> on_accept);
  ~Listener();  // closes the sockets

  // Binds and listens; on an error (address in use …) nothing is left open. Before the loop starts.
  Status Start();
  void Close();  // any thread; no accept after it returns
  std::vector<std::string> addresses() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kiwi::net
