#include "server/breaker.h"

#include <algorithm>

#include "base/log.h"

namespace kiwi::server {

using runtime::Priority;

namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

Breaker::Breaker(const BreakerSettings& settings) : circuit_(settings.circuit) {
  StoreLimits(settings);
}

void Breaker::StoreLimits(const BreakerSettings& settings) {
  enabled_.store(settings.circuit.enabled, kRelaxed);
  for (size_t l = 0; l < runtime::kPriorityCount; ++l) {
    timeout_ns_[l].store(settings.timeout_ms[l] * kNsPerMs, kRelaxed);
    queue_deadline_ns_[l].store(settings.queue_deadline_ms[l] * kNsPerMs, kRelaxed);
  }
}

Breaker::Admission Breaker::Admit(Priority level, bool may_probe, int64_t now_ns) {
  MutexLock lock(mu_);
  const Admission admission = circuit_.Admit(level, may_probe, now_ns / kNsPerMs);
  Publish();
  return admission;
}

void Breaker::Record(Priority level, const runtime::BreakerCounts& counts, int64_t now_ns) {
  MutexLock lock(mu_);
  circuit_.Record(level, counts, now_ns / kNsPerMs);
  Publish();
}

void Breaker::EndProbe(Priority level, uint64_t probe, ProbeResult result, int64_t now_ns) {
  MutexLock lock(mu_);
  circuit_.EndProbe(level, probe, result, now_ns / kNsPerMs);
  Publish();
}

void Breaker::Tick(int64_t now_ns) {
  MutexLock lock(mu_);
  circuit_.Tick(now_ns / kNsPerMs);
  Publish();
}

void Breaker::SetSettings(const BreakerSettings& settings, int64_t now_ns) {
  StoreLimits(settings);
  MutexLock lock(mu_);
  circuit_.SetOptions(settings.circuit, now_ns / kNsPerMs);
  Publish();
}

void Breaker::Publish() {
  const uint64_t unlogged = circuit_.transition_count() - transitions_logged_;
  if (unlogged == 0) return;
  transitions_logged_ = circuit_.transition_count();
  uint32_t states = 0;
  for (size_t l = 0; l < runtime::kPriorityCount; ++l) {
    const auto level = static_cast<Priority>(l);
    states |= static_cast<uint32_t>(circuit_.state(level)) << Shift(level);
  }
  states_.store(states, kRelaxed);
  const auto& all = circuit_.transitions();
  for (size_t i = all.size() - std::min<size_t>(unlogged, all.size()); i < all.size(); ++i) {
    KIWI_LOG(kWarn, "circuit breaker priority={} from={} to={} cause={} failures={} requests={}",
             PriorityName(all[i].level), BreakerStateName(all[i].from), BreakerStateName(all[i].to),
             BreakerCauseName(all[i].cause), all[i].failures, all[i].requests);
  }
}

std::string Breaker::RefusalText(Priority level) {
  return "TRYAGAIN the circuit breaker of priority " + std::string(PriorityName(level)) +
         " is open, because too many of its requests failed or took too long. Nothing was done; "
         "retry later.";
}

BreakerStatus Breaker::Status(int64_t now_ns) const {
  BreakerStatus status;
  status.enabled = enabled();
  status.now_ms = now_ns / kNsPerMs;
  MutexLock lock(mu_);
  for (size_t l = 0; l < runtime::kPriorityCount; ++l) {
    const auto level = static_cast<Priority>(l);
    status.levels[l] = {.state = circuit_.state(level),
                        .opened = circuit_.opened(level),
                        .refused = refused_[l].load(kRelaxed),
                        .totals = circuit_.totals(level),
                        .window = circuit_.InWindow(level)};
  }
  status.transitions = circuit_.transitions();
  return status;
}

}  // namespace kiwi::server
