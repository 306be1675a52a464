// Peers that are not who they should be, or send what they should not: their connection goes, and
// nothing else.
#include "base/coding.h"
#include "raft/core/codec.h"
#include "unit/raft/transport/transport_test_util.h"

namespace kiwi::raft {
namespace {

class Hostile : public testing::Test {
 protected:
  Hostile() : a_(1, [](TransportOptions& o) { o.max_message_bytes = 1 << 20; }), b_(2) {
    a_.Start();
    b_.Start();
    Introduce({&a_, &b_});
    // A third member that only the tests speak for.
    a_.transport->SetPeers({b_.address(), {3, "127.0.0.1", 1}});
  }
  // All the while, the links between the others stand.
  void TearDown() override {
    a_.transport->Send(Heartbeat(1, 2, 1));
    EXPECT_TRUE(Eventually([&] { return b_.recorder.message_count() == 1; }));
    EXPECT_EQ(a_.stats(2).reconnects, 0u);
    EXPECT_EQ(b_.stats(1).reconnects, 0u);
  }
  int port() const { return a_.transport->port(); }
  // A connection after its handshake.
  std::unique_ptr<RawPeer> Member(StreamKind stream = StreamKind::kMessages) {
    auto peer = std::make_unique<RawPeer>(port());
    peer->Greet(3, 1, kCluster, stream);
    EXPECT_EQ(peer->Next().first, FrameType::kWelcome);
    return peer;
  }
  void ExpectRefused(RawPeer& peer, const std::string& why) {
    const auto [type, reason] = peer.Next();
    EXPECT_EQ(type, FrameType::kRefuse);
    EXPECT_NE(reason.find(why), std::string::npos) << reason;
    EXPECT_TRUE(peer.Closes());
  }

  TestNode a_;
  TestNode b_;
};

TEST_F(Hostile, AWrongClusterIsRefused) {
  RawPeer peer(port());
  peer.Greet(3, 1, kCluster + 1);
  ExpectRefused(peer, "wrong cluster");
}

TEST_F(Hostile, AStrangerIsRefused) {
  RawPeer peer(port());
  peer.Greet(8, 1);
  ExpectRefused(peer, "stranger");
}

TEST_F(Hostile, WhoLooksForAnotherNodeIsRefused) {
  RawPeer peer(port());
  peer.Greet(3, 5);
  ExpectRefused(peer, "this is node 1");
}

TEST_F(Hostile, AnUnknownVersionIsRefusedByName) {
  RawPeer peer(port());
  peer.Greet(3, 1, kCluster, StreamKind::kMessages, 900);
  ExpectRefused(peer, "protocol version 900");
}

TEST_F(Hostile, ADialedPeerOfAnotherClusterIsCountedAsAHandshakeError) {
  TestNode other(4);
  other.Start(kCluster + 5);
  other.transport->SetPeers({{1, "127.0.0.1", port()}});
  EXPECT_TRUE(Eventually([&] { return other.errors(1, LinkError::kHandshake) >= 2; }));
  EXPECT_FALSE(other.stats(1).connected);
}

TEST_F(Hostile, GarbageClosesTheConnection) {
  RawPeer http(port());
  http.Send("GET / HTTP/1.1\r\nHost: kiwi\r\n\r\n");
  EXPECT_TRUE(http.Closes());
  RawPeer noise(port());
  noise.Send(Noise(1000));
  EXPECT_TRUE(noise.Closes());
  RawPeer early(port());
  early.SendFrame(FrameType::kMessage, "before the handshake");
  EXPECT_TRUE(early.Closes());
  auto late = Member();
  late->Send(Noise(1000));
  EXPECT_TRUE(late->Closes());
}

TEST_F(Hostile, ALengthIsNotBelieved) {
  auto peer = Member();
  std::string header;
  PutFixed<uint32_t>(&header, 0xfffffff0);
  header.push_back(static_cast<char>(FrameType::kEntries));
  header.append(11, '\0');
  peer->Send(header);
  EXPECT_TRUE(peer->Closes());
}

TEST_F(Hostile, ADamagedFrameClosesTheConnectionAndIsCounted) {
  auto peer = Member();
  Frame frame;
  frame.type = FrameType::kMessage;
  std::string payload;
  EncodeMessage(Heartbeat(3, 1, 1), &payload);
  frame.payload = payload;
  std::string bytes;
  AppendFrame(frame, &bytes);
  peer->Send(bytes);
  ASSERT_TRUE(Eventually([&] { return a_.recorder.message_count() == 1; }));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  peer->Send(bytes);
  EXPECT_TRUE(peer->Closes());
  EXPECT_EQ(a_.errors(3, LinkError::kCorrupt), 1u);
  EXPECT_EQ(a_.recorder.message_count(), 1u);
}

TEST_F(Hostile, AMessageInTheNameOfAnotherClosesTheConnection) {
  auto peer = Member();
  std::string payload;
  EncodeMessage(Heartbeat(2, 1, 1), &payload);
  peer->SendFrame(FrameType::kMessage, payload);
  EXPECT_TRUE(peer->Closes());
  EXPECT_EQ(a_.recorder.message_count(), 0u);
}

TEST_F(Hostile, EndlessMessagesAreCutOff) {
  auto entries = Member();
  Message append;
  append.type = MessageType::kAppend;
  append.from = 3;
  append.to = 1;
  std::string payload;
  EncodeMessage(append, &payload);
  entries->SendFrame(FrameType::kMessage, payload, kFrameMore | kFrameLow);
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += std::string("\1\1\0\0", 4);
  for (int i = 0; i < 3; ++i) {
    entries->SendFrame(FrameType::kEntries, many, kFrameMore | kFrameLow);
  }
  EXPECT_TRUE(entries->Closes());

  auto service = Member(StreamKind::kService);
  for (int i = 0; i < 3; ++i) {
    service->SendFrame(FrameType::kService, std::string(500'000, 'x'), kFrameMore, 1);
  }
  EXPECT_TRUE(service->Closes());
  EXPECT_EQ(a_.recorder.service_count(), 0u);
}

// Anybody may ask to join: nobody gets memory for more than such a question needs.
TEST(Strangers, AreCutOffSoonerThanMembers) {
  TestNode node(1);
  node.Start();
  RawPeer stranger(node.transport->port());
  stranger.Greet(8, 0, 0, StreamKind::kService);
  EXPECT_EQ(stranger.Next().first, FrameType::kWelcome);
  const std::string piece(200'000, 'x');
  for (size_t sent = 0; sent <= kJoinBytesMax; sent += piece.size()) {
    stranger.SendFrame(FrameType::kService, piece, kFrameMore, 1 | kServiceJoin);
  }
  stranger.SendFrame(FrameType::kService, "the end", 0, 1 | kServiceJoin);
  EXPECT_TRUE(stranger.Closes());
  EXPECT_EQ(node.recorder.service_count(), 0u);
}

TEST_F(Hostile, WhatDoesNotBelongOnAStreamClosesIt) {
  auto service_on_messages = Member();
  service_on_messages->SendFrame(FrameType::kService, "x", 0, 1);
  EXPECT_TRUE(service_on_messages->Closes());
  auto reply_as_request = Member(StreamKind::kService);
  reply_as_request->SendFrame(FrameType::kService, "x", 0, 1 | kServiceReply);
  EXPECT_TRUE(reply_as_request->Closes());
  auto entries_alone = Member();
  entries_alone->SendFrame(FrameType::kEntries, std::string("\1\1\0\0", 4), kFrameLow);
  EXPECT_TRUE(entries_alone->Closes());
  RawPeer joiner(port());
  joiner.Greet(8, 1, 0, StreamKind::kService);
  EXPECT_EQ(joiner.Next().first, FrameType::kWelcome);
  joiner.SendFrame(FrameType::kService, "x", 0, 1);  // not a join kind
  EXPECT_TRUE(joiner.Closes());
}

TEST_F(Hostile, ANewConnectionReplacesTheOldOne) {
  auto old = Member(StreamKind::kService);
  old->SendFrame(FrameType::kService, "one", 0, 1);
  ASSERT_TRUE(Eventually([&] { return a_.recorder.service_count() == 1; }));
  auto young = Member(StreamKind::kService);
  EXPECT_TRUE(old->Closes());
  EXPECT_EQ(a_.recorder.down_count(ServiceEnd::kTheirs), 1u);
  young->SendFrame(FrameType::kService, "two", 0, 1);
  EXPECT_TRUE(Eventually([&] { return a_.recorder.service_count() == 2; }));
}

TEST_F(Hostile, ACrowdOfStrangersKeepsNoMemberOut) {
  std::vector<std::unique_ptr<RawPeer>> crowd;
  for (int i = 0; i < 300; ++i) {  // more than the limit
    crowd.push_back(std::make_unique<RawPeer>(port()));
    // Some say nothing, some are refused and stay, some pretend that they want to join.
    if (i % 3 == 1) crowd.back()->Greet(8, 1);
    if (i % 3 == 2) crowd.back()->Greet(1000 + static_cast<NodeId>(i), 0, 0, StreamKind::kService);
  }
  for (int i = 0; i < 20; ++i) (void)Member();
}

TEST_F(Hostile, WhoSaysNothingIsSentAway) {
  TestNode quick(6, [](TransportOptions& o) {
    o.handshake_timeout_ms = 50;
    o.incoming_max = 2;
  });
  quick.Start();
  RawPeer first(quick.transport->port());
  RawPeer second(quick.transport->port());
  RawPeer third(quick.transport->port());  // over the limit, or after the others were sent away
  EXPECT_TRUE(first.Closes());
  EXPECT_TRUE(second.Closes());
  EXPECT_TRUE(third.Closes());
}

}  // namespace
}  // namespace kiwi::raft
