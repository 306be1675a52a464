// One message in. A message from outside is checked before anything believes it: no peer can make
// the core fail.
#include <algorithm>

#include "raft/core/confchange.h"
#include "raft/core/core.h"
#include "raft/core/mutants.h"

namespace kiwi::raft {
namespace {

constexpr uint64_t kCounterMax = uint64_t{1} << 62;

Status Malformed(const char* why) {
  return {StatusCode::kInvalidArgument, std::string("malformed Raft message: ") + why};
}

bool FromLeader(MessageType type) {
  return type == MessageType::kAppend || type == MessageType::kHeartbeat ||
         type == MessageType::kSnapshot;
}

bool IsVoteRequest(MessageType type) {
  return type == MessageType::kVote || type == MessageType::kPreVote;
}

}  // namespace

Status Core::Check(const Message& m) const {
  if (m.from == kNoNode || m.from == id() || m.to != id())
    return Malformed("wrong sender or target");
  if (m.term == 0) return Malformed("no term");
  // Beyond any that can be reached, and near enough to the end to overflow.
  if (m.term > kCounterMax || m.index > kCounterMax || m.snapshot.index > kCounterMax) {
    return Malformed("an impossible term or index");
  }
  if (m.type == MessageType::kAppend) {
    Term term = m.log_term;
    LogIndex index = m.index;
    if (term > m.term) return Malformed("a previous entry of a later term");
    for (const Entry& e : m.entries) {
      if (e.index != ++index || e.term < term || e.term > m.term || e.term == 0) {
        return Malformed("entries out of order");
      }
      term = e.term;
    }
  }
  if (m.type == MessageType::kSnapshot) {
    if (m.snapshot.index == 0 || m.snapshot.term == 0 || m.snapshot.term > m.term) {
      return Malformed("a snapshot of nothing");
    }
    if (m.snapshot.conf_state.voters.empty() || !CheckConfState(m.snapshot.conf_state).ok()) {
      return Malformed("a snapshot with an impossible membership");
    }
  }
  return Status::Ok();
}

Status Core::Step(Message m) {
  KIWI_RETURN_IF_ERROR(Check(m));
  if (!StepTerm(m)) return Status::Ok();
  if (IsVoteRequest(m.type)) {
    HandleVote(m);
    return Status::Ok();
  }
  if (FromLeader(m.type)) {
    if (role_ == Role::kLeader) return Malformed("a second leader in this term");
    if (role_ != Role::kFollower || leader_ != m.from) BecomeFollower(m.term, m.from);
    election_elapsed_ = 0;
    promise_end_ = now_ + static_cast<uint64_t>(options_.election_ticks) + 1;
  }
  if (role_ == Role::kLeader) {
    StepLeader(m);
  } else {
    StepFollower(m);
  }
  return Status::Ok();
}

bool Core::StepTerm(const Message& m) {
  if (m.term < term_) {
    if (KIWI_MUTANT(kStaleTermAccepted) && m.type == MessageType::kAppend &&
        role_ == Role::kFollower) {
      return true;
    }
    HandleStaleTerm(m);
    return false;
  }
  const bool forced = m.force && m.type == MessageType::kVote;
  if (IsVoteRequest(m.type) && !forced && LeaderMayHoldLease()) return false;
  if (m.term == term_) return true;
  // A pre-vote asks what would happen in a term that nobody has begun.
  if (m.type == MessageType::kPreVote) return true;
  if (m.type == MessageType::kPreVoteResponse && !m.reject) return true;
  // Only a vote that is granted sets the timer back (3.4): else a node with a fast clock and a short
  // log could keep the one that can win from ever asking.
  const bool keeps_timer = IsVoteRequest(m.type) && role_ != Role::kLeader;
  const int elapsed = election_elapsed_;
  const int timeout = election_timeout_;
  BecomeFollower(m.term, FromLeader(m.type) ? m.from : kNoNode);
  if (keeps_timer) {
    election_elapsed_ = elapsed;
    election_timeout_ = timeout;
  }
  return true;
}

// A node that is ahead in terms may not campaign (it is a learner, or its pre-vote fails), so it must
// tell a leader that is behind, and candidates likewise, or they would never meet: terms may rise
// elsewhere as fast as the candidate's does.
void Core::HandleStaleTerm(const Message& m) {
  Message response;
  response.to = m.from;
  response.reject = true;
  if (FromLeader(m.type)) {
    response.type = MessageType::kAppendResponse;
    response.index = m.index;
  } else if (IsVoteRequest(m.type)) {
    response.type = m.type == MessageType::kPreVote ? MessageType::kPreVoteResponse
                                                    : MessageType::kVoteResponse;
    TellCommit(&response);
  } else {
    return;
  }
  Send(std::move(response));
}

void Core::StepLeader(Message& m) {
  switch (m.type) {
    case MessageType::kAppendResponse:
      HandleAppendResponse(m);
      break;
    case MessageType::kHeartbeatResponse:
      HandleHeartbeatResponse(m);
      break;
    case MessageType::kReadIndex:
      HandleReadIndex(m);
      break;
    case MessageType::kTransferLeader:
      (void)StartTransfer(m.context);
      break;
    case MessageType::kLogEnd:
      HandleLogEnd(m);
      break;
    default:
      break;
  }
}

void Core::StepFollower(Message& m) {
  switch (m.type) {
    case MessageType::kAppend:
      AppendEntries(m);
      break;
    case MessageType::kHeartbeat:
      HandleHeartbeat(m);
      break;
    case MessageType::kSnapshot:
      HandleSnapshot(m);
      break;
    case MessageType::kVoteResponse:
    case MessageType::kPreVoteResponse:
      HandleVoteResponse(m);
      break;
    case MessageType::kTimeoutNow:
      HandleTimeoutNow(m);
      break;
    case MessageType::kReadIndexResponse:
      HandleReadIndexResponse(m);
      break;
    case MessageType::kLogEndResponse:
      HandleLogEndResponse(m);
      break;
    default:
      break;
  }
}

}  // namespace kiwi::raft
