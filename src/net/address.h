// Socket addresses as text, in the forms that CLIENT LIST shows.
#pragma once

#include <sys/socket.h>

#include <string>

namespace kiwi::net {

struct Endpoint {
  std::string text;  // "127.0.0.1:6379", "[::1]:6379", "/path:0"; "?:0" when unknown
  bool is_unix = false;
  bool is_loopback = false;  // unix sockets included
};

Endpoint PeerEndpoint(int fd);
// The socket's own end.
Endpoint LocalEndpoint(int fd);

}  // namespace kiwi::net
