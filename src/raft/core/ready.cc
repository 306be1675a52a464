// What the host is to do: Readys out, their completions in.
#include <algorithm>

#include "base/check.h"
#include "raft/core/core.h"
#include "raft/core/invariants.h"
#include "raft/core/mutants.h"

namespace kiwi::raft {
namespace {

// What an entry costs an applier beyond its payload.
constexpr uint64_t kEntryOverhead = 64;

}  // namespace

bool Core::HardStateChanged() const {
  if (term_ != last_hard_.term || vote_ != last_hard_.vote) return true;
  if (commit_ == last_hard_.commit) return false;
  // A commit index alone is not worth a write: after a crash it is learnt again. But whoever has
  // an entry durably must durably know what was committed when it was made: else a node could
  // fall back behind a membership change that others have built on.
  return log_.HasUnpersisted() || conf_changed_;
}

LogIndex Core::ApplicableIndex() const {
  if (!error_.ok() || fetching_) return handed_out_;
  if (!applying_.empty() && applying_bytes_ >= options_.max_committed_bytes) return handed_out_;
  return KIWI_MUTANT(kApplyBeforePersist) ? commit_ : std::min(commit_, log_.persisted());
}

bool Core::HasReady() const {
  if (ready_taken_) return false;
  return log_.HasUnpersisted() || ApplicableIndex() > handed_out_ || HardStateChanged() ||
         !messages_.empty() || !messages_after_persist_.empty() || appends_wanted_ ||
         round_wanted_ || !read_states_.empty() || !dropped_tokens_.empty() ||
         last_soft_ != SoftState{leader_, role_};
}

Ready Core::TakeReady() {
  KIWI_CHECK(!ready_taken_, "TakeReady before Advance of the last one");
  FlushAppends();
  if (round_wanted_) StartRound();

  Ready ready;
  ready_taken_ = true;
  ready.number = ++ready_number_;
  if (const SoftState soft{leader_, role_}; soft != last_soft_) {
    ready.soft_state = last_soft_ = soft;
  }
  bool persists = false;
  if (HardStateChanged()) {
    persists = true;
    last_hard_ = {term_, vote_, commit_};
    ready.hard_state = last_hard_;
    if (KIWI_MUTANT(kVoteNotPersisted)) ready.hard_state->vote = kNoNode;
  }
  conf_changed_ = false;
  if (log_.HasUnpersisted()) {
    persists = true;
    log_.TakeUnpersisted(ready.number, &ready.entries, &ready.snapshot);
  }
  TakeCommitted(&ready);
  ready.messages = std::move(messages_);
  messages_.clear();
  ready.messages_after_persist = std::move(messages_after_persist_);
  messages_after_persist_.clear();
  if (persists) {
    persisting_.push_back({ready.number, term_, vote_});
  } else if (persisting_.empty() && !ready.messages_after_persist.empty()) {
    // All that they speak of is durable already.
    ready.messages.insert(ready.messages.end(),
                          std::make_move_iterator(ready.messages_after_persist.begin()),
                          std::make_move_iterator(ready.messages_after_persist.end()));
    ready.messages_after_persist.clear();
  }
  ready.read_states = std::move(read_states_);
  read_states_.clear();
  ready.read_tokens_dropped = std::move(dropped_tokens_);
  dropped_tokens_.clear();
  return ready;
}

void Core::TakeCommitted(Ready* ready) {
  const LogIndex to = ApplicableIndex();
  if (to <= handed_out_) return;
  const Status read =
      log_.Read(handed_out_ + 1, to + 1, options_.max_committed_bytes, &ready->committed_entries);
  fetching_ = read.code() == StatusCode::kBusy;
  if (!read.ok()) {
    if (error_.ok() && !fetching_) error_ = read.WithContext("reading committed entries");
    ready->committed_entries.clear();
    return;
  }
  uint64_t bytes = 0;
  for (const Entry& e : ready->committed_entries) bytes += e.bytes().size() + kEntryOverhead;
  handed_out_ += ready->committed_entries.size();
  applying_.push_back({handed_out_, bytes});
  applying_bytes_ += bytes;
}

void Core::Advance(uint64_t ready_number) {
  KIWI_CHECK(ready_taken_ && ready_number == ready_number_, "Advance of a Ready not taken");
  ready_taken_ = false;
}

void Core::OnPersisted(uint64_t ready_number) {
  KIWI_CHECK(ready_number <= ready_number_, "a Ready is durable that was never taken");
  log_.OnPersisted(ready_number);
  bool news = false;
  while (!persisting_.empty() && persisting_.front().number <= ready_number) {
    durable_term_ = persisting_.front().term;
    durable_vote_ = persisting_.front().vote;
    persisting_.pop_front();
    news = true;
  }
  if (!news) return;
  MaybeTrust();
  if (role_ == Role::kLeader) {
    AckOwnLog();
  } else if (role_ == Role::kCandidate) {
    CountOwnVote();
  }
  log_.TrimTail(commit_);
}

void Core::OnEntriesFetched() {
  if (!KIWI_MUTANT(kFetchForgotten)) fetching_ = false;
  appends_wanted_ |= role_ == Role::kLeader && progress_.size() > 1;
}

void Core::ReadAgain() {
  error_ = {};
  OnEntriesFetched();
}

void Core::OnApplied(LogIndex index) {
  KIWI_CHECK(index <= handed_out_, "more is applied than was handed out");
  if (index <= applied_) return;
  applied_ = index;
  while (!applying_.empty() && applying_.front().last <= index) {
    applying_bytes_ -= applying_.front().bytes;
    applying_.pop_front();
  }
  // A change that the host passed over without ApplyConfChange is none.
  while (!conf_entries_.empty() && conf_entries_.front() <= index) conf_entries_.pop_front();
  MaybeAutoLeave();
}

}  // namespace kiwi::raft
