#include "net/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <string>

#include "base/log.h"
#include "unit/net/net_test_util.h"

namespace kiwi::net {
namespace {

class Greeter final : public Connection::Handler {
 public:
  void OnInput(Connection&) override {}
  void OnDrained(Connection&) override {}
  void OnClosed(Connection&, const Status&) override { ++closed; }
  std::atomic<int> closed{0};
};

Client ConnectTcp(const char* address, int port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, address, &in.sin_addr);
  Client client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.fd(), reinterpret_cast<sockaddr*>(&in), sizeof in) != 0) client.Close();
  return client;
}

Client ConnectUnix(const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  path.copy(un.sun_path, sizeof un.sun_path - 1);
  Client client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.fd(), reinterpret_cast<sockaddr*>(&un), sizeof un) != 0) client.Close();
  return client;
}

class ListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/kiwi-listener-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    ASSERT_TRUE(loop_.Start().ok());
  }
  void TearDown() override {
    loop_.Stop();
    std::filesystem::remove_all(dir_);
  }
  // Says to each client who it is.
  std::function<void(int)> Greet() {
    return [this](int fd) {
      Connection* c = AdoptDescriptor(loop_, fd);
      c->SetHandler(&greeter_);
      const char* where = c->is_unix() ? "unix " : "tcp ";
      c->Write(where + c->peer_address() + (c->peer_is_loopback() ? " loopback" : "") + "\n");
    };
  }

  std::filesystem::path dir_;
  Greeter greeter_;
  Loop loop_{LoopOptions{}};
};

TEST_F(ListenerTest, AcceptsOnSeveralAddresses) {
  ListenerOptions options;
  options.bind = {"127.0.0.1", "127.0.0.2", "-::1", "-2001:db8::1"};
  options.port = ListenerOptions::kAnyPort;
  options.unix_socket = dir_ / "kiwi.sock";
  options.unix_socket_permissions = 0700;
  Listener listener(&loop_, options, Greet());
  ASSERT_TRUE(listener.Start().ok());
  ASSERT_GT(listener.port(), 0);
  EXPECT_EQ(listener.addresses().front(), "127.0.0.1:" + std::to_string(listener.port()));
  EXPECT_EQ(listener.addresses().back(), options.unix_socket);
  for (const char* address : {"127.0.0.1", "127.0.0.2"}) {
    Client client = ConnectTcp(address, listener.port());
    ASSERT_GE(client.fd(), 0);
    EXPECT_EQ(client.Receive(14), "tcp 127.0.0.1:");
  }
  Client client = ConnectUnix(options.unix_socket);
  const std::string greeting = "unix " + options.unix_socket + ":0 loopback\n";
  EXPECT_EQ(client.Receive(greeting.size()), greeting);
  struct stat info {};
  ASSERT_EQ(::stat(options.unix_socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);

  listener.Close();
  listener.Close();
  EXPECT_LT(ConnectTcp("127.0.0.1", listener.port()).fd(), 0);
  EXPECT_FALSE(std::filesystem::exists(options.unix_socket));
}

TEST_F(ListenerTest, AnAddressInUseIsAnErrorThatLeavesNothingOpen) {
  ListenerOptions options;
  options.port = ListenerOptions::kAnyPort;
  Listener first(&loop_, options, Greet());
  ASSERT_TRUE(first.Start().ok());
  options.bind = {"127.0.0.2", "127.0.0.1"};
  options.port = first.port();
  Listener second(&loop_, options, Greet());
  const Status status = second.Start();
  EXPECT_EQ(status.code(), StatusCode::kNetwork);
  EXPECT_NE(status.message().find("127.0.0.1 port " + std::to_string(first.port())),
            std::string_view::npos)
      << status.ToString();
  EXPECT_LT(ConnectTcp("127.0.0.2", first.port()).fd(), 0);

  options.bind = {"localhost"};
  EXPECT_EQ(Listener(&loop_, options, Greet()).Start().code(), StatusCode::kInvalidArgument);
  options.bind = {"-2001:db8::1"};
  EXPECT_EQ(Listener(&loop_, options, Greet()).Start().code(), StatusCode::kNetwork);
}

TEST_F(ListenerTest, OnlyAStaleSocketFileIsReplaced) {
  ListenerOptions options;
  options.port = 0;
  options.unix_socket = dir_ / "kiwi.sock";
  {  // A server that was killed leaves its file behind.
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    options.unix_socket.copy(un.sun_path, sizeof un.sun_path - 1);
    Client dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    ASSERT_EQ(::bind(dead.fd(), reinterpret_cast<sockaddr*>(&un), sizeof un), 0);
    ASSERT_EQ(::listen(dead.fd(), 1), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(options.unix_socket));
  Listener first(&loop_, options, Greet());
  ASSERT_TRUE(first.Start().ok());
  EXPECT_EQ(ConnectUnix(options.unix_socket).Receive(5), "unix ");

  Listener second(&loop_, options, Greet());
  const Status status = second.Start();
  EXPECT_NE(status.message().find("another server listens"), std::string_view::npos);
  EXPECT_EQ(ConnectUnix(options.unix_socket).Receive(5), "unix ") << "the first one goes on";

  options.unix_socket = dir_ / "file";
  { Client file(::open(options.unix_socket.c_str(), O_CREAT | O_WRONLY, 0600)); }
  EXPECT_NE(Listener(&loop_, options, Greet()).Start().message().find("not a socket"),
            std::string_view::npos);
  EXPECT_TRUE(std::filesystem::exists(options.unix_socket));
}

TEST_F(ListenerTest, OutOfDescriptorsItPausesAndGoesOnLater) {
  ListenerOptions options;
  options.port = ListenerOptions::kAnyPort;
  Listener listener(&loop_, options, Greet());
  ASSERT_TRUE(listener.Start().ok());
  Client first = ConnectTcp("127.0.0.1", listener.port());
  EXPECT_EQ(first.Receive(4), "tcp ");
  Client second(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // A first line now: sanitizers look into the logger once, and need a descriptor for it.
  KIWI_LOG(kInfo, "the test takes all descriptors away");
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit none = limit;
  none.rlim_cur = 3;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<uint16_t>(listener.port()));
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(second.fd(), reinterpret_cast<sockaddr*>(&in), sizeof in), 0);
  const uint64_t iterations = loop_.stats().iterations;
  pollfd nothing{second.fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&nothing, 1, 250), 0) << "there is no descriptor for it";
  EXPECT_LT(loop_.stats().iterations - iterations, 100u) << "it spins";
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(second.Receive(4), "tcp ");
}

TEST(Listener, CanBeClosedBeforeItsLoopRunsAndAfter) {
  ListenerOptions options;
  options.port = ListenerOptions::kAnyPort;
  {
    Loop loop{LoopOptions{}};
    Listener listener(&loop, options, [](int) {});
    ASSERT_TRUE(listener.Start().ok());
    listener.Close();
  }
  {
    Loop loop{LoopOptions{}};
    Listener listener(&loop, options, [](int) {});
    ASSERT_TRUE(listener.Start().ok());
    ASSERT_TRUE(loop.Start().ok());
    loop.Stop();
    EXPECT_LT(ConnectTcp("127.0.0.1", listener.port()).fd(), 0);
  }
}

}  // namespace
}  // namespace kiwi::net
