// Reads that wait until they are linearizable: for the leader's word on how far they must see
// (ReadIndex), and then for the state machine to get there. One question serves all that wait when
// it is asked.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "raft/core/types.h"

namespace kiwi::raft {

// Exactly one of the two is called, once, on any thread; from then on it may be destroyed.
class ReadWaiter {
 public:
  virtual ~ReadWaiter() = default;
  // What is applied on this node now is new enough.
  virtual void ReadReady() = 0;
  // Nobody could be asked in time.
  virtual void ReadRefused() = 0;
};

// Guarded by its owner. Bounded by the waiters: each connection has one read at a time.
class ReadQueue {
 public:
  void Add(ReadWaiter* waiter, int64_t now_ns) { new_.push_back({waiter, now_ns}); }
  bool empty() const { return new_.empty() && asked_.empty() && confirmed_.empty(); }
  // There are some that no question covers, and not too many questions are under way.
  bool WantsToAsk() const { return !new_.empty() && asked_.size() < kQuestionsMax; }
  // The answer to `token` covers all that have not asked yet.
  void Asked(uint64_t token);
  void Answered(uint64_t token, LogIndex index);
  // The question was lost: ask again.
  void Dropped(uint64_t token);
  // Without a question: the leader by its lease.
  void ConfirmNew(LogIndex index);
  void TakeReady(LogIndex applied, std::vector<ReadWaiter*>* out);
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
    std::vector<Waiting> waiting;
  };
  struct Confirmed {
    LogIndex index;
    std::vector<Waiting> waiting;
  };
  static void TakeLateOf(std::vector<Waiting>* waiting, int64_t since_ns,
                         std::vector<ReadWaiter*>* out);

  std::vector<Waiting> new_;
  std::deque<Question> asked_;
  std::vector<Confirmed> confirmed_;
};

}  // namespace kiwi::raft
