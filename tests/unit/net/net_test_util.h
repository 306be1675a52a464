// What the tests of this folder share: a running loop, blocking clients, and handlers.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "net/connection.h"
#include "net/loop.h"

namespace kiwi::net {

inline constexpr std::chrono::seconds kPatience(60);

inline bool Eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// Runs fn on the loop's thread and waits for it.
inline void OnLoop(Loop& loop, const std::function<void()>& fn) {
  std::promise<void> done;
  ASSERT_TRUE(loop.PostFunction([&] {
    fn();
    done.set_value();
  }));
  ASSERT_EQ(done.get_future().wait_for(kPatience), std::future_status::ready);
}

// A blocking client end.
class Client {
 public:
  explicit Client(int fd) : fd_(fd) {}
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Client& operator=(Client&&) = delete;
  ~Client() { Close(); }
  int fd() const { return fd_; }
  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  // Exactly n bytes, or what came before the end or the time-out.
  std::string Receive(size_t n) {
    std::string bytes(n, '\0');
    size_t have = 0;
    while (have < n) {
      const ssize_t got = ReadSome(bytes.data() + have, n - have);
      if (got <= 0) break;
      have += static_cast<size_t>(got);
    }
    bytes.resize(have);
    return bytes;
  }
  // 0: the end. -1: an error or the time-out.
  ssize_t ReadSome(char* to, size_t n) {
    pollfd p{fd_, POLLIN, 0};
    const auto timeout = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count();
    if (::poll(&p, 1, static_cast<int>(timeout)) != 1) return -1;
    return ::recv(fd_, to, n, 0);
  }
  bool AtEnd() {
    char c;
    return ReadSome(&c, 1) == 0;
  }

 private:
  int fd_;
};

// A connected pair: the first end blocks (a client's), the second does not (a loop's).
inline std::pair<Client, int> MakePair() {
  int fds[2];
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  EXPECT_EQ(::fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
  return {Client(fds[0]), fds[1]};
}

}  // namespace kiwi::net
