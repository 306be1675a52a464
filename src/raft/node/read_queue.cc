#include "raft/node/read_queue.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace kiwi::raft {

void ReadQueue::Asked(uint64_t token) { asked_.push_back({token, std::exchange(new_, {})}); }

void ReadQueue::Answered(uint64_t token, LogIndex index) {
  const auto it = std::find_if(asked_.begin(), asked_.end(),
                               [token](const Question& q) { return q.token == token; });
  if (it == asked_.end()) return;
  confirmed_.push_back({index, std::move(it->waiting)});
  asked_.erase(it);
}

void ReadQueue::Dropped(uint64_t token) {
  const auto it = std::find_if(asked_.begin(), asked_.end(),
                               [token](const Question& q) { return q.token == token; });
  if (it == asked_.end()) return;
  new_.insert(new_.begin(), it->waiting.begin(), it->waiting.end());
  asked_.erase(it);
}

void ReadQueue::ConfirmNew(LogIndex index) {
  if (!new_.empty()) confirmed_.push_back({index, std::exchange(new_, {})});
}

void ReadQueue::TakeReady(LogIndex applied, std::vector<ReadWaiter*>* out) {
  std::erase_if(confirmed_, [applied, out](const Confirmed& c) {
    if (c.index > applied) return false;
    for (const Waiting& w : c.waiting) out->push_back(w.waiter);
    return true;
  });
}

void ReadQueue::TakeLateOf(std::vector<Waiting>* waiting, int64_t since_ns,
                           std::vector<ReadWaiter*>* out) {
  std::erase_if(*waiting, [since_ns, out](const Waiting& w) {
    if (w.since_ns >= since_ns) return false;
    out->push_back(w.waiter);
    return true;
  });
}

void ReadQueue::TakeLate(int64_t since_ns, std::vector<ReadWaiter*>* out) {
  TakeLateOf(&new_, since_ns, out);
  for (Question& question : asked_) TakeLateOf(&question.waiting, since_ns, out);
}

void ReadQueue::TakeBehind(int64_t since_ns, std::vector<ReadWaiter*>* out) {
  for (Confirmed& confirmed : confirmed_) TakeLateOf(&confirmed.waiting, since_ns, out);
  std::erase_if(confirmed_, [](const Confirmed& c) { return c.waiting.empty(); });
}

void ReadQueue::TakeAll(std::vector<ReadWaiter*>* out) {
  TakeLate(std::numeric_limits<int64_t>::max(), out);
  TakeReady(std::numeric_limits<LogIndex>::max(), out);
}

}  // namespace kiwi::raft
