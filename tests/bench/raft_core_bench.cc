// What the Raft core itself costs: proposals through three cores in memory, in one thread, with
// neither network nor disk; and the same for a group of one, which is every single-node server.
// The counter allocs_per_entry counts calls of operator new, the payload's not included.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "raft/core/raw_node.h"

namespace {

uint64_t allocations = 0;

}  // namespace

// Not inlined: the compiler would see malloc and free beside new and delete and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace kiwi::raft {
namespace {

// Keeps the last entries only, as the tail cache of a production log does.
class BenchLog final : public LogReader {
 public:
  explicit BenchLog(size_t voters) {
    for (NodeId id = 1; id <= voters; ++id) state_.conf_state.voters.push_back(id);
  }
  void Persist(const std::vector<Entry>& entries) {
    if (entries.empty()) return;
    last_ = entries.back().index;
    last_term_ = entries.back().term;
  }
  Result<InitialState> GetInitialState() const override { return state_; }
  Result<std::vector<Entry>> Entries(LogIndex, LogIndex, uint64_t) const override {
    return Status(StatusCode::kUnavailable, "the core reads from its tail");
  }
  Result<Term> TermAt(LogIndex index) const override { return index == 0 ? 0 : last_term_; }
  LogIndex FirstIndex() const override { return 1; }
  LogIndex LastIndex() const override { return last_; }
  Result<SnapshotMeta> GetSnapshot() const override { return SnapshotMeta{}; }

 private:
  InitialState state_;
  LogIndex last_ = 0;
  Term last_term_ = 0;
};

class Group {
 public:
  explicit Group(size_t size) {
    for (NodeId id = 1; id <= size; ++id) {
      CoreOptions options;
      options.id = id;
      logs_.push_back(std::make_unique<BenchLog>(size));
      nodes_.push_back(std::move(*RawNode::Create(options, logs_.back().get())));
    }
    if (!nodes_[0]->Campaign().ok()) std::abort();
    Run();
  }
  RawNode& leader() { return *nodes_[0]; }

  void Run() {
    for (bool moved = true; moved;) {
      moved = false;
      for (size_t i = 0; i < nodes_.size(); ++i) {
        RawNode& node = *nodes_[i];
        while (node.HasReady()) {
          moved = true;
          Ready ready = node.TakeReady();
          for (Message& m : ready.messages) Deliver(std::move(m));
          node.Advance(ready.number);
          logs_[i]->Persist(ready.entries);
          node.OnPersisted(ready.number);
          for (Message& m : ready.messages_after_persist) Deliver(std::move(m));
          if (!ready.committed_entries.empty()) {
            node.OnApplied(ready.committed_entries.back().index);
          }
        }
      }
    }
  }

 private:
  void Deliver(Message m) {
    const NodeId to = m.to;
    if (!nodes_[to - 1]->Step(std::move(m)).ok()) std::abort();
  }

  std::vector<std::unique_ptr<BenchLog>> logs_;
  std::vector<std::unique_ptr<RawNode>> nodes_;
};

void ProposeThrough(benchmark::State& state, size_t nodes) {
  Group group(nodes);
  const auto batch = static_cast<uint64_t>(state.range(0));
  const Payload payload = std::make_shared<const std::string>(128, 'x');
  const uint64_t before = allocations;
  for (auto _ : state) {
    for (uint64_t i = 0; i < batch; ++i) {
      if (!group.leader().Propose(payload).ok()) state.SkipWithError("refused");
    }
    group.Run();
  }
  const auto entries = static_cast<double>(static_cast<uint64_t>(state.iterations()) * batch);
  state.counters["entries_per_second"] = benchmark::Counter(entries, benchmark::Counter::kIsRate);
  state.counters["allocs_per_entry"] = static_cast<double>(allocations - before) / entries;
}

void BM_OneNode(benchmark::State& state) { ProposeThrough(state, 1); }
void BM_ThreeNodes(benchmark::State& state) { ProposeThrough(state, 3); }

BENCHMARK(BM_OneNode)->Arg(1)->Arg(16)->Arg(256);
BENCHMARK(BM_ThreeNodes)->Arg(1)->Arg(16)->Arg(256);

}  // namespace
}  // namespace kiwi::raft
