// Messages that no honest peer sends, one after the other, from members that passed the handshake: a node
// ignores them or does what Raft says, and keeps its invariants. (It need not keep its data: Raft is not
// about peers that lie, only about those that fail.)
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "raft/core/core.h"
#include "raft/core/invariants.h"
#include "raft/core/raw_node.h"
#include "unit/raft/core/test_log.h"

namespace {

using namespace kiwi::raft;  // NOLINT: the whole program is about it

class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  // Mostly small, sometimes at the end of the range.
  uint64_t Number() {
    const uint8_t byte = Byte();
    if (byte < 0xe0) return byte % 16;
    return (uint64_t{1} << (byte % 64)) - Byte() % 3;
  }

 private:
  std::string_view bytes_;
};

Message Draw(Input& in, Term term) {
  Message m;
  constexpr auto kTypes = static_cast<uint8_t>(MessageType::kLogEndResponse);
  m.type = static_cast<MessageType>(1 + in.Byte() % kTypes);
  const uint8_t bits = in.Byte();
  m.from = 2 + bits % 3;  // 4 is no member
  m.to = 1;
  m.term = (bits & 4) != 0 ? in.Number() : term + ((bits & 8) != 0);
  m.reject = (bits & 16) != 0;
  m.force = (bits & 32) != 0;
  m.index = in.Number();
  m.log_term = in.Number();
  m.commit = in.Number();
  m.reject_hint = in.Number();
  m.context = in.Number();
  if (m.type == MessageType::kAppend) {
    for (uint8_t i = 0, n = in.Byte() % 4; i < n; ++i) {
      m.entries.push_back({.term = m.log_term + in.Byte() % 2, .index = m.index + i + 1});
    }
  }
  if (m.type == MessageType::kSnapshot) {
    m.snapshot = {in.Number(), in.Number(), {}};
    m.snapshot.conf_state.voters = {1, 2, 3};
  }
  return m;
}

void Settle(RawNode* node, TestLog* log) {
  for (int i = 0; node->HasReady() && i < 100; ++i) {
    Ready ready = node->TakeReady();
    node->Advance(ready.number);
    log->Persist(ready);
    node->OnPersisted(ready.number);
    for (const Entry& e : ready.committed_entries) node->OnApplied(e.index);
    NodeInvariants::Check(node->core());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input in(std::string_view(reinterpret_cast<const char*>(data), size));
  TestLog log({1, 2, 3});
  log.SetHardState({.term = 2, .vote = 0, .commit = 1});
  log.Append({{.term = 1, .index = 1}, {.term = 1, .index = 2}, {.term = 2, .index = 3}});
  CoreOptions options;
  options.id = 1;
  const uint8_t setup = in.Byte();
  options.distrusted = (setup & 1) != 0;
  options.pre_vote = (setup & 2) != 0;
  auto node = std::move(*RawNode::Create(options, &log));
  Settle(node.get(), &log);
  while (!in.empty()) {
    switch (in.Byte() % 8) {
      case 0:
        for (int i = in.Byte() % 32; i > 0; --i) node->Tick();
        break;
      case 1:
        (void)node->Propose(nullptr);
        break;
      case 2:
        (void)node->ReadIndex();
        break;
      case 3:
        node->ReportSnapshot(2 + in.Byte() % 3, in.Byte() % 2 != 0);
        break;
      default:
        (void)node->Step(Draw(in, node->term()));
    }
    NodeInvariants::Check(node->core());
    Settle(node.get(), &log);
  }
  return 0;
}
