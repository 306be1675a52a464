// Reads that wait until they are linearizable: for the leader's word on how far they must see
// (ReadIndex), and then for the state machine to get there. One question serves all that wait when
// it is asked.
//
// The answers tell as well how fresh this node's state is (docs/decisions/017): the index of a
// question's answer contains all that was acknowledged before the question was asked, so once it is
// applied, so does the state here. Reads that may be a little stale live on that, and never on what
// a leader says by itself: a leader of old does not know what it has missed.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "raft/core/types.h"

namespace kiwi::raft {

// Who said that a read sees all that came before it.
enum class ReadProof : uint8_t { kLease, kQuorum };

// Exactly one of the two is called, once, on any thread; from then on it may be destroyed.
class ReadWaiter {
 public:
  virtual ~ReadWaiter() = default;
  // What is applied on this node now is new enough.
  virtual void ReadReady(ReadProof proof) = 0;
  // Nobody could be asked in time.
  virtual void ReadRefused() = 0;
};

// Guarded by its owner. Bounded by the waiters: each connection has one read at a time; and by the
// refreshments that nobody waits for, one question at a time. Times are monotonic, in nanoseconds.
class ReadQueue {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

  struct Ready {
    ReadWaiter* waiter;
    ReadProof proof;
  };

  void Add(ReadWaiter* waiter, int64_t now_ns) { new_.push_back({waiter, now_ns}); }
  bool empty() const { return new_.empty() && asked_.empty() && confirmed_.empty(); }
  // A question is to be asked soon although nobody waits for it, so that the state is known to be
  // fresh. One that is under way is as good.
  void Refresh() { refresh_ = asked_.empty(); }
  // There are some that no question covers, and not too many questions are under way.
  bool WantsToAsk() const {
    return (!new_.empty() && asked_.size() < kQuestionsMax) || (refresh_ && asked_.empty());
  }
  // The answer to `token` covers all that have not asked yet. now_ns: taken before it was asked.
  void Asked(uint64_t token, int64_t now_ns);
  void Answered(uint64_t token, LogIndex index);
  // The question was lost: ask again.
  void Dropped(uint64_t token);
  // Without a question: the leader by its lease, which held at now_ns.
  void ConfirmNew(LogIndex index, int64_t now_ns);
  void TakeReady(LogIndex applied, std::vector<Ready>* out);
  // What TakeReady has found applied contains all that was acknowledged up to here; or kNever.
  int64_t fresh_ns() const { return fresh_ns_; }
  // Those without an answer that came before `since_ns`.
  void TakeLate(int64_t since_ns, std::vector<ReadWaiter*>* out);
  // Those whose answer this node has not applied yet, and that came before `since_ns`.
  void TakeBehind(int64_t since_ns, std::vector<ReadWaiter*>* out);
  void TakeAll(std::vector<ReadWaiter*>* out);

 private:
  static constexpr size_t kQuestionsMax = 4;

  struct Waiting {
    ReadWaiter* waiter;
    int64_t since_ns;
  };
  struct Question {
    uint64_t token;
    int64_t asked_ns;
    std::vector<Waiting> waiting;
  };
  struct Confirmed {
    LogIndex index;
    int64_t asked_ns;
    ReadProof proof;
    std::vector<Waiting> waiting;
  };
  static void TakeLateOf(std::vector<Waiting>* waiting, int64_t since_ns,
                         std::vector<ReadWaiter*>* out);

  std::vector<Waiting> new_;
  std::deque<Question> asked_;
  std::vector<Confirmed> confirmed_;
  bool refresh_ = false;
  int64_t fresh_ns_ = kNever;
};

}  // namespace kiwi::raft
