#include "server/replica_waits.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "server/batch.h"
#include "server/session.h"

namespace kiwi::server {
namespace {

// Followers answer within a few of these.
constexpr auto kLookAgain = std::chrono::milliseconds(2);

}  // namespace

ReplicaWaits::ReplicaWaits(const raft::Node* node, Clock* clock, std::function<void(Batch&)> resume)
    : node_(node), clock_(clock), resume_(std::move(resume)) {}

ReplicaWaits::~ReplicaWaits() { Stop(); }

void ReplicaWaits::Add(Batch* batch, uint64_t index, uint64_t replicas, int64_t deadline_ns) {
  {
    MutexLock lock(mu_);
    if (!stopping_) {
      if (!thread_.joinable()) thread_ = std::thread([this] { Thread(); });
      waiting_.push_back({batch, index, replicas, deadline_ns});
      if (waiting_.size() == 1) changed_.NotifyAll();  // else it looks again soon
      return;
    }
  }
  Resume({{batch, index, replicas, deadline_ns}});
}

void ReplicaWaits::Stop() {
  std::vector<Waiting> left;
  std::thread thread;
  {
    MutexLock lock(mu_);
    stopping_ = true;
    left.swap(waiting_);
    thread.swap(thread_);
    changed_.NotifyAll();
  }
  Resume(left);
  if (thread.joinable()) thread.join();
}

void ReplicaWaits::Resume(const std::vector<Waiting>& over) {
  for (const Waiting& waiting : over) {
    waiting.batch->wait_over = true;
    resume_(*waiting.batch);
  }
}

// Those whose time has come. The node is asked once for all, and nobody who is added waits for it.
std::vector<ReplicaWaits::Waiting> ReplicaWaits::TakeOver() {
  const bool leads = node_->is_leader();
  const raft::Node::Replicas progress = node_->CountReplicas();
  const int64_t now_ns = clock_->MonotonicNs();
  std::vector<Waiting> over;
  MutexLock lock(mu_);
  std::erase_if(waiting_, [&](const Waiting& waiting) {
    const bool is_over = !leads || (waiting.deadline_ns != 0 && now_ns >= waiting.deadline_ns) ||
                         waiting.batch->session().closing() ||
                         waiting.batch->session().unblocked() ||
                         progress.With(waiting.index) >= waiting.replicas;
    if (is_over) over.push_back(waiting);
    return is_over;
  });
  return over;
}

void ReplicaWaits::Thread() {
  pthread_setname_np(pthread_self(), "kiwi-wait");
  for (;;) {
    {
      MutexLock lock(mu_);
      while (!stopping_ && waiting_.empty()) changed_.Wait(mu_);
      if (!stopping_) changed_.WaitFor(mu_, kLookAgain);
      if (stopping_) return;
    }
    Resume(TakeOver());
  }
}

}  // namespace kiwi::server
