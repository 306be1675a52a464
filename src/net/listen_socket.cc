#include "net/listen_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace kiwi::net {
namespace {

Status SocketError(const std::string& what, int error) {
  return Status(StatusCode::kNetwork, what + ": " + std::strerror(error));
}

// A descriptor that closes itself unless it is released.
class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.Release()) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int fd() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

bool ParseAddress(std::string_view text, int port, sockaddr_storage* storage, socklen_t* length) {
  const std::string address(text == "*" ? "0.0.0.0" : text == "::*" ? "::" : text);
  auto& in = reinterpret_cast<sockaddr_in&>(*storage);
  auto& in6 = reinterpret_cast<sockaddr_in6&>(*storage);
  *storage = {};
  if (inet_pton(AF_INET, address.c_str(), &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<uint16_t>(port));
    *length = sizeof in;
    return true;
  }
  if (inet_pton(AF_INET6, address.c_str(), &in6.sin6_addr) == 1) {
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(static_cast<uint16_t>(port));
    *length = sizeof in6;
    return true;
  }
  return false;
}

// A file that nobody answers on was left behind by a server that is gone.
Status RemoveStaleSocketFile(const std::string& path, const sockaddr_un& address) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return Status::Ok();
  if (!S_ISSOCK(info.st_mode)) {
    return Status(StatusCode::kNetwork, "exists and is not a socket; remove it or name another");
  }
  Socket probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (probe.fd() < 0) return SocketError("cannot probe it", errno);
  const int result =
      ::connect(probe.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (result == 0 || errno != ECONNREFUSED) {
    return Status(StatusCode::kNetwork, "another server listens on it");
  }
  if (::unlink(path.c_str()) != 0) return SocketError("cannot remove the stale file", errno);
  return Status::Ok();
}

}  // namespace

Result<int> ListenTcp(const std::string& address, int port, int backlog) {
  const std::string where = "cannot listen on " + address + " port " + std::to_string(port);
  sockaddr_storage storage;
  socklen_t length = 0;
  if (!ParseAddress(address, port, &storage, &length)) {
    return Status(StatusCode::kInvalidArgument,
                  where + ": not a numeric IPv4 or IPv6 address, nor \"*\"");
  }
  Socket socket(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) {
    return errno == EAFNOSUPPORT ? Status(StatusCode::kNotFound, where + ": no IPv6 here")
                                 : SocketError(where, errno);
  }
  const int on = 1;
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Accepted sockets inherit it: one system call less for each.
  setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (storage.ss_family == AF_INET6) {
    setsockopt(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(socket.fd(), reinterpret_cast<sockaddr*>(&storage), length) != 0 ||
      ::listen(socket.fd(), backlog) != 0) {
    // An interface that is not there is the one failure that an optional address may have.
    return errno == EADDRNOTAVAIL ? Status(StatusCode::kNotFound, where + ": no such address here")
                                  : SocketError(where, errno);
  }
  return socket.Release();
}

Result<int> ListenUnix(const std::string& path, unsigned permissions, int backlog) {
  const std::string where = "cannot listen on unix socket " + path;
  sockaddr_un address{};
  if (path.size() >= sizeof address.sun_path) {
    return Status(StatusCode::kInvalidArgument,
                  where + ": at most " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (Status s = RemoveStaleSocketFile(path, address); !s.ok()) return s.WithContext(where);
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return SocketError(where, errno);
  if (::bind(socket.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return SocketError(where, errno);
  }
  // Permissions before listen: nobody connects before they hold.
  if ((permissions != 0 && ::chmod(path.c_str(), permissions) != 0) ||
      ::listen(socket.fd(), backlog) != 0) {
    const int error = errno;
    ::unlink(path.c_str());
    return SocketError(where, error);
  }
  return socket.Release();
}

}  // namespace kiwi::net
