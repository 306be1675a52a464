#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>

namespace kiwi::net {
namespace {

Endpoint Describe(const sockaddr_storage& storage, socklen_t length) {
  Endpoint endpoint;
  char text[INET6_ADDRSTRLEN] = "?";
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    endpoint.text = std::string(text) + ":" + std::to_string(ntohs(in.sin_port));
    endpoint.is_loopback = (ntohl(in.sin_addr.s_addr) >> 24) == 127;
  } else if (storage.ss_family == AF_INET6) {
    const auto& in6 = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof text);
    endpoint.text = "[" + std::string(text) + "]:" + std::to_string(ntohs(in6.sin6_port));
    const bool mapped_loopback =
        IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) && in6.sin6_addr.s6_addr[12] == 127;
    endpoint.is_loopback = IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) || mapped_loopback;
  } else if (storage.ss_family == AF_UNIX) {
    const auto& un = reinterpret_cast<const sockaddr_un&>(storage);
    if (length > offsetof(sockaddr_un, sun_path)) endpoint.text = un.sun_path;
    endpoint.text += ":0";
    endpoint.is_unix = endpoint.is_loopback = true;
  } else {
    endpoint.text = "?:0";
  }
  return endpoint;
}

}  // namespace

Endpoint PeerEndpoint(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) length = 0;
  Endpoint peer = Describe(storage, length);
  // A client of a unix socket has no name of its own: it is shown by the server's path.
  if (peer.is_unix && peer.text == ":0") peer.text = LocalEndpoint(fd).text;
  return peer;
}

Endpoint LocalEndpoint(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) length = 0;
  return Describe(storage, length);
}

}  // namespace kiwi::net
