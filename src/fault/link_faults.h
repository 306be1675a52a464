// Faults on the links between nodes, for tests: which messages from one node to another are held
// up, lost, doubled, or overtaken, and which directions are cut. A registry that the transport asks
// for every message, and that FAULT.* commands fill. Without rules a question costs one load.
//
// A rule names the direction of the messages, and whoever carries them honours it: it works when
// told to the sender, to the receiver, or to both (then each throws its own dice).
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"

namespace kiwi::fault {

enum class LinkFaultKind : uint8_t {
  kDelay,      // each message waits delay_ms; order is kept
  kDrop,       // Raft messages only: the service stream is ordered and has no holes
  kPartition,  // Raft messages vanish; service streams break and are refused
  kDuplicate,  // Raft messages only
  kReorder,    // Raft messages only: waits up to delay_ms while others pass
};
std::string_view LinkFaultKindName(LinkFaultKind kind);  // "delay", "drop" …
bool ParseLinkFaultKind(std::string_view name, LinkFaultKind* kind);

struct LinkFaultRule {
  uint64_t from = 0;  // 0: any node
  uint64_t to = 0;    // 0: any node
  LinkFaultKind kind = LinkFaultKind::kDrop;
  double probability = 1.0;  // of each message; not for kPartition, which is always whole
  int64_t delay_ms = 10;     // kDelay, kReorder
};

struct LinkFaultEntry {
  uint64_t id = 0;
  LinkFaultRule rule;
  uint64_t hits = 0;  // messages it has met
};

struct LinkFaultEvent {
  int64_t wall_ms = 0;
  std::string what;  // "inject partition id=3", "drop Append", "clear id=3"
  uint64_t from = 0;
  uint64_t to = 0;
};

struct LinkVerdict {
  bool drop = false;  // lost, or the direction is cut
  bool duplicate = false;
  bool reorder = false;  // with delay_ms: later messages may pass
  int64_t delay_ms = 0;
};

// Thread-safe.
class LinkFaults {
 public:
  explicit LinkFaults(uint64_t seed = 1, Clock* clock = &SystemClock());

  uint64_t Inject(const LinkFaultRule& rule);  // the rule's id, from 1 on, never used again
  std::vector<LinkFaultEntry> List() const;    // ascending by id
  bool Clear(uint64_t id);                     // false: no such rule
  size_t ClearAll();                           // how many there were
  // The last kEventsKept orders and the last kEventsKept messages met, oldest first: however many
  // messages a rule meets, what was done stays known.
  std::vector<LinkFaultEvent> Events() const;
  // For faults of other kinds (crash, pause …), so that one log tells a run's story: an id of the
  // same row, and an order to remember.
  uint64_t TakeId();
  void Record(std::string what, uint64_t from, uint64_t to);

  // What happens to a Raft message. what: for the event log.
  LinkVerdict Judge(uint64_t from, uint64_t to, std::string_view what);
  // What the service stream from → to suffers: it is cut, or each message is held up.
  bool Partitioned(uint64_t from, uint64_t to) const;
  int64_t ServiceDelayMs(uint64_t from, uint64_t to);

  bool active() const { return rules_active_.load(std::memory_order_relaxed) != 0; }
  // Grows with every Inject and Clear: tells when streams have to be looked at again.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }

  static constexpr size_t kEventsKept = 4096;
  static constexpr size_t kRulesMax = 1024;  // Inject beyond it returns 0

 private:
  bool Hits(const LinkFaultRule& rule, uint64_t from, uint64_t to) KIWI_REQUIRES(mu_);
  struct Recorded {
    uint64_t number = 0;
    LinkFaultEvent event;
  };
  using Row = std::deque<Recorded>;
  void RecordLocked(Row& row, std::string what, uint64_t from, uint64_t to) KIWI_REQUIRES(mu_);

  Clock* const clock_;
  std::atomic<size_t> rules_active_{0};
  std::atomic<uint64_t> version_{0};
  mutable Mutex mu_;
  Random random_ KIWI_GUARDED_BY(mu_);
  uint64_t next_id_ KIWI_GUARDED_BY(mu_) = 1;
  std::vector<LinkFaultEntry> rules_ KIWI_GUARDED_BY(mu_);
  uint64_t next_event_ KIWI_GUARDED_BY(mu_) = 1;
  Row orders_ KIWI_GUARDED_BY(mu_);
  Row met_ KIWI_GUARDED_BY(mu_);
};

}  // namespace kiwi::fault
