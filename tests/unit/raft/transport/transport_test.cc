#include "raft/transport/transport.h"

#include <atomic>
#include <set>

#include "unit/raft/transport/transport_test_util.h"

namespace kiwi::raft {
namespace {

constexpr ServiceKind kRequest = 1;
constexpr ServiceKind kReply = 1 | kServiceReply;
constexpr ServiceKind kChunk = 2 | kServiceBulk;
constexpr ServiceKind kJoin = 3 | kServiceJoin;

TEST(Transport, MessagesArriveInOrderAndWhole) {
  TestNode a(1), b(2), c(3);
  for (TestNode* node : {&a, &b, &c}) node->Start();
  Introduce({&a, &b, &c});
  constexpr LogIndex kCount = 500;
  for (LogIndex i = 1; i <= kCount; ++i) {
    for (const NodeId to : {2, 3}) {
      a.transport->Send(Append(1, to, i, {"entry-" + std::to_string(i)}));
      a.transport->Send(Heartbeat(1, to, i));
    }
  }
  for (TestNode* node : {&b, &c}) {
    ASSERT_TRUE(Eventually([&] { return node->recorder.message_count() == 2 * kCount; }));
    LogIndex appends = 0;
    uint64_t heartbeats = 0;
    for (const Message& m : node->recorder.messages()) {
      EXPECT_EQ(m.from, 1u);
      EXPECT_EQ(m.to, node->options.self);
      if (m.type == MessageType::kHeartbeat) {
        EXPECT_EQ(m.context, ++heartbeats);
        continue;
      }
      ASSERT_EQ(m.entries.size(), 1u);
      EXPECT_EQ(m.entries[0].index, ++appends);
      EXPECT_EQ(m.entries[0].bytes(), "entry-" + std::to_string(appends));
    }
    EXPECT_EQ(appends, kCount);
  }
  EXPECT_EQ(a.stats(2).messages_sent, 2 * kCount);
  EXPECT_EQ(b.stats(1).messages_received, 2 * kCount);
  EXPECT_EQ(a.stats(2).messages_dropped, 0u);
}

TEST(Transport, EntriesOfAllSizesAndKindsSurviveFramesAndCompression) {
  TestNode a(1, [](TransportOptions&o) { o.frame_bytes = 4096; }), b(2);
  a.Start();
  b.Start();
  Introduce({&a, &b});
  std::vector<std::string> payloads = {"",
                                       "x",
                                       std::string(300'000, 'z'),
                                       Noise(4095),
                                       Noise(200'000),
                                       "",
                                       std::string(17'000, 'y')};
  for (size_t n = 4040; n < 4110; ++n) payloads.push_back(Noise(n));
  Message m = Append(1, 2, 10, payloads);
  m.entries[1].type = EntryType::kConfChange;
  a.transport->Send(m);
  ASSERT_TRUE(Eventually([&] { return b.recorder.message_count() == 1; }));
  const Message got = b.recorder.messages()[0];
  ASSERT_EQ(got.entries.size(), payloads.size());
  for (size_t i = 0; i < payloads.size(); ++i) {
    EXPECT_EQ(got.entries[i].bytes(), payloads[i]) << i;
    EXPECT_EQ(got.entries[i].index, 10 + i);
    EXPECT_EQ(got.entries[i].type, m.entries[i].type);
  }
  // 'z' and 'y' went compressed: less than all came over the wire.
  size_t raw = 0;
  for (const std::string& payload : payloads) raw += payload.size();
  EXPECT_LT(b.stats(1).bytes_received, raw);
}

TEST(Transport, HeartbeatsPassALargeAppend) {
  TestNode a(1), b(2);
  a.Start();
  b.Start();
  Introduce({&a, &b});
  constexpr uint64_t kBeats = 50;
  constexpr size_t kBytes = size_t{300} << 20;
  a.transport->Send(Append(1, 2, 1, {Noise(kBytes)}));
  for (uint64_t i = 1; i <= kBeats; ++i) a.transport->Send(Heartbeat(1, 2, i));
  ASSERT_TRUE(Eventually([&] { return b.recorder.message_count() == kBeats + 1; }));
  const std::vector<Message> got = b.recorder.messages();
  size_t before = 0;
  while (got[before].type == MessageType::kHeartbeat) ++before;
  EXPECT_GT(before, 0u);
  ASSERT_EQ(got[before].entries.size(), 1u);
  EXPECT_EQ(got[before].entries[0].data->size(), kBytes);
}

// However well it compresses: what the peer has not unpacked yet is bounded, and all waits behind that.
TEST(Transport, APeerIsSentNoMoreThanItWorksOff) {
  constexpr size_t kBytes = 64 << 20;
  std::atomic<bool> busy{false};
  std::atomic<bool> go_on{false};
  TestNode a(1, [](TransportOptions& o) { o.window_bytes = 1 << 20; });
  TestNode b(2);
  b.recorder.on_service = [&](NodeId, ServiceKind, const std::string&) {  // on its loop
    busy = true;
    EXPECT_TRUE(Eventually([&] { return go_on.load(); }));
  };
  a.Start();
  b.Start();
  Introduce({&a, &b});
  ASSERT_TRUE(a.transport->SendService(2, 1, "keeps the loop busy").ok());
  ASSERT_TRUE(Eventually([&] { return busy.load(); }));

  a.transport->Send(Append(1, 2, 1, {std::string(kBytes, 'x')}));
  a.transport->Send(Heartbeat(1, 2, 1));
  ASSERT_TRUE(Eventually([&] { return a.stats(2).messages_sent == 1; }))
      << "heartbeats do not wait";
  EXPECT_GT(a.stats(2).bytes_queued, kBytes - (4 << 20));

  go_on = true;
  ASSERT_TRUE(Eventually([&] { return b.recorder.message_count() == 2; }));
  const std::vector<Message> messages = b.recorder.messages();
  EXPECT_EQ(messages[0].type, MessageType::kHeartbeat);
  EXPECT_EQ(messages[1].entries.at(0).bytes().size(), kBytes);
}

TEST(Transport, AFullQueueDropsAndReports) {
  TestNode a(1, [](TransportOptions&o) { o.data_queue_bytes = 1 << 20; }), b(2);
  a.Start();
  b.Start();
  Introduce({&a, &b});
  // Held up at the sender, so that the queue does not empty meanwhile.
  const uint64_t rule = a.faults.Inject({1, 2, fault::LinkFaultKind::kDelay, 1.0, 500});
  const std::string payload = Noise(100'000);
  for (LogIndex i = 1; i <= 30; ++i) a.transport->Send(Append(1, 2, i, {payload}));
  ASSERT_TRUE(Eventually([&] { return a.recorder.unreachable_count() > 0; }));
  const uint64_t dropped = a.stats(2).messages_dropped;
  EXPECT_GE(dropped, 20u);
  a.faults.Clear(rule);
  ASSERT_TRUE(Eventually([&] { return b.recorder.message_count() == 30 - dropped; }));
  // What was taken comes without a hole, and there is room again.
  for (LogIndex i = 0; i < 30 - dropped; ++i) {
    EXPECT_EQ(b.recorder.messages()[i].entries[0].index, i + 1);
  }
  ASSERT_TRUE(Eventually([&] { return a.stats(2).bytes_queued == 0; }));
  a.transport->Send(Append(1, 2, 31, {payload}));
  EXPECT_TRUE(Eventually([&] { return b.recorder.message_count() == 31 - dropped; }));
}

TEST(Transport, APeerThatIsNotThereIsUnreachable) {
  TestNode a(1);
  a.Start();
  a.transport->SetPeers({{2, "127.0.0.1", 1}});  // nobody listens on port 1
  a.transport->Send(Heartbeat(1, 2, 1));
  EXPECT_TRUE(Eventually([&] { return a.recorder.unreachable_count() >= 1; }));
  a.transport->Send(Heartbeat(1, 9, 1));  // not even known
  EXPECT_TRUE(Eventually([&] { return a.recorder.unreachable_count() >= 2; }));
  EXPECT_EQ(a.transport->SendService(2, kRequest, "x").code(), StatusCode::kNetwork);
  EXPECT_EQ(a.transport->SendService(9, kRequest, "x").code(), StatusCode::kNetwork);
  EXPECT_TRUE(Eventually([&] { return a.errors(2, LinkError::kRefused) >= 5; }));
  EXPECT_TRUE(Eventually([&] { return a.stats(2).breaker == BreakerState::kOpen; }));
}

TEST(Transport, NamesAreResolved) {
  TestNode a(1), b(2);
  a.Start();
  b.Start();
  a.transport->SetPeers({{2, "localhost", b.transport->port()}});
  b.transport->SetPeers({a.address()});
  EXPECT_TRUE(Eventually([&] { return a.Up(2); }));
}

TEST(Transport, ServicesKeepTheirOrderAndAnswersComeBack) {
  TestNode a(1), b(2);
  b.recorder.on_service = [&](NodeId from, ServiceKind kind, const std::string& payload) {
    if (kind == kRequest) {
      EXPECT_TRUE(b.transport->SendService(from, kReply, "re:" + payload).ok());
    }
  };
  a.Start();
  b.Start();
  Introduce({&a, &b});
  constexpr size_t kCount = 200;
  const std::string chunk = Noise(70'000);
  for (size_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(a.transport->SendService(2, kRequest, std::to_string(i)).ok());
    ASSERT_TRUE(a.transport->SendService(2, kChunk, chunk + std::to_string(i)).ok());
  }
  ASSERT_TRUE(Eventually([&] { return a.recorder.service_count() == kCount; }));
  ASSERT_TRUE(Eventually([&] { return b.recorder.service_count() == 2 * kCount; }));
  for (size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(a.recorder.services()[i].payload, "re:" + std::to_string(i));
    EXPECT_EQ(a.recorder.services()[i].from, 2u);
  }
  size_t requests = 0;
  size_t chunks = 0;
  for (const auto& service : b.recorder.services()) {
    if (service.kind == kRequest) {
      EXPECT_EQ(service.payload, std::to_string(requests++));
    } else {
      EXPECT_EQ(service.payload, chunk + std::to_string(chunks++));
    }
  }
  EXPECT_EQ(a.transport->service_unsent(2, kChunk), 0u);
}

TEST(Transport, AFullServiceLaneRefuses) {
  TestNode a(1, [](TransportOptions&o) { o.command_queue_bytes = 1 << 20; }), b(2);
  a.Start();
  b.Start();
  Introduce({&a, &b});
  a.faults.Inject({1, 2, fault::LinkFaultKind::kDelay, 1.0, 300});
  const std::string payload = Noise(200'000);
  size_t taken = 0;
  Status status;
  while ((status = a.transport->SendService(2, kRequest, payload)).ok()) ++taken;
  EXPECT_EQ(status.code(), StatusCode::kBusy);
  EXPECT_EQ(taken, 5u);
  EXPECT_GT(a.transport->service_unsent(2, kRequest), 900'000u);
  EXPECT_TRUE(a.transport->SendService(2, kChunk, payload).ok());  // a lane of its own
  EXPECT_TRUE(Eventually([&] { return b.recorder.service_count() == taken + 1; }));
}

TEST(Transport, ReconnectsToAPeerThatRestarts) {
  TestNode a(1);
  auto b = std::make_unique<TestNode>(2);
  a.Start();
  b->Start();
  Introduce({&a, b.get()});
  const int port = b->transport->port();
  ASSERT_TRUE(a.transport->SendService(2, kRequest, "before").ok());
  ASSERT_TRUE(Eventually([&] { return b->recorder.service_count() == 1; }));
  b->transport->Stop();
  b.reset();
  ASSERT_TRUE(Eventually([&] { return a.recorder.down_count(ServiceEnd::kOurs) == 1; }));
  ASSERT_TRUE(Eventually([&] { return a.recorder.down_count(ServiceEnd::kTheirs) == 1; }));
  ASSERT_TRUE(Eventually([&] { return !a.stats(2).connected; }));
  EXPECT_EQ(a.transport->SendService(2, kRequest, "nobody").code(), StatusCode::kNetwork);

  b = std::make_unique<TestNode>(2, [port](TransportOptions& o) { o.port = port; });
  b->Start();
  Introduce({&a, b.get()});
  a.transport->Send(Heartbeat(1, 2, 5));
  ASSERT_TRUE(a.transport->SendService(2, kRequest, "after").ok());
  ASSERT_TRUE(Eventually(
      [&] { return b->recorder.message_count() == 1 && b->recorder.service_count() == 1; }));
  EXPECT_EQ(b->recorder.services()[0].payload, "after");
  EXPECT_GE(a.stats(2).reconnects, 2u);
  EXPECT_EQ(a.stats(2).breaker, BreakerState::kClosed);
}

TEST(Transport, APeerTakenOffTheListIsCutOff) {
  TestNode a(1), b(2);
  a.Start();
  b.Start();
  Introduce({&a, &b});
  a.transport->SetPeers({});
  // b's dials are refused from now on: a stranger.
  ASSERT_TRUE(Eventually([&] { return b.errors(1, LinkError::kHandshake) >= 1; }));
  EXPECT_FALSE(b.stats(1).connected);
}

TEST(Transport, ANodeOfNoClusterTakesJoinServicesOnly) {
  TestNode leader(1), joiner(2);
  joiner.recorder.on_service = [&](NodeId from, ServiceKind kind, const std::string&) {
    EXPECT_TRUE(joiner.transport->SendService(from, kind | kServiceReply, "willing").ok());
  };
  leader.Start();
  joiner.Start(/*cluster=*/0);
  joiner.transport->SetPeers({leader.address()});
  leader.transport->SetPeers({joiner.address()});
  ASSERT_TRUE(Eventually([&] { return leader.stats(2).service_connected; }));
  EXPECT_EQ(leader.transport->SendService(2, kRequest, "x").code(), StatusCode::kInvalidArgument);
  ASSERT_TRUE(leader.transport->SendService(2, kJoin, "come").ok());
  ASSERT_TRUE(Eventually([&] { return leader.recorder.service_count() == 1; }));
  EXPECT_EQ(leader.recorder.services()[0].payload, "willing");
  EXPECT_FALSE(leader.stats(2).connected);  // no Raft messages yet
  EXPECT_FALSE(joiner.stats(1).service_connected);

  joiner.transport->SetClusterId(kCluster);
  EXPECT_TRUE(Eventually([&] { return leader.Up(2) && joiner.Up(1); }));
  EXPECT_TRUE(Eventually([&] { return leader.transport->SendService(2, kRequest, "x").ok(); }));
}

TEST(Transport, AStrangerCanAskToJoin) {
  TestNode member(1), stranger(9);
  member.recorder.on_service = [&](NodeId from, ServiceKind kind, const std::string& payload) {
    EXPECT_TRUE(
        member.transport->SendService(from, kind | kServiceReply, "you are " + payload).ok());
  };
  member.Start();
  stranger.Start(/*cluster=*/0);
  std::atomic<bool> answered{false};
  stranger.transport->AskToJoin("127.0.0.1", member.transport->port(), kJoin, "nine", 30'000,
                                [&](Result<std::string> reply) {
                                  EXPECT_TRUE(reply.ok() && *reply == "you are nine");
                                  answered = true;
                                });
  ASSERT_TRUE(Eventually([&] { return answered.load(); }));
  EXPECT_GT(member.recorder.services()[0].from, uint64_t{1} << 62) << "no member's id";

  std::atomic<bool> failed{false};
  stranger.transport->AskToJoin("127.0.0.1", 1, kJoin, "x", 30'000,
                                [&](const Result<std::string>& reply) {
                                  EXPECT_EQ(reply.status().code(), StatusCode::kNetwork);
                                  failed = true;
                                });
  EXPECT_TRUE(Eventually([&] { return failed.load(); }));
}

TEST(Transport, StopsWithMessagesUnderWay) {
  for (int round = 0; round < 5; ++round) {
    TestNode a(1), b(2);
    a.Start();
    b.Start();
    Introduce({&a, &b});
    std::atomic<bool> stop{false};
    std::thread sender([&] {
      for (LogIndex i = 1; !stop.load(); ++i) {
        a.transport->Send(Append(1, 2, i, {std::string(100'000, 'x')}));
        (void)a.transport->SendService(2, kRequest, "x");
      }
    });
    EXPECT_TRUE(Eventually([&] { return b.recorder.message_count() > 5; }));
    b.transport->Stop();
    a.transport->Stop();
    stop = true;
    sender.join();
    EXPECT_EQ(a.transport->SendService(2, kRequest, "x").code(), StatusCode::kNetwork);
  }
}

}  // namespace
}  // namespace kiwi::raft
