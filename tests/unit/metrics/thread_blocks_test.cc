#include "metrics/thread_blocks.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

#include "metrics/histogram.h"

namespace kiwi::metrics {
namespace {

struct Block {
  std::atomic<uint64_t> hits{0};
  HistogramCell<CoarseBuckets> times;
};

class ThreadBlocksTest : public testing::Test {
 protected:
  uint64_t Total() const {
    uint64_t total = 0;
    blocks_.ForEach([&](const Block& block) { total += block.hits.load(); });
    return total;
  }
  size_t Count() const {
    size_t count = 0;
    blocks_.ForEach([&](const Block&) { ++count; });
    return count;
  }
  void RecordOnAThread(uint64_t n) {
    std::thread([&] { Bump(blocks_.Local().hits, n); }).join();
  }

  ThreadBlocks<Block> blocks_{[] { return std::make_unique<Block>(); }};
};

TEST_F(ThreadBlocksTest, WhatAThreadRecordedStaysWhenItHasEnded) {
  RecordOnAThread(3);
  EXPECT_EQ(Total(), 3U);
  RecordOnAThread(4);
  EXPECT_EQ(Total(), 7U);
  EXPECT_EQ(Count(), 1U) << "the second thread goes on with the first one's block";
}

TEST_F(ThreadBlocksTest, ThreadsThatLiveTogetherHaveBlocksOfTheirOwn) {
  Block* const mine = &blocks_.Local();
  EXPECT_EQ(mine, &blocks_.Local());
  Block* theirs = nullptr;
  std::thread([&] { theirs = &blocks_.Local(); }).join();
  EXPECT_NE(mine, theirs);
}

TEST_F(ThreadBlocksTest, AThreadMayServeSeveralInTurn) {
  ThreadBlocks<Block> other([] { return std::make_unique<Block>(); });
  for (int i = 0; i < 10; ++i) {
    Bump(blocks_.Local().hits, 1);
    Bump(other.Local().hits, 2);
  }
  uint64_t others = 0;
  other.ForEach([&](const Block& block) { others += block.hits.load(); });
  EXPECT_EQ(Total(), 10U);
  EXPECT_EQ(others, 20U);
}

TEST_F(ThreadBlocksTest, AThreadMayOutliveThem) {
  struct Counted {
    explicit Counted(int* count) : alive(count) { ++*alive; }
    ~Counted() { --*alive; }
    int* alive;
  };
  int alive = 0;
  std::thread thread([&] {
    {
      ThreadBlocks<Counted> shortly([&] { return std::make_unique<Counted>(&alive); });
      shortly.Local();
    }
    EXPECT_EQ(alive, 1) << "the thread's lease keeps its block";
  });
  thread.join();
  EXPECT_EQ(alive, 0) << "freed with the lease, which nobody else had an owner for";
}

// As the elastic pools do it, and with a reader at any moment: totals never fall, and in the end
// every record is there once.
TEST_F(ThreadBlocksTest, NothingIsLostWhileThreadsComeAndGoUnderAReader) {
  constexpr int kRounds = 40;
  constexpr int kThreads = 8;
  constexpr uint64_t kRecords = 500;
  std::atomic<bool> done{false};
  std::thread reader([&] {
    uint64_t before = 0;
    while (!done.load()) {
      HistogramSum times;
      uint64_t hits = 0;
      blocks_.ForEach([&](const Block& block) {
        hits += block.hits.load(std::memory_order_relaxed);
        times.Add(block.times);
      });
      EXPECT_GE(hits, before);
      before = hits;
    }
  });
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (uint64_t n = 0; n < kRecords; ++n) {
          Block& block = blocks_.Local();
          Bump(block.hits, 1);
          block.times.Record(1000 * n);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  done = true;
  reader.join();

  HistogramSum times;
  blocks_.ForEach([&](const Block& block) { times.Add(block.times); });
  EXPECT_EQ(Total(), kRounds * kThreads * kRecords);
  EXPECT_EQ(times.count(), kRounds * kThreads * kRecords);
  EXPECT_LE(Count(), static_cast<size_t>(kThreads)) << "as many as lived at once, no more";
}

}  // namespace
}  // namespace kiwi::metrics
