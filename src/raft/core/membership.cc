// Membership changes in the log (dissertation chapter 4). A configuration takes effect when its
// entry is applied; one change at a time.
#include <algorithm>

#include "raft/core/confchange.h"
#include "raft/core/core.h"
#include "raft/core/mutants.h"

namespace kiwi::raft {

Result<ProposeResult> Core::ProposeConfChange(const ConfChange& change) {
  if (role_ != Role::kLeader) return Status(StatusCode::kNotLeader, "this node does not lead");
  if (transferee_ != kNoNode) {
    return Status(StatusCode::kNotLeader, "the leadership is being transferred");
  }
  if (!KIWI_MUTANT(kTwoConfChanges)) {
    // A change of an earlier term may still be committed or lost until this term commits (the
    // flaw of single-server changes found in 2015).
    if (!committed_in_term_) {
      return Status(StatusCode::kBusy, "the leader has committed nothing in its term yet");
    }
    if (!conf_entries_.empty()) {
      return Status(StatusCode::kBusy, "another membership change is pending");
    }
  }
  if (auto next = NextConfState(conf_, change); !next.ok()) return next.status();
  const LogIndex index = AppendOwn(EntryType::kConfChange,
                                   std::make_shared<const std::string>(EncodeConfChange(change)));
  return ProposeResult{term_, index};
}

Result<ConfState> Core::ApplyConfChange(const ConfChange& change) {
  // Overtaken by a snapshot while the host was applying: contained already.
  if (conf_entries_.empty() || conf_entries_.front() > handed_out_) return conf_;
  const LogIndex index = conf_entries_.front();
  conf_entries_.pop_front();
  if (index <= conf_.index) return conf_;  // replayed after a restart
  KIWI_ASSIGN_OR_RETURN(ConfState next, NextConfState(conf_, change));
  next.index = index;
  SetConf(std::move(next));
  AfterConfChange();
  return conf_;
}

void Core::SetConf(ConfState conf) {
  conf_ = std::move(conf);
  conf_changed_ = true;
  // The lease rests on answers of a quorum of the old configuration.
  lease_known_ = false;
  sent_rounds_.clear();
  if (role_ == Role::kLeader) RebuildProgress();
}

void Core::RebuildProgress() {
  std::vector<NodeId> members = conf_.voters;
  for (const auto* list : {&conf_.voters_outgoing, &conf_.learners}) {
    members.insert(members.end(), list->begin(), list->end());
  }
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()), members.end());

  std::vector<Progress> next;
  next.reserve(members.size());
  for (NodeId node : members) {
    Progress* known = FindProgress(node);
    if (KIWI_MUTANT(kPromotionForgetsProgress) && known != nullptr && known->learner &&
        IsVoter(conf_, node)) {
      known = nullptr;
    }
    if (known != nullptr) {
      next.push_back(std::move(*known));
    } else {
      next.emplace_back(node, log_.LastIndex() + 1, options_.max_inflight_messages,
                        options_.max_inflight_bytes);
      next.back().recently_active = true;  // until the next check of the quorum
    }
    next.back().learner = Contains(conf_.learners, node);
    if (node == id()) next.back().state = ProgressState::kReplicate;
  }
  progress_ = std::move(next);
  appends_wanted_ = progress_.size() > 1;
}

void Core::AfterConfChange() {
  if (role_ != Role::kLeader) return;
  if (!IsVoter(conf_, id()) && !KIWI_MUTANT(kRemovedLeaderStays)) {
    BecomeFollower(term_, kNoNode);
    return;
  }
  if (transferee_ != kNoNode && !IsVoter(conf_, transferee_)) AbortTransfer();
  AckOwnLog();
  MaybeCommit();
  OnRoundAnswered();
  MaybeAutoLeave();
}

void Core::MaybeAutoLeave() {
  if (!conf_.auto_leave || role_ != Role::kLeader || transferee_ != kNoNode) return;
  if (!committed_in_term_ || !conf_entries_.empty() || KIWI_MUTANT(kNoAutoLeave)) return;
  AppendOwn(EntryType::kConfChange,
            std::make_shared<const std::string>(EncodeConfChange(ConfChange{})));
}

bool Core::HasUnappliedCommittedChange() const {
  for (size_t i = 0; i < conf_entries_.size() && conf_entries_[i] <= commit_; ++i) {
    if (conf_entries_[i] > conf_.index) return true;  // the others are a replay
  }
  return false;
}

bool Core::IsSingleVoter() const {
  return conf_.voters.size() == 1 && conf_.voters[0] == id() && conf_.voters_outgoing.empty();
}

}  // namespace kiwi::raft
