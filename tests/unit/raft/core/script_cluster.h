// The nodes of a story: real cores, a network whose messages wait until the story delivers them,
// and hosts that persist and apply at once unless the story holds them back.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "raft/core/raw_node.h"
#include "unit/raft/core/test_log.h"

namespace kiwi::raft {

// What a story expects and does not find.
struct StoryFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class ScriptCluster {
 public:
  struct Node {
    TestLog log;
    std::unique_ptr<RawNode> raw;  // null: stopped
    std::deque<Ready> unpersisted;
    bool hold_persist = false;
    std::deque<Entry> unapplied;
    bool hold_apply = false;
    LogIndex applied = 0;
    std::vector<std::pair<LogIndex, std::string>> texts;  // what the state machine holds
    std::map<LogIndex, std::vector<std::pair<LogIndex, std::string>>> staged;
    std::map<std::string, uint64_t> reads;
    std::map<uint64_t, LogIndex> answers;
    std::set<uint64_t> dropped;
    uint64_t starts = 0;
  };

  CoreOptions options;

  void AddNode(NodeId id, const std::vector<NodeId>& voters);
  void Start(NodeId id);
  void Stop(NodeId id) { At(id).raw.reset(); }
  // With the node's unfinished persistence and all its memory.
  void Crash(NodeId id);
  Node& At(NodeId id);
  RawNode& Raw(NodeId id);
  std::vector<NodeId> Ids() const;

  // Readys of one node until it has none.
  void Settle(NodeId id);
  void Persist(NodeId id, size_t count);
  void ApplyAll(NodeId id);
  // Everything that is not held, cut or stopped, until nothing moves.
  void Run();

  // Of what waits from one node to another, the messages of one type (0: all).
  size_t Deliver(NodeId from, NodeId to, int type, size_t most = SIZE_MAX);
  void Lose(NodeId from, NodeId to, int type);
  void Duplicate(NodeId from, NodeId to);
  std::vector<MessageType> Waiting(NodeId from, NodeId to) const;
  void Cut(NodeId a, NodeId b) { cut_.insert({a, b}); }
  void Heal() { cut_.clear(); }
  void Compact(NodeId id, LogIndex index);

 private:
  void Send(Message message);
  void Receive(Message message);

  std::map<NodeId, Node> nodes_;
  std::deque<Message> network_;
  std::set<std::pair<NodeId, NodeId>> cut_;
};

}  // namespace kiwi::raft
