// How often and how long sockets were not read because the server could not take more, and what that
// cost their clients. Two causes are told apart: a level of the channel that is full, and a client
// that does not read its replies.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace kiwi::server {

// Upper bounds of the buckets of pause durations; one more holds what is longer.
inline constexpr std::array<int64_t, 5> kPauseBoundsMs = {1, 10, 100, 1'000, 10'000};
inline constexpr size_t kPauseBuckets = kPauseBoundsMs.size() + 1;

// Pauses of one cause, over all loops. Written at most twice a pause; any thread.
class Pauses {
 public:
  void Begin(int64_t now_ns) {
    events_.fetch_add(1, kRelaxed);
    now_.fetch_add(1, kRelaxed);
    began_us_.fetch_add(now_ns / 1000, kRelaxed);
  }
  void End(int64_t since_ns, int64_t now_ns);

  uint64_t events() const { return events_.load(kRelaxed); }
  size_t now() const { return now_.load(kRelaxed); }
  // Of those that ended, and of those under way, all together.
  int64_t ended_us() const { return ended_us_.load(kRelaxed); }
  int64_t current_us(int64_t now_ns) const;
  int64_t longest_us() const { return longest_us_.load(kRelaxed); }  // that ended
  std::array<uint64_t, kPauseBuckets> histogram() const;             // of those that ended

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;

  std::atomic<uint64_t> events_{0};
  std::atomic<size_t> now_{0};
  std::atomic<int64_t> began_us_{0};  // sum over those under way
  std::atomic<int64_t> ended_us_{0};
  std::atomic<int64_t> longest_us_{0};
  std::array<std::atomic<uint64_t>, kPauseBuckets> buckets_{};
};

// How long batches took from being parsed to their replies. One thread writes.
class LatencySum {
 public:
  void Add(int64_t ns) {
    ns_.store(ns_.load(kRelaxed) + static_cast<uint64_t>(ns), kRelaxed);
    count_.store(count_.load(kRelaxed) + 1, kRelaxed);
  }
  void Add(const LatencySum& other) {
    ns_.fetch_add(other.ns(), kRelaxed);
    count_.fetch_add(other.count(), kRelaxed);
  }
  uint64_t ns() const { return ns_.load(kRelaxed); }
  uint64_t count() const { return count_.load(kRelaxed); }
  int64_t mean_us() const { return count() == 0 ? 0 : static_cast<int64_t>(ns() / count() / 1000); }

 private:
  static constexpr auto kRelaxed = std::memory_order_relaxed;
  std::atomic<uint64_t> ns_{0};
  std::atomic<uint64_t> count_{0};
};

// What backpressure does to latency: of the batches that it held up, and of all others.
struct BatchLatencies {
  uint64_t held_up_count = 0;
  int64_t held_up_mean_us = 0;
  uint64_t others_count = 0;
  int64_t others_mean_us = 0;
};

struct Backpressure {
  Pauses full;                              // a level of the channel had no room
  Pauses unread;                            // the client left too many replies unread
  std::atomic<size_t> waiting_requests{0};  // of batches that a full level refused
  // What loops that have ended saw; of the others, LoopState knows.
  LatencySum held_up;  // batches that a full level had refused
  LatencySum others;
};

}  // namespace kiwi::server
