#include "unit/raft/core/script.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <tuple>

#include "raft/core/invariants.h"
#include "unit/raft/core/script_cluster.h"

namespace kiwi::raft {
namespace {

using Words = std::vector<std::string>;

const std::map<std::string, int> kTypes = {
    {"append", 1},   {"append-answer", 2},   {"vote", 3},      {"vote-answer", 4},
    {"pre-vote", 5}, {"pre-vote-answer", 6}, {"heartbeat", 7}, {"heartbeat-answer", 8},
    {"snapshot", 9}, {"timeout-now", 10},    {"read", 11},     {"read-answer", 12},
    {"transfer", 13}};

std::string TypeName(MessageType type) {
  for (const auto& [name, number] : kTypes) {
    if (number == static_cast<int>(type)) return name;
  }
  return "?";
}

template <typename List>
std::string Join(const List& list) {
  std::string out;
  for (const auto& item : list) {
    if (!out.empty()) out += ",";
    if constexpr (std::is_convertible_v<decltype(item), std::string>) {
      out += item;
    } else {
      out += std::to_string(item);
    }
  }
  return out.empty() ? "-" : out;
}

void Expect(const std::string& what, const std::string& expected, const std::string& actual) {
  if (expected != actual) {
    throw StoryFailure(what + " is " + actual + ", the story expects " + expected);
  }
}

class Story {
 public:
  void Line(const Words& w);

 private:
  NodeId Id(const std::string& word) { return std::stoull(word); }
  int Type(const Words& w, size_t at) { return w.size() > at ? kTypes.at(w[at]) : 0; }
  void Option(const std::string& name, uint64_t value);
  bool Act(const Words& w);
  bool Move(const Words& w);
  bool Check(const Words& w);
  void Outcome(const Status& status) { last_ = status; }
  ConfChange Change(const Words& w);
  void ExpectState(const Words& w);
  std::string LogOf(NodeId id);

  ScriptCluster cluster_;
  std::vector<NodeId> first_;
  Status last_;  // of the last act
};

void Story::Option(const std::string& name, uint64_t value) {
  CoreOptions& o = cluster_.options;
  if (name == "pre-vote")
    o.pre_vote = value != 0;
  else if (name == "check-quorum")
    o.check_quorum = value != 0;
  else if (name == "election-ticks")
    o.election_ticks = static_cast<int>(value);
  else if (name == "lease-margin-ticks")
    o.lease_margin_ticks = static_cast<int>(value);
  else if (name == "message-bytes")
    o.max_message_bytes = value;
  else if (name == "inflight-messages")
    o.max_inflight_messages = value;
  else if (name == "inflight-bytes")
    o.max_inflight_bytes = value;
  else if (name == "uncommitted-bytes")
    o.max_uncommitted_bytes = value;
  else if (name == "committed-bytes")
    o.max_committed_bytes = value;
  else
    throw StoryFailure("no option " + name);
}

ConfChange Story::Change(const Words& w) {
  ConfChange change;
  for (size_t i = 2; i < w.size(); ++i) {
    if (w[i] == "leave") continue;
    if (w[i] == "joint")
      change.transition = ConfChangeTransition::kJointImplicit;
    else if (w[i] == "explicit")
      change.transition = ConfChangeTransition::kJointExplicit;
    else {
      const ConfChangeType type = w[i][0] == '+'   ? ConfChangeType::kAddVoter
                                  : w[i][0] == '-' ? ConfChangeType::kRemove
                                                   : ConfChangeType::kAddLearner;
      change.steps.push_back({type, Id(w[i].substr(1))});
    }
  }
  return change;
}

void Story::Line(const Words& w) {
  if (!Act(w) && !Move(w) && !Check(w)) throw StoryFailure("no command " + w[0]);
}

// What operators and clients do. Anything that fails must be followed by a line "refused <code>".
bool Story::Act(const Words& w) {
  if (w[0] != "refused" && !last_.ok()) {
    throw StoryFailure("the step before was refused: " + last_.ToString());
  }
  if (w[0] == "campaign") {
    Outcome(cluster_.Raw(Id(w[1])).Campaign());
  } else if (w[0] == "propose") {
    for (size_t i = 2; i < w.size(); ++i) {
      auto at = cluster_.Raw(Id(w[1])).Propose(std::make_shared<const std::string>(w[i]));
      Outcome(at.ok() ? Status::Ok() : at.status());
    }
  } else if (w[0] == "change") {
    auto at = cluster_.Raw(Id(w[1])).ProposeConfChange(Change(w));
    Outcome(at.ok() ? Status::Ok() : at.status());
  } else if (w[0] == "transfer") {
    Outcome(cluster_.Raw(Id(w[1])).TransferLeadership(Id(w[2])));
  } else if (w[0] == "read") {
    auto token = cluster_.Raw(Id(w[1])).ReadIndex();
    Outcome(token.ok() ? Status::Ok() : token.status());
    if (token.ok()) cluster_.At(Id(w[1])).reads[w[2]] = *token;
  } else if (w[0] == "unreachable") {
    cluster_.Raw(Id(w[1])).ReportUnreachable(Id(w[2]));
  } else if (w[0] == "snapshot-fails") {
    cluster_.Raw(Id(w[1])).ReportSnapshot(Id(w[2]), false);
  } else if (w[0] == "refused") {
    Expect("the outcome", w[1], std::string(StatusCodeName(last_.code())));
    last_ = Status::Ok();
  } else {
    return false;
  }
  return true;
}

// Time, network, disks and crashes.
bool Story::Move(const Words& w) {
  const auto pair = [&] { return std::pair(Id(w[1]), Id(w[2])); };
  if (w[0] == "option") {
    Option(w[1], std::stoull(w[2]));
  } else if (w[0] == "nodes" || w[0] == "spawn") {
    std::vector<NodeId> ids;
    for (size_t i = 1; i < w.size(); ++i) ids.push_back(Id(w[i]));
    if (w[0] == "nodes") first_ = ids;
    for (NodeId id : ids) cluster_.AddNode(id, first_);
  } else if (w[0] == "given") {  // given <id> term <t> log <terms of the entries>
    std::vector<Entry> entries;
    for (size_t i = 5; i < w.size(); ++i) {
      entries.push_back({.term = std::stoull(w[i]),
                         .index = i - 4,
                         .data = std::make_shared<const std::string>("x")});
    }
    TestLog log(first_);
    if (!entries.empty()) log.Append(entries);
    log.SetHardState({.term = std::stoull(w[3]), .vote = kNoNode, .commit = 0});
    cluster_.At(Id(w[1])).log = std::move(log);
    cluster_.Start(Id(w[1]));
  } else if (w[0] == "tick") {
    const uint64_t count = w.size() > 2 ? std::stoull(w[2]) : 1;
    for (uint64_t i = 0; i < count; ++i) {
      if (w[1] != "all")
        cluster_.Raw(Id(w[1])).Tick();
      else
        for (NodeId id : cluster_.Ids()) {
          if (cluster_.At(id).raw != nullptr) cluster_.Raw(id).Tick();
        }
    }
  } else if (w[0] == "stall") {
    cluster_.Raw(Id(w[1])).Tick(std::stoull(w[2]));
  } else if (w[0] == "pass") {  // time for all, with everything that happens meanwhile
    for (uint64_t i = std::stoull(w[1]); i > 0; --i) {
      for (NodeId id : cluster_.Ids()) {
        if (cluster_.At(id).raw != nullptr) cluster_.Raw(id).Tick();
      }
      cluster_.Run();
    }
  } else if (w[0] == "run") {
    cluster_.Run();
  } else if (w[0] == "settle") {
    cluster_.Settle(Id(w[1]));
  } else if (w[0] == "deliver") {
    const auto [from, to] = pair();
    cluster_.Settle(from);
    if (cluster_.Deliver(from, to, Type(w, 3)) == 0) throw StoryFailure("nothing to deliver");
    cluster_.Settle(to);
  } else if (w[0] == "append") {  // append A B term T after I of L commit C entries t1 t2 ...
    Message m;
    m.type = MessageType::kAppend;
    std::tie(m.from, m.to) = pair();
    m.term = std::stoull(w[4]);
    m.index = std::stoull(w[6]);
    m.log_term = std::stoull(w[8]);
    m.commit = std::stoull(w[10]);
    for (size_t i = 12; i < w.size(); ++i) {
      m.entries.push_back({.term = std::stoull(w[i]),
                           .index = m.index + i - 11,
                           .data = std::make_shared<const std::string>("x")});
    }
    Outcome(cluster_.Raw(m.to).Step(m));
    cluster_.Settle(m.to);
  } else if (w[0] == "deliver-first") {
    const auto [from, to] = pair();
    cluster_.Settle(from);
    if (cluster_.Deliver(from, to, Type(w, 3), 1) == 0) throw StoryFailure("nothing to deliver");
    cluster_.Settle(to);
  } else if (w[0] == "lose") {
    const auto [from, to] = pair();
    cluster_.Settle(from);
    cluster_.Lose(from, to, Type(w, 3));
  } else if (w[0] == "duplicate") {
    cluster_.Settle(Id(w[1]));
    cluster_.Duplicate(Id(w[1]), Id(w[2]));
  } else if (w[0] == "cut") {
    if (w.size() == 3) cluster_.Cut(Id(w[1]), Id(w[2]));
    for (NodeId other : cluster_.Ids()) {
      if (w.size() != 2) break;
      cluster_.Cut(Id(w[1]), other);
      cluster_.Cut(other, Id(w[1]));
    }
  } else if (w[0] == "heal") {
    cluster_.Heal();
  } else if (w[0] == "hold-persist") {
    cluster_.At(Id(w[1])).hold_persist = true;
  } else if (w[0] == "persist") {
    cluster_.Settle(Id(w[1]));
    cluster_.Persist(Id(w[1]), w.size() > 2 ? std::stoull(w[2]) : 1000);
    cluster_.Settle(Id(w[1]));
  } else if (w[0] == "hold-apply") {
    cluster_.At(Id(w[1])).hold_apply = true;
  } else if (w[0] == "apply") {
    cluster_.At(Id(w[1])).hold_apply = false;
    cluster_.ApplyAll(Id(w[1]));
  } else if (w[0] == "stop") {
    cluster_.Stop(Id(w[1]));
  } else if (w[0] == "crash") {
    cluster_.Crash(Id(w[1]));
  } else if (w[0] == "start") {
    cluster_.Start(Id(w[1]));
  } else if (w[0] == "restart") {
    cluster_.Crash(Id(w[1]));
    cluster_.Start(Id(w[1]));
  } else if (w[0] == "compact") {
    cluster_.Compact(Id(w[1]), std::stoull(w[2]));
  } else {
    return false;
  }
  return true;
}

std::string Story::LogOf(NodeId id) {
  RawNode& raw = cluster_.Raw(id);
  cluster_.Settle(id);
  const TestLog& log = cluster_.At(id).log;
  std::string out;
  auto entries = log.Entries(log.FirstIndex(), log.LastIndex() + 1, kNoLimit);
  for (const Entry& e : *entries) {
    out += out.empty() ? "" : " ";
    out += std::to_string(e.term) + ":";
    out += e.type == EntryType::kConfChange ? "~"
           : e.bytes().empty()              ? "-"
                                            : std::string(e.bytes());
  }
  (void)raw;
  return out.empty() ? "empty" : out;
}

void Story::ExpectState(const Words& w) {
  RawNode& raw = cluster_.Raw(Id(w[1]));
  const char* roles[] = {"follower", "pre-candidate", "candidate", "leader"};
  for (size_t i = 2; i + 1 < w.size(); i += 2) {
    std::string actual;
    if (w[i] == "role")
      actual = roles[static_cast<int>(raw.role())];
    else if (w[i] == "term")
      actual = std::to_string(raw.term());
    else if (w[i] == "leader")
      actual = std::to_string(raw.leader());
    else if (w[i] == "commit")
      actual = std::to_string(raw.commit_index());
    else if (w[i] == "last")
      actual = std::to_string(raw.last_index());
    else if (w[i] == "first")
      actual = std::to_string(raw.first_index());
    else if (w[i] == "applied")
      actual = std::to_string(raw.applied_index());
    else if (w[i] == "voters")
      actual = Join(raw.conf_state().voters);
    else if (w[i] == "outgoing")
      actual = Join(raw.conf_state().voters_outgoing);
    else if (w[i] == "learners")
      actual = Join(raw.conf_state().learners);
    else
      throw StoryFailure("nothing is called " + w[i]);
    Expect("node " + w[1] + ": " + w[i], w[i + 1], actual);
  }
}

// What must be so.
bool Story::Check(const Words& w) {
  const auto rest = [&w](size_t from) {
    std::string out;
    for (size_t i = from; i < w.size(); ++i) out += (out.empty() ? "" : " ") + w[i];
    return out;
  };
  if (w[0] == "expect") {
    ExpectState(w);
  } else if (w[0] == "log") {
    Expect("the log of node " + w[1], rest(2), LogOf(Id(w[1])));
  } else if (w[0] == "applied") {
    std::string texts;
    for (const auto& [index, text] : cluster_.At(Id(w[1])).texts) {
      texts += (texts.empty() ? "" : " ") + text;
    }
    Expect("what node " + w[1] + " applied", rest(2), texts);
  } else if (w[0] == "progress") {
    for (const auto& pr : cluster_.Raw(Id(w[1])).Progress()) {
      if (pr.id != Id(w[2])) continue;
      Expect("progress", rest(3),
             pr.state + " match " + std::to_string(pr.match) + " next " + std::to_string(pr.next));
      return true;
    }
    throw StoryFailure("node " + w[1] + " does not track node " + w[2]);
  } else if (w[0] == "waiting") {
    cluster_.Settle(Id(w[1]));
    std::vector<std::string> types;
    for (MessageType t : cluster_.Waiting(Id(w[1]), Id(w[2]))) types.push_back(TypeName(t));
    Expect("what waits from " + w[1] + " to " + w[2], rest(3), Join(types));
  } else if (w[0] == "lease") {
    Expect("the lease of node " + w[1], w[2],
           cluster_.Raw(Id(w[1])).LeaseReadAllowed() ? "yes" : "no");
  } else if (w[0] == "answer") {
    auto& node = cluster_.At(Id(w[1]));
    const uint64_t token = node.reads.at(w[2]);
    std::string actual = node.dropped.contains(token) ? "dropped" : "none";
    if (node.answers.contains(token)) actual = std::to_string(node.answers[token]);
    Expect("the answer to read " + w[2], w[3], actual);
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> Stories() {
  const auto folder = std::filesystem::path(__FILE__).parent_path() / "stories";
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() == ".story") paths.push_back(file.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string StoryName(const std::string& path) { return std::filesystem::path(path).stem(); }

std::string RunStory(const std::string& path) {
  NodeInvariants::SetHandler([](const char* violated) { throw StoryFailure(violated); });
  std::ifstream file(path);
  if (!file) return "cannot be read";
  Story story;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    std::istringstream in(line.substr(0, line.find('#')));
    Words words;
    for (std::string word; in >> word;) words.push_back(word);
    if (words.empty()) continue;
    try {
      story.Line(words);
    } catch (const std::exception& failure) {
      return StoryName(path) + ".story:" + std::to_string(number) + ": " + failure.what();
    }
  }
  return {};
}

}  // namespace kiwi::raft
