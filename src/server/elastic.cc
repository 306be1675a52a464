#include "server/elastic.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "base/log.h"

namespace kiwi::server {

Elastic::Elastic(const ElasticOptions& options) : options_(options), scaler_(options.scaler) {}

Elastic::~Elastic() { Stop(); }

void Elastic::Start(const Sources& sources) {
  sources_ = sources;
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "kiwi-scaler");
}

void Elastic::Stop() {
  {
    MutexLock lock(mu_);
    stopping_ = true;
    woken_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void Elastic::SetOptions(const ElasticOptions& options) {
  MutexLock lock(mu_);
  options_ = options;
  scaler_.SetOptions(options.scaler);
  changed_ = true;
  woken_.NotifyAll();
}

ElasticOptions Elastic::options() const {
  MutexLock lock(mu_);
  return options_;
}

ElasticStatus Elastic::status() const {
  MutexLock lock(mu_);
  ElasticStatus s;
  s.options = options_;
  s.seen = seen_;
  s.decided = decided_;
  s.network_resizes = scaler_.network().history();
  s.storage_resizes = scaler_.storage().history();
  s.network_totals = scaler_.network().totals();
  s.storage_totals = scaler_.storage().totals();
  s.network_barred_ms = std::max<int64_t>(0, scaler_.network().barred_until_ms() - seen_.now_ms);
  s.storage_barred_ms = std::max<int64_t>(0, scaler_.storage().barred_until_ms() - seen_.now_ms);
  return s;
}

void Elastic::Run() {
  for (;;) {
    runtime::ScalerDecision decision;
    {
      MutexLock lock(mu_);
      if (!stopping_ && !changed_) {
        woken_.WaitFor(mu_, std::chrono::milliseconds(options_.scaler.interval_ms));
      }
      if (stopping_) return;
      changed_ = false;
      seen_ = Observe();
      decided_ = decision = Decide();
    }
    Resize(decision);
  }
}

runtime::Observation Elastic::Observe() {
  runtime::Observation o;
  o.now_ms = sources_.clock->MonotonicNs() / 1'000'000;
  o.network_threads = sources_.loops->size();
  o.network_queued = sources_.backpressure->waiting_requests.load(std::memory_order_relaxed);
  int64_t response_us = -1;
  sources_.loops->ForEachLoop([&](net::Loop& loop) {
    LoopState& state = LoopState::Of(loop);
    const int64_t delay_us = state.TakeDelayUs();
    o.loop_delay_us = std::max(o.loop_delay_us, delay_us);
    o.loop_delay_sum_us += delay_us;
    response_us = std::max(response_us, state.TakeResponseUs());
  });
  // While nothing comes back, what was seen last holds as long as anything is under way.
  if (response_us < 0) response_us = sources_.under_way->load() > 0 ? responded_us_ : 0;
  responded_us_ = response_us;
  // While a disk stalls nothing comes back: how long it has stalled is the response time so far.
  o.response_us = std::max(response_us, sources_.node->sync_age_ns() / 1000);
  o.storage_threads = sources_.workers->size();
  // What a loop drains itself at the end of its iteration waits for no worker.
  o.storage_queued = sources_.helping->load(std::memory_order_relaxed)
                         ? sources_.channel->worker_only_depth()
                         : sources_.channel->total_depth();
  o.backpressure_events = sources_.backpressure->full.events();
  o.commands_done = sources_.stats->SinceStart(Counter::kCommandsProcessed);
  return o;
}

runtime::ScalerDecision Elastic::Decide() {
  if (options_.enabled) return scaler_.Evaluate(seen_);
  const auto bounded = [](int threads, const runtime::PoolScalerOptions& pool) {
    return std::clamp(threads, pool.min, pool.max);
  };
  return {.network_threads = bounded(seen_.network_threads, options_.scaler.network),
          .storage_threads = bounded(seen_.storage_threads, options_.scaler.storage)};
}

void Elastic::Resize(const runtime::ScalerDecision& decision) {
  if (decision.storage_threads != sources_.workers->size()) {
    KIWI_LOG(kDebug, "storage threads from={} to={}", sources_.workers->size(),
             decision.storage_threads);
    sources_.workers->Resize(decision.storage_threads);
  }
  if (decision.network_threads != sources_.loops->size()) {
    KIWI_LOG(kDebug, "network threads from={} to={}", sources_.loops->size(),
             decision.network_threads);
    const Status status = sources_.loops->Resize(decision.network_threads);
    if (!status.ok()) {
      KIWI_LOG(kWarn, "the network pool cannot grow to {} threads: {}", decision.network_threads,
               status.ToString());
    }
  } else if (sources_.loops->alive() != sources_.loops->size()) {
    sources_.loops->Maintain();
  }
}

}  // namespace kiwi::server
