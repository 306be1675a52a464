#include "raft/node/proposal.h"

#include <utility>

namespace kiwi::raft {

void ProposalQueue::Push(Proposal* proposal) {
  MutexLock lock(mu_);
  levels_[static_cast<size_t>(proposal->priority())].push_back(proposal);
  ++size_;
  remote_ += proposal->remote();
}

void ProposalQueue::Take(size_t max_bytes, std::vector<Proposal*>* out) {
  MutexLock lock(mu_);
  size_t bytes = 0;
  for (auto& level : levels_) {
    while (!level.empty()) {
      const size_t next = level.front()->records().size();
      if (bytes > 0 && bytes + next > max_bytes) return;
      bytes += next;
      out->push_back(level.front());
      remote_ -= level.front()->remote();
      level.pop_front();
      --size_;
    }
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
