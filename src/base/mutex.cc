#include "base/mutex.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace kiwi {
namespace {

// Shards are held for about a microsecond: a short spin saves most sleeps.
constexpr int kSpins = 64;

void Pause() {
#if defined(__SSE2__)
  _mm_pause();
#endif
}

}  // namespace

// A sleeper sets kSleepers before it sleeps, in the very value that it waits to see changed; who
// frees the lock clears the bits and wakes all, and those who do not get it set them again.

void SharedMutex::LockSlow() {
  for (int spins = 0;; ++spins) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    if ((state & (kWriter | kReaders)) == 0) {
      // What others wait for stays noted: they are woken by our Unlock.
      if (state_.compare_exchange_weak(state, state | kWriter, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return;
      }
      continue;
    }
    if (spins < kSpins) {
      Pause();
      continue;
    }
    const uint32_t waiting = state | kWriterWaits | kSleepers;
    if (state == waiting || state_.compare_exchange_weak(state, waiting, std::memory_order_relaxed,
                                                         std::memory_order_relaxed)) {
      state_.wait(waiting, std::memory_order_relaxed);
    }
  }
}

void SharedMutex::LockSharedSlow() {
  for (int spins = 0;; ++spins) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    if ((state & (kWriter | kWriterWaits)) == 0) {
      if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
        return;
      }
      continue;
    }
    if (spins < kSpins) {
      Pause();
      continue;
    }
    const uint32_t waiting = state | kSleepers;
    if (state == waiting || state_.compare_exchange_weak(state, waiting, std::memory_order_relaxed,
                                                         std::memory_order_relaxed)) {
      state_.wait(waiting, std::memory_order_relaxed);
    }
  }
}

bool SharedMutex::TryLockSlow() {
  for (int spins = 0; spins < kSpins; ++spins) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    if ((state & (kWriter | kReaders)) == 0 &&
        state_.compare_exchange_weak(state, state | kWriter, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return true;
    }
    Pause();
  }
  return false;
}

bool SharedMutex::TryLockSharedSlow() {
  for (int spins = 0; spins < kSpins; ++spins) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    const bool open =
        (state & kWriter) == 0 && ((state & kWriterWaits) == 0 || (state & kReaders) != 0);
    if (open && state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed)) {
      return true;
    }
    Pause();
  }
  return false;
}

void SharedMutex::WakeSleepers() {
  state_.fetch_and(~kSleepers, std::memory_order_relaxed);
  state_.notify_all();
}

}  // namespace kiwi
