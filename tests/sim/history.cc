#include "sim/history.h"

#include <optional>
#include <unordered_set>
#include <utility>

#include "sim/machine.h"
#include "testing/linearizability.h"

namespace kiwi::sim {
namespace {

class Register {
 public:
  using State = uint64_t;

  explicit Register(const std::vector<Op>& ops) : ops_(ops) {}

  State Initial() const { return 0; }
  uint64_t Hash(State state) const { return state; }
  bool IsRead(size_t i, State /*state*/) const { return !ops_[i].write; }
  std::optional<State> Apply(size_t i, State state) const {
    if (!ops_[i].write && ops_[i].value != state) return std::nullopt;
    return ops_[i].value;
  }

 private:
  const std::vector<Op>& ops_;
};

}  // namespace

size_t History::Begin(bool write, uint64_t key, uint64_t value, uint64_t now) {
  Op op;
  op.write = write;
  op.key = key;
  op.value = value;
  op.start = now;
  ops_.push_back(op);
  return ops_.size() - 1;
}

void History::End(size_t op, uint64_t value, uint64_t now) {
  if (!ops_[op].write) ops_[op].value = value;
  ops_[op].end = now;
}

std::string History::Check() const {
  for (uint64_t key = 0; key < kKeys; ++key) {
    std::unordered_set<uint64_t> seen;
    for (const Op& op : ops_) {
      if (op.key == key && !op.write && !op.failed && op.end != Op::kNever) seen.insert(op.value);
    }
    std::vector<Op> ops;
    for (const Op& op : ops_) {
      if (op.key != key) continue;
      if (op.failed) {
        // It was answered with a definite error, so nobody may see it.
        if (op.write && seen.contains(op.value)) {
          return "a write that certainly failed was read: value " + std::to_string(op.value);
        }
        continue;
      }
      // Without an answer: a read tells nothing; a write that nobody saw may as well not be.
      if (op.end == Op::kNever && (!op.write || !seen.contains(op.value))) continue;
      ops.push_back(op);
    }
    if (!IsLinearizable(ops)) {
      return "linearizability: no order explains the history of key " + std::to_string(key);
    }
  }
  return {};
}

bool IsLinearizable(const std::vector<Op>& ops) {
  const Register model(ops);
  std::vector<testing::Span> spans;
  for (const Op& op : ops) spans.push_back({op.start, op.end, testing::Span::kNone});
  return testing::LinearizabilitySearch(model, std::move(spans)).Run() ==
         testing::Verdict::kExplained;
}

}  // namespace kiwi::sim
