// What a loop costs: an echo server on a thread of its own against a client of our own on another,
// 50 connections over TCP, messages of 64 bytes, so many in flight per connection. The variants are
// those between which docs/decisions/001 decides.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"
#include "net/connection.h"
#include "net/listener.h"
#include "net/loop.h"

namespace kiwi::net {
namespace {

constexpr int kConnections = 50;
constexpr size_t kMessage = 64;

// Both ends of TCP connections over loopback; servers' ends do not block.
struct Pairs {
  std::vector<int> clients, servers;
  Pairs() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof in;
    KIWI_CHECK(::bind(listener, reinterpret_cast<sockaddr*>(&in), sizeof in) == 0, "bind");
    KIWI_CHECK(::listen(listener, 128) == 0, "listen");
    getsockname(listener, reinterpret_cast<sockaddr*>(&in), &length);
    const int on = 1;
    for (int i = 0; i < kConnections; ++i) {
      const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      (void)!::connect(client, reinterpret_cast<sockaddr*>(&in), sizeof in);
      const int server = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
      KIWI_CHECK(server >= 0, "accept");
      for (int fd : {client, server}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      clients.push_back(client);
      servers.push_back(server);
    }
    ::close(listener);
  }
  ~Pairs() {
    for (int fd : clients) ::close(fd);
  }
};

// Keeps `pipeline` messages in flight on each connection.
class LoadClient {
 public:
  LoadClient(const std::vector<int>& fds, int pipeline)
      : fds_(fds), request_(kMessage * static_cast<size_t>(pipeline), 'm'), missing_(fds.size()) {
    epoll_ = ::epoll_create1(0);
    for (size_t i = 0; i < fds.size(); ++i) {
      epoll_event event{EPOLLIN, {.u64 = i}};
      ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fds[i], &event);
      SendTo(i);
    }
  }
  ~LoadClient() { ::close(epoll_); }

  // Until so many pipelines have come back.
  void Run(int64_t replies) {
    std::array<epoll_event, 64> events;
    while (replies > 0) {
      const int n = ::epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int e = 0; e < n; ++e) {
        const size_t i = events[static_cast<size_t>(e)].data.u64;
        const ssize_t got = ::read(fds_[i], sink_.data(), sink_.size());
        KIWI_CHECK(got > 0, "the server went away");
        missing_[i] -= static_cast<size_t>(got);
        if (missing_[i] > 0) continue;
        --replies;
        SendTo(i);
      }
    }
  }

 private:
  void SendTo(size_t i) {
    missing_[i] = request_.size();
    KIWI_CHECK(
        ::write(fds_[i], request_.data(), request_.size()) == static_cast<ssize_t>(request_.size()),
        "a short write");
  }

  const std::vector<int>& fds_;
  const std::string request_;
  std::vector<size_t> missing_;
  int epoll_;
  std::array<char, 64 << 10> sink_;
};

double CpuNs(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

// Besides messages a second: the processor time that one round trip of a pipeline costs the server's
// thread, which a busy machine disturbs less.
void Drive(benchmark::State& state, const Pairs& pairs, pthread_t server) {
  constexpr int64_t kBatch = 1000;
  clockid_t clock;
  pthread_getcpuclockid(server, &clock);
  LoadClient client(pairs.clients, static_cast<int>(state.range(0)));
  client.Run(20 * kBatch);  // warm
  const double before = CpuNs(clock);
  for (auto _ : state) client.Run(kBatch);
  const auto trips = static_cast<double>(state.iterations() * kBatch);
  state.counters["server_ns/trip"] = (CpuNs(clock) - before) / trips;
  state.SetItemsProcessed(state.iterations() * kBatch * state.range(0));
}

// --- the loop of this project ---

class Echo final : public Connection::Handler {
 public:
  void OnInput(Connection& c) override {
    c.Write(c.input().data());
    c.input().Consume(c.input().data().size());
  }
  void OnDrained(Connection&) override {}
  void OnClosed(Connection&, const Status&) override {}
};

void BM_Loop(benchmark::State& state) {
  Pairs pairs;
  Echo echo;
  LoopOptions options;
  options.spin_us = state.range(1);
  Loop loop(options);
  loop.SetEndOfIteration([] { return false; });
  KIWI_CHECK(loop.Start().ok(), "start");
  std::promise<pthread_t> thread;
  for (int fd : pairs.servers) {
    loop.PostFunction([&, fd] { AdoptDescriptor(loop, fd)->SetHandler(&echo); });
  }
  loop.PostFunction([&] { thread.set_value(pthread_self()); });
  Drive(state, pairs, thread.get_future().get());
  const LoopStats stats = loop.stats();
  state.counters["reads/iteration"] =
      static_cast<double>(stats.reads) / static_cast<double>(stats.iterations);
  loop.Stop();
}

// --- uv_tcp over the descriptor: libuv reads, we write at the end of the iteration ---

struct TcpServer {
  struct Conn {
    uv_tcp_t tcp;
    TcpServer* server;
    std::string out;
    bool dirty = false;
  };
  uv_loop_t loop;
  uv_async_t stop;
  uv_prepare_t prepare;
  std::array<char, 64 << 10> buffer;
  std::vector<std::unique_ptr<Conn>> conns;
  std::vector<Conn*> dirty;

  explicit TcpServer(const std::vector<int>& fds) {
    uv_loop_init(&loop);
    uv_async_init(&loop, &stop, [](uv_async_t* a) { uv_stop(a->loop); });
    uv_prepare_init(&loop, &prepare);
    prepare.data = this;
    uv_prepare_start(&prepare, [](uv_prepare_t* p) { static_cast<TcpServer*>(p->data)->Flush(); });
    for (int fd : fds) {
      Conn* c = conns.emplace_back(std::make_unique<Conn>()).get();
      c->server = this;
      c->tcp.data = c;
      uv_tcp_init(&loop, &c->tcp);
      uv_tcp_open(&c->tcp, fd);
      uv_read_start(
          reinterpret_cast<uv_stream_t*>(&c->tcp),
          [](uv_handle_t* h, size_t, uv_buf_t* buf) {
            auto* s = static_cast<Conn*>(h->data)->server;
            *buf = uv_buf_init(s->buffer.data(), s->buffer.size());
          },
          [](uv_stream_t* h, ssize_t n, const uv_buf_t* buf) {
            if (n <= 0) return;
            auto* conn = static_cast<Conn*>(h->data);
            conn->out.append(buf->base, static_cast<size_t>(n));
            if (!std::exchange(conn->dirty, true)) conn->server->dirty.push_back(conn);
          });
    }
  }
  void Flush() {
    for (Conn* c : dirty) {
      uv_buf_t buf = uv_buf_init(c->out.data(), static_cast<unsigned>(c->out.size()));
      uv_try_write(reinterpret_cast<uv_stream_t*>(&c->tcp), &buf, 1);
      c->out.clear();
      c->dirty = false;
    }
    dirty.clear();
  }
  void Run() {
    uv_run(&loop, UV_RUN_DEFAULT);
    for (auto& c : conns) uv_close(reinterpret_cast<uv_handle_t*>(&c->tcp), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&stop), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&prepare), nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
  }
};

void BM_UvTcp(benchmark::State& state) {
  Pairs pairs;
  TcpServer server(pairs.servers);
  std::thread thread([&] { server.Run(); });
  Drive(state, pairs, thread.native_handle());
  uv_async_send(&server.stop);
  thread.join();
}

// --- bare epoll, the bound for any loop: replies at the end of an iteration, or at once ---

void EpollServer(const std::vector<int>& fds, int stop, bool at_once) {
  const int epoll = ::epoll_create1(0);
  for (int fd : fds) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
  epoll_event event{EPOLLIN, {.fd = stop}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, stop, &event);
  std::array<epoll_event, 1024> events;
  std::vector<char> memory(1 << 20);
  for (;;) {
    const int n = ::epoll_wait(epoll, events.data(), events.size(), -1);
    std::vector<std::pair<int, std::string_view>> replies;
    size_t used = 0;
    for (int e = 0; e < n; ++e) {
      const int fd = events[static_cast<size_t>(e)].data.fd;
      if (fd == stop) {
        for (int each : fds) ::close(each);
        ::close(epoll);
        return;
      }
      if (used + (16 << 10) > memory.size()) used = 0;
      const ssize_t got = ::recv(fd, memory.data() + used, 16 << 10, 0);
      if (got <= 0) continue;
      const std::string_view bytes(memory.data() + used, static_cast<size_t>(got));
      if (at_once) {
        (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      } else {
        replies.emplace_back(fd, bytes);
        used += bytes.size();
      }
    }
    for (auto& [fd, bytes] : replies) (void)!::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
}

void BM_Epoll(benchmark::State& state) {
  Pairs pairs;
  const int stop = ::eventfd(0, 0);
  std::thread thread([&] { EpollServer(pairs.servers, stop, state.range(1) != 0); });
  Drive(state, pairs, thread.native_handle());
  ::eventfd_write(stop, 1);
  thread.join();
  ::close(stop);
}

// --- what a move costs: one connection goes to and fro between two loops ---

void BM_Move(benchmark::State& state) {
  Pairs pairs;
  Echo echo;
  Loop a{LoopOptions{}}, b{LoopOptions{}};
  KIWI_CHECK(a.Start().ok() && b.Start().ok(), "start");
  std::promise<Connection*> adopted;
  for (int fd : pairs.servers) {
    a.PostFunction([&, fd] {
      Connection* c = AdoptDescriptor(a, fd);
      c->SetHandler(&echo);
      if (fd == pairs.servers.back()) adopted.set_value(c);
    });
  }
  Connection* const connection = adopted.get_future().get();
  constexpr int kMoves = 1000;
  for (auto _ : state) {
    std::promise<void> done;
    int left = kMoves;  // touched by one loop at a time
    std::function<void(Connection&)> move = [&](Connection& c) {
      if (left-- == 0) return done.set_value();
      c.MoveTo(&c.loop() == &a ? b : a, move);
    };
    Loop& home = connection->loop();
    home.PostFunction([&] { move(*connection); });
    done.get_future().wait();
  }
  state.SetItemsProcessed(state.iterations() * kMoves);
  a.Stop();
  b.Stop();
}

BENCHMARK(BM_Move)->UseRealTime();
BENCHMARK(BM_Loop)
    ->ArgNames({"pipeline", "spin_us"})
    ->ArgsProduct({{1, 16}, {0, 20, 100}})
    ->UseRealTime();
BENCHMARK(BM_UvTcp)->ArgName("pipeline")->Arg(1)->Arg(16)->UseRealTime();
BENCHMARK(BM_Epoll)
    ->ArgNames({"pipeline", "at_once"})
    ->ArgsProduct({{1, 16}, {0, 1}})
    ->UseRealTime();

}  // namespace
}  // namespace kiwi::net
