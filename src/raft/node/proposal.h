// Writes on their way into the log, and how they are told what became of them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "raft/core/types.h"
#include "runtime/priority.h"
#include "runtime/smooth_weights.h"

namespace kiwi::raft {

enum class ProposalError : uint8_t {
  kNotLeader,  // never proposed
  kStorage,    // never proposed: the log does not take writes (disk full, failing)
  kShutdown,   // never proposed
  kUnknown,    // was proposed; whether it takes effect is not known
  // Never proposed: the leader cannot read what was forwarded to it. Behind kUnknown, because these
  // numbers travel between nodes.
  kUnreadable,
};

// When the log had taken a proposal how far, in Ticks (base/ticks.h); 0: it has not, or this node
// cannot tell. On a follower: when it was sent to the leader; the rest is not known there.
struct LogTimes {
  uint64_t proposed = 0;   // its entry was composed
  uint64_t synced = 0;     // this node's log has it on its disk; 0: it was committed before that
  uint64_t committed = 0;  // this node knows that it is
};

// The records of one connection's batch (entry_codec.h), in order. Owned by the proposer, which
// keeps it alive until the state machine has applied it or Failed() was called: exactly one of the
// two happens.
class Proposal {
 public:
  virtual ~Proposal() = default;
  virtual std::string_view records() const = 0;
  // A record that stands in front of them in the log; it says where they come from.
  virtual std::string_view origin_record() const { return {}; }
  virtual runtime::Priority priority() const = 0;
  // Applying it may take long: it must not be applied on a net loop.
  virtual bool slow() const = 0;
  // Any thread.
  virtual void Failed(ProposalError error) = 0;
  // Another node's clients wait for it, not this one's: its records are replayed like a foreign
  // entry's, and then Replayed() is called.
  virtual bool remote() const { return false; }
  virtual void Replayed() {}
  // Where to note its times, until it is applied or has failed; null: they are of no interest.
  virtual LogTimes* log_times() { return nullptr; }
};

// Proposals that wait to be composed into an entry: higher priorities first, or by weight, so that
// none starves; FIFO within one. Thread-safe. Bounded by its producers: each connection has at most one proposal under way.
class ProposalQueue {
 public:
  using Weights = std::array<int, runtime::kPriorityCount>;  // Critical is always first
  void SetScheduling(bool weighted, const Weights& weights) KIWI_EXCLUDES(mu_);
  // False: it is closed, and has not taken the proposal.
  [[nodiscard]] bool Push(Proposal* proposal) KIWI_EXCLUDES(mu_);
  // From here on nothing can come in that nobody would take out.
  void Close() KIWI_EXCLUDES(mu_);
  // Takes proposals until their records reach max_bytes; at least one if there is any.
  void Take(size_t max_bytes, std::vector<Proposal*>* out) KIWI_EXCLUDES(mu_);
  void TakeAll(std::vector<Proposal*>* out) KIWI_EXCLUDES(mu_);
  // Those of other nodes.
  void TakeRemote(std::vector<Proposal*>* out) KIWI_EXCLUDES(mu_);
  bool empty() const KIWI_EXCLUDES(mu_);
  size_t size() const KIWI_EXCLUDES(mu_);

 private:
  size_t NextLevel() KIWI_REQUIRES(mu_);

  mutable Mutex mu_;
  std::array<std::deque<Proposal*>, runtime::kPriorityCount> levels_ KIWI_GUARDED_BY(mu_);
  bool weighted_ KIWI_GUARDED_BY(mu_) = false;
  Weights weights_ KIWI_GUARDED_BY(mu_) = {};
  runtime::SmoothWeights<runtime::kPriorityCount> turns_ KIWI_GUARDED_BY(mu_);
  // Its turn came when an entry had no room for it: it begins the next one.
  size_t owed_ KIWI_GUARDED_BY(mu_) = runtime::kPriorityCount;
  size_t size_ KIWI_GUARDED_BY(mu_) = 0;
  size_t remote_ KIWI_GUARDED_BY(mu_) = 0;  // of them, other nodes'
  bool closed_ KIWI_GUARDED_BY(mu_) = false;
};

}  // namespace kiwi::raft
