#include "unit/raft/core/script_cluster.h"

#include <algorithm>

namespace kiwi::raft {

void ScriptCluster::AddNode(NodeId id, const std::vector<NodeId>& voters) {
  nodes_[id].log = TestLog(voters);
  Start(id);
}

void ScriptCluster::Start(NodeId id) {
  Node& node = nodes_.at(id);
  CoreOptions mine = options;
  mine.id = id;
  mine.applied = node.applied;
  mine.random_seed = id * 100 + ++node.starts;
  auto raw = RawNode::Create(mine, &node.log);
  if (!raw.ok()) throw StoryFailure("node does not start: " + raw.status().ToString());
  node.raw = std::move(*raw);
}

void ScriptCluster::Crash(NodeId id) {
  Node& node = nodes_.at(id);
  node.raw.reset();
  node.unpersisted.clear();
  node.unapplied.clear();
  node.hold_persist = node.hold_apply = false;
}

ScriptCluster::Node& ScriptCluster::At(NodeId id) {
  const auto it = nodes_.find(id);
  if (it == nodes_.end()) throw StoryFailure("no node " + std::to_string(id));
  return it->second;
}

RawNode& ScriptCluster::Raw(NodeId id) {
  if (At(id).raw == nullptr) throw StoryFailure("node " + std::to_string(id) + " is stopped");
  return *At(id).raw;
}

std::vector<NodeId> ScriptCluster::Ids() const {
  std::vector<NodeId> ids;
  for (const auto& [id, node] : nodes_) ids.push_back(id);
  return ids;
}

void ScriptCluster::Settle(NodeId id) {
  Node& node = At(id);
  while (node.raw != nullptr && node.raw->HasReady()) {
    Ready ready = node.raw->TakeReady();
    node.raw->Advance(ready.number);
    for (Message& m : ready.messages) Send(std::move(m));
    ready.messages.clear();
    for (const ReadState& read : ready.read_states) node.answers[read.token] = read.index;
    node.dropped.insert(ready.read_tokens_dropped.begin(), ready.read_tokens_dropped.end());
    for (Entry& e : ready.committed_entries) node.unapplied.push_back(std::move(e));
    node.unpersisted.push_back(std::move(ready));
    if (!node.hold_persist) Persist(id, node.unpersisted.size());
    if (!node.hold_apply) ApplyAll(id);
  }
}

void ScriptCluster::Persist(NodeId id, size_t count) {
  Node& node = At(id);
  for (; count > 0 && !node.unpersisted.empty(); --count) {
    Ready ready = std::move(node.unpersisted.front());
    node.unpersisted.pop_front();
    node.log.Persist(ready);
    if (ready.snapshot) {
      node.texts = node.staged.at(ready.snapshot->index);
      node.applied = ready.snapshot->index;
      node.unapplied.clear();
    }
    node.raw->OnPersisted(ready.number);
    for (Message& m : ready.messages_after_persist) Send(std::move(m));
  }
}

void ScriptCluster::ApplyAll(NodeId id) {
  Node& node = At(id);
  while (!node.unapplied.empty()) {
    const Entry e = std::move(node.unapplied.front());
    node.unapplied.pop_front();
    if (e.type == EntryType::kConfChange) {
      auto conf = node.raw->ApplyConfChange(*DecodeConfChange(e.bytes()));
      if (!conf.ok()) throw StoryFailure("a committed change cannot be applied");
      node.log.SetConfState(*conf);
    } else if (!e.bytes().empty()) {
      node.texts.emplace_back(e.index, e.bytes());
    }
    node.applied = e.index;
    node.raw->OnApplied(e.index);
  }
}

void ScriptCluster::Run() {
  for (int rounds = 0; rounds < 1000; ++rounds) {
    for (NodeId id : Ids()) Settle(id);
    std::deque<Message> moving;
    moving.swap(network_);
    if (moving.empty()) return;
    for (Message& m : moving) Receive(std::move(m));
  }
  throw StoryFailure("the cluster never comes to rest");
}

void ScriptCluster::Send(Message message) {
  if (cut_.contains({message.from, message.to})) return;
  network_.push_back(std::move(message));
}

void ScriptCluster::Receive(Message message) {
  const auto to = nodes_.find(message.to);
  const bool lost =
      to == nodes_.end() || to->second.raw == nullptr || cut_.contains({message.from, message.to});
  const bool snapshot = message.type == MessageType::kSnapshot;
  if (lost) return;
  if (snapshot) {
    Node& from = At(message.from);
    auto& staged = to->second.staged[message.snapshot.index];
    staged.clear();
    for (const auto& text : from.texts) {
      if (text.first <= message.snapshot.index) staged.push_back(text);
    }
    if (from.raw != nullptr) from.raw->ReportSnapshot(message.to, true);
  }
  const Status status = to->second.raw->Step(std::move(message));
  if (!status.ok()) throw StoryFailure("a message is refused: " + status.ToString());
}

size_t ScriptCluster::Deliver(NodeId from, NodeId to, int type, size_t most) {
  std::vector<Message> matching;
  for (auto it = network_.begin(); it != network_.end();) {
    if (matching.size() < most && it->from == from && it->to == to &&
        (type == 0 || static_cast<int>(it->type) == type)) {
      matching.push_back(std::move(*it));
      it = network_.erase(it);
    } else {
      ++it;
    }
  }
  for (Message& m : matching) Receive(std::move(m));
  return matching.size();
}

void ScriptCluster::Lose(NodeId from, NodeId to, int type) {
  std::erase_if(network_, [&](const Message& m) {
    return m.from == from && m.to == to && (type == 0 || static_cast<int>(m.type) == type);
  });
}

void ScriptCluster::Duplicate(NodeId from, NodeId to) {
  const std::deque<Message> now = network_;
  for (const Message& m : now) {
    if (m.from == from && m.to == to) network_.push_back(m);
  }
}

std::vector<MessageType> ScriptCluster::Waiting(NodeId from, NodeId to) const {
  std::vector<MessageType> types;
  for (const Message& m : network_) {
    if (m.from == from && m.to == to) types.push_back(m.type);
  }
  return types;
}

void ScriptCluster::Compact(NodeId id, LogIndex index) {
  Node& node = At(id);
  node.log.CreateSnapshot(node.applied, Raw(id).conf_state());
  node.log.Compact(index);
}

}  // namespace kiwi::raft
