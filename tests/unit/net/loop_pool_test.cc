#include "net/loop_pool.h"

#include <atomic>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "unit/net/net_test_util.h"

namespace kiwi::net {
namespace {

class LineEcho : public Connection::Handler {
 public:
  void OnInput(Connection& c) override {
    for (;;) {
      const std::string_view data = c.input().data();
      const size_t end = data.find('\n');
      if (end == std::string_view::npos) return;
      c.Write(data.substr(0, end + 1));
      c.input().Consume(end + 1);
    }
  }
  void OnDrained(Connection&) override {}
  void OnClosed(Connection&, const Status&) override { ++closed; }
  std::atomic<int> closed{0};
};

class LoopPoolTest : public ::testing::Test {
 protected:
  Client Connect(Connection::Handler* handler) {
    auto [client, fd] = MakePair();
    pool_.Place(fd, [handler](Loop& loop, int descriptor) {
      AdoptDescriptor(loop, descriptor)->SetHandler(handler);
    });
    return std::move(client);
  }
  std::multiset<size_t> Loads() {
    std::multiset<size_t> loads;
    pool_.ForEachLoop([&](Loop& loop) { loads.insert(loop.connection_count()); });
    return loads;
  }
  bool Settled() {
    pool_.Maintain();
    return pool_.alive() == pool_.size();
  }

  LineEcho echo_;
  LoopPool pool_{LoopOptions{}, nullptr};
};

TEST_F(LoopPoolTest, NewConnectionsGoToTheLeastLoadedLoop) {
  ASSERT_TRUE(pool_.Start(3).ok());
  std::deque<Client> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(Connect(&echo_));
  EXPECT_TRUE(Eventually([&] { return Loads() == std::multiset<size_t>{10, 10, 10}; }));
}

TEST_F(LoopPoolTest, GrowingSpreadsAndShrinkingGathersConnections) {
  ASSERT_TRUE(pool_.Start(1).ok());
  Loop* const first = &pool_.first();
  std::deque<Client> clients;
  for (int i = 0; i < 40; ++i) clients.push_back(Connect(&echo_));
  ASSERT_TRUE(Eventually([&] { return pool_.connection_count() == 40; }));
  ASSERT_TRUE(pool_.Resize(4).ok());
  EXPECT_TRUE(Eventually([&] { return Loads() == std::multiset<size_t>{10, 10, 10, 10}; }));
  ASSERT_TRUE(pool_.Resize(2).ok());
  EXPECT_EQ(pool_.size(), 2);
  EXPECT_TRUE(Eventually([&] { return Settled(); }));
  EXPECT_EQ(pool_.connection_count(), 40u);
  ASSERT_TRUE(pool_.Resize(1).ok());
  EXPECT_TRUE(Eventually([&] { return Settled(); }));
  EXPECT_EQ(Loads(), std::multiset<size_t>{40});
  EXPECT_EQ(&pool_.first(), first) << "loop 0 stays";
  for (auto& client : clients) {
    ASSERT_TRUE(client.Send("there?\n"));
    ASSERT_EQ(client.Receive(7), "there?\n");
  }
  EXPECT_EQ(echo_.closed, 0);
}

// A session with work elsewhere declines, and goes by itself when that is done.
TEST_F(LoopPoolTest, ABusyConnectionLeavesWhenItCan) {
  class Busy final : public LineEcho {
   public:
    explicit Busy(LoopPool* pool) : pool_(pool) {}
    void OnMoveWanted(Connection&, Loop&) override { ++asked; }
    void OnInput(Connection& c) override {
      LineEcho::OnInput(c);
      if (asked > 0) pool_->MoveAway(c, [this](Connection&) { ++moved; });
    }
    std::atomic<int> asked{0}, moved{0};

   private:
    LoopPool* const pool_;
  };
  Busy busy(&pool_);
  ASSERT_TRUE(pool_.Start(2).ok());
  Client other = Connect(&echo_);
  Client client = Connect(&busy);
  ASSERT_TRUE(Eventually([&] { return Loads() == std::multiset<size_t>{1, 1}; }));
  ASSERT_TRUE(pool_.Resize(1).ok());
  ASSERT_TRUE(Eventually([&] { return busy.asked > 0; }));
  pool_.Maintain();
  EXPECT_EQ(pool_.alive(), 2) << "the loop has to wait for it";
  ASSERT_TRUE(client.Send("now\n"));
  EXPECT_EQ(client.Receive(4), "now\n");
  EXPECT_TRUE(Eventually([&] { return busy.moved == 1 && Settled(); }));
  ASSERT_TRUE(client.Send("still\n"));
  EXPECT_EQ(client.Receive(6), "still\n");
  pool_.Stop();
}

// A closed connection's work may still be on its way back to the loop.
TEST_F(LoopPoolTest, AHeldLoopStaysUntilItIsReleased) {
  class Holding final : public LineEcho {
   public:
    void OnClosed(Connection& c, const Status& reason) override {
      held = &c.loop();
      c.loop().Hold();
      LineEcho::OnClosed(c, reason);
    }
    Loop* held = nullptr;
  };
  Holding holding;
  ASSERT_TRUE(pool_.Start(2).ok());
  Client other = Connect(&echo_);
  {
    const Client client = Connect(&holding);
    ASSERT_TRUE(Eventually([&] { return Loads() == std::multiset<size_t>{1, 1}; }));
  }
  ASSERT_TRUE(Eventually([&] { return holding.closed == 1; }));
  ASSERT_NE(holding.held, &pool_.first());
  ASSERT_TRUE(pool_.Resize(1).ok());
  EXPECT_FALSE(Settled());
  std::atomic<bool> came{false};
  EXPECT_TRUE(holding.held->PostFunction([&] {
    came = true;
    holding.held->Release();
  }));
  EXPECT_TRUE(Eventually([&] { return Settled(); }));
  EXPECT_TRUE(came);
  pool_.Stop();
}

// What has bound to loop 0 waits until the pool starts.
TEST_F(LoopPoolTest, APreparedLoopRunsFromTheStartOn) {
  Loop& loop = pool_.Prepare();
  std::atomic<bool> ran{false};
  EXPECT_TRUE(loop.PostFunction([&] { ran = true; }));
  EXPECT_FALSE(loop.running());
  ASSERT_TRUE(pool_.Start(3).ok());
  EXPECT_TRUE(Eventually([&] { return ran.load(); }));
  EXPECT_EQ(&pool_.first(), &loop);
  EXPECT_EQ(pool_.alive(), 3);
}

TEST_F(LoopPoolTest, TotalsOutliveTheLoopsThatMadeThem) {
  ASSERT_TRUE(pool_.Start(4).ok());
  std::deque<Client> clients;
  for (int i = 0; i < 8; ++i) clients.push_back(Connect(&echo_));
  for (auto& client : clients) {
    ASSERT_TRUE(client.Send("four\n"));
    ASSERT_EQ(client.Receive(5), "four\n");
  }
  ASSERT_TRUE(pool_.Resize(1).ok());
  EXPECT_TRUE(Eventually([&] { return Settled(); }));
  EXPECT_EQ(pool_.stats().totals.bytes_in, 40u);
  EXPECT_TRUE(Eventually([&] { return pool_.stats().totals.bytes_out == 40; }));
}

// The pool breathes while clients pipeline: every reply comes, in order, and nobody is dropped.
TEST_F(LoopPoolTest, ResizedUnderPipelinedLoadLosesNothing) {
  constexpr int kClients = 12;
  constexpr int kLines = 20'000;
  ASSERT_TRUE(pool_.Start(1).ok());
  std::atomic<int> running{kClients};
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, c = Connect(&echo_)]() mutable {
      std::string window;
      for (int line = 0; line < kLines;) {
        window.clear();
        for (int k = 0; k < 50 && line < kLines; ++k)
          window += "line " + std::to_string(line++) + "\n";
        if (!c.Send(window) || c.Receive(window.size()) != window) {
          ADD_FAILURE() << "client " << i << " near line " << line;
          break;
        }
      }
      --running;
    });
  }
  for (int round = 0; running > 0; ++round) {
    EXPECT_TRUE(pool_.Resize(1 + round % 4).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    pool_.Maintain();
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(pool_.stats().moves_asked, 20u);
  EXPECT_TRUE(Eventually([&] { return echo_.closed == kClients; }));
  EXPECT_TRUE(Eventually([&] { return Settled(); }));
}

}  // namespace
}  // namespace kiwi::net
