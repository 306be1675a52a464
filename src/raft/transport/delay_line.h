// Messages that a fault holds up: in order, or each for itself.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

#include "fault/link_faults.h"

namespace kiwi::raft {

// Not thread-safe.
template <typename T>
class DelayLine {
 public:
  bool empty() const { return held_.empty(); }
  size_t size() const { return held_.size(); }
  // Whether this one has to go through the line: it is held up, or comes behind one that keeps its
  // place.
  bool Wants(const fault::LinkVerdict& verdict) const {
    return verdict.delay_ms > 0 || in_order_ > 0;
  }
  void Push(T item, const fault::LinkVerdict& verdict, int64_t now_ms) {
    int64_t due = now_ms + verdict.delay_ms;
    if (!verdict.reorder) {
      due = last_due_ms_ = in_order_ > 0 ? std::max(due, last_due_ms_) : due;
      ++in_order_;
    }
    held_.emplace(due, Held{std::move(item), !verdict.reorder});
  }
  bool PopDue(int64_t now_ms, T* item) {
    if (held_.empty() || held_.begin()->first > now_ms) return false;
    Held& held = held_.begin()->second;
    if (held.in_order) --in_order_;
    *item = std::move(held.item);
    held_.erase(held_.begin());
    return true;
  }
  void Clear() {
    held_.clear();
    in_order_ = 0;
  }

 private:
  struct Held {
    T item;
    bool in_order;
  };
  std::multimap<int64_t, Held> held_;  // by when they are due; equal ones keep their order
  size_t in_order_ = 0;
  int64_t last_due_ms_ = 0;
};

}  // namespace kiwi::raft
