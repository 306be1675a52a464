#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace kiwi {
namespace {

TEST(SharedMutex, WritersExcludeEachOtherAndReaders) {
  SharedMutex mu;
  uint64_t first = 0;  // equal whenever no writer is inside
  uint64_t second = 0;
  std::atomic<uint64_t> torn{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        mu.Lock();
        ++first;
        ++second;
        mu.Unlock();
      }
    });
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        mu.LockShared();
        if (first != second) ++torn;
        mu.UnlockShared();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(first, 60000u);
  EXPECT_EQ(torn, 0u);
}

TEST(SharedMutex, ReadersShareIt) {
  SharedMutex mu;
  mu.LockShared();
  std::thread other([&] {
    mu.LockShared();
    mu.UnlockShared();
  });
  other.join();  // would never end if the first reader kept it out
  mu.UnlockShared();
}

// Readers that overlap all the time leave no moment without a reader, save that new ones wait behind
// the writer.
TEST(SharedMutex, AWriterGetsThroughReadersInARow) {
  SharedMutex mu;
  std::atomic<bool> stop{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!stop) {
        mu.LockShared();
        std::this_thread::yield();
        mu.UnlockShared();
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    mu.Lock();
    mu.Unlock();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

// Beyond what clang can follow: one thread that holds the mutex twice, or tries what it holds.
void WhoOnlyTriesNeverWaits() KIWI_NO_THREAD_SAFETY_ANALYSIS {
  SharedMutex mu;
  ASSERT_TRUE(mu.TryLock());
  EXPECT_FALSE(mu.TryLock());
  EXPECT_FALSE(mu.TryLockShared());
  mu.Unlock();
  ASSERT_TRUE(mu.TryLockShared());
  EXPECT_TRUE(mu.TryLockShared());
  EXPECT_FALSE(mu.TryLock());
  mu.UnlockShared();
  mu.UnlockShared();
  EXPECT_TRUE(mu.TryLock());
  mu.Unlock();
}

// A writer waits for one long reader: those who only try go in beside that reader, and when all are
// out the writer gets it, though nobody sleeps as a reader.
void AWaitingWriterDoesNotKeepOutThoseWhoTry() KIWI_NO_THREAD_SAFETY_ANALYSIS {
  SharedMutex mu;
  mu.LockShared();
  std::atomic<bool> wrote{false};
  std::thread writer([&] {
    mu.Lock();
    wrote = true;
    mu.Unlock();
  });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(mu.TryLockShared());
    std::this_thread::yield();
    EXPECT_FALSE(wrote);
    mu.UnlockShared();
  }
  ASSERT_TRUE(mu.TryLockShared());
  mu.UnlockShared();  // the long reader goes first, the brief one last
  mu.UnlockShared();
  writer.join();
  EXPECT_TRUE(wrote);
}

TEST(SharedMutex, WhoOnlyTriesNeverWaits) { WhoOnlyTriesNeverWaits(); }
TEST(SharedMutex, AWaitingWriterDoesNotKeepOutThoseWhoTry) {
  AWaitingWriterDoesNotKeepOutThoseWhoTry();
}

TEST(SharedMutex, TriesAndWaitsMix) {
  SharedMutex mu;
  uint64_t first = 0;  // equal whenever no writer is inside
  uint64_t second = 0;
  std::atomic<uint64_t> torn{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20000; ++i) {
        if (t == 0 || !mu.TryLock()) mu.Lock();
        ++first;
        ++second;
        mu.Unlock();
      }
    });
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20000; ++i) {
        if (t == 0 || !mu.TryLockShared()) mu.LockShared();
        if (first != second) ++torn;
        mu.UnlockShared();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(first, 40000u);
  EXPECT_EQ(torn, 0u);
}

}  // namespace
}  // namespace kiwi
