#include "raft/node/group_meter.h"

#include <algorithm>

namespace kiwi::raft {
namespace {

bool Campaigns(Role role) { return role == Role::kPreCandidate || role == Role::kCandidate; }

}  // namespace

void GroupMeter::OnSoftState(const SoftState& state, int64_t now_ns) {
  const bool won = state.role == Role::kLeader && last_.role != Role::kLeader;
  // An election may be won between two looks: a group of one elects itself at once.
  const bool begun = !Campaigns(last_.role) && (Campaigns(state.role) || won);
  figures_.elections_begun += begun ? 1 : 0;
  figures_.elections_won += won ? 1 : 0;
  if (state.leader != last_.leader) {
    if (last_.leader == kNoNode) {
      leaderless_.Record(
          static_cast<uint64_t>(std::max<int64_t>(0, now_ns - leaderless_since_ns_)));
    }
    leaderless_since_ns_ = now_ns;
    figures_.leader_changes += state.leader != kNoNode ? 1 : 0;
  }
  last_ = state;
}

void GroupMeter::OnSent(const Message& message) {
  ++figures_.sent[IndexOf(message)];
  if (message.type == MessageType::kVoteResponse || message.type == MessageType::kPreVoteResponse) {
    ++(message.reject ? figures_.votes_refused : figures_.votes_granted);
  }
}

GroupFigures GroupMeter::figures() const {
  GroupFigures figures = figures_;
  figures.leaderless.Add(leaderless_);
  figures.commit.Add(commit_);
  return figures;
}

}  // namespace kiwi::raft
