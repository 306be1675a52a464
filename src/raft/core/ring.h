// A queue in one block of memory that grows by doubling and never shrinks: no allocation in a
// steady state, unlike std::deque.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/check.h"

namespace kiwi::raft {

template <typename T>
class Ring {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  T& operator[](size_t i) { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  const T& operator[](size_t i) const { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  void push_back(T value) {
    if (size_ == slots_.size()) Grow();
    ++size_;
    back() = std::move(value);
  }
  void pop_front() {
    KIWI_DCHECK(size_ > 0, "pop of an empty ring");
    front() = T();
    head_ = (head_ + 1) & (slots_.size() - 1);
    --size_;
  }
  void pop_back() {
    KIWI_DCHECK(size_ > 0, "pop of an empty ring");
    back() = T();
    --size_;
  }
  void clear() {
    while (!empty()) pop_back();
  }

 private:
  void Grow() {
    std::vector<T> wider(slots_.empty() ? 8 : slots_.size() * 2);
    for (size_t i = 0; i < size_; ++i) wider[i] = std::move((*this)[i]);
    slots_ = std::move(wider);
    head_ = 0;
  }

  std::vector<T> slots_;  // its size is 0 or a power of two
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace kiwi::raft
