// Appends, commit and snapshots (dissertation 3.5, 3.6.2, 5; pipelining 10.2.1).
#include <algorithm>

#include "base/check.h"
#include "raft/core/core.h"
#include "raft/core/mutants.h"

namespace kiwi::raft {

Status Core::CanPropose(uint64_t bytes) const {
  if (role_ != Role::kLeader) return Status(StatusCode::kNotLeader, "this node does not lead");
  if (transferee_ != kNoNode && !KIWI_MUTANT(kProposeDuringTransfer)) {
    return Status(StatusCode::kNotLeader, "the leadership is being transferred");
  }
  // One proposal of any size passes when nothing else waits, or it never would.
  if (uncommitted_bytes_ > 0 && uncommitted_bytes_ + bytes > options_.max_uncommitted_bytes) {
    return Status(StatusCode::kBusy, "too many bytes wait for their commit");
  }
  return Status::Ok();
}

Result<ProposeResult> Core::Propose(Payload data) {
  KIWI_RETURN_IF_ERROR(CanPropose(data ? data->size() : 0));
  const LogIndex index = AppendOwn(EntryType::kNormal, std::move(data));
  return ProposeResult{term_, index};
}

LogIndex Core::AppendOwn(EntryType type, Payload data) {
  const LogIndex index = log_.LastIndex() + 1;
  if (type == EntryType::kConfChange) conf_entries_.push_back(index);
  if (data) uncommitted_bytes_ += data->size();
  log_.Append({.term = term_, .index = index, .type = type, .data = std::move(data)});
  appends_wanted_ |= progress_.size() > 1;
  if (KIWI_MUTANT(kSelfAckBeforePersist)) AckOwnLog();
  return index;
}

// The leader's own acknowledgement: of what is durable here.
void Core::AckOwnLog() {
  Progress* self = FindProgress(id());
  if (self == nullptr) return;
  const LogIndex acked = KIWI_MUTANT(kSelfAckBeforePersist) ? log_.LastIndex() : log_.persisted();
  if (self->OnAck(acked)) MaybeCommit();
}

bool Core::MaybeCommit() {
  const auto match = [this](NodeId node) {
    const Progress* pr = FindProgress(node);
    return pr != nullptr ? pr->match : 0;
  };
  LogIndex index = QuorumValue(conf_, match);
  if (KIWI_MUTANT(kLearnerCounts)) {
    ConfState all = conf_;
    all.voters.insert(all.voters.end(), conf_.learners.begin(), conf_.learners.end());
    index = QuorumValue(all, match);
  }
  if (index <= commit_) return false;
  // Only entries of the own term commit by counting; older ones with them (3.6.2, Figure 8).
  if (!log_.Matches(index, term_) && !KIWI_MUTANT(kCommitOldTerm)) return false;
  CommitTo(index);
  return true;
}

void Core::CommitTo(LogIndex index) {
  if (index <= commit_) return;
  if (role_ == Role::kLeader) {
    // What earlier terms left behind was never counted.
    for (LogIndex i = std::max(commit_ + 1, own_from_); i <= index; ++i) {
      if (!KIWI_MUTANT(kUncommittedNeverFreed)) uncommitted_bytes_ -= log_.BytesInTail(i);
    }
    appends_wanted_ |= progress_.size() > 1;
  }
  commit_ = index;
  if (role_ == Role::kLeader && !committed_in_term_ && log_.Matches(index, term_)) {
    committed_in_term_ = true;
    ReleaseEarlyReads();
  }
}

// Once for each Ready: what was proposed since the last one leaves in one message a follower.
void Core::FlushAppends() {
  if (!appends_wanted_) return;
  appends_wanted_ = false;
  for (Progress& pr : progress_) {
    if (pr.id == id()) continue;
    if (pr.state == ProgressState::kProbe && !pr.Paused()) SendAppend(pr, true);
    if (pr.state != ProgressState::kReplicate) continue;
    while (!pr.Paused() && pr.next <= log_.LastIndex()) {
      if (!SendAppend(pr, false)) break;
    }
    if (pr.state == ProgressState::kReplicate && !pr.Paused() && pr.sent_commit < commit_) {
      SendAppend(pr, true);
    }
  }
}

bool Core::SendAppend(Progress& pr, bool force, bool entries) {
  Message m;
  m.type = MessageType::kAppend;
  m.to = pr.id;
  m.index = pr.next - 1;
  m.commit = commit_;
  const std::optional<Term> term = log_.TermAt(m.index);
  if (!term || pr.next < log_.FirstIndex()) {
    SendSnapshot(pr);
    return false;
  }
  m.log_term = *term;
  const bool full = pr.state == ProgressState::kReplicate && pr.Paused();
  if (entries && !full) {
    const Status read =
        log_.Read(pr.next, log_.LastIndex() + 1, options_.max_message_bytes, &m.entries);
    if (read.code() == StatusCode::kCompacted) {
      SendSnapshot(pr);
      return false;
    }
    if (!read.ok()) {
      const bool fetching = read.code() == StatusCode::kBusy;
      if (error_.ok() && !fetching) error_ = read.WithContext("reading entries for a follower");
      return false;
    }
  }
  if (m.entries.empty() && !force) return false;
  uint64_t bytes = 0;
  for (const Entry& e : m.entries) bytes += e.bytes().size();
  pr.OnSend(m.index + m.entries.size(), bytes);
  pr.sent_commit = commit_;
  Send(std::move(m));
  return true;
}

void Core::SendSnapshot(Progress& pr) {
  if (!pr.recently_active) return;  // nobody to receive it
  if (log_.snapshot_pending()) return;
  auto meta = log_.Snapshot();
  // None yet, or one being made: the next heartbeat's answer asks again.
  if (!meta.ok() || meta->index == 0) return;
  pr.BecomeSnapshot(meta->index);
  Message m;
  m.type = MessageType::kSnapshot;
  m.to = pr.id;
  m.snapshot = std::move(*meta);
  Send(std::move(m));
}

void Core::SendHeartbeats() {
  for (const Progress& pr : progress_) {
    if (pr.id == id()) continue;
    Message m;
    m.type = MessageType::kHeartbeat;
    m.to = pr.id;
    // Past its match nothing is known of the follower's log.
    m.commit = KIWI_MUTANT(kHeartbeatCommitUnbounded) ? commit_ : std::min(commit_, pr.match);
    m.context = round_;
    Send(std::move(m));
  }
}

void Core::AppendEntries(Message& m) {
  Message response;
  response.type = MessageType::kAppendResponse;
  response.to = m.from;
  if (m.index < commit_) {
    response.index = commit_;
    Send(std::move(response));
    ProvenEqual(commit_);
    return;
  }
  const bool unchecked = KIWI_MUTANT(kAppendUnchecked) && m.index <= log_.LastIndex();
  if (!log_.Matches(m.index, m.log_term) && !unchecked) {
    response.reject = true;
    response.index = m.index;
    response.reject_hint = log_.FindConflict(m.index, m.log_term);
    response.log_term = log_.TermAt(response.reject_hint).value_or(0);
    Send(std::move(response));
    return;
  }
  MergeEntries(m);
  const LogIndex last_new = m.index + m.entries.size();
  const LogIndex proven = KIWI_MUTANT(kCommitBeyondAppend) ? log_.LastIndex() : last_new;
  CommitTo(std::min(m.commit, proven));
  response.index = last_new;
  Send(std::move(response));
  ProvenEqual(last_new);
}

// Entries that are there already stay untouched, and so does what follows them: the message may be
// an old one. Only a real conflict cuts the log.
void Core::MergeEntries(Message& m) {
  size_t known = 0;
  while (known < m.entries.size() && log_.Matches(m.entries[known].index, m.entries[known].term)) {
    ++known;
  }
  if (KIWI_MUTANT(kTruncateOnOldAppend) && known == m.entries.size()) {
    const LogIndex end = m.index + m.entries.size();
    if (end < log_.LastIndex() && end >= commit_) TruncateFrom(end + 1);
  }
  if (known == m.entries.size()) return;
  const LogIndex from = m.entries[known].index;
  std::vector<Entry> suffix;
  if (from <= log_.LastIndex()) {
    KIWI_CHECK(from > commit_, "a committed entry is never replaced");
    if (KIWI_MUTANT(kConflictKeepsSuffix)) {
      (void)log_.Read(m.entries.back().index + 1, log_.LastIndex() + 1, kNoLimit, &suffix);
    }
    TruncateFrom(from);
  }
  for (size_t i = known; i < m.entries.size(); ++i) AppendForeign(std::move(m.entries[i]));
  for (Entry& e : suffix) AppendForeign(std::move(e));
}

void Core::AppendForeign(Entry entry) {
  if (entry.type == EntryType::kConfChange) conf_entries_.push_back(entry.index);
  log_.Append(std::move(entry));
}

void Core::TruncateFrom(LogIndex index) {
  while (!conf_entries_.empty() && conf_entries_.back() >= index) conf_entries_.pop_back();
  log_.TruncateFrom(index);
}

void Core::HandleHeartbeat(const Message& m) {
  // The leader takes it for acknowledged, and it may be lost.
  const LogIndex known = distrusted_ ? ProvenIndex() : log_.LastIndex();
  CommitTo(std::min(m.commit, known));
  Message response;
  response.type = MessageType::kHeartbeatResponse;
  response.to = m.from;
  response.context = m.context;
  Send(std::move(response));
  AskLogEnd();
}

void Core::HandleSnapshot(const Message& m) {
  const SnapshotMeta& meta = m.snapshot;
  const bool stale = meta.index <= commit_ && !KIWI_MUTANT(kSnapshotRegress);
  if (!stale) {
    if (log_.Matches(meta.index, meta.term)) {
      CommitTo(meta.index);  // the entries are here: cheaper than the state
    } else {
      log_.Restore(meta);
      conf_entries_.clear();
      commit_ = applied_ = handed_out_ = meta.index;
      applying_.clear();
      applying_bytes_ = 0;
      if (!KIWI_MUTANT(kSnapshotStaleConf)) SetConf(meta.conf_state);
    }
  }
  Message response;
  response.type = MessageType::kAppendResponse;
  response.to = m.from;
  response.index = commit_;
  Send(std::move(response));
  ProvenEqual(commit_);
}

void Core::HandleAppendResponse(const Message& m) {
  Progress* pr = FindProgress(m.from);
  if (pr == nullptr) return;
  pr->recently_active = true;
  if (m.index > log_.LastIndex()) return;  // of a log that is not ours
  if (m.reject) {
    LogIndex hint = std::min(m.reject_hint, log_.LastIndex());
    // The follower's last entry that may agree is of log_term: in this log, everything of a later
    // term up to there disagrees for sure. So a term costs at most one probe.
    if (m.log_term > 0) hint = log_.FindConflict(hint, m.log_term);
    if (pr->OnReject(m.index, hint)) appends_wanted_ = true;
    return;
  }
  const bool advanced = pr->OnAck(m.index);
  if (!advanced && !(pr->state == ProgressState::kProbe && pr->match == m.index)) return;
  switch (pr->state) {
    case ProgressState::kProbe:
      pr->BecomeReplicate();
      break;
    case ProgressState::kSnapshot:
      if (pr->match + 1 >= log_.FirstIndex()) pr->BecomeReplicate();
      break;
    case ProgressState::kReplicate:
      pr->inflights.FreeUpTo(m.index);
      break;
  }
  appends_wanted_ = true;
  MaybeCommit();
  if (transferee_ == m.from && pr->match == log_.LastIndex()) SendTimeoutNow(m.from);
}

void Core::HandleHeartbeatResponse(const Message& m) {
  Progress* pr = FindProgress(m.from);
  if (pr == nullptr || m.context > round_) return;
  pr->recently_active = true;
  pr->acked_round = std::max(pr->acked_round, m.context);
  // Entries may be large and still on their way: a probe that is repeated asks without them.
  const bool repeated = pr->probe_sent;
  if (!KIWI_MUTANT(kProbeStuck)) pr->probe_sent = false;
  // An append may have been lost, perhaps the last one: nothing else would find out.
  if (pr->state == ProgressState::kReplicate && pr->inflights.Full()) pr->inflights.FreeFirst();
  if (pr->state != ProgressState::kSnapshot && !pr->probe_sent &&
      (pr->match < log_.LastIndex() || pr->state == ProgressState::kProbe)) {
    SendAppend(*pr, true, !repeated);
  }
  OnRoundAnswered();
}

}  // namespace kiwi::raft
