#include "server/breaker_watch.h"

#include <utility>

namespace kiwi::server {

using runtime::FailureKind;
using ProbeResult = Breaker::ProbeResult;

namespace {

void Unlink(WatchedBatch& batch) {
  batch.older->newer = batch.newer;
  batch.newer->older = batch.older;
  batch.older = batch.newer = nullptr;
}

}  // namespace

BreakerWatch::BreakerWatch(Breaker* breaker) : breaker_(breaker) {
  for (WatchedBatch& level : levels_) level.older = level.newer = &level;
}

void BreakerWatch::Begin(WatchedBatch& batch) {
  WatchedBatch& end = levels_[static_cast<size_t>(batch.level)];
  batch.older = end.older;
  batch.newer = &end;
  end.older->newer = &batch;
  end.older = &batch;
}

void BreakerWatch::End(WatchedBatch& batch, BatchEnd end, int64_t now_ns) {
  if (!batch.watched()) return;
  Unlink(batch);
  if (end == BatchEnd::kProvedNothing) return EndProbe(batch, ProbeResult::kProvedNothing, now_ns);
  if (end == BatchEnd::kStorageError) return Fail(batch, FailureKind::kStorage, now_ns);
  if (now_ns - batch.since_ns > breaker_->timeout_ns(batch.level)) {
    return Fail(batch, FailureKind::kTimeout, now_ns);
  }
  if (end == BatchEnd::kQueuedTooLong) return Fail(batch, FailureKind::kQueue, now_ns);
  ++counts_[static_cast<size_t>(batch.level)].succeeded;
  EndProbe(batch, ProbeResult::kSucceeded, now_ns);
}

void BreakerWatch::Sweep(int64_t now_ns) {
  // From Low upward: after a stall the lower of two levels that failed opens first.
  for (size_t l = runtime::kPriorityCount; l-- > 0;) {
    const auto level = static_cast<runtime::Priority>(l);
    const int64_t timeout_ns = breaker_->timeout_ns(level);
    for (WatchedBatch* oldest = levels_[l].newer;
         oldest != &levels_[l] && now_ns - oldest->since_ns > timeout_ns;
         oldest = levels_[l].newer) {
      Unlink(*oldest);
      Fail(*oldest, FailureKind::kTimeout, now_ns);
    }
    const runtime::BreakerCounts counts = std::exchange(counts_[l], {});
    if (counts.requests() > 0) breaker_->Record(level, counts, now_ns);
  }
  breaker_->Tick(now_ns);  // successes that leave the window may be what opens a level
}

void BreakerWatch::Fail(WatchedBatch& batch, FailureKind kind, int64_t now_ns) {
  counts_[static_cast<size_t>(batch.level)].Fail(kind);
  EndProbe(batch, ProbeResult::kFailed, now_ns);
}

void BreakerWatch::EndProbe(WatchedBatch& batch, ProbeResult result, int64_t now_ns) {
  if (batch.probe == 0) [[likely]]
    return;
  breaker_->EndProbe(batch.level, std::exchange(batch.probe, 0), result, now_ns);
}

}  // namespace kiwi::server
