#include "keyspace/reaper.h"

#include <utility>

namespace kiwi::keyspace {

Reaper::~Reaper() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Reaper::Discard(std::shared_ptr<void> garbage) {
  pending_.fetch_add(1, std::memory_order_relaxed);
  MutexLock lock(mu_);
  queue_.push_back(std::move(garbage));
  if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  wake_.NotifyOne();
}

void Reaper::Loop() {
  for (;;) {
    std::shared_ptr<void> garbage;
    {
      MutexLock lock(mu_);
      while (queue_.empty() && !stopping_) wake_.Wait(mu_);
      if (queue_.empty()) return;
      garbage = std::move(queue_.front());
      queue_.pop_front();
    }
    garbage.reset();
    freed_.fetch_add(1, std::memory_order_relaxed);
    pending_.fetch_sub(1, std::memory_order_relaxed);
  }
}

}  // namespace kiwi::keyspace
