#include "raft/core/core.h"

#include <algorithm>

#include "base/check.h"
#include "raft/core/confchange.h"
#include "raft/core/mutants.h"

namespace kiwi::raft {
namespace {

Status CheckOptions(const CoreOptions& o) {
  const char* wrong = nullptr;
  if (o.id == kNoNode) wrong = "the node's id must be above 0";
  if (o.heartbeat_ticks < 1) wrong = "heartbeat ticks must be at least 1";
  if (o.election_ticks < 2 * o.heartbeat_ticks) {
    wrong = "election ticks must be at least two heartbeats";
  }
  if (o.lease_margin_ticks < 0 || o.lease_margin_ticks >= o.election_ticks) {
    wrong = "the lease margin must lie between 0 and the election ticks";
  }
  if (o.max_inflight_messages == 0) wrong = "the in-flight window must hold at least one message";
  if (wrong != nullptr) return {StatusCode::kConfig, wrong};
  return Status::Ok();
}

Status Contradiction(const char* what) {
  return {StatusCode::kCorruption,
          std::string("the stored Raft state contradicts itself: ") + what};
}

constexpr uint64_t kReplayBytes = 1 << 20;
constexpr size_t kMembersPerHeartbeat = 8;

}  // namespace

Result<std::unique_ptr<Core>> Core::Create(const CoreOptions& options, const LogReader* log) {
  KIWI_RETURN_IF_ERROR(CheckOptions(options));
  std::unique_ptr<Core> core(new Core(options, log));
  KIWI_RETURN_IF_ERROR(core->Load(*log));
  return core;
}

Core::Core(const CoreOptions& options, const LogReader* log)
    : options_(options),
      random_(options.random_seed ^ (options.id << 32)),
      log_(log, options.max_tail_bytes, options.max_tail_entries) {
  // Of all the answers that a network may deliver late, none may carry the token of a read made
  // after a restart: so tokens begin at a random number.
  next_token_ = KIWI_MUTANT(kReadTokenReused) ? 1 : random_.Next();
  question_ = Random(~options.random_seed).Next();
}

Status Core::Load(const LogReader& log) {
  KIWI_ASSIGN_OR_RETURN(const InitialState state, log.GetInitialState());
  // Without its last term a log would look older than it is, and this node would vote for anybody.
  KIWI_RETURN_IF_ERROR(log.TermAt(log.LastIndex()).status());
  const LogIndex first = log.FirstIndex();
  const LogIndex last = log.LastIndex();
  if (first > last + 1) return Contradiction("the log begins after its end");
  if (options_.applied > last) return Contradiction("more is applied than the log holds");
  if (options_.applied + 1 < first) return Contradiction("the log begins after what is applied");
  if (state.hard_state.commit > last) return Contradiction("more is committed than the log holds");

  term_ = durable_term_ = state.hard_state.term;
  vote_ = durable_vote_ = state.hard_state.vote;
  if (term_ < log_.LastTerm()) return Contradiction("the log is of a later term than the node");
  last_hard_ = state.hard_state;
  // What is applied or compacted was committed, even if the stored commit index lags behind.
  applied_ = handed_out_ = options_.applied;
  commit_ = std::max({state.hard_state.commit, options_.applied, first - 1});

  ConfState conf = state.conf_state;
  if (auto snapshot = log.GetSnapshot(); snapshot.ok()) {
    if (snapshot->conf_state.index > conf.index || conf.voters.empty()) conf = snapshot->conf_state;
    commit_ = std::max(commit_, snapshot->index);
  } else if (snapshot.status().code() != StatusCode::kSnapshotTemporarilyUnavailable) {
    return snapshot.status();
  }
  if (commit_ > last) return Contradiction("the snapshot is ahead of the log");
  KIWI_RETURN_IF_ERROR(CheckConfState(conf).WithContext("stored membership"));
  conf_ = std::move(conf);
  KIWI_RETURN_IF_ERROR(ReplayConfChanges(std::max(std::min(conf_.index, applied_), first - 1) + 1));

  // Alone, and in no change that would end that: nobody could give anything back. Without a term it
  // has acknowledged nothing.
  const bool alone = IsSingleVoter() && conf_entries_.empty();
  distrusted_ = options_.distrusted && !alone && term_ > 0 && !KIWI_MUTANT(kLostLogTrusted);
  if (term_ > 0 && !LedAloneBefore() && !KIWI_MUTANT(kLeaseForgottenAtRestart)) {
    // Before the crash this node may have answered a leader that counts on its silence.
    promise_end_ = static_cast<uint64_t>(options_.election_ticks) + 1;
  }
  BecomeFollower(term_, kNoNode);
  last_soft_ = SoftState{};
  return Status::Ok();
}

// True for the only voter whose own vote rules out any other leader of its term. When this term is
// also later than the change that left it alone, whoever did not know of that change needed its
// vote; otherwise the leader that made the change may still be there, with a lease.
bool Core::LedAloneBefore() const {
  if (!IsSingleVoter() || vote_ != id()) return false;
  if (conf_.index == 0) return true;
  const LogIndex at = std::max(conf_.index, log_.FirstIndex() - 1);
  const std::optional<Term> made_in = log_.TermAt(at);
  return made_in && *made_in < term_;
}

// The stored membership may lag behind what is applied: changes between the two are made up for
// here. Those behind what is applied are noted; the host will apply them.
Status Core::ReplayConfChanges(LogIndex from) {
  std::vector<Entry> entries;
  for (LogIndex at = from; at <= log_.LastIndex();) {
    entries.clear();
    KIWI_RETURN_IF_ERROR(log_.Read(at, log_.LastIndex() + 1, kReplayBytes, &entries));
    if (entries.empty()) return Contradiction("an entry of the log is missing");
    for (const Entry& e : entries) {
      if (e.type != EntryType::kConfChange) continue;
      if (e.index > applied_) {
        conf_entries_.push_back(e.index);
      } else if (e.index > conf_.index) {
        KIWI_ASSIGN_OR_RETURN(const ConfChange change, DecodeConfChange(e.bytes()));
        KIWI_ASSIGN_OR_RETURN(ConfState next, NextConfState(conf_, change));
        next.index = e.index;
        conf_ = std::move(next);
      }
    }
    at = entries.back().index + 1;
  }
  return Status::Ok();
}

void Core::ResetForTerm(Term term) {
  if (term != term_) {
    term_ = term;
    vote_ = kNoNode;
  }
  leader_ = kNoNode;
  election_elapsed_ = 0;
  heartbeat_elapsed_ = 0;
  DrawElectionTimeout();
  votes_.clear();
  forced_election_ = false;
  progress_.clear();
  appends_wanted_ = false;
  committed_in_term_ = false;
  uncommitted_bytes_ = 0;
  AbortTransfer();
  lease_void_ = false;
  DropReads();
}

void Core::BecomeFollower(Term term, NodeId leader) {
  ResetForTerm(term);
  role_ = Role::kFollower;
  leader_ = leader;
}

void Core::BecomeLeader() {
  KIWI_CHECK(role_ == Role::kCandidate, "only a candidate becomes leader");
  ResetForTerm(term_);
  role_ = Role::kLeader;
  leader_ = id();
  RebuildProgress();
  own_from_ = log_.LastIndex() + 1;
  AppendOwn(EntryType::kNormal, nullptr);
  AckOwnLog();
}

void Core::DrawElectionTimeout() {
  const auto base = static_cast<uint64_t>(options_.election_ticks);
  election_timeout_ = static_cast<int>(base + random_.Below(base));
}

void Core::Tick(uint64_t count) {
  if (count == 0) return;
  if (count > 1) {
    now_ += count - 1;
    PassTimers(static_cast<int>(std::min<uint64_t>(count - 1, options_.election_ticks)));
  }
  ++now_;
  ExpireForwardedReads();
  if (role_ == Role::kLeader) {
    TickLeader();
    return;
  }
  // The first tick may come right after the timer began: one more than the timeout has to pass.
  if (++election_elapsed_ > election_timeout_) {
    election_elapsed_ = 0;
    DrawElectionTimeout();
    Hup(options_.pre_vote ? ElectionKind::kPreVote : ElectionKind::kVote);
  }
}

// Of ticks that were missed.
void Core::PassTimers(int ticks) {
  election_elapsed_ += std::min(ticks, HeartbeatInterval() - 1);
  if (role_ != Role::kLeader) return;
  heartbeat_elapsed_ += ticks;
  transfer_elapsed_ += ticks;
}

void Core::TickLeader() {
  if (transferee_ != kNoNode && ++transfer_elapsed_ >= options_.election_ticks) AbortTransfer();
  if (++election_elapsed_ >= options_.election_ticks) {
    election_elapsed_ = 0;
    if (options_.check_quorum && !KIWI_MUTANT(kNoCheckQuorum) && !QuorumRecentlyActive()) {
      BecomeFollower(term_, kNoNode);
      return;
    }
  }
  MaybeAutoLeave();
  if (++heartbeat_elapsed_ >= HeartbeatInterval()) {
    heartbeat_elapsed_ = 0;
    StartRound();
  }
}

// What heartbeats cost a leader grows with the group, so they come less often in a large one; still
// two of them fit in the least election timeout.
int Core::HeartbeatInterval() const {
  // A follower knows of no progress.
  const size_t times = 1 + (std::max<size_t>(progress_.size(), 1) - 1) / kMembersPerHeartbeat;
  const auto wanted = times * static_cast<size_t>(options_.heartbeat_ticks);
  return static_cast<int>(std::min(wanted, static_cast<size_t>(options_.election_ticks / 2)));
}

bool Core::QuorumRecentlyActive() {
  const bool active = QuorumVote(conf_, [this](NodeId node) {
                        const Progress* pr = FindProgress(node);
                        const bool alive = pr != nullptr && (node == id() || pr->recently_active);
                        return alive ? Vote::kGranted : Vote::kRejected;
                      }) == VoteResult::kWon;
  for (Progress& pr : progress_) pr.recently_active = false;
  return active;
}

// What speaks of this node's term, vote or log waits until these are durable.
void Core::Send(Message message) {
  message.from = id();
  if (message.term == 0) message.term = term_;
  bool wait = false;
  switch (message.type) {
    case MessageType::kAppendResponse:
      wait = !KIWI_MUTANT(kAckBeforePersist);
      break;
    case MessageType::kVoteResponse:
      wait = !KIWI_MUTANT(kVoteBeforePersist);
      break;
    case MessageType::kHeartbeatResponse:
      // The leader's lease counts on it: a crash must not take this node back to a time when it
      // knew of no leader.
      wait = term_ != durable_term_ && !KIWI_MUTANT(kHeartbeatBeforePersist);
      break;
    case MessageType::kPreVoteResponse:
    case MessageType::kVote:
      wait = true;
      break;
    default:
      break;
  }
  (wait ? messages_after_persist_ : messages_).push_back(std::move(message));
}

Progress* Core::FindProgress(NodeId id) {
  for (Progress& pr : progress_) {
    if (pr.id == id) return &pr;
  }
  return nullptr;
}

void Core::ReportUnreachable(NodeId id) {
  Progress* pr = FindProgress(id);
  // Appends under way are probably lost; the next probe finds out.
  if (role_ == Role::kLeader && pr != nullptr && pr->state == ProgressState::kReplicate) {
    pr->BecomeProbe();
  }
}

void Core::ReportSnapshot(NodeId id, bool success) {
  Progress* pr = FindProgress(id);
  if (role_ != Role::kLeader || pr == nullptr || pr->state != ProgressState::kSnapshot) return;
  if (KIWI_MUTANT(kSnapshotFailureIgnored)) return;
  if (!success) pr->pending_snapshot = 0;
  pr->BecomeProbe();
  // A follower that has the snapshot says so itself; one that has not is asked after a heartbeat.
  pr->probe_sent = true;
}

}  // namespace kiwi::raft
