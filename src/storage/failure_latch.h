// Remembers the first failed write or sync of a backend, so that no later one is acknowledged as
// though the first had not happened. Thread-safe; ok() is one relaxed load.
#pragma once

#include <atomic>

#include "base/mutex.h"
#include "base/status.h"

namespace kiwi::storage {

class FailureLatch {
 public:
  bool ok() const { return !failed_.load(std::memory_order_acquire); }

  Status Get() const {
    if (ok()) return {};
    MutexLock lock(mu_);
    return first_;
  }

  // Passes the status on; an error closes the latch.
  Status Record(Status status) {
    if (status.ok()) return status;
    MutexLock lock(mu_);
    if (first_.ok()) {
      first_ = status.WithContext("storage takes no writes after an error");
      failed_.store(true, std::memory_order_release);
    }
    return status;
  }

  void Reset() {
    MutexLock lock(mu_);
    first_ = {};
    failed_.store(false, std::memory_order_release);
  }

 private:
  mutable Mutex mu_;
  Status first_ KIWI_GUARDED_BY(mu_);
  std::atomic<bool> failed_{false};
};

}  // namespace kiwi::storage
