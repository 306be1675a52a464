#include "chaos/checker.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/hash.h"
#include "base/numbers.h"

namespace kiwi::chaos {
namespace {

using testing::Span;
using testing::Verdict;

// One key: a string as Redis's commands see it.
class Register {
 public:
  using State = Value;

  // The step of each operation, and for each SETPX one more: the key's expiry.
  explicit Register(const std::vector<Op>& ops) {
    for (const Op& op : ops) {
      if (op.outcome == Outcome::kFailed) continue;
      if (op.outcome == Outcome::kUnknown && op.kind == OpKind::kGet) continue;
      Add(op, /*expiry=*/false, op.start, op.end);
      if (op.kind != OpKind::kSetPx) continue;
      const bool bounded = op.gone_latest > 0 && op.outcome == Outcome::kAnswered;
      Add(op, /*expiry=*/true, op.start + op.gone_after,
          bounded ? op.end + op.gone_latest : Span::kNever);
      spans_.back().after = spans_.size() - 2;
    }
    FindTwins();
  }

  const std::vector<Span>& spans() const { return spans_; }

  State Initial() const { return {}; }
  uint64_t Hash(const State& state) const { return state ? Hash64(*state, 1) : 0; }

  std::optional<State> Apply(size_t step, const State& state) const {
    const Op& op = *steps_[step].op;
    if (steps_[step].expiry) return state == op.argument ? State() : state;
    return op.outcome == Outcome::kUnknown ? ApplyUnknown(op, state) : ApplyAnswered(op, state);
  }

  bool IsRead(size_t step, const State& state) const {
    const Op& op = *steps_[step].op;
    // A value that was overwritten does not come back: nobody writes it twice.
    if (steps_[step].expiry) return state != op.argument;
    if (op.outcome == Outcome::kUnknown) return false;
    if (op.kind == OpKind::kDel || op.kind == OpKind::kSetNx) return op.number == 0;
    return op.kind == OpKind::kGet;
  }

 private:
  struct Step {
    const Op* op;
    bool expiry;
  };

  void Add(const Op& op, bool expiry, uint64_t start, uint64_t end) {
    steps_.push_back({&op, expiry});
    spans_.push_back({start, end, Span::kNone});
  }

  void FindTwins() {
    std::vector<size_t> open;
    for (size_t i = 0; i < spans_.size(); ++i) {
      if (spans_[i].end == Span::kNever && !steps_[i].expiry) open.push_back(i);
    }
    std::stable_sort(open.begin(), open.end(),
                     [this](size_t a, size_t b) { return spans_[a].start < spans_[b].start; });
    std::map<std::tuple<OpKind, Value, std::string>, size_t> latest;
    for (size_t i : open) {
      const Op& op = *steps_[i].op;
      const auto [found, fresh] = latest.try_emplace({op.kind, op.expected, op.argument}, i);
      if (!fresh) spans_[i].after = std::exchange(found->second, i);
    }
  }

  static State Incremented(const State& state) {
    int64_t number = 0;
    if (state && !ParseInt64(*state, &number)) return state;
    return number == std::numeric_limits<int64_t>::max() ? state : std::to_string(number + 1);
  }

  static std::optional<State> ApplyAnswered(const Op& op, const State& state) {
    switch (op.kind) {
      case OpKind::kGet:
        return state == op.value ? std::optional<State>(state) : std::nullopt;
      case OpKind::kSet:
      case OpKind::kSetPx:
        return State(op.argument);
      case OpKind::kSetNx:
        if (state.has_value() != (op.number == 0)) return std::nullopt;
        return op.number == 0 ? state : State(op.argument);
      case OpKind::kDel:
        if (state.has_value() != (op.number == 1)) return std::nullopt;
        return State();
      case OpKind::kIncr: {
        State next = Incremented(state);
        if (next != std::to_string(op.number) || next == state) return std::nullopt;
        return next;
      }
      case OpKind::kAppend: {
        State next = state.value_or("") + op.argument;
        if (next->size() != static_cast<size_t>(op.number)) return std::nullopt;
        return next;
      }
      case OpKind::kCas:
        return state == op.expected ? std::optional<State>(op.argument) : std::nullopt;
    }
    return std::nullopt;
  }

  static std::optional<State> ApplyUnknown(const Op& op, const State& state) {
    switch (op.kind) {
      case OpKind::kGet:
        return state;
      case OpKind::kSet:
      case OpKind::kSetPx:
        return State(op.argument);
      case OpKind::kSetNx:
        return state ? state : State(op.argument);
      case OpKind::kDel:
        return State();
      case OpKind::kIncr:
        return Incremented(state);
      case OpKind::kAppend:
        return State(state.value_or("") + op.argument);
      case OpKind::kCas:
        return state == op.expected ? State(op.argument) : state;
    }
    return std::nullopt;
  }

  std::vector<Step> steps_;
  std::vector<Span> spans_;
};

Verdict Explain(const std::vector<Op>& ops, size_t max_states) {
  const Register model(ops);
  return testing::LinearizabilitySearch(model, model.spans(), max_states).Run();
}

// What was known at a moment: later operations are not there, and what was under way has no answer.
std::vector<Op> KnownAt(uint64_t moment, const std::vector<Op>& ops) {
  std::vector<Op> known;
  for (const Op& op : ops) {
    if (op.start > moment) continue;
    known.push_back(op);
    if (op.outcome != Outcome::kAnswered || op.end <= moment) continue;
    known.back().outcome = Outcome::kUnknown;
    known.back().end = Span::kNever;
  }
  return known;
}

// The earliest answer with which no order explains the history any more, and what led to it.
std::string Story(const std::vector<Op>& ops, size_t max_states) {
  constexpr size_t kShown = 16;
  std::vector<uint64_t> ends;
  for (const Op& op : ops) {
    if (op.outcome == Outcome::kAnswered) ends.push_back(op.end);
  }
  std::sort(ends.begin(), ends.end());
  const auto culprit = std::partition_point(ends.begin(), ends.end(), [&](uint64_t end) {
    return Explain(KnownAt(end, ops), max_states) != Verdict::kNoOrder;
  });
  if (culprit == ends.end()) return "an expiry that did not come in time\n";
  std::vector<Op> known = KnownAt(*culprit, ops);
  std::sort(known.begin(), known.end(), [](const Op& a, const Op& b) { return a.end < b.end; });
  std::string story;
  size_t answered = 0;
  for (const Op& op : known) answered += op.outcome == Outcome::kAnswered;
  for (size_t i = answered - std::min(answered, kShown); i < known.size(); ++i) {
    if (known[i].outcome == Outcome::kFailed) continue;
    story += (known[i].end == *culprit ? "  ! " : "    ") + ToText(known[i]) + "\n";
  }
  return story;
}

}  // namespace

CheckReport Check(const std::vector<Op>& ops, const CheckOptions& options) {
  CheckReport report;
  report.operations = ops.size();
  std::map<std::string, std::vector<Op>> by_key;
  for (const Op& op : ops) {
    by_key[op.key].push_back(op);
    report.unknown += op.outcome == Outcome::kUnknown;
  }
  report.keys = by_key.size();
  for (const auto& [key, history] : by_key) {
    switch (Explain(history, options.max_states)) {
      case Verdict::kExplained:
        break;
      case Verdict::kNoOrder:
        report.violations.push_back({key, {}});
        if (report.violations.size() > options.max_stories) break;
        report.violations.back().story = Story(history, options.max_states);
        break;
      case Verdict::kGaveUp:
        report.undecided.push_back(key);
        break;
    }
  }
  return report;
}

}  // namespace kiwi::chaos
