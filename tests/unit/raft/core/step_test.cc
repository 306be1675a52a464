// What a peer sends is judged before it is believed: nothing malformed changes anything.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/random.h"
#include "raft/core/raw_node.h"
#include "unit/raft/core/test_log.h"

namespace kiwi::raft {
namespace {

class StepTest : public testing::Test {
 protected:
  StepTest() {
    CoreOptions options;
    options.id = 2;
    node_ = std::move(*RawNode::Create(options, &log_));
  }
  Message Append(Term term) {
    Message m;
    m.type = MessageType::kAppend;
    m.from = 1;
    m.to = 2;
    m.term = term;
    return m;
  }
  void ExpectRefused(const Message& m) {
    EXPECT_EQ(node_->Step(m).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(node_->term(), 0u);
    EXPECT_EQ(node_->last_index(), 0u);
  }

  TestLog log_{{1, 2, 3}};
  std::unique_ptr<RawNode> node_;
};

TEST_F(StepTest, WrongAddressesAreRefused) {
  Message m = Append(1);
  m.to = 3;
  ExpectRefused(m);
  m = Append(1);
  m.from = kNoNode;
  ExpectRefused(m);
  m.from = 2;
  ExpectRefused(m);
  ExpectRefused(Append(0));
}

TEST_F(StepTest, EntriesOutOfOrderAreRefused) {
  Message gap = Append(3);
  gap.entries = {{.term = 3, .index = 2, .data = nullptr}};
  ExpectRefused(gap);
  Message falling = Append(3);
  falling.entries = {{.term = 3, .index = 1, .data = nullptr},
                     {.term = 2, .index = 2, .data = nullptr}};
  ExpectRefused(falling);
  Message future = Append(3);
  future.entries = {{.term = 4, .index = 1, .data = nullptr}};
  ExpectRefused(future);
  Message before = Append(3);
  before.log_term = 4;
  ExpectRefused(before);
}

// Counters that could overflow are nobody's honest ones.
TEST_F(StepTest, ImpossibleTermsAndIndexesAreRefused) {
  constexpr uint64_t kHuge = ~uint64_t{0};
  ExpectRefused(Append(kHuge));
  Message m = Append(3);
  m.index = kHuge;
  ExpectRefused(m);
  m = Append(3);
  m.type = MessageType::kSnapshot;
  m.snapshot = {kHuge, 2, {}};
  m.snapshot.conf_state.voters = {1, 2, 3};
  ExpectRefused(m);
}

TEST_F(StepTest, ImpossibleSnapshotsAreRefused) {
  Message m = Append(3);
  m.type = MessageType::kSnapshot;
  ExpectRefused(m);
  m.snapshot = {5, 2, {}};
  ExpectRefused(m);
  m.snapshot.conf_state.voters = {3, 1};
  ExpectRefused(m);
}

TEST_F(StepTest, ASecondLeaderInOneTermIsRefused) {
  TestLog log({2});
  CoreOptions options;
  options.id = 2;
  auto node = std::move(*RawNode::Create(options, &log));
  ASSERT_TRUE(node->Campaign().ok());
  while (node->HasReady()) {
    const Ready ready = node->TakeReady();
    node->Advance(ready.number);
    log.Persist(ready);
    node->OnPersisted(ready.number);
  }
  EXPECT_EQ(node->Step(Append(1)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(node->role(), Role::kLeader);
}

// No message, however senseless, makes the core fail.
TEST_F(StepTest, RandomMessagesDoNoHarm) {
  Random random(3);
  for (int round = 0; round < 200000; ++round) {
    Message m;
    m.type = static_cast<MessageType>(1 + random.Below(13));
    m.from = 1 + 2 * random.Below(2);
    m.to = 2;
    m.term = random.Below(10) == 0 ? node_->term() + random.Below(3) : node_->term();
    m.index = random.Below(12);
    m.log_term = random.Below(m.term + 1);
    m.commit = random.Below(node_->commit_index() + 3);
    m.reject = random.OneIn(2);
    m.reject_hint = random.Below(12);
    m.context = random.Below(20);
    m.force = random.OneIn(4);
    for (uint64_t n = random.Below(3); n > 0; --n) {
      m.entries.push_back(
          {.term = m.term, .index = m.index + m.entries.size() + 1, .data = nullptr});
    }
    if (m.type == MessageType::kSnapshot) {
      m.snapshot.index = random.Below(30);
      m.snapshot.term = random.Below(m.term + 1);
      m.snapshot.conf_state.voters = {1, 2, 3};
    }
    (void)node_->Step(std::move(m));
    if (random.OneIn(3)) node_->Tick();
    while (node_->HasReady()) {
      const Ready ready = node_->TakeReady();
      node_->Advance(ready.number);
      log_.Persist(ready);
      node_->OnPersisted(ready.number);
      if (!ready.committed_entries.empty()) {
        node_->OnApplied(ready.committed_entries.back().index);
      }
    }
  }
}

}  // namespace
}  // namespace kiwi::raft
