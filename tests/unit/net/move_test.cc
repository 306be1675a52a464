// Connections change their loop while their clients pipeline: every reply right, and in order.
#include <atomic>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "unit/net/net_test_util.h"

namespace kiwi::net {
namespace {

// Answers line n of a connection with "n:<line>", and asks for a move every few lines.
class CountingEcho final : public Connection::Handler {
 public:
  CountingEcho(std::vector<Loop*> loops, int move_every)
      : loops_(std::move(loops)), move_every_(move_every) {}

  void OnInput(Connection& c) override { Serve(c); }
  void OnDrained(Connection&) override {}
  void OnClosed(Connection& c, const Status&) override {
    EXPECT_TRUE(c.loop().InLoopThread());
    ++closed;
  }

  std::atomic<int> closed{0};
  std::atomic<int> moves{0};

 private:
  void Serve(Connection& c) {
    EXPECT_TRUE(c.loop().InLoopThread());
    for (;;) {
      const std::string_view data = c.input().data();
      const size_t end = data.find('\n');
      if (end == std::string_view::npos) return;
      c.Write(std::to_string(lines_) + ":" + std::string(data.substr(0, end + 1)));
      c.input().Consume(end + 1);
      if (++lines_ % move_every_ == 0) {
        // With whole and half lines still in the buffer.
        c.MoveTo(*loops_[static_cast<size_t>(++moves) % loops_.size()],
                 [this](Connection& there) { Serve(there); });
        return;
      }
    }
  }

  const std::vector<Loop*> loops_;
  const int move_every_;
  int lines_ = 0;  // touched by one loop at a time
};

// Sends lines of random lengths in random pieces, never more than a window ahead, and checks each
// reply.
void Pipeline(Client& client, int lines, unsigned seed) {
  std::mt19937 random(seed);
  std::string expected;
  std::string out;
  for (int i = 0; i < lines; ++i) {
    const std::string line = "line " + std::to_string(i) +
                             std::string(random() % 200, static_cast<char>('a' + i % 26)) + "\n";
    out += line;
    expected += std::to_string(i) + ":" + line;
  }
  std::thread sender([&] {
    size_t at = 0;
    while (at < out.size()) {
      const size_t piece = std::min<size_t>(1 + random() % 3000, out.size() - at);
      if (!client.Send(std::string_view(out).substr(at, piece))) break;
      at += piece;
    }
  });
  const std::string got = client.Receive(expected.size());
  sender.join();
  EXPECT_TRUE(got == expected) << "seed " << seed << ": " << got.size() << " of " << expected.size()
                               << " bytes, or other ones";
}

class MoveTest : public ::testing::TestWithParam<int> {};

TEST_P(MoveTest, PipelinesSurviveContinuousMoves) {
  constexpr int kClients = 8;
  constexpr int kLines = 4000;
  std::deque<CountingEcho> handlers;  // outlive the loops
  std::deque<Loop> loops;
  std::vector<Loop*> all;
  for (int i = 0; i < GetParam(); ++i) {
    LoopOptions options;
    options.name = "move-" + std::to_string(i);
    all.push_back(&loops.emplace_back(options));
    ASSERT_TRUE(all.back()->Start().ok());
  }
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    auto& handler = handlers.emplace_back(all, 1 + i * 3);
    auto [client, fd] = MakePair();
    Loop& home = *all[static_cast<size_t>(i) % all.size()];
    OnLoop(home, [&, fd = fd] { AdoptDescriptor(home, fd)->SetHandler(&handler); });
    clients.emplace_back([i, c = std::move(client)]() mutable {
      Pipeline(c, kLines, static_cast<unsigned>(i) + 1);
    });
  }
  for (auto& thread : clients) thread.join();
  for (auto& handler : handlers) {
    EXPECT_TRUE(Eventually([&] { return handler.closed == 1; }));
    EXPECT_GT(handler.moves, kLines / 30);
  }
  for (Loop* loop : all) EXPECT_EQ(loop->connection_count(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Loops, MoveTest, ::testing::Values(1, 2, 4));

class Recorder final : public Connection::Handler {
 public:
  void OnInput(Connection& c) override { c.input().Consume(c.input().data().size()); }
  void OnDrained(Connection&) override { ++drained; }
  void OnClosed(Connection&, const Status& status) override {
    reason = std::string(status.message());
    ++closed;
  }
  std::atomic<int> closed{0}, drained{0};
  std::string reason;
};

class BacklogMove : public ::testing::TestWithParam<bool> {};

TEST_P(BacklogMove, ABacklogMovesAlong) {
  const bool write_there = GetParam();
  Recorder handler;
  Loop a{LoopOptions{}}, b{LoopOptions{}};
  ASSERT_TRUE(a.Start().ok());
  ASSERT_TRUE(b.Start().ok());
  auto [client, fd] = MakePair();
  std::string expected;
  std::atomic<bool> arrived{false};
  OnLoop(a, [&, fd = fd] {
    Connection* c = AdoptDescriptor(a, fd);
    c->SetHandler(&handler);
    for (int i = 0; i < 100'000; ++i) {
      const std::string reply = "reply " + std::to_string(i) + "\n";
      c->Write(std::string_view(reply));
      expected += reply;
    }
    c->MoveTo(b, [&](Connection& there) {
      EXPECT_GT(there.unsent_bytes(), 0u);
      if (write_there) there.Write("from the new loop\n");
      arrived = true;
    });
  });
  if (write_there) expected += "from the new loop\n";
  ASSERT_TRUE(Eventually([&] { return arrived.load(); }));
  EXPECT_EQ(a.connection_count(), 0u);
  EXPECT_EQ(b.connection_count(), 1u);
  EXPECT_TRUE(client.Receive(expected.size()) == expected);
  EXPECT_TRUE(Eventually([&] { return handler.drained == 1; }));
}

INSTANTIATE_TEST_SUITE_P(WritesThere, BacklogMove, ::testing::Bool());

TEST(Move, ToALoopThatHasStoppedClosesTheConnection) {
  Recorder handler;
  Loop a{LoopOptions{}}, b{LoopOptions{}};
  ASSERT_TRUE(a.Start().ok());
  ASSERT_TRUE(b.Start().ok());
  auto [client, fd] = MakePair();
  b.Stop();
  OnLoop(a, [&, fd = fd] {
    Connection* c = AdoptDescriptor(a, fd);
    c->SetHandler(&handler);
    c->Write("still sent");
    c->MoveTo(b, nullptr);
  });
  EXPECT_EQ(client.Receive(10), "still sent");
  EXPECT_TRUE(client.AtEnd());
  ASSERT_TRUE(Eventually([&] { return handler.closed == 1; }));
  EXPECT_EQ(a.connection_count(), 0u);
}

TEST(Move, PeersThatLeaveMidwayAreClosedOnce) {
  constexpr int kRounds = 300;
  std::deque<Recorder> handlers;
  {
    Loop a{LoopOptions{}}, b{LoopOptions{}};
    ASSERT_TRUE(a.Start().ok());
    ASSERT_TRUE(b.Start().ok());
    for (int i = 0; i < kRounds; ++i) {
      auto& handler = handlers.emplace_back();
      auto [client, fd] = MakePair();
      ASSERT_TRUE(a.PostFunction([&, fd = fd] {
        Connection* c = AdoptDescriptor(a, fd);
        c->SetHandler(&handler);
        c->Write("hello");
        c->MoveTo(b, nullptr);
      }));
      if (i % 2 == 0) {
        EXPECT_EQ(client.Receive(5), "hello");
      }
    }  // the client is gone
    // The last ones may be closed by the loops' end; a loop outlives those that may move to it.
    a.Stop();
    b.Stop();
  }
  for (auto& handler : handlers) EXPECT_EQ(handler.closed, 1);
}

}  // namespace
}  // namespace kiwi::net
