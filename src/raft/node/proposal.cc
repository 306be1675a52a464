#include "raft/node/proposal.h"

#include <utility>

namespace kiwi::raft {

void ProposalQueue::SetScheduling(bool weighted, const Weights& weights) {
  MutexLock lock(mu_);
  weighted_ = weighted;
  weights_ = weights;
}

// There is a proposal.
size_t ProposalQueue::NextLevel() {
  size_t next = 0;
  if (weighted_ && levels_[0].empty()) {
    next = std::exchange(owed_, runtime::kPriorityCount);
    if (next != runtime::kPriorityCount && !levels_[next].empty()) return next;
    std::array<bool, runtime::kPriorityCount> waits = {};
    for (size_t l = 0; l < waits.size(); ++l) waits[l] = !levels_[l].empty();
    next = turns_.Pick(weights_, [&waits](size_t level) { return waits[level]; });
    if (next != runtime::kPriorityCount) return next;
  }
  next = 0;
  while (levels_[next].empty()) ++next;
  return next;
}

bool ProposalQueue::Push(Proposal* proposal) {
  MutexLock lock(mu_);
  if (closed_) return false;
  levels_[static_cast<size_t>(proposal->priority())].push_back(proposal);
  ++size_;
  remote_ += proposal->remote();
  return true;
}

void ProposalQueue::Close() {
  MutexLock lock(mu_);
  closed_ = true;
}

void ProposalQueue::Take(size_t max_bytes, std::vector<Proposal*>* out) {
  MutexLock lock(mu_);
  size_t bytes = 0;
  while (size_ > 0) {
    const size_t level = NextLevel();
    Proposal* const proposal = levels_[level].front();
    const size_t next = proposal->records().size();
    if (bytes > 0 && bytes + next > max_bytes) {
      if (weighted_) owed_ = level;
      return;
    }
    bytes += next;
    out->push_back(proposal);
    remote_ -= proposal->remote();
    levels_[level].pop_front();
    --size_;
  }
}

void ProposalQueue::TakeRemote(std::vector<Proposal*>* out) {
  MutexLock lock(mu_);
  if (remote_ == 0) return;
  for (auto& level : levels_) {
    std::erase_if(level, [out](Proposal* proposal) {
      if (proposal->remote()) out->push_back(proposal);
      return proposal->remote();
    });
  }
  size_ -= std::exchange(remote_, 0);
}

void ProposalQueue::TakeAll(std::vector<Proposal*>* out) { Take(SIZE_MAX, out); }

bool ProposalQueue::empty() const {
  MutexLock lock(mu_);
  return size_ == 0;
}

size_t ProposalQueue::size() const {
  MutexLock lock(mu_);
  return size_;
}

}  // namespace kiwi::raft
