#include "raft/core/progress.h"

#include <algorithm>

#include "raft/core/mutants.h"

namespace kiwi::raft {

void Inflights::Add(LogIndex last, uint64_t bytes) {
  appends_.push_back({last, bytes});
  bytes_ += bytes;
}

void Inflights::FreeUpTo(LogIndex index) {
  if (KIWI_MUTANT(kInflightNeverFreed)) return;
  while (!appends_.empty() && appends_.front().last <= index) FreeFirst();
}

void Inflights::FreeFirst() {
  if (appends_.empty() || KIWI_MUTANT(kInflightNeverFreed)) return;
  bytes_ -= appends_.front().bytes;
  appends_.pop_front();
}

void Inflights::Clear() {
  appends_.clear();
  bytes_ = 0;
}

const char* ProgressStateName(ProgressState state) {
  switch (state) {
    case ProgressState::kProbe:
      return "probe";
    case ProgressState::kReplicate:
      return "replicate";
    case ProgressState::kSnapshot:
      break;
  }
  return "snapshot";
}

void Progress::BecomeProbe() {
  next = match + 1;
  if (state == ProgressState::kSnapshot) next = std::max(next, pending_snapshot + 1);
  state = ProgressState::kProbe;
  probe_sent = false;
  pending_snapshot = 0;
  sent_commit = 0;
  inflights.Clear();
}

void Progress::BecomeReplicate() {
  BecomeProbe();
  state = ProgressState::kReplicate;
  next = match + 1;
}

void Progress::BecomeSnapshot(LogIndex index) {
  BecomeProbe();
  state = ProgressState::kSnapshot;
  pending_snapshot = index;
}

bool Progress::OnAck(LogIndex index) {
  if (index <= match) return false;
  match = index;
  next = std::max(next, match + 1);
  probe_sent = false;
  return true;
}

bool Progress::OnReject(LogIndex rejected, LogIndex hint) {
  if (KIWI_MUTANT(kOldRejection)) {
    next = std::max<LogIndex>(1, std::min(rejected, hint + 1));
    return true;
  }
  if (state == ProgressState::kSnapshot) return false;
  if (state == ProgressState::kReplicate) {
    if (rejected <= match) return false;
    BecomeProbe();
    next = std::max(match + 1, std::min(rejected, hint + 1));
    return true;
  }
  // Of the probes only the last one counts: the others were answered or given up.
  if (next - 1 != rejected) return false;
  next = std::max(match + 1, std::min(rejected, hint + 1));
  probe_sent = false;
  return true;
}

void Progress::OnLost(LogIndex end) {
  match = 0;
  if (state == ProgressState::kSnapshot) return;
  BecomeProbe();
  next = end + 1;
}

void Progress::OnSend(LogIndex last, uint64_t bytes) {
  if (state == ProgressState::kProbe) {
    probe_sent = true;
    return;
  }
  if (last < next) return;
  next = last + 1;
  inflights.Add(last, bytes);
}

bool Progress::Paused() const {
  switch (state) {
    case ProgressState::kProbe:
      return probe_sent;
    case ProgressState::kReplicate:
      return inflights.Full();
    case ProgressState::kSnapshot:
      break;
  }
  return true;
}

}  // namespace kiwi::raft
