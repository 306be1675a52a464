// The buffers on their own, against plain strings: random operations, printed seed.
#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "net/input_buffer.h"
#include "net/output_queue.h"
#include "unit/net/net_test_util.h"

namespace kiwi::net {
namespace {

TEST(InputBuffer, KeepsBytesAndTakenViewsThroughAllMoves) {
  struct Taken {
    InputBlock block;
    std::string_view view;
    std::string copy;
  };
  for (unsigned seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    InputBlock slab = InputBlock::Allocate(32 << 10);
    size_t slab_used = 0;
    InputBuffer buffer;
    std::string model;
    std::vector<Taken> taken;
    for (int step = 0; step < 2000; ++step) {
      // A read, into the slab or into an own block, as a connection does it.
      const size_t n = random() % (random() % 10 == 0 ? 9000 : 100);
      if (model.size() <= kSlabCarryMax && random() % 4 != 0) {
        if (!slab.shared()) slab_used = 0;
        if (slab.capacity() - slab_used < model.size() + n) {
          slab = InputBlock::Allocate(slab.capacity());
          slab_used = 0;
        }
        buffer.MoveToSlab(slab, slab_used, slab_used + model.size() + n);
      } else {
        size_t room = 0;
        buffer.Reserve(n, &room);
        ASSERT_GE(room, n);
      }
      ASSERT_GE(buffer.room(), n);
      std::string bytes(n, static_cast<char>('a' + step % 26));
      std::memcpy(buffer.tail(), bytes.data(), n);
      buffer.Commit(n);
      if (buffer.in(slab)) slab_used = buffer.end_offset();
      model += bytes;
      ASSERT_EQ(buffer.data(), model);

      if (random() % 3 == 0) taken.push_back({buffer.Take(), buffer.data(), model});
      const size_t used = random() % 2 == 0 ? model.size() : random() % (model.size() + 1);
      buffer.Consume(used);
      model.erase(0, used);
      buffer.Park(slab);
      ASSERT_EQ(buffer.data(), model);
      if (model.empty()) {
        ASSERT_EQ(buffer.capacity(), 0u);
      }
      for (const Taken& t : taken) ASSERT_EQ(t.view, t.copy);
      if (taken.size() > 20) taken.erase(taken.begin(), taken.begin() + 10);
      if (model.size() > 100'000) {
        buffer.Clear();
        model.clear();
      }
    }
  }
}

TEST(OutputQueue, SendsAllInOrderWhateverTheSocketTakes) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    auto [client, fd] = MakePair();
    const int small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    OutputArena arena;
    OutputQueue queue;
    std::string expected, got;
    for (int step = 0; step < 500; ++step) {
      for (unsigned i = random() % 20; i > 0; --i) {
        const size_t n = random() % (random() % 20 == 0 ? 20'000 : 80);
        const std::string bytes(n, static_cast<char>('a' + expected.size() % 26));
        expected += bytes;
        if (random() % 2 == 0) {
          queue.Append(std::string_view(bytes), arena);
        } else {
          queue.Append(std::string(bytes), arena);
        }
        // Another connection's reply between them.
        if (random() % 5 == 0) std::memset(arena.Allocate(30), '#', 30);
      }
      const size_t before = queue.size();
      const auto result = queue.Flush(fd);
      ASSERT_NE(result, OutputQueue::FlushResult::kError);
      ASSERT_EQ(result == OutputQueue::FlushResult::kAll, queue.size() == 0);
      ASSERT_LE(queue.size(), before);
      // The iteration is over: nothing may still point into the arena.
      std::memset(arena.Allocate(1), '#', 1);
      arena.Reset();
      std::memset(arena.Allocate(100 << 10), '#', 100 << 10);
      arena.Reset();
      std::string piece(random() % 30'000, '\0');
      const ssize_t n = ::recv(client.fd(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (n > 0) got.append(piece, 0, static_cast<size_t>(n));
    }
    while (got.size() < expected.size()) {
      ASSERT_NE(queue.Flush(fd), OutputQueue::FlushResult::kError);
      const std::string more = client.Receive(std::min<size_t>(1, expected.size() - got.size()));
      ASSERT_FALSE(more.empty());
      got += more;
      std::string piece(1 << 20, '\0');
      const ssize_t n = ::recv(client.fd(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (n > 0) got.append(piece, 0, static_cast<size_t>(n));
    }
    EXPECT_TRUE(got == expected);
    EXPECT_EQ(queue.size(), 0u);
    ::close(fd);
  }
}

TEST(OutputQueue, APeerThatIsGoneIsAnError) {
  auto [client, fd] = MakePair();
  client.Close();
  OutputArena arena;
  OutputQueue queue;
  queue.Append(std::string_view("to nobody"), arena);
  EXPECT_EQ(queue.Flush(fd), OutputQueue::FlushResult::kError);
  ::close(fd);
}

}  // namespace
}  // namespace kiwi::net
