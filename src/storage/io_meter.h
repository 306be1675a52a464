// What a backend has written, and how long its syncs took. Thread-safe; costs two looks at the clock
// a sync, and nothing else that could be measured.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/mutex.h"
#include "base/ticks.h"
#include "metrics/histogram.h"
#include "storage/backend.h"

namespace kiwi::storage {

class IoMeter {
 public:
  // call() writes `bytes` (0: it only syncs).
  template <typename Call>
  Status Measure(bool sync, size_t bytes, Call call) {
    const uint64_t start = sync ? Ticks::Now() : 0;
    Status status = call();
    if (!status.ok()) {
      errors_.fetch_add(1, std::memory_order_relaxed);
      return status;
    }
    if (bytes > 0) {
      writes_.fetch_add(1, std::memory_order_relaxed);
      bytes_.fetch_add(bytes, std::memory_order_relaxed);
    }
    if (sync) {
      const uint64_t ns = Ticks::ToNs(start, Ticks::Now());
      MutexLock lock(mu_);
      syncs_.Record(ns);
    }
    return status;
  }

  void FillIn(Stats* stats) const {
    stats->writes = writes_.load(std::memory_order_relaxed);
    stats->bytes_written = bytes_.load(std::memory_order_relaxed);
    stats->errors = errors_.load(std::memory_order_relaxed);
    stats->syncs.Add(syncs_);
  }

 private:
  std::atomic<uint64_t> writes_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> errors_{0};
  Mutex mu_;
  metrics::HistogramCell<metrics::CoarseBuckets> syncs_;  // written under mu_
};

}  // namespace kiwi::storage
