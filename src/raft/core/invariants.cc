#include "raft/core/invariants.h"

#include "base/check.h"
#include "base/hash.h"
#include "raft/core/confchange.h"
#include "raft/core/core.h"

namespace kiwi::raft {
namespace {

[[noreturn]] void Abort(const char* violated) {
  CheckFailed(__FILE__, __LINE__, "raft invariant", violated);
}

NodeInvariants::Handler violation_handler = nullptr;

void Require(bool holds, const char* invariant) {
  if (holds) [[likely]]
    return;
  if (violation_handler != nullptr) violation_handler(invariant);
  Abort(invariant);
}

uint64_t HashOf(const Entry& e) {
  return Hash64(e.bytes(),
                e.term * 0x9e3779b97f4a7c15ULL ^ e.index ^ (static_cast<uint64_t>(e.type) << 56));
}

}  // namespace

void NodeInvariants::SetHandler(Handler handler) { violation_handler = handler; }

void NodeInvariants::Check(const Core& core) {
  const RaftLog& log = core.log_;
  const LogIndex last = log.LastIndex();
  Require(log.FirstIndex() <= last + 1, "first index <= last index + 1");
  Require(core.commit_ <= last, "commit <= last index");
  Require(core.handed_out_ <= core.commit_, "only what is committed is applied");
  Require(core.handed_out_ <= log.persisted(), "only what is durable is applied");
  Require(core.applied_ <= core.handed_out_, "applied <= handed out");
  Require(log.persisted() <= last, "durable <= last index");
  Require(core.last_hard_.term <= core.term_, "terms never fall");
  Require(core.last_hard_.commit <= core.commit_, "the commit index never falls");
  Require(log.LastTerm() <= core.term_, "no entry is of a later term than the node");
  Require(core.durable_term_ <= core.term_, "durable term <= term");
  for (size_t i = 0; i < core.conf_entries_.size(); ++i) {
    const LogIndex at = core.conf_entries_[i];
    Require(at > core.applied_ && at <= last, "pending changes are in the log and unapplied");
    Require(i == 0 || at > core.conf_entries_[i - 1], "pending changes are in order");
  }
  Require(CheckConfState(core.conf_).ok(), "the configuration is well formed");
  if (core.role_ != Role::kLeader) {
    Require(core.progress_.empty(), "only a leader tracks followers");
    return;
  }
  Require(core.leader_ == core.id() && core.vote_ == core.id(), "a leader voted for itself");
  Require(core.durable_term_ == core.term_ && core.durable_vote_ == core.id(),
          "a leader's vote is durable");
  CheckQuorumArithmetic(core);
  for (const Progress& pr : core.progress_) {
    Require(pr.match < pr.next, "match < next");
    Require(pr.match <= last && pr.next <= last + 1, "match <= last index, next <= last index + 1");
    Require(pr.id != core.id() || pr.match <= log.persisted(),
            "a leader acknowledges only what is durable");
    Require(pr.inflights.count() <= core.options_.max_inflight_messages,
            "the window holds at most its bound");
    Require(pr.state != ProgressState::kSnapshot || pr.pending_snapshot > 0,
            "a snapshot under way has an index");
  }
}

// Counted one by one, as the dissertation has it: what counts as agreed is held by more than half of
// the voters of each half of the configuration, and nothing behind it is.
void NodeInvariants::CheckQuorumArithmetic(const Core& core) {
  const auto match = [&core](NodeId node) -> LogIndex {
    for (const Progress& pr : core.progress_) {
      if (pr.id == node) return pr.match;
    }
    return 0;
  };
  const auto agree = [&](const std::vector<NodeId>& voters, LogIndex index) {
    size_t holders = 0;
    for (NodeId id : voters) holders += match(id) >= index;
    return voters.empty() || 2 * holders > voters.size();
  };
  const LogIndex index = QuorumValue(core.conf_, match);
  Require(agree(core.conf_.voters, index) && agree(core.conf_.voters_outgoing, index),
          "a quorum is more than half of each half of the configuration");
  Require(!agree(core.conf_.voters, index + 1) || !agree(core.conf_.voters_outgoing, index + 1),
          "what more than half of each half holds is a quorum's");
}

std::string ClusterInvariants::OnLeader(const Core& leader) {
  const Term term = leader.term();
  const auto [it, fresh] = leaders_.emplace(term, leader.id());
  if (it->second != leader.id()) {
    return "election safety: nodes " + std::to_string(it->second) + " and " +
           std::to_string(leader.id()) + " lead term " + std::to_string(term);
  }
  if (!fresh) return {};
  // What a later term committed is none of this leader's business.
  LogIndex index = committed_.size();
  while (index > 0 && committed_[index - 1].known_in >= term) --index;
  if (index == 0 || index + 1 < leader.log().FirstIndex()) return {};
  if (leader.log().TermAt(index) != committed_[index - 1].term) {
    return "leader completeness: node " + std::to_string(leader.id()) + ", leader of term " +
           std::to_string(term) + ", lacks committed entry " + std::to_string(index);
  }
  return {};
}

std::string ClusterInvariants::OnAppended(const Entry& entry, Term previous_term) {
  const auto [it, fresh] =
      entries_.emplace(std::pair(entry.index, entry.term), Known{previous_term, HashOf(entry)});
  if (fresh) return {};
  if (it->second.hash != HashOf(entry) || it->second.previous_term != previous_term) {
    return "log matching: entry " + std::to_string(entry.index) + " of term " +
           std::to_string(entry.term) + " differs between logs";
  }
  return {};
}

std::string ClusterInvariants::OnApplied(NodeId node, Term node_term, const Entry& entry,
                                         LogIndex previous_applied) {
  if (entry.index != previous_applied + 1) {
    return "application in order: node " + std::to_string(node) + " applies " +
           std::to_string(entry.index) + " after " + std::to_string(previous_applied);
  }
  if (entry.index == committed_.size() + 1) {
    committed_.push_back({entry.term, HashOf(entry), node_term});
    return {};
  }
  const Committed* known =
      entry.index <= committed_.size() ? &committed_[entry.index - 1] : nullptr;
  if (known == nullptr || known->term != entry.term || known->hash != HashOf(entry)) {
    return "state-machine safety: node " + std::to_string(node) + " applies another entry at " +
           std::to_string(entry.index);
  }
  return {};
}

}  // namespace kiwi::raft
