// Sockets that listen: non-blocking, close-on-exec, owned by the caller.
#pragma once

#include <string>

#include "base/status.h"

namespace kiwi::net {

// address: numeric IPv4 or IPv6, "*" (all of IPv4) or "::*" (all of IPv6). Port 0: a free one.
// kNotFound when this machine has no such address.
Result<int> ListenTcp(const std::string& address, int port, int backlog);

// Replaces the file of a server that is gone; refuses one that somebody listens on, and what is not
// a socket. permissions 0: as umask says.
Result<int> ListenUnix(const std::string& path, unsigned permissions, int backlog);

}  // namespace kiwi::net
