#include "sim/history.h"

#include <algorithm>
#include <unordered_set>

#include "base/random.h"
#include "sim/machine.h"

namespace kiwi::sim {
namespace {

class Search {
 public:
  explicit Search(std::vector<Op> ops) : ops_(std::move(ops)), done_(ops_.size()) {
    std::sort(ops_.begin(), ops_.end(), [](const Op& a, const Op& b) { return a.start < b.start; });
    Random random(ops_.size());
    for (size_t i = 0; i < ops_.size(); ++i) marks_.push_back(random.Next());
  }

  bool Explain() { return Step(0, ops_.size(), 0, 0); }

 private:
  // `first`: all before it are ordered; `mark` stands for the set of ordered operations.
  bool Step(size_t first, size_t left, uint64_t value, uint64_t mark) {
    std::vector<size_t> reads;
    // A read that fits changes nothing for the others: take all at once.
    for (bool found = true; found;) {
      found = false;
      const uint64_t horizon = Horizon(first);
      for (size_t i = first; i < ops_.size() && ops_[i].start <= horizon; ++i) {
        if (done_[i] || ops_[i].write || ops_[i].value != value) continue;
        done_[i] = true;
        mark ^= marks_[i];
        --left;
        reads.push_back(i);
        found = true;
      }
    }
    bool explained = left == 0;
    if (!explained && failed_.insert(mark ^ (value * 0x9e3779b97f4a7c15ULL)).second) {
      while (done_[first]) ++first;
      const uint64_t horizon = Horizon(first);
      for (size_t i = first; !explained && i < ops_.size() && ops_[i].start <= horizon; ++i) {
        if (done_[i] || !ops_[i].write) continue;
        done_[i] = true;
        explained = Step(first, left - 1, ops_[i].value, mark ^ marks_[i]);
        done_[i] = false;
      }
    }
    for (size_t i : reads) done_[i] = false;
    return explained;
  }

  // Whatever starts after this comes after an operation that is not ordered yet.
  uint64_t Horizon(size_t first) const {
    uint64_t horizon = Op::kNever;
    for (size_t i = first; i < ops_.size() && ops_[i].start <= horizon; ++i) {
      if (!done_[i]) horizon = std::min(horizon, ops_[i].end);
    }
    return horizon;
  }

  std::vector<Op> ops_;
  std::vector<bool> done_;
  std::vector<uint64_t> marks_;
  std::unordered_set<uint64_t> failed_;
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
    if (!IsLinearizable(std::move(ops))) {
      return "linearizability: no order explains the history of key " + std::to_string(key);
    }
  }
  return {};
}

bool IsLinearizable(std::vector<Op> ops) { return Search(std::move(ops)).Explain(); }

}  // namespace kiwi::sim
