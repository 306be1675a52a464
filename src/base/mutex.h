// Mutexes that clang's -Wthread-safety understands.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#if defined(__clang__)
#define KIWI_TSA(x) __attribute__((x))
#else
#define KIWI_TSA(x)
#endif
#define KIWI_CAPABILITY(name) KIWI_TSA(capability(name))
#define KIWI_SCOPED_CAPABILITY KIWI_TSA(scoped_lockable)
#define KIWI_GUARDED_BY(mu) KIWI_TSA(guarded_by(mu))
#define KIWI_PT_GUARDED_BY(mu) KIWI_TSA(pt_guarded_by(mu))
#define KIWI_REQUIRES(...) KIWI_TSA(requires_capability(__VA_ARGS__))
#define KIWI_REQUIRES_SHARED(...) KIWI_TSA(requires_shared_capability(__VA_ARGS__))
#define KIWI_EXCLUDES(...) KIWI_TSA(locks_excluded(__VA_ARGS__))
#define KIWI_ACQUIRE(...) KIWI_TSA(acquire_capability(__VA_ARGS__))
#define KIWI_ACQUIRE_SHARED(...) KIWI_TSA(acquire_shared_capability(__VA_ARGS__))
#define KIWI_RELEASE(...) KIWI_TSA(release_capability(__VA_ARGS__))
#define KIWI_RELEASE_SHARED(...) KIWI_TSA(release_shared_capability(__VA_ARGS__))
#define KIWI_TRY_ACQUIRE(...) KIWI_TSA(try_acquire_capability(__VA_ARGS__))
#define KIWI_TRY_ACQUIRE_SHARED(...) KIWI_TSA(try_acquire_shared_capability(__VA_ARGS__))
#define KIWI_NO_THREAD_SAFETY_ANALYSIS KIWI_TSA(no_thread_safety_analysis)

namespace kiwi {

class KIWI_CAPABILITY("mutex") Mutex {
 public:
  void Lock() KIWI_ACQUIRE() { mu_.lock(); }
  void Unlock() KIWI_RELEASE() { mu_.unlock(); }
  bool TryLock() KIWI_TRY_ACQUIRE(true) { return mu_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

// Many readers or one writer, in four bytes. A waiting writer keeps new readers out, so that readers
// in a row cannot starve it. Uncontended it is one atomic operation each way, about a third of what
// std::shared_mutex costs; waiting is a futex (std::atomic::wait). Not recursive.
//
// The Try calls never sleep: they give up after a spin of about a microsecond. TryLockShared goes
// in beside readers that are inside although a writer waits, since it waits for those readers anyway:
// for holders that are out again at once. Such a reader keeps no lock free from the writer: without a
// reader inside, the writer comes first.
class KIWI_CAPABILITY("shared_mutex") SharedMutex {
 public:
  SharedMutex() = default;
  SharedMutex(const SharedMutex&) = delete;
  SharedMutex& operator=(const SharedMutex&) = delete;

  void Lock() KIWI_ACQUIRE() KIWI_NO_THREAD_SAFETY_ANALYSIS {
    uint32_t free = 0;
    if (!state_.compare_exchange_strong(free, kWriter, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      LockSlow();
    }
  }
  bool TryLock() KIWI_TRY_ACQUIRE(true) KIWI_NO_THREAD_SAFETY_ANALYSIS {
    uint32_t free = 0;
    return state_.compare_exchange_strong(free, kWriter, std::memory_order_acquire,
                                          std::memory_order_relaxed) ||
           TryLockSlow();
  }
  void Unlock() KIWI_RELEASE() KIWI_NO_THREAD_SAFETY_ANALYSIS {
    if ((state_.exchange(0, std::memory_order_release) & kSleepers) != 0) state_.notify_all();
  }
  void LockShared() KIWI_ACQUIRE_SHARED() KIWI_NO_THREAD_SAFETY_ANALYSIS {
    uint32_t state = state_.load(std::memory_order_relaxed);
    if ((state & (kWriter | kWriterWaits)) != 0 ||
        !state_.compare_exchange_strong(state, state + 1, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
      LockSharedSlow();
    }
  }
  bool TryLockShared() KIWI_TRY_ACQUIRE_SHARED(true) KIWI_NO_THREAD_SAFETY_ANALYSIS {
    uint32_t state = state_.load(std::memory_order_relaxed);
    return ((state & (kWriter | kWriterWaits)) == 0 &&
            state_.compare_exchange_strong(state, state + 1, std::memory_order_acquire,
                                           std::memory_order_relaxed)) ||
           TryLockSharedSlow();
  }
  void UnlockShared() KIWI_RELEASE_SHARED() KIWI_NO_THREAD_SAFETY_ANALYSIS {
    const uint32_t before = state_.fetch_sub(1, std::memory_order_release);
    if ((before & kSleepers) != 0 && (before & kReaders) == 1) WakeSleepers();
  }

 private:
  static constexpr uint32_t kWriter = 1u << 31;
  static constexpr uint32_t kWriterWaits = 1u << 30;
  static constexpr uint32_t kSleepers = 1u << 29;  // someone may be asleep
  static constexpr uint32_t kReaders = kSleepers - 1;

  void LockSlow();
  void LockSharedSlow();
  bool TryLockSlow();
  bool TryLockSharedSlow();
  void WakeSleepers();

  std::atomic<uint32_t> state_{0};
};

class KIWI_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mu) KIWI_ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~MutexLock() KIWI_RELEASE() { mu_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mu_;
};

class KIWI_SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mu) KIWI_ACQUIRE_SHARED(mu) : mu_(mu) { mu_.LockShared(); }
  ~ReaderLock() KIWI_RELEASE() { mu_.UnlockShared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mu_;
};

class KIWI_SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(SharedMutex& mu) KIWI_ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~WriterLock() KIWI_RELEASE() { mu_.Unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mu_;
};

// Waits for a condition under a Mutex. Callers loop on their condition; wake-ups may be spurious.
class CondVar {
 public:
  void Wait(Mutex& mu) KIWI_REQUIRES(mu) KIWI_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();
  }
  // False when the time passed without a notification.
  template <typename Duration>
  bool WaitFor(Mutex& mu, Duration d) KIWI_REQUIRES(mu) KIWI_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    const bool notified = cv_.wait_for(lock, d) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }
  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace kiwi
