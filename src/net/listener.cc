#include "net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/mutex.h"
#include "net/address.h"
#include "net/listen_socket.h"
#include "net/loop_impl.h"

namespace kiwi::net {
namespace {

// Accepted at most per event, so that a storm of new clients does not hold up those that are there.
constexpr int kAcceptsPerEvent = 64;
// Out of descriptors: so long until the next try.
constexpr uint64_t kRetryMs = 100;

bool OutOfResources(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

struct Listener::Impl {
  struct Source {
    Impl* listener;
    int fd;
    bool is_unix;
    Poller* poller;
  };

  Status Open();
  Status OpenTcp();
  void CloseSockets();
  // The loop's thread, or a loop that does not run.
  void BeginPolling();
  void EndPolling();
  void Accept(const Source& source);
  void Pause(int error);
  void Resume();

  Loop* loop = nullptr;
  ListenerOptions options;
  std::function<void(int)> on_accept;
  int port = 0;
  std::vector<std::string> addresses;
  std::vector<Source> sources;
  bool polling = false;
  bool starved = false;         // out of descriptors since the last accept
  uv_timer_t* retry = nullptr;  // owned by libuv from its start to its close callback

  Mutex mu;
  CondVar ended;
  bool closed KIWI_GUARDED_BY(mu) = false;
};

Status Listener::Impl::OpenTcp() {
  port = options.port == ListenerOptions::kAnyPort ? 0 : options.port;
  for (std::string address : options.bind) {
    const bool optional = address.starts_with('-');
    if (optional) address.erase(0, 1);
    const Result<int> fd = ListenTcp(address, port, options.backlog);
    if (!fd.ok()) {
      if (optional && fd.status().code() == StatusCode::kNotFound) continue;
      return fd.status();
    }
    sources.push_back({this, *fd, /*is_unix=*/false, nullptr});
    addresses.push_back(LocalEndpoint(*fd).text);
    if (port == 0) port = std::stoi(addresses.back().substr(addresses.back().rfind(':') + 1));
  }
  if (!sources.empty()) return Status::Ok();
  return Status(StatusCode::kNetwork, "no address to listen on: none of those in bind is here");
}

Status Listener::Impl::Open() {
  if (options.port != 0) KIWI_RETURN_IF_ERROR(OpenTcp());
  if (!options.unix_socket.empty()) {
    KIWI_ASSIGN_OR_RETURN(
        const int fd,
        ListenUnix(options.unix_socket, options.unix_socket_permissions, options.backlog));
    sources.push_back({this, fd, /*is_unix=*/true, nullptr});
    addresses.push_back(options.unix_socket);
  }
  return Status::Ok();
}

void Listener::Impl::CloseSockets() {
  for (const Source& source : sources) {
    if (source.is_unix) ::unlink(options.unix_socket.c_str());
    ::close(source.fd);
  }
  sources.clear();
}

void Listener::Impl::BeginPolling() {
  {
    MutexLock lock(mu);
    if (closed) return;
  }
  polling = true;
  loop->impl().stop_hooks[this] = [this] { EndPolling(); };
  for (Source& source : sources) {
    source.poller = Poller::Open(loop->impl(), source.fd, &source, [](void* owner, int, int) {
      const auto* from = static_cast<const Source*>(owner);
      from->listener->Accept(*from);
    });
    KIWI_CHECK(source.poller != nullptr, "a listening socket cannot be polled");
    source.poller->Watch(UV_READABLE);
  }
}

void Listener::Impl::EndPolling() {
  if (polling) {
    polling = false;
    loop->impl().stop_hooks.erase(this);
    for (Source& source : sources) source.poller->Close();
    Resume();
  }
  CloseSockets();
  MutexLock lock(mu);
  closed = true;
  ended.NotifyAll();
}

void Listener::Impl::Accept(const Source& source) {
  for (int i = 0; i < kAcceptsPerEvent && polling; ++i) {
    const int fd = ::accept4(source.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      starved = false;
      on_accept(fd);
    } else if (OutOfResources(errno)) {
      return Pause(errno);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    }  // else: this one client gave up meanwhile; there may be more
  }
}

void Listener::Impl::Pause(int error) {
  if (!std::exchange(starved, true)) {
    KIWI_LOG(kWarn, "cannot accept clients, trying again every {} ms: {}", kRetryMs,
             std::strerror(error));
  }
  for (const Source& source : sources) source.poller->Watch(0);
  if (retry != nullptr) return;
  retry = std::make_unique<uv_timer_t>().release();
  retry->data = this;
  uv_timer_init(&loop->impl().uv, retry);
  uv_timer_start(
      retry,
      [](uv_timer_t* timer) {
        auto* self = static_cast<Impl*>(timer->data);
        self->Resume();
        for (const Source& source : self->sources) source.poller->Watch(UV_READABLE);
      },
      kRetryMs, 0);
}

// Ends the pause's timer.
void Listener::Impl::Resume() {
  if (retry == nullptr) return;
  uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(retry, nullptr)), [](uv_handle_t* handle) {
    const std::unique_ptr<uv_timer_t> done(reinterpret_cast<uv_timer_t*>(handle));
  });
}

Listener::Listener(Loop* loop, const ListenerOptions& options, std::function<void(int)> on_accept)
    : impl_(std::make_shared<Impl>()) {
  impl_->loop = loop;
  impl_->options = options;
  impl_->on_accept = std::move(on_accept);
}

Listener::~Listener() { Close(); }

Status Listener::Start() {
  if (Status status = impl_->Open(); !status.ok()) {
    impl_->CloseSockets();
    impl_->addresses.clear();
    return status;
  }
  if (!impl_->loop->PostFunction([impl = impl_] { impl->BeginPolling(); })) {
    impl_->CloseSockets();
    return Status(StatusCode::kAborted, "cannot listen: the loop has stopped");
  }
  return Status::Ok();
}

void Listener::Close() {
  {
    MutexLock lock(impl_->mu);
    if (impl_->closed) return;
  }
  const bool elsewhere = impl_->loop->running() && !impl_->loop->InLoopThread();
  if (!elsewhere || !impl_->loop->PostFunction([impl = impl_] { impl->EndPolling(); })) {
    impl_->EndPolling();
    return;
  }
  MutexLock lock(impl_->mu);
  while (!impl_->closed) impl_->ended.Wait(impl_->mu);
}

std::vector<std::string> Listener::addresses() const { return impl_->addresses; }
int Listener::port() const { return impl_->port; }

}  // namespace kiwi::net
