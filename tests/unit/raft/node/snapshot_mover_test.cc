// Stories of snapshots on their way between nodes: whole, interrupted, damaged, contested, paced.
#include "raft/node/snapshot_mover.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "snapshot_fakes.h"

namespace kiwi::raft {
namespace {

constexpr LogIndex kNothingServed = std::numeric_limits<LogIndex>::max();

class SnapshotMoverTest : public ::testing::Test {
 protected:
  std::unique_ptr<FakeNode> Node(NodeId id, SnapshotMoverOptions options = {}) {
    return std::make_unique<FakeNode>(id, &network_, &clock_, options);
  }
  // Time passes until the condition holds.
  template <typename Condition>
  void PassTimeUntil(Condition condition, int64_t step_ms, const char* what) {
    WaitFor(
        [&] {
          if (condition()) return true;
          clock_.AdvanceMs(step_ms);
          return false;
        },
        what);
  }

  ManualClock clock_{1'000'000};
  FakeNetwork network_;
  // For hooks, which outlive a story's own variables.
  std::atomic<int> chunks_{0};
  std::atomic<int> sent_[4] = {};  // chunks, by receiver
  std::atomic<int> offers_{0};
  std::atomic<bool> refused_{false};
};

TEST_F(SnapshotMoverTest, ALaggingPeerGetsTheCheckpointWhole) {
  auto leader = Node(1);
  auto peer = Node(2);
  leader->machine.index = 90;  // behind what the core's message names
  Message offer = leader->Offer(2, 5);
  offer.snapshot = FakeMeta(100);
  leader->mover->Send(offer);
  leader->mover->Send(offer);  // the core need not be patient

  WaitFor([&] { return leader->host.reports(2, true) == 1; }, "the report of success");
  const auto taken = peer->host.taken();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].snapshot, FakeMeta(90));
  EXPECT_EQ(taken[0].term, 5u);
  EXPECT_EQ(taken[0].from, 1u);
  EXPECT_EQ(peer->machine.written, 64);
  EXPECT_EQ(leader->machine.reads, 64);
  EXPECT_EQ(leader->machine.opened, 1);
  EXPECT_EQ(leader->host.reports(2, false), 0);
  WaitFor([&] { return leader->mover->progress().empty() && peer->mover->progress().empty(); },
          "nothing under way");
  EXPECT_EQ(leader->mover->LowestServedIndex(), kNothingServed);
  EXPECT_EQ(leader->machine.readers, 0);
}

TEST_F(SnapshotMoverTest, ProgressIsSeenOnBothEnds) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook(
      [&](Parcel& p) { return p.chunk() && ++chunks_ > 10 ? Fate::kLose : Fate::kDeliver; });
  leader->SendTo(2);
  const auto at = [](const FakeNode& node, uint64_t bytes) {
    const auto progress = node.mover->progress();
    return progress.size() == 1 && progress[0].bytes_done == bytes &&
           progress[0].estimated_bytes == 64'000 && progress[0].started_unix_ms == 1'000'000;
  };
  WaitFor([&] { return at(*leader, 10'000) && at(*peer, 10'000); }, "ten chunks");
  EXPECT_EQ(leader->mover->progress()[0].direction, SnapshotProgress::Direction::kSending);
  EXPECT_EQ(peer->mover->progress()[0].direction, SnapshotProgress::Direction::kReceiving);
  EXPECT_EQ(leader->mover->LowestServedIndex(), 100u);
}

TEST_F(SnapshotMoverTest, ABrokenTransferGoesOnWhereItStopped) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook(
      [&](Parcel& p) { return p.chunk() && ++chunks_ == 41 ? Fate::kBreak : Fate::kDeliver; });
  leader->SendTo(2);
  WaitFor([&] { return leader->host.reports(2, false) == 1; }, "the report of failure");
  WaitFor([&] { return peer->machine.written == 40; }, "what had arrived to be written");
  EXPECT_EQ(leader->mover->LowestServedIndex(), kNothingServed);

  network_.Mend();
  leader->SendTo(2);
  PassTimeUntil([&] { return leader->host.reports(2, true) == 1; }, 10, "the report of success");
  EXPECT_EQ(peer->machine.written, 64);
  EXPECT_EQ(peer->machine.staged, 1);
  EXPECT_EQ(leader->machine.opened, 1);
  EXPECT_EQ(leader->machine.reads, 64 + 1);  // the chunk that was lost with the stream
}

TEST_F(SnapshotMoverTest, ADamagedChunkIsAskedForAgain) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook([&](Parcel& p) {
    if (p.chunk() && ++chunks_ == 7) p.payload.back() ^= 1;
    return Fate::kDeliver;
  });
  leader->SendTo(2);
  WaitFor([&] { return leader->host.reports(2, true) == 1; }, "the report of success");
  EXPECT_EQ(peer->machine.refused, 1);
  EXPECT_EQ(peer->machine.written, 64);
  EXPECT_EQ(leader->host.reports(2, false), 0);
}

TEST_F(SnapshotMoverTest, AChunkThatIsDamagedEachTimeEndsTheTransferAndTheStream) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook([&](Parcel& p) {
    if (p.chunk()) p.payload.back() ^= 1;
    return Fate::kDeliver;
  });
  leader->SendTo(2);
  WaitFor([&] { return leader->host.reports(2, false) == 1; }, "the report of failure");
  EXPECT_EQ(peer->machine.refused, SnapshotMoverOptions{}.damaged_max + 1);
  WaitFor([&] { return peer->machine.stages == 0 && leader->machine.readers == 0; }, "both gone");

  network_.SetHook(nullptr);
  leader->SendTo(2);
  PassTimeUntil([&] { return leader->host.reports(2, true) == 1; }, 10, "a new stream");
  EXPECT_EQ(leader->machine.opened, 2);
}

TEST_F(SnapshotMoverTest, ASnapshotThatCannotBeUsedIsNotResumed) {
  auto leader = Node(1);
  auto peer = Node(2);
  peer->machine.finish_fails = true;
  leader->SendTo(2);
  WaitFor([&] { return leader->host.reports(2, false) == 1; }, "the report of failure");
  EXPECT_TRUE(peer->host.taken().empty());
  peer->machine.finish_fails = false;
  leader->SendTo(2);
  PassTimeUntil([&] { return leader->host.reports(2, true) == 1; }, 10, "a new stream");
  EXPECT_EQ(leader->machine.opened, 2);
  EXPECT_EQ(peer->machine.staged, 2);
}

TEST_F(SnapshotMoverTest, APeerThatThrowsAwayWhatItTookIsTriedLessAndLessOften) {
  auto leader = Node(1);
  auto peer = Node(2);
  auto other = Node(3);
  peer->machine.finish_fails = true;  // as with a full disk: each chunk is taken, the whole is not
  network_.SetHook([&](Parcel& p) {
    offers_ += p.to == 2 && p.kind == kSnapshotRequestKind && !p.chunk();
    return Fate::kDeliver;
  });
  leader->SendTo(2);
  WaitFor([&] { return leader->host.reports(2, false) == 1; }, "the first failure");
  int64_t wait_ms = SnapshotMoverOptions{}.backoff_min_ms;
  for (int tries = 1; tries <= 5; ++tries, wait_ms *= 2) {
    leader->SendTo(2);
    clock_.AdvanceMs(wait_ms - 1);
    leader->SendTo(3);  // once it is served, what is due has been done
    WaitFor([&] { return leader->host.reports(3, true) == tries; }, "the other peer");
    EXPECT_EQ(offers_, tries);
    clock_.AdvanceMs(1);
    WaitFor([&] { return leader->host.reports(2, false) == tries + 1; }, "the next failure");
  }
}

TEST_F(SnapshotMoverTest, TwoPeersAreServedInTurnWithinTheRate) {
  SnapshotMoverOptions options;
  options.bytes_per_second = 1 << 20;
  auto leader = Node(1, options);
  auto second = Node(2);
  auto third = Node(3);
  leader->machine.chunk_bytes = 32 << 10;
  leader->machine.chunks = 16;  // 512 KiB: half a second at the whole rate
  network_.SetHook([&](Parcel& p) {
    if (p.chunk()) ++sent_[p.to];
    return Fate::kDeliver;
  });
  const int64_t start_ms = clock_.WallMs();
  leader->SendTo(2);
  leader->SendTo(3);
  WaitFor([&] { return leader->mover->progress().size() == 2; }, "both under way");
  PassTimeUntil(
      [&] {
        // Never more than the rate gives, what an idle tenth of a second saves, and one chunk.
        const int64_t bytes = (sent_[2] + sent_[3]) * (int64_t{32} << 10);
        const int64_t passed_ms = clock_.WallMs() - start_ms;
        EXPECT_LE(bytes, (passed_ms + 100) * (1 << 20) / 1000 + (32 << 10));
        if (sent_[2] < 16 && sent_[3] < 16) {
          EXPECT_LE(std::abs(sent_[2] - sent_[3]), 2);
        }
        return leader->host.reports(2, true) == 1 && leader->host.reports(3, true) == 1;
      },
      1, "both served");
  EXPECT_GE(clock_.WallMs() - start_ms, 850);
  EXPECT_EQ(second->host.taken().size(), 1u);
  EXPECT_EQ(third->host.taken().size(), 1u);
}

TEST_F(SnapshotMoverTest, TheRateCanBeChangedUnderWay) {
  SnapshotMoverOptions options;
  options.bytes_per_second = 1;  // counts as the least rate
  auto leader = Node(1, options);
  auto peer = Node(2);
  leader->machine.chunk_bytes = 64 << 10;
  leader->SendTo(2);
  WaitFor([&] { return peer->machine.written == 1; }, "the first chunk");
  clock_.AdvanceMs(1000);
  WaitFor([&] { return peer->machine.written == 2; }, "the second, a second later");
  leader->mover->SetRate(0);
  WaitFor([&] { return leader->host.reports(2, true) == 1; }, "all, at once");
}

TEST_F(SnapshotMoverTest, NothingIsSentWhileTheSocketLagsBehind) {
  auto leader = Node(1);
  auto peer = Node(2);
  leader->wire.unsent = 2 << 20;
  leader->SendTo(2);
  WaitFor([&] { return peer->mover->progress().size() == 1; }, "the beginning");
  EXPECT_EQ(leader->machine.reads, 0);
  leader->wire.unsent = 0;
  WaitFor([&] { return leader->host.reports(2, true) == 1; }, "the rest");
}

TEST_F(SnapshotMoverTest, OfTwoLeadersTheNewerOneIsHeard) {
  auto old_leader = Node(1);
  auto new_leader = Node(2);
  auto peer = Node(3);
  network_.SetHook([&](Parcel& p) {
    return p.chunk() && p.from == 1 && ++chunks_ > 5 ? Fate::kLose : Fate::kDeliver;
  });
  old_leader->SendTo(3, 5);
  WaitFor([&] { return peer->machine.written == 5; }, "half a snapshot of term 5");

  new_leader->SendTo(3, 4);
  WaitFor([&] { return new_leader->host.reports(3, false) == 1; }, "term 4 to be refused");
  EXPECT_EQ(peer->machine.staged, 1);

  new_leader->SendTo(3, 6);
  PassTimeUntil([&] { return new_leader->host.reports(3, true) == 1; }, 10, "term 6 to be taken");
  ASSERT_EQ(peer->host.taken().size(), 1u);
  EXPECT_EQ(peer->host.taken()[0].term, 6u);
  PassTimeUntil([&] { return old_leader->host.reports(3, false) == 1; }, 100,
                "the old leader to give up");

  network_.SetHook(nullptr);
  old_leader->SendTo(3, 5);
  PassTimeUntil([&] { return old_leader->host.reports(3, false) == 2; }, 100,
                "term 5 to be refused");
  EXPECT_EQ(peer->host.taken().size(), 1u);
}

TEST_F(SnapshotMoverTest, ALeaderElectedAnewGoesOnWithItsStream) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook(
      [&](Parcel& p) { return p.chunk() && ++chunks_ > 20 ? Fate::kLose : Fate::kDeliver; });
  leader->SendTo(2, 5);
  WaitFor([&] { return peer->machine.written == 20; }, "a part");
  network_.SetHook(nullptr);
  leader->SendTo(2, 7);
  WaitFor([&] { return leader->host.reports(2, true) == 1; }, "the report of success");
  EXPECT_EQ(peer->machine.written, 64);
  ASSERT_EQ(peer->host.taken().size(), 1u);
  EXPECT_EQ(peer->host.taken()[0].term, 7u);
}

TEST_F(SnapshotMoverTest, AReceiverThatWasRestartedBeginsAtTheBeginning) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook(
      [&](Parcel& p) { return p.chunk() && ++chunks_ == 30 ? Fate::kBreak : Fate::kDeliver; });
  leader->SendTo(2);
  WaitFor([&] { return leader->host.reports(2, false) == 1; }, "the report of failure");
  peer.reset();
  peer = Node(2);
  network_.Mend();
  leader->SendTo(2);
  PassTimeUntil([&] { return leader->host.reports(2, true) == 1; }, 10, "the report of success");
  EXPECT_EQ(peer->machine.written, 64);
  EXPECT_EQ(leader->machine.opened, 1);
}

TEST_F(SnapshotMoverTest, ASilentPeerIsGivenUpAndWhatWasKeptGoesInTheEnd) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook(
      [&](Parcel& p) { return p.chunk() && ++chunks_ > 8 ? Fate::kLose : Fate::kDeliver; });
  leader->SendTo(2);
  WaitFor([&] { return peer->machine.written == 8; }, "a part");
  WaitFor([&] { return leader->machine.reads == 8 + 16; }, "a window of chunks, no more");
  clock_.AdvanceMs(SnapshotMoverOptions{}.ack_timeout_ms + 1);
  WaitFor([&] { return leader->host.reports(2, false) == 1; }, "the report of failure");
  EXPECT_EQ(leader->machine.reads, 8 + 16);
  EXPECT_EQ(leader->machine.readers, 1);
  EXPECT_EQ(peer->machine.stages, 1);
  clock_.AdvanceMs(SnapshotMoverOptions{}.resume_ms + 1);
  WaitFor([&] { return leader->machine.readers == 0; }, "the reader to go");
  WaitFor([&] { return peer->machine.stages == 0; }, "the stage to go");
}

TEST_F(SnapshotMoverTest, AKeptStreamThatTheLogLeftBehindIsNotResumed) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook(
      [&](Parcel& p) { return p.chunk() && ++chunks_ == 30 ? Fate::kBreak : Fate::kDeliver; });
  leader->SendTo(2);
  WaitFor([&] { return leader->host.reports(2, false) == 1; }, "the report of failure");
  network_.Mend();
  leader->machine.index = 200;
  leader->host.first_index = 150;
  leader->SendTo(2);
  PassTimeUntil([&] { return leader->host.reports(2, true) == 1; }, 10, "the report of success");
  EXPECT_EQ(peer->host.taken().at(0).snapshot.index, 200u);
  EXPECT_EQ(leader->machine.opened, 2);
  EXPECT_EQ(peer->machine.staged, 2);
}

TEST_F(SnapshotMoverTest, WhenTheLastAnswerIsLostTheNextAttemptHearsItAtOnce) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook(
      [&](Parcel& p) { return p.ack(SnapshotAckState::kDone) ? Fate::kBreak : Fate::kDeliver; });
  leader->SendTo(2);
  WaitFor([&] { return leader->host.reports(2, false) == 1; }, "the report of failure");
  ASSERT_EQ(peer->host.taken().size(), 1u);
  network_.SetHook(nullptr);
  network_.Mend();
  leader->SendTo(2);
  PassTimeUntil([&] { return leader->host.reports(2, true) == 1; }, 10, "the report of success");
  EXPECT_EQ(peer->machine.staged, 1);
  EXPECT_EQ(peer->host.taken().size(), 1u);
}

TEST_F(SnapshotMoverTest, ASenderThatIgnoresTheWindowIsCutOff) {
  auto peer = Node(2);
  network_.SetHook([&](Parcel& p) {
    if (p.ack(SnapshotAckState::kRefused)) refused_ = true;
    return Fate::kLose;
  });
  const auto say = [&](std::string payload) {
    peer->mover->OnService(1, kSnapshotRequestKind, std::move(payload));
  };
  Message offer;
  offer.type = MessageType::kSnapshot;
  offer.from = 1;
  offer.to = 2;
  offer.term = 3;
  offer.snapshot = FakeMeta(10);
  const SnapshotStream stream{77, 1};
  peer->machine.writes_held = true;
  say(EncodeSnapshotBegin(stream, 1, offer));
  size_t queued_max = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    const uint64_t position = i * kSnapshotChunkBytes;
    say(EncodeSnapshotChunk(stream, position,
                            FakeChunk{77, 10, position, 0}.Encode(kSnapshotChunkBytes)));
    queued_max = std::max(queued_max, peer->mover->queued_bytes());
  }
  EXPECT_LE(queued_max, 2 * 16 * (kSnapshotChunkBytes + kSnapshotChunkHeaderMax) + (64 << 10));
  peer->machine.writes_held = false;
  WaitFor([&] { return refused_.load(); }, "the refusal");
  EXPECT_LT(peer->machine.written, 40);
  EXPECT_EQ(peer->machine.stages, 1);  // an attempt that keeps to the rules may go on
}

TEST_F(SnapshotMoverTest, NonsenseIsAnsweredWithNothing) {
  auto leader = Node(1);
  auto peer = Node(2);
  for (const char* bytes : {"", "\x01", "\x07zzzzzzzzzzzzzzzzzzzzzzz", "\x01\x02zzzzzzzzzzzzzz"}) {
    peer->mover->OnService(1, kSnapshotRequestKind, bytes);
    leader->mover->OnService(2, kSnapshotReplyKind, bytes);
  }
  leader->SendTo(2);
  WaitFor([&] { return leader->host.reports(2, true) == 1; }, "a transfer all the same");
}

TEST_F(SnapshotMoverTest, StoppingDuringATransferLeavesNothingBehind) {
  auto leader = Node(1);
  auto peer = Node(2);
  leader->machine.chunks = 1'000'000;
  leader->SendTo(2);
  WaitFor([&] { return peer->machine.written > 100; }, "the transfer to run");
  peer->mover->Stop();
  EXPECT_EQ(peer->machine.stages, 0);
  leader->mover->Stop();
  EXPECT_EQ(leader->machine.readers, 0);
  leader->SendTo(2);  // and is deaf from then on
  leader->mover->OnServiceDown(2, ServiceEnd::kOurs);
}

TEST_F(SnapshotMoverTest, WhoDoesNotLeadAnyMoreSendsNothing) {
  auto leader = Node(1);
  auto peer = Node(2);
  network_.SetHook(
      [&](Parcel& p) { return p.chunk() && ++chunks_ > 3 ? Fate::kLose : Fate::kDeliver; });
  leader->SendTo(2);
  WaitFor([&] { return peer->machine.written == 3; }, "a part");
  leader->mover->CancelSending();
  WaitFor([&] { return leader->machine.readers == 0 && leader->mover->progress().empty(); },
          "the reader to go");
  EXPECT_EQ(leader->host.reports(2, false), 0);
}

TEST(SnapshotWireTest, WhatIsCutOrNewerDoesNotDecode) {
  Message offer;
  offer.type = MessageType::kSnapshot;
  offer.from = 1;
  offer.to = 2;
  offer.term = 3;
  offer.snapshot = FakeMeta(10);
  const SnapshotStream stream{~uint64_t{0}, ~uint64_t{0}};
  const std::string begin = EncodeSnapshotBegin(stream, 12345, offer);
  const auto request = DecodeSnapshotRequest(begin);
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(request->stream, stream);
  EXPECT_EQ(request->estimated_bytes, 12345u);
  EXPECT_EQ(request->message.snapshot, offer.snapshot);

  const std::string chunk = EncodeSnapshotChunk(stream, ~uint64_t{0}, "x");
  EXPECT_LE(chunk.size(), kSnapshotChunkHeaderMax + 1);
  EXPECT_EQ(DecodeSnapshotRequest(chunk)->data, "x");

  const std::string ack = EncodeSnapshotAck(
      {SnapshotAckState::kFailed, stream, 99, std::string(10'000, 'r')});  // cut, not refused
  ASSERT_TRUE(DecodeSnapshotAck(ack).ok());
  EXPECT_EQ(DecodeSnapshotAck(ack)->reason.size(), kSnapshotReasonMax);

  for (size_t n = 0; n < begin.size(); ++n) {
    EXPECT_FALSE(DecodeSnapshotRequest(std::string_view(begin).substr(0, n)).ok()) << n;
  }
  for (size_t n = 0; n < chunk.size(); ++n) {
    EXPECT_FALSE(DecodeSnapshotRequest(std::string_view(chunk).substr(0, n)).ok()) << n;
  }
  for (size_t n = 0; n < ack.size(); ++n) {
    EXPECT_FALSE(DecodeSnapshotAck(std::string_view(ack).substr(0, n)).ok()) << n;
  }
  std::string newer = chunk;
  newer[0] = 2;
  EXPECT_EQ(DecodeSnapshotRequest(newer).status().code(), StatusCode::kSerialization);
  newer = ack;
  newer[1] = 7;
  EXPECT_EQ(DecodeSnapshotAck(newer).status().code(), StatusCode::kCorruption);
}

}  // namespace
}  // namespace kiwi::raft
