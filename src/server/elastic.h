// Makes both pools breathe: looks at queues and delays every few milliseconds, asks the scaler
// (runtime/scaler.h), and resizes. Has a thread of its own, because resizing may wait for threads.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"
#include "net/loop_pool.h"
#include "raft/node/node.h"
#include "runtime/priority_channel.h"
#include "runtime/scaler.h"
#include "runtime/worker_pool.h"
#include "server/loop_state.h"
#include "server/stats.h"

namespace kiwi::server {

struct ElasticOptions {
  bool enabled = true;  // no: the pools keep their sizes, within minimum and maximum
  runtime::ScalerOptions scaler;
};

// What it saw and decided last, and what came of it.
struct ElasticStatus {
  ElasticOptions options;
  runtime::Observation seen;
  runtime::ScalerDecision decided;
  std::deque<runtime::ResizeRecord> network_resizes;  // the latest last
  std::deque<runtime::ResizeRecord> storage_resizes;
  runtime::ResizeTotals network_totals;
  runtime::ResizeTotals storage_totals;
  int64_t network_barred_ms = 0;  // so much longer it does not grow, after a growth in vain
  int64_t storage_barred_ms = 0;
};

// Thread-safe.
class Elastic {
 public:
  // All outlive it, between Start and Stop.
  struct Sources {
    net::LoopPool* loops = nullptr;
    runtime::WorkerPool* workers = nullptr;
    const runtime::PriorityChannel* channel = nullptr;
    const Stats* stats = nullptr;
    const Backpressure* backpressure = nullptr;
    const std::atomic<bool>* helping = nullptr;
    const std::atomic<size_t>* under_way = nullptr;  // batches
    const raft::Node* node = nullptr;
    Clock* clock = nullptr;
  };

  explicit Elastic(const ElasticOptions& options);
  ~Elastic();  // Stop()

  // The pools run, at their minimum or above.
  void Start(const Sources& sources);
  void Stop();
  // Bounds take effect at once.
  void SetOptions(const ElasticOptions& options);
  ElasticOptions options() const;
  ElasticStatus status() const;

 private:
  void Run();
  runtime::Observation Observe() KIWI_REQUIRES(mu_);
  runtime::ScalerDecision Decide() KIWI_REQUIRES(mu_);
  void Resize(const runtime::ScalerDecision& decision);

  Sources sources_;  // fixed by Start
  std::thread thread_;

  mutable Mutex mu_;
  CondVar woken_;
  ElasticOptions options_ KIWI_GUARDED_BY(mu_);
  runtime::Scaler scaler_ KIWI_GUARDED_BY(mu_);
  bool stopping_ KIWI_GUARDED_BY(mu_) = false;
  bool changed_ KIWI_GUARDED_BY(mu_) = false;
  runtime::Observation seen_ KIWI_GUARDED_BY(mu_);
  runtime::ScalerDecision decided_ KIWI_GUARDED_BY(mu_);
  int64_t responded_us_ KIWI_GUARDED_BY(mu_) = 0;  // what came back last
};

}  // namespace kiwi::server
