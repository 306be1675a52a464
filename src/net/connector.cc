#include "net/connector.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "net/loop_impl.h"

namespace kiwi::net {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

bool ParseNumeric(const std::string& host, int port, Address* out) {
  auto& in = reinterpret_cast<sockaddr_in&>(out->storage);
  auto& in6 = reinterpret_cast<sockaddr_in6&>(out->storage);
  if (inet_pton(AF_INET, host.c_str(), &in.sin_addr) == 1) {
    in.sin_family = AF_INET;
    in.sin_port = htons(static_cast<uint16_t>(port));
    out->length = sizeof in;
    return true;
  }
  if (inet_pton(AF_INET6, host.c_str(), &in6.sin6_addr) == 1) {
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(static_cast<uint16_t>(port));
    out->length = sizeof in6;
    return true;
  }
  return false;
}

// Owns itself: it is gone once its timer is closed and the resolver has answered.
class Attempt {
 public:
  Attempt(Loop& loop, const std::string& host, int port, std::function<void(ConnectResult)> done)
      : loop_(loop.impl()),
        where_("cannot connect to " + host + " port " + std::to_string(port)),
        done_(std::move(done)) {}

  void Begin(const std::string& host, int port, int64_t timeout_ms) {
    loop_.stop_hooks[this] = [this] { Fail(ConnectFailure::kAborted, "the loop stops"); };
    uv_timer_init(&loop_.uv, &timer_);
    timer_.data = this;
    handles_ = 1;
    Address address;
    if (port < 1 || port > 65535) {
      begin_error_ = "no such port";
    } else if (ParseNumeric(host, port, &address)) {
      addresses_.push_back(address);
    } else {
      Resolve(host, port);
    }
    timeout_ms_ = static_cast<uint64_t>(std::max<int64_t>(1, timeout_ms));
    // From the loop itself, so that the caller is never called back from inside its call.
    uv_timer_start(
        &timer_, [](uv_timer_t* t) { static_cast<Attempt*>(t->data)->OnBegun(); }, 0, 0);
  }

 private:
  void Resolve(const std::string& host, int port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    resolver_.data = this;
    const int error = uv_getaddrinfo(
        &loop_.uv, &resolver_,
        [](uv_getaddrinfo_t* request, int status, addrinfo* list) {
          static_cast<Attempt*>(request->data)->OnResolved(status, list);
        },
        host.c_str(), std::to_string(port).c_str(), &hints);
    if (error != 0) {
      begin_error_ = uv_strerror(error);
      return;
    }
    resolving_ = true;
    ++handles_;
  }

  void OnBegun() {
    uv_timer_start(
        &timer_,
        [](uv_timer_t* t) {
          static_cast<Attempt*>(t->data)->Fail(ConnectFailure::kTimeout, "no answer in time");
        },
        timeout_ms_, 0);
    if (!begin_error_.empty()) return Fail(ConnectFailure::kUnreachable, begin_error_);
    if (!resolving_) TryNext();
  }

  void OnResolved(int status, addrinfo* list) {
    resolving_ = false;
    for (const addrinfo* a = list; a != nullptr; a = a->ai_next) {
      Address address;
      if (a->ai_addrlen > sizeof address.storage) continue;
      std::memcpy(&address.storage, a->ai_addr, a->ai_addrlen);
      address.length = a->ai_addrlen;
      addresses_.push_back(address);
    }
    uv_freeaddrinfo(list);
    if (done_ && addresses_.empty()) {
      Fail(ConnectFailure::kUnreachable, status != 0 ? uv_strerror(status) : "no address");
    } else if (done_) {
      TryNext();
    }
    Release();
  }

  void TryNext() {
    CloseSocket();
    if (next_ == addresses_.size()) return FailBy(last_error_);
    const Address& address = addresses_[next_++];
    fd_ = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return TryAfter(errno);
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0 &&
        errno != EINPROGRESS) {
      return TryAfter(errno);
    }
    poller_ = Poller::Open(
        loop_, fd_, this, [](void* self, int, int) { static_cast<Attempt*>(self)->OnConnected(); });
    if (poller_ == nullptr) return TryAfter(EMFILE);
    poller_->Watch(UV_WRITABLE);
  }

  void TryAfter(int error) {
    last_error_ = error;
    TryNext();
  }

  void OnConnected() {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return TryAfter(error);
    poller_->Close();
    poller_ = nullptr;
    Finish({std::exchange(fd_, -1), ConnectFailure::kNone, Status::Ok()});
  }

  void FailBy(int error) {
    const ConnectFailure failure = error == ECONNREFUSED ? ConnectFailure::kRefused
                                   : error == ETIMEDOUT  ? ConnectFailure::kTimeout
                                                         : ConnectFailure::kUnreachable;
    Fail(failure, std::strerror(error));
  }
  void Fail(ConnectFailure failure, const std::string& why) {
    Finish({-1, failure, Status(StatusCode::kNetwork, where_ + ": " + why)});
  }

  void Finish(ConnectResult result) {
    if (!done_) return;
    loop_.stop_hooks.erase(this);
    CloseSocket();
    if (resolving_) uv_cancel(reinterpret_cast<uv_req_t*>(&resolver_));
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
             [](uv_handle_t* handle) { static_cast<Attempt*>(handle->data)->Release(); });
    std::exchange(done_, nullptr)(std::move(result));
  }

  void CloseSocket() {
    if (poller_ != nullptr) std::exchange(poller_, nullptr)->Close();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  void Release() {
    if (--handles_ == 0) const std::unique_ptr<Attempt> done(this);
  }

  Loop::Impl& loop_;
  const std::string where_;
  std::function<void(ConnectResult)> done_;  // null once called
  uv_timer_t timer_;
  uv_getaddrinfo_t resolver_;
  uint64_t timeout_ms_ = 0;
  bool resolving_ = false;
  int handles_ = 0;  // libuv still knows so many
  std::string begin_error_;
  std::vector<Address> addresses_;
  size_t next_ = 0;
  int last_error_ = EHOSTUNREACH;
  int fd_ = -1;
  Poller* poller_ = nullptr;
};

}  // namespace

void ConnectTcp(Loop& loop, const std::string& host, int port, int64_t timeout_ms,
                std::function<void(ConnectResult)> done) {
  auto attempt = std::make_unique<Attempt>(loop, host, port, std::move(done));
  attempt.release()->Begin(host, port, timeout_ms);
}

}  // namespace kiwi::net
