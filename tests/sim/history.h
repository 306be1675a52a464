// What the clients saw, and whether one order of all operations explains it: linearizability,
// checked key by key (testing/linearizability.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "testing/linearizability.h"

namespace kiwi::sim {

struct Op {
  static constexpr uint64_t kNever = testing::Span::kNever;
  bool write = false;
  uint64_t key = 0;
  uint64_t value = 0;     // written (each value once), or read; 0 is the initial value
  uint64_t start = 0;     // event numbers
  uint64_t end = kNever;  // kNever: the outcome is not known
  bool failed = false;    // it certainly did not happen
};

class History {
 public:
  size_t Begin(bool write, uint64_t key, uint64_t value, uint64_t now);
  void End(size_t op, uint64_t value, uint64_t now);
  void Fail(size_t op) { ops_[op].failed = true; }
  const Op& op(size_t i) const { return ops_[i]; }
  size_t size() const { return ops_.size(); }

  // Empty, or what no order explains.
  std::string Check() const;

 private:
  std::vector<Op> ops_;
};

// Of one key; failed operations are not among them.
bool IsLinearizable(const std::vector<Op>& ops);

}  // namespace kiwi::sim
