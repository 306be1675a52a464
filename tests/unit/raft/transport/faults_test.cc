// Injected faults, told to one side only: whoever is told honours them.
#include <algorithm>
#include <set>

#include "unit/raft/transport/transport_test_util.h"

namespace kiwi::raft {
namespace {

using fault::LinkFaultKind;

class Faults : public testing::TestWithParam<bool> {
 protected:
  Faults() : a_(1), b_(2) {
    a_.Start();
    b_.Start();
    Introduce({&a_, &b_});
  }
  // The messages go from a to b; the sender is told, or the receiver.
  fault::LinkFaults& told() { return GetParam() ? a_.faults : b_.faults; }
  void SendBeats(uint64_t first, uint64_t last) {
    for (uint64_t i = first; i <= last; ++i) a_.transport->Send(Heartbeat(1, 2, i));
  }
  std::vector<uint64_t> Received() {
    std::vector<uint64_t> contexts;
    for (const Message& m : b_.recorder.messages()) contexts.push_back(m.context);
    return contexts;
  }

  TestNode a_;
  TestNode b_;
};

TEST_P(Faults, APartitionIsOneWayAndHeals) {
  const uint64_t rule = told().Inject({1, 2, LinkFaultKind::kPartition});
  ASSERT_NE(rule, 0u);
  SendBeats(1, 20);
  b_.transport->Send(Heartbeat(2, 1, 99));
  ASSERT_TRUE(Eventually([&] { return a_.recorder.message_count() == 1; }));
  // What was lost is known before the rule goes: it has met all of them.
  ASSERT_TRUE(Eventually([&] { return told().List()[0].hits >= 20; }));
  ASSERT_TRUE(told().Clear(rule));
  SendBeats(21, 21);
  ASSERT_TRUE(Eventually([&] { return b_.recorder.message_count() == 1; }));
  EXPECT_EQ(Received()[0], 21u);
}

TEST_P(Faults, APartitionBreaksTheServiceStreamAndRefusesIt) {
  ASSERT_TRUE(a_.transport->SendService(2, 1, "one").ok());
  ASSERT_TRUE(Eventually([&] { return b_.recorder.service_count() == 1; }));
  told().Inject({1, 2, LinkFaultKind::kPartition});
  EXPECT_TRUE(Eventually([&] { return a_.recorder.down_count(ServiceEnd::kOurs) >= 1; }));
  EXPECT_TRUE(Eventually([&] { return b_.recorder.down_count(ServiceEnd::kTheirs) >= 1; }));
  EXPECT_TRUE(Eventually(
      [&] { return a_.transport->SendService(2, 1, "two").code() == StatusCode::kNetwork; }));
  told().ClearAll();
  EXPECT_TRUE(Eventually([&] { return a_.transport->SendService(2, 1, "three").ok(); }));
  EXPECT_TRUE(Eventually([&] { return b_.recorder.service_count() == 2; }));
  EXPECT_EQ(b_.recorder.services()[1].payload, "three");
}

TEST_P(Faults, SomeMessagesAreDropped) {
  told().Inject({1, 2, LinkFaultKind::kDrop, 0.5});
  SendBeats(1, 400);
  ASSERT_TRUE(
      Eventually([&] { return b_.recorder.message_count() + told().List()[0].hits == 400; }));
  EXPECT_GT(b_.recorder.message_count(), 0u);
  EXPECT_LT(b_.recorder.message_count(), 400u);
  const std::vector<uint64_t> got = Received();
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST_P(Faults, DelaysKeepTheOrderAlsoWhenTheyEnd) {
  const uint64_t rule = told().Inject({0, 0, LinkFaultKind::kDelay, 0.5, 30});
  SendBeats(1, 50);
  for (int i = 1; i <= 50; ++i) {
    ASSERT_TRUE(a_.transport->SendService(2, 1, std::to_string(i)).ok());
  }
  told().Clear(rule);
  SendBeats(51, 60);
  ASSERT_TRUE(a_.transport->SendService(2, 1, "51").ok());
  ASSERT_TRUE(Eventually(
      [&] { return b_.recorder.message_count() == 60 && b_.recorder.service_count() == 51; }));
  for (uint64_t i = 0; i < 60; ++i) EXPECT_EQ(Received()[i], i + 1);
  for (int i = 0; i < 51; ++i) EXPECT_EQ(b_.recorder.services()[i].payload, std::to_string(i + 1));
}

TEST_P(Faults, MessagesAreDoubledAndOvertakeEachOther) {
  told().Inject({1, 2, LinkFaultKind::kDuplicate});
  SendBeats(1, 10);
  ASSERT_TRUE(Eventually([&] { return b_.recorder.message_count() == 20; }));
  told().ClearAll();
  told().Inject({1, 2, LinkFaultKind::kReorder, 0.5, 40});
  SendBeats(11, 110);
  ASSERT_TRUE(Eventually([&] { return b_.recorder.message_count() == 120; }));
  std::vector<uint64_t> got = Received();
  got.erase(got.begin(), got.begin() + 20);
  EXPECT_FALSE(std::is_sorted(got.begin(), got.end()));
  EXPECT_EQ(std::set<uint64_t>(got.begin(), got.end()).size(), 100u);
}

INSTANTIATE_TEST_SUITE_P(Told, Faults, testing::Bool(),
                         [](const auto& who) { return who.param ? "Sender" : "Receiver"; });

}  // namespace
}  // namespace kiwi::raft
