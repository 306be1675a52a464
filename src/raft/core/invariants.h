// What must always be true (Figure 3.2 of the dissertation, and what the core promises itself), in
// one place. Of one node: checked after each step in debug builds and in the simulator. Of a
// cluster: checked by the simulator, which sees all nodes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "raft/core/raw_node.h"
#include "raft/core/types.h"

namespace kiwi::raft {

class Core;

class NodeInvariants {
 public:
  // Aborts with the invariant's name; with `handler` set, calls that instead (it may throw).
  static void Check(const Core& core);
  using Handler = void (*)(const char* violated);
  static void SetHandler(Handler handler);
};

// Observes the nodes of one cluster from outside. Each function returns the violated invariant, or
// an empty string. Node ids are never used anew.
class ClusterInvariants {
 public:
  // Election safety; leader completeness: `term_at_committed` is the term that the leader's log
  // holds at CommittedIndex() (0 when that is compacted there).
  std::string OnLeader(NodeId node, Term term, Term term_at_committed);
  // Log matching: each entry is made in one place, behind one other entry.
  std::string OnAppended(const Entry& entry, Term previous_term);
  // State-machine safety: all nodes apply the same entry at an index, in order.
  std::string OnApplied(NodeId node, const Entry& entry, LogIndex previous_applied);

  LogIndex CommittedIndex() const { return committed_.empty() ? 0 : committed_.rbegin()->first; }
  // 0 when nothing is known to be committed there.
  Term CommittedTerm(LogIndex index) const;

 private:
  struct Known {
    Term previous_term = 0;
    uint64_t hash = 0;
  };
  struct KeyHash {
    size_t operator()(const std::pair<LogIndex, Term>& key) const {
      return static_cast<size_t>(key.first * 0x9e3779b97f4a7c15ULL ^ key.second);
    }
  };
  std::map<Term, NodeId> leaders_;
  std::unordered_map<std::pair<LogIndex, Term>, Known, KeyHash> entries_;
  std::map<LogIndex, std::pair<Term, uint64_t>> committed_;
};

}  // namespace kiwi::raft
