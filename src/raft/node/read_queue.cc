#include "raft/node/read_queue.h"

#include <algorithm>
#include <utility>

namespace kiwi::raft {

void ReadQueue::Asked(uint64_t token, int64_t now_ns) {
  refresh_ = false;
  asked_.push_back({token, now_ns, std::exchange(new_, {})});
}

void ReadQueue::Answered(uint64_t token, LogIndex index) {
  const auto it = std::find_if(asked_.begin(), asked_.end(),
                               [token](const Question& q) { return q.token == token; });
  if (it == asked_.end()) return;
  confirmed_.push_back({index, it->asked_ns, ReadProof::kQuorum, std::move(it->waiting)});
  asked_.erase(it);
}

void ReadQueue::Dropped(uint64_t token) {
  const auto it = std::find_if(asked_.begin(), asked_.end(),
                               [token](const Question& q) { return q.token == token; });
  if (it == asked_.end()) return;
  new_.insert(new_.begin(), it->waiting.begin(), it->waiting.end());
  asked_.erase(it);
}

void ReadQueue::ConfirmNew(LogIndex index, int64_t now_ns) {
  refresh_ = false;
  confirmed_.push_back({index, now_ns, ReadProof::kLease, std::exchange(new_, {})});
}

void ReadQueue::TakeReady(LogIndex applied, std::vector<Ready>* out) {
  std::erase_if(confirmed_, [this, applied, out](const Confirmed& c) {
    if (c.index > applied) return false;
    fresh_ns_ = std::max(fresh_ns_, c.asked_ns);
    for (const Waiting& w : c.waiting) out->push_back({w.waiter, c.proof});
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
  std::erase_if(confirmed_, [since_ns](const Confirmed& c) {
    return c.waiting.empty() && c.asked_ns < since_ns;
  });
}

void ReadQueue::TakeAll(std::vector<ReadWaiter*>* out) {
  TakeLate(std::numeric_limits<int64_t>::max(), out);
  TakeBehind(std::numeric_limits<int64_t>::max(), out);
}

}  // namespace kiwi::raft
