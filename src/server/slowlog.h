// The slow log: the last commands that took longer than a threshold.
// https://redis.io/commands/slowlog-get
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "commands/server_view.h"

namespace kiwi::server {

// Thread-safe. Bounded: max_length entries of 32 arguments of 128 bytes.
class Slowlog {
 public:
  static constexpr size_t kArgsMax = 32;
  static constexpr size_t kArgBytesMax = 128;

  // Microseconds; below 0: nothing is logged, 0: everything.
  void SetThresholdUs(int64_t us) { threshold_ns_.store(us < 0 ? -1 : us * 1000); }
  void SetMaxLength(size_t entries);

  // For the hot path: is a call of this duration logged?
  bool Wants(int64_t duration_ns) const {
    const int64_t threshold = threshold_ns_.load(std::memory_order_relaxed);
    return threshold >= 0 && duration_ns >= threshold;
  }
  // args: with secrets already replaced (commands/redact.h). Longer ones are cut.
  void Record(std::span<const std::string_view> args, int64_t duration_ns, int64_t unix_s,
              std::string_view client_address, std::string_view client_name);

  std::vector<commands::SlowlogEntry> Newest(size_t count_max) const;  // newest first
  size_t length() const;
  void Reset();  // ids go on counting

 private:
  std::atomic<int64_t> threshold_ns_{10'000'000};
  mutable Mutex mu_;
  size_t max_length_ KIWI_GUARDED_BY(mu_) = 128;
  int64_t next_id_ KIWI_GUARDED_BY(mu_) = 0;
  std::deque<commands::SlowlogEntry> entries_ KIWI_GUARDED_BY(mu_);  // newest first
};

}  // namespace kiwi::server
