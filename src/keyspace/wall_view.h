// What a read knows beyond the replicated clock: the wall clock of its own node.
//
// A read decides by its Moment alone, as a write does. But a key whose time has come by the wall
// clock and not yet by the replicated one should be shown neither alive, since it is past its time,
// nor gone, since a node whose clock is behind would bring it back. The view notes such keys; who
// runs the read then drops its result, has the keys deleted through the log, and runs it again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "keyspace/object.h"

namespace kiwi::keyspace {

// One a read, used by one thread.
class WallView {
 public:
  // What is noted of one read, at most; the first key always is.
  static constexpr size_t kMaxKeys = 64;
  static constexpr size_t kMaxBytes = 64 << 10;

  struct Key {
    int db;
    std::string key;
  };

  // The clock outlives it.
  explicit WallView(Clock* clock) : clock_(clock) {}
  WallView(const WallView&) = delete;
  WallView& operator=(const WallView&) = delete;

  // The clock is read when this is first asked, and once: a read whose keys never expire costs none.
  int64_t now_ms() {
    if (now_ms_ < 0) now_ms_ = clock_->WallMs();
    return now_ms_;
  }
  // The read met an object that expires, at this replicated time.
  void Met(int db, const Object& object, int64_t replicated_ms) {
    if (object.has_expiry()) Met(db, object.key(), object.expire_at_ms(), replicated_ms);
  }
  void Met(int db, std::string_view key, int64_t expire_at_ms, int64_t replicated_ms);

  // An object is past its time by the wall clock alone.
  bool due() const { return due_; }
  // Objects past their time by either clock.
  const std::vector<Key>& expired() const { return expired_; }

 private:
  Clock* const clock_;
  int64_t now_ms_ = -1;
  bool due_ = false;
  size_t bytes_ = 0;
  std::vector<Key> expired_;
};

}  // namespace kiwi::keyspace
