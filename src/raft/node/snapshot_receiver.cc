#include "raft/node/snapshot_receiver.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace kiwi::raft {

SnapshotReceiver::SnapshotReceiver(const SnapshotMoverOptions& options, StateMachine* machine,
                                   SnapshotHost* host, SnapshotWire* wire, Clock* clock)
    : options_(options), machine_(machine), host_(host), wire_(wire), clock_(clock) {}

void SnapshotReceiver::OnRequest(NodeId from, std::string_view payload) {
  auto request = DecodeSnapshotRequest(payload);
  if (!request.ok()) {
    KIWI_LOG(kWarn, "snapshot message refused peer={} error=\"{}\"", from,
             request.status().ToString());
    if (incoming_.attached && incoming_.from == from) {
      Answer(SnapshotAckState::kRefused, request.status().message());
      incoming_.attached = false;
    }
    return;
  }
  if (request->type == SnapshotRequestType::kBegin) {
    OnBegin(from, *std::move(request));
  } else {
    OnChunk(from, *request);
  }
}

Status SnapshotReceiver::Judge(NodeId from, const SnapshotRequest& request) const {
  const Message& m = request.message;
  if (m.type != MessageType::kSnapshot || m.from != from || m.to != options_.self ||
      request.stream.id == 0) {
    return {StatusCode::kInvalidArgument, "this is no snapshot from this peer to this node"};
  }
  if (m.term < newest_term_) {
    return {StatusCode::kAborted, "a leader of term " + std::to_string(newest_term_) +
                                      " has offered a snapshot, this is of term " +
                                      std::to_string(m.term)};
  }
  if (incoming_.stage && m.term == incoming_.message.term && from != incoming_.from) {
    return {StatusCode::kBusy, "a snapshot from another leader of this term is under way"};
  }
  return {};
}

void SnapshotReceiver::OnBegin(NodeId from, SnapshotRequest request) {
  SnapshotAck refusal{SnapshotAckState::kRefused, request.stream, 0, {}};
  if (const Status s = Judge(from, request); !s.ok()) {
    refusal.reason = s.message();
    AnswerTo(from, refusal);
    return;
  }
  newest_term_ = request.message.term;
  if (done_from_ == from && done_id_ == request.stream.id) {
    AnswerTo(from, {SnapshotAckState::kDone, request.stream, 0, {}});
    return;
  }
  const bool resumed = incoming_.stage && incoming_.from == from &&
                       incoming_.stream.id == request.stream.id &&
                       incoming_.message.snapshot == request.message.snapshot;
  if (!resumed) {
    incoming_ = {};  // the machine holds one stage at a time
    auto stage = machine_->StageSnapshot();
    if (!stage.ok()) {
      refusal.reason = stage.status().message();
      AnswerTo(from, refusal);
      return;
    }
    incoming_.stage = *std::move(stage);
    incoming_.started_unix_ms = clock_->WallMs();
  }
  incoming_.from = from;
  incoming_.stream = request.stream;
  incoming_.message = std::move(request.message);
  incoming_.estimated_bytes = request.estimated_bytes;
  incoming_.attached = true;
  incoming_.asked_again = false;
  incoming_.heard_ms = NowMs();
  KIWI_LOG(kInfo, "snapshot incoming peer={} index={} bytes={} position={}", from,
           incoming_.message.snapshot.index, incoming_.estimated_bytes,
           incoming_.stage->position());
  Answer(SnapshotAckState::kAccepted);
}

void SnapshotReceiver::OnChunk(NodeId from, const SnapshotRequest& request) {
  if (!incoming_.attached || incoming_.from != from || incoming_.stream != request.stream) return;
  SnapshotStage& stage = *incoming_.stage;
  incoming_.heard_ms = NowMs();
  const uint64_t before = stage.position();
  if (request.position != before) {
    // Behind a damaged chunk there are others on their way already.
    if (!incoming_.asked_again) AskAgain();
    return;
  }
  const Status written = stage.Write(request.data);
  if (written.code() == StatusCode::kCorruption || written.code() == StatusCode::kInvalidArgument) {
    KIWI_LOG(kWarn, "snapshot chunk asked for again peer={} position={} error=\"{}\"", from, before,
             written.ToString());
    AskAgain();
    return;
  }
  if (!written.ok()) {
    Fail(written);
    return;
  }
  incoming_.asked_again = false;
  incoming_.damaged = 0;
  if (before == 0) {
    if (const Status s = CheckFirst(); !s.ok()) {
      Fail(s);
      return;
    }
  }
  Answer(SnapshotAckState::kAccepted);
  if (stage.complete()) Finish();
}

Status SnapshotReceiver::CheckFirst() const {
  if (incoming_.stage->id() == incoming_.stream.id &&
      incoming_.stage->meta() == incoming_.message.snapshot) {
    return {};
  }
  return {StatusCode::kCorruption, "the stream is not the one that was offered"};
}

void SnapshotReceiver::AskAgain() {
  if (++incoming_.damaged > options_.damaged_max) {
    Fail({StatusCode::kCorruption,
          "a chunk at " + std::to_string(incoming_.stage->position()) + " came damaged each time"});
    return;
  }
  incoming_.asked_again = true;
  Answer(SnapshotAckState::kAgain);
}

void SnapshotReceiver::Finish() {
  Answer(SnapshotAckState::kFinishing);
  KIWI_LOG(kInfo, "snapshot is being checked and loaded peer={} index={} bytes={}", incoming_.from,
           incoming_.message.snapshot.index, incoming_.stage->position());
  Status status = incoming_.stage->Finish();
  if (status.ok()) {
    status = host_->SnapshotStaged(incoming_.message, std::move(incoming_.stage));
  }
  if (!status.ok()) {
    Fail(status);
    return;
  }
  KIWI_LOG(kInfo, "snapshot received peer={} index={}", incoming_.from,
           incoming_.message.snapshot.index);
  done_from_ = incoming_.from;
  done_id_ = incoming_.stream.id;
  Answer(SnapshotAckState::kDone);
  incoming_ = {};
}

void SnapshotReceiver::Fail(const Status& why) {
  KIWI_LOG(kWarn, "snapshot not received peer={} index={} error=\"{}\"", incoming_.from,
           incoming_.message.snapshot.index, why.ToString());
  Answer(SnapshotAckState::kFailed, why.ToString());
  incoming_ = {};
}

void SnapshotReceiver::OnBroken(NodeId peer) {
  if (incoming_.from == peer) incoming_.attached = false;
}

void SnapshotReceiver::OnOverflow(NodeId peer) {
  if (!incoming_.attached || incoming_.from != peer) return;
  KIWI_LOG(kWarn, "snapshot held up peer={}: more under way than the window allows", peer);
  Answer(SnapshotAckState::kRefused, "more chunks were under way than the window allows");
  incoming_.attached = false;
}

int64_t SnapshotReceiver::Poll() {
  if (!incoming_.stage) return kForever;
  const int64_t left_ms = incoming_.heard_ms + options_.resume_ms - NowMs();
  if (left_ms > 0) return left_ms;
  KIWI_LOG(kWarn, "snapshot given up peer={} index={} position={}: the sender did not go on",
           incoming_.from, incoming_.message.snapshot.index, incoming_.stage->position());
  incoming_ = {};
  return kForever;
}

void SnapshotReceiver::Answer(SnapshotAckState state, std::string_view reason) {
  SnapshotAck ack{state, incoming_.stream, 0, std::string(reason)};
  if (incoming_.stage) ack.position = incoming_.stage->position();
  AnswerTo(incoming_.from, ack);
}

void SnapshotReceiver::AnswerTo(NodeId peer, const SnapshotAck& ack) {
  // Without a stream back there is nobody to tell: the sender has heard of the break.
  const Status sent = wire_->Send(peer, kSnapshotReplyKind, EncodeSnapshotAck(ack));
  if (!sent.ok()) {
    KIWI_LOG(kDebug, "snapshot answer not sent peer={} error=\"{}\"", peer, sent.ToString());
  }
}

void SnapshotReceiver::AppendProgress(std::vector<SnapshotProgress>* progress) const {
  if (!incoming_.stage) return;
  progress->push_back({incoming_.from, SnapshotProgress::Direction::kReceiving,
                       incoming_.stage->position(), incoming_.estimated_bytes,
                       incoming_.started_unix_ms});
}

}  // namespace kiwi::raft
