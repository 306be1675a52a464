// WAIT: batches that are put off until enough other nodes have the connection's last write, or their
// time is up. They cost no thread while they wait, but for one that looks at the progress while
// there are any; bounded by the connections.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "raft/node/node.h"

namespace kiwi::server {

class Batch;

class ReplicaWaits {
 public:
  // resume(batch): puts it back on the way to RunPass; on any thread. All outlive it.
  ReplicaWaits(const raft::Node* node, Clock* clock, std::function<void(Batch&)> resume);
  ~ReplicaWaits();  // Stop()

  // Resumes the batch, with Batch::wait_over set, when `replicas` nodes have the log up to `index`,
  // at the deadline, or once its client or the leadership, and with it the knowledge, is gone. deadline_ns: monotonic; 0: none.
  void Add(Batch* batch, uint64_t index, uint64_t replicas, int64_t deadline_ns) KIWI_EXCLUDES(mu_);
  // Resumes all that wait, and from now on every one at once.
  void Stop() KIWI_EXCLUDES(mu_);

 private:
  struct Waiting {
    Batch* batch;
    uint64_t index;
    uint64_t replicas;
    int64_t deadline_ns;
  };

  void Thread();
  std::vector<Waiting> TakeOver() KIWI_EXCLUDES(mu_);
  void Resume(const std::vector<Waiting>& over);

  const raft::Node* const node_;
  Clock* const clock_;
  const std::function<void(Batch&)> resume_;

  Mutex mu_;
  CondVar changed_;
  std::vector<Waiting> waiting_ KIWI_GUARDED_BY(mu_);
  bool stopping_ KIWI_GUARDED_BY(mu_) = false;
  std::thread thread_ KIWI_GUARDED_BY(mu_);  // from the first that waits on
};

}  // namespace kiwi::server
