// A log that may have lost its end. With syncs left out (raft.fsync everysec, no), a crash of the
// machine takes a log back to an earlier moment: entries that the node has acknowledged are gone, or are
// again what they replaced. Terms, votes and membership changes stay, they are always synced. The
// entries may be committed by its word: were it to vote, a candidate without them could win.
//
// So it asks a leader of its term or a later one where that log ends, and takes no part in elections
// until its own is equal up to there. That is all it has ever acknowledged and more:
//   - what is committed by its word in an earlier term, each leader elected since holds: this node did
//     not vote for it, so the others that hold it had to;
//   - what it acknowledged to this very leader lies before the end of the leader's log. The leader
//     forgets these acknowledgements when it is asked, or it would never send the entries again. An
//     acknowledgement may still arrive late, and commit by a word that is void: hence the answer tells
//     the end of the leader's log, not what is committed. It may also keep the leader from looking back,
//     so that a node to which nothing comes asks once more.
// Nor does it believe heartbeats what is committed: they go by what the leader takes for acknowledged.
#include <algorithm>

#include "raft/core/core.h"

namespace kiwi::raft {

void Core::AskLogEnd() {
  if (!distrusted_) return;
  if (proven_in_ == term_ && leader_end_ && (proven_ > asked_proven_ || now_ < ask_again_)) return;
  const auto election = static_cast<uint64_t>(options_.election_ticks);
  patience_ = proven_in_ == term_ && leader_end_ ? 2 * patience_ : election;
  ask_again_ = now_ + patience_;
  asked_proven_ = ProvenIndex();
  Message m;
  m.type = MessageType::kLogEnd;
  m.to = leader_;
  m.index = log_.LastIndex();
  m.context = question_;
  Send(std::move(m));
}

void Core::HandleLogEnd(const Message& m) {
  Progress* pr = FindProgress(m.from);
  if (pr == nullptr) return;
  pr->OnLost(std::min(m.index, log_.LastIndex()));
  appends_wanted_ = true;
  Message response;
  response.type = MessageType::kLogEndResponse;
  response.to = m.from;
  response.index = log_.LastIndex();
  response.context = m.context;
  Send(std::move(response));
}

void Core::HandleLogEndResponse(const Message& m) {
  if (!distrusted_ || m.from != leader_ || m.context != question_) return;
  ProvenEqual(0);
  leader_end_ = m.index;
  MaybeTrust();
}

// The leader's log and this one are equal up to there.
void Core::ProvenEqual(LogIndex index) {
  if (!distrusted_) return;
  if (proven_in_ != term_) {
    proven_in_ = term_;
    proven_ = 0;
    leader_end_.reset();
  }
  proven_ = std::max(proven_, index);
  MaybeTrust();
}

void Core::MaybeTrust() {
  if (!distrusted_ || proven_in_ != term_ || !leader_end_) return;
  if (std::min(proven_, log_.persisted()) >= *leader_end_) distrusted_ = false;
}

}  // namespace kiwi::raft
