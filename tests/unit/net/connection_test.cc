#include "net/connection.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "unit/net/net_test_util.h"

namespace kiwi::net {
namespace {

// Answers every line with itself, and remembers what happened.
class LineEcho : public Connection::Handler {
 public:
  void OnInput(Connection& c) override {
    ++inputs;
    for (;;) {
      const std::string_view data = c.input().data();
      const size_t end = data.find('\n');
      if (end == std::string_view::npos) return;
      c.Write(data.substr(0, end + 1));
      c.input().Consume(end + 1);
    }
  }
  void OnDrained(Connection&) override { ++drained; }
  void OnClosed(Connection&, const Status& status) override {
    reason = std::string(status.message());
    ++closed;
  }
  std::atomic<int> inputs{0}, drained{0}, closed{0};
  std::string reason;  // once closed > 0
};

class ConnectionTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(loop_.Start().ok()); }

  Client Connect(Connection::Handler* handler, Connection** connection = nullptr) {
    auto [client, fd] = MakePair();
    OnLoop(loop_, [&, fd = fd] {
      Connection* c = AdoptDescriptor(loop_, fd);
      ASSERT_NE(c, nullptr);
      c->SetHandler(handler);
      if (connection != nullptr) *connection = c;
    });
    return std::move(client);
  }

  // A handler that lives until the loop has stopped.
  template <typename H = LineEcho, typename... Args>
  H& New(Args... args) {
    auto handler = std::make_unique<H>(args...);
    H& reference = *handler;
    handlers_.push_back(std::move(handler));
    return reference;
  }

  std::deque<std::unique_ptr<Connection::Handler>> handlers_;
  Loop loop_{LoopOptions{}};
};

TEST_F(ConnectionTest, EchoesLinesCutAnywhere) {
  auto& echo = New();
  Client client = Connect(&echo);
  std::string sent;
  for (int i = 0; i < 50; ++i) sent += "line " + std::to_string(i) + std::string(i * 7, 'x') + "\n";
  // Every piece arrives as a read of its own before the next is sent.
  for (size_t piece : {1, 3, 25, 1000, 100'000}) {
    const std::string_view part =
        std::string_view(sent).substr(0, sent.find('\n', piece * 300) + 1);
    for (size_t at = 0; at < part.size(); at += piece) {
      const int before = echo.inputs;
      ASSERT_TRUE(client.Send(part.substr(at, piece)));
      ASSERT_TRUE(Eventually([&] { return echo.inputs > before; }));
    }
    EXPECT_EQ(client.Receive(part.size()), part);
  }
  client.Close();
  ASSERT_TRUE(Eventually([&] { return echo.closed == 1; }));
  EXPECT_EQ(echo.reason, "closed by the peer");
  EXPECT_EQ(loop_.connection_count(), 0u);
}

TEST_F(ConnectionTest, ABigLineArrivesWholeWhateverTheHint) {
  class Hinting final : public LineEcho {
   public:
    explicit Hinting(size_t hint) : hint_(hint) {}
    void OnInput(Connection& c) override {
      LineEcho::OnInput(c);
      if (!c.input().data().empty()) c.SetReadHint(hint_);
    }

   private:
    const size_t hint_;
  };
  const std::string big = std::string(5 << 20, 'v') + "\nand a small one\n";
  for (size_t hint : {size_t{0}, size_t{1}, big.size(), size_t{512} << 20}) {
    auto& echo = New<Hinting>(hint);
    Client client = Connect(&echo);
    std::thread sender([&] { EXPECT_TRUE(client.Send(big)); });
    EXPECT_EQ(client.Receive(big.size()), big);
    sender.join();
    client.Close();
    ASSERT_TRUE(Eventually([&] { return echo.closed == 1; }));
  }
}

// The owner keeps views into what was read, and the connection reads on: the views stand.
TEST_F(ConnectionTest, TakenInputStaysWhileMoreIsRead) {
  struct Taken {
    InputBlock block;
    std::string_view view;
    std::string copy;
  };
  class Taker final : public LineEcho {
   public:
    void OnInput(Connection& c) override {
      const std::string_view data = c.input().data();
      const size_t end = data.rfind('\n');
      if (end == std::string_view::npos) return;
      taken.push_back({c.input().Take(), data.substr(0, end), std::string(data.substr(0, end))});
      bytes += end + 1;
      c.input().Consume(end + 1);
    }
    std::vector<Taken> taken;
    std::atomic<size_t> bytes{0};
  };
  auto& taker = New<Taker>();
  Client first = Connect(&taker);
  Client second = Connect(&taker);
  size_t sent = 0;
  for (int i = 0; i < 3000; ++i) {
    const std::string text = std::string(i % 900, static_cast<char>('a' + i % 26)) + "\n";
    // A cut in every third: what is left over moves, what is taken does not.
    const size_t cut = i % 3 == 0 ? text.size() / 2 : text.size();
    Client& client = i % 2 == 0 ? first : second;
    ASSERT_TRUE(client.Send(text.substr(0, cut)));
    ASSERT_TRUE(client.Send(text.substr(cut)));
    sent += text.size();
  }
  ASSERT_TRUE(Eventually([&] { return taker.bytes == sent; }));
  OnLoop(loop_, [&] {
    for (const Taken& t : taker.taken) ASSERT_EQ(t.view, t.copy);
  });
  first.Close();
  second.Close();
  ASSERT_TRUE(Eventually([&] { return taker.closed == 2; }));
}

// The memory for a large value is in proportion to what has come, and in the end just its size.
TEST_F(ConnectionTest, RoomForALargeValueFollowsWhatHasCome) {
  constexpr size_t kValue = 40 << 20;
  class Collector final : public LineEcho {
   public:
    void OnInput(Connection& c) override {
      held = c.input().data().size();
      const size_t capacity = c.input().capacity();
      if (held > 4096 && capacity > std::max<size_t>(3 << 20, 9 * held)) ++lavish;
      most = std::max(most.load(), capacity);
      if (held < kValue) return c.SetReadHint(kValue);
      EXPECT_EQ(c.input().data().find_first_not_of('v'), std::string_view::npos);
      c.input().Consume(held);
      c.Write("whole\n");
    }
    std::atomic<size_t> held{0}, most{0};
    std::atomic<int> lavish{0};
  };
  auto& collector = New<Collector>();
  Client client = Connect(&collector);
  ASSERT_TRUE(client.Send(std::string(kValue, 'v')));
  EXPECT_EQ(client.Receive(6), "whole\n");
  EXPECT_EQ(collector.lavish, 0);
  EXPECT_LE(collector.most, kValue + (1 << 20));
}

TEST_F(ConnectionTest, ASlowReaderGetsABacklogThatDrainsInOrder) {
  auto& echo = New();
  Connection* connection = nullptr;
  Client client = Connect(&echo, &connection);
  std::string expected;
  OnLoop(loop_, [&] {
    for (int i = 0; i < 40'000; ++i) {
      const std::string reply = "reply " + std::to_string(i) + "\n";
      connection->Write(std::string_view(reply));
      expected += reply;
      if (i % 1000 == 0) {
        std::string large(100'000, static_cast<char>('A' + i / 1000 % 26));
        expected += large;
        connection->Write(std::move(large));
      }
    }
    EXPECT_EQ(connection->unsent_bytes(), expected.size());
  });
  OnLoop(loop_, [&] {
    EXPECT_GT(connection->unsent_bytes(), 0u) << "the socket cannot have taken all";
    connection->Write("written behind the backlog\n");
    expected += "written behind the backlog\n";
  });
  EXPECT_EQ(echo.drained, 0);
  EXPECT_EQ(client.Receive(expected.size()), expected);
  EXPECT_TRUE(Eventually([&] { return echo.drained == 1; }));
  OnLoop(loop_, [&] { EXPECT_EQ(connection->unsent_bytes(), 0u); });
  ASSERT_TRUE(client.Send("still here\n"));
  EXPECT_EQ(client.Receive(11), "still here\n");
}

TEST_F(ConnectionTest, APausedConnectionIsNotReadAndDoesNotSpin) {
  auto& echo = New();
  Connection* connection = nullptr;
  Client client = Connect(&echo, &connection);
  OnLoop(loop_, [&] { connection->PauseReading(); });
  ASSERT_TRUE(client.Send("wait\n"));
  const uint64_t iterations = loop_.stats().iterations;
  // Round trips through the loop: it goes on, and reads nothing.
  for (int i = 0; i < 10; ++i) OnLoop(loop_, [] {});
  EXPECT_EQ(echo.inputs, 0);
  EXPECT_LT(loop_.stats().iterations - iterations, 100u) << "bytes that nobody wants keep it busy";
  OnLoop(loop_, [&] {
    EXPECT_FALSE(connection->reading());
    connection->ResumeReading();
  });
  EXPECT_EQ(client.Receive(5), "wait\n");
}

TEST_F(ConnectionTest, CloseAfterFlushDeliversEverythingFirst) {
  class Farewell final : public LineEcho {
   public:
    void OnInput(Connection& c) override {
      c.Write(std::string(3 << 20, 'z'));
      c.Write("goodbye");
      c.CloseAfterFlush();  // with its input unconsumed, and more coming
    }
  };
  auto& handler = New<Farewell>();
  Client client = Connect(&handler);
  ASSERT_TRUE(client.Send("QUIT\n"));
  ASSERT_TRUE(client.Send("ignored\n"));
  const std::string all = client.Receive((3 << 20) + 7);
  EXPECT_EQ(all.size(), (3u << 20) + 7);
  EXPECT_TRUE(all.ends_with("goodbye"));
  EXPECT_TRUE(client.AtEnd());
  ASSERT_TRUE(Eventually([&] { return handler.closed == 1; }));
  EXPECT_EQ(handler.reason, "closed by the server");
}

TEST_F(ConnectionTest, AHandlerMayCloseInsideItsCallbacks) {
  class Closing final : public LineEcho {
   public:
    void OnInput(Connection& c) override {
      c.Write("dropped");
      c.Close(Status(StatusCode::kAborted, "enough"));
      c.Close(Status(StatusCode::kAborted, "a second reason does not count"));
      c.Write("dropped");
      EXPECT_EQ(closed, 0) << "OnClosed follows later";
      c.PauseReading();
      c.ResumeReading();
      c.CloseAfterFlush();
    }
  };
  auto& handler = New<Closing>();
  Client client = Connect(&handler);
  ASSERT_TRUE(client.Send("x"));
  ASSERT_TRUE(Eventually([&] { return handler.closed == 1; }));
  EXPECT_EQ(handler.reason, "enough");
  EXPECT_TRUE(client.AtEnd());
}

// "printf … | nc -N": the peer shuts its side down and still wants the replies.
TEST_F(ConnectionTest, AHalfClosedPeerStillGetsItsReplies) {
  class Finishing final : public LineEcho {
   public:
    void OnEndOfInput(Connection& c) override {
      c.Write("bye\n");
      c.CloseAfterFlush();
    }
  };
  auto& handler = New<Finishing>();
  Client client = Connect(&handler);
  ASSERT_TRUE(client.Send("one\ntwo\n"));
  ASSERT_EQ(::shutdown(client.fd(), SHUT_WR), 0);
  EXPECT_EQ(client.Receive(12), "one\ntwo\nbye\n");
  EXPECT_TRUE(client.AtEnd());
  EXPECT_TRUE(Eventually([&] { return handler.closed == 1; }));
}

TEST_F(ConnectionTest, WritingToAPeerThatIsGoneClosesWithTheReason) {
  auto& echo = New();
  Connection* connection = nullptr;
  Client client = Connect(&echo, &connection);
  // The loop may not see the end of the input before it writes.
  OnLoop(loop_, [&] {
    client.Close();
    connection->Write("to nobody");
  });
  ASSERT_TRUE(Eventually([&] { return echo.closed == 1; }));
  EXPECT_NE(echo.reason.find("broke"), std::string::npos) << echo.reason;
}

TEST_F(ConnectionTest, ThousandsOfConnectionsHoldNoMemoryWhileIdle) {
  constexpr int kConnections = 3000;
  auto& echo = New();
  std::vector<Connection*> connections(kConnections);
  std::deque<Client> clients;
  for (int i = 0; i < kConnections; ++i) clients.push_back(Connect(&echo, &connections[i]));
  EXPECT_EQ(loop_.connection_count(), size_t{kConnections});
  for (int round = 0; round < 2; ++round) {
    for (auto& client : clients) ASSERT_TRUE(client.Send("hello\n"));
    for (auto& client : clients) ASSERT_EQ(client.Receive(6), "hello\n");
  }
  OnLoop(loop_, [&] {
    for (Connection* c : connections) ASSERT_EQ(c->input().capacity(), 0u);
  });
  // A half-sent request costs about its own size.
  ASSERT_TRUE(clients[0].Send("half a li"));
  ASSERT_TRUE(Eventually([&] { return echo.inputs > 2 * kConnections; }));
  OnLoop(loop_, [&] { EXPECT_LE(connections[0]->input().capacity(), 256u); });
  clients.clear();
  EXPECT_TRUE(Eventually([&] { return echo.closed == kConnections; }));
}

TEST(ConnectionLinger, APeerThatDoesNotReadItsLastRepliesIsGivenUp) {
  LineEcho echo;
  LoopOptions options;
  options.close_linger_ms = 10;
  Loop loop(options);
  ASSERT_TRUE(loop.Start().ok());
  auto [client, fd] = MakePair();
  OnLoop(loop, [&, fd = fd] {
    Connection* c = AdoptDescriptor(loop, fd);
    c->SetHandler(&echo);
    c->Write(std::string(8 << 20, 'x'));
    c->CloseAfterFlush();
  });
  ASSERT_TRUE(Eventually([&] { return echo.closed == 1; }));
  EXPECT_EQ(echo.reason, "the peer did not read its last replies");
  loop.Stop();
}

TEST(ConnectionShutdown, StopClosesWhatIsOpenAndDeliversWhatIsWritten) {
  LineEcho echo;
  auto loop = std::make_unique<Loop>(LoopOptions{});
  ASSERT_TRUE(loop->Start().ok());
  auto [client, fd] = MakePair();
  ASSERT_TRUE(loop->PostFunction([&, fd = fd] {
    Connection* c = AdoptDescriptor(*loop, fd);
    c->SetHandler(&echo);
    c->Write("last words");
  }));
  loop->Stop();
  EXPECT_EQ(client.Receive(10), "last words");
  EXPECT_TRUE(client.AtEnd());
  EXPECT_EQ(echo.closed, 1);
  EXPECT_EQ(echo.reason, "the server is stopping");
  EXPECT_FALSE(loop->PostFunction([] { FAIL() << "the loop has stopped"; }));
}

}  // namespace
}  // namespace kiwi::net
