#include "fault/link_faults.h"

#include <algorithm>
#include <array>
#include <utility>

namespace kiwi::fault {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"delay", "drop", "partition", "duplicate",
                                                    "reorder"};

std::string WithId(const std::string& what, uint64_t id) {
  return what + " id=" + std::to_string(id);
}

}  // namespace

std::string_view LinkFaultKindName(LinkFaultKind kind) { return kNames[static_cast<size_t>(kind)]; }

bool ParseLinkFaultKind(std::string_view name, LinkFaultKind* kind) {
  const auto it = std::find(kNames.begin(), kNames.end(), name);
  if (it == kNames.end()) return false;
  *kind = static_cast<LinkFaultKind>(it - kNames.begin());
  return true;
}

LinkFaults::LinkFaults(uint64_t seed, Clock* clock) : clock_(clock), random_(seed) {}

uint64_t LinkFaults::Inject(const LinkFaultRule& rule) {
  MutexLock lock(mu_);
  if (rules_.size() >= kRulesMax) return 0;
  const uint64_t id = next_id_++;
  rules_.push_back({id, rule, 0});
  RecordLocked(orders_, WithId("inject " + std::string(LinkFaultKindName(rule.kind)), id),
               rule.from, rule.to);
  rules_active_.store(rules_.size(), std::memory_order_relaxed);
  version_.fetch_add(1, std::memory_order_release);
  return id;
}

uint64_t LinkFaults::TakeId() {
  MutexLock lock(mu_);
  return next_id_++;
}

std::vector<LinkFaultEntry> LinkFaults::List() const {
  MutexLock lock(mu_);
  return rules_;
}

bool LinkFaults::Clear(uint64_t id) {
  MutexLock lock(mu_);
  const auto it = std::find_if(rules_.begin(), rules_.end(),
                               [id](const LinkFaultEntry& entry) { return entry.id == id; });
  if (it == rules_.end()) return false;
  RecordLocked(orders_, WithId("clear " + std::string(LinkFaultKindName(it->rule.kind)), id),
               it->rule.from, it->rule.to);
  rules_.erase(it);
  rules_active_.store(rules_.size(), std::memory_order_relaxed);
  version_.fetch_add(1, std::memory_order_release);
  return true;
}

size_t LinkFaults::ClearAll() {
  MutexLock lock(mu_);
  const size_t n = rules_.size();
  if (n == 0) return 0;
  RecordLocked(orders_, "clear all", 0, 0);
  rules_.clear();
  rules_active_.store(0, std::memory_order_relaxed);
  version_.fetch_add(1, std::memory_order_release);
  return n;
}

std::vector<LinkFaultEvent> LinkFaults::Events() const {
  MutexLock lock(mu_);
  std::vector<LinkFaultEvent> events;
  events.reserve(orders_.size() + met_.size());
  auto order = orders_.begin();
  auto met = met_.begin();
  while (order != orders_.end() || met != met_.end()) {
    const bool next_is_order =
        met == met_.end() || (order != orders_.end() && order->number < met->number);
    events.push_back(next_is_order ? (order++)->event : (met++)->event);
  }
  return events;
}

void LinkFaults::Record(std::string what, uint64_t from, uint64_t to) {
  MutexLock lock(mu_);
  RecordLocked(orders_, std::move(what), from, to);
}

void LinkFaults::RecordLocked(Row& row, std::string what, uint64_t from, uint64_t to) {
  if (row.size() == kEventsKept) row.pop_front();
  row.push_back({next_event_++, {clock_->WallMs(), std::move(what), from, to}});
}

bool LinkFaults::Hits(const LinkFaultRule& rule, uint64_t from, uint64_t to) {
  if ((rule.from != 0 && rule.from != from) || (rule.to != 0 && rule.to != to)) return false;
  if (rule.kind == LinkFaultKind::kPartition || rule.probability >= 1) return true;
  constexpr uint64_t kScale = 1'000'000'000;
  return static_cast<double>(random_.Below(kScale)) < rule.probability * kScale;
}

LinkVerdict LinkFaults::Judge(uint64_t from, uint64_t to, std::string_view what) {
  LinkVerdict verdict;
  if (!active()) return verdict;
  MutexLock lock(mu_);
  for (LinkFaultEntry& entry : rules_) {
    const LinkFaultRule& rule = entry.rule;
    if (!Hits(rule, from, to)) continue;
    ++entry.hits;
    switch (rule.kind) {
      case LinkFaultKind::kPartition:
      case LinkFaultKind::kDrop:
        verdict.drop = true;
        break;
      case LinkFaultKind::kDelay:
        verdict.delay_ms += std::max<int64_t>(0, rule.delay_ms);
        break;
      case LinkFaultKind::kDuplicate:
        verdict.duplicate = true;
        break;
      case LinkFaultKind::kReorder:
        verdict.reorder = true;
        verdict.delay_ms += 1 + static_cast<int64_t>(random_.Below(
                                    static_cast<uint64_t>(std::max<int64_t>(1, rule.delay_ms))));
        break;
    }
    // Delays are many and alike; the rule's count tells of them.
    if (rule.kind != LinkFaultKind::kDelay) {
      RecordLocked(met_, std::string(LinkFaultKindName(rule.kind)) + " " + std::string(what), from,
                   to);
    }
    if (verdict.drop) break;
  }
  return verdict;
}

bool LinkFaults::Partitioned(uint64_t from, uint64_t to) const {
  if (!active()) return false;
  MutexLock lock(mu_);
  return std::any_of(rules_.begin(), rules_.end(), [&](const LinkFaultEntry& entry) {
    const LinkFaultRule& rule = entry.rule;
    return rule.kind == LinkFaultKind::kPartition && (rule.from == 0 || rule.from == from) &&
           (rule.to == 0 || rule.to == to);
  });
}

int64_t LinkFaults::ServiceDelayMs(uint64_t from, uint64_t to) {
  if (!active()) return 0;
  MutexLock lock(mu_);
  int64_t delay = 0;
  for (LinkFaultEntry& entry : rules_) {
    if (entry.rule.kind != LinkFaultKind::kDelay || !Hits(entry.rule, from, to)) continue;
    ++entry.hits;
    delay += std::max<int64_t>(0, entry.rule.delay_ms);
  }
  return delay;
}

}  // namespace kiwi::fault
