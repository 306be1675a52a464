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

 private:
  static void CheckQuorumArithmetic(const Core& core);
};

// Observes the nodes of one cluster from outside. Each function returns the violated invariant, or
// an empty string. Node ids are never used anew.
class ClusterInvariants {
 public:
  // Election safety, and leader completeness: it holds what earlier terms committed.
  std::string OnLeader(const Core& leader);
  // Log matching: each entry is made in one place, behind one other entry.
  std::string OnAppended(const Entry& entry, Term previous_term);
  // State-machine safety: all nodes apply the same entry at an index, in order.
  std::string OnApplied(NodeId node, Term node_term, const Entry& entry, LogIndex previous_applied);

  LogIndex CommittedIndex() const { return committed_.size(); }

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
  // By index, from 1: the nodes apply in order, so that the first to apply one extends it.
  struct Committed {
    Term term = 0;
    uint64_t hash = 0;
    Term known_in = 0;  // the term of the node that applied it first: committed then or before
  };
  std::vector<Committed> committed_;
};

}  // namespace kiwi::raft
