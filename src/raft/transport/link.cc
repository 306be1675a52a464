#include "raft/transport/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/coding.h"
#include "raft/core/codec.h"

namespace kiwi::raft {
namespace {

// What the kernel holds and has not sent yet, before it says that it has room: a heartbeat waits
// behind it as well.
constexpr int kNotSentLowWater = 256 << 10;

Status Unexpected(const char* what) { return Status(StatusCode::kCorruption, what); }

template <typename T>
void Bump(std::atomic<T>& counter, T n) {
  counter.fetch_add(n, std::memory_order_relaxed);
}

}  // namespace

int64_t MonotonicMs() { return SystemClock().MonotonicNs() / 1'000'000; }

Link::Link(LinkOwner* owner, const TransportOptions& options, net::Connection* connection,
           const Hello& hello)
    : owner_(owner),
      options_(options),
      connection_(connection),
      dialed_(true),
      address_(connection->peer_address()),
      hello_(hello),
      peer_(hello.to),
      lanes_{Assembly(options.max_message_bytes), Assembly(options.max_message_bytes)},
      born_ms_(MonotonicMs()),
      alive_ms_(born_ms_),
      window_(options.window_bytes) {
  connection->SetHandler(this);
  setsockopt(connection->fd(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kNotSentLowWater,
             sizeof kNotSentLowWater);
  WriteFrame(FrameType::kHello, EncodeHello(hello));
}

Link::Link(LinkOwner* owner, const TransportOptions& options, net::Connection* connection)
    : owner_(owner),
      options_(options),
      connection_(connection),
      dialed_(false),
      address_(connection->peer_address()),
      lanes_{Assembly(options.max_message_bytes), Assembly(options.max_message_bytes)},
      born_ms_(MonotonicMs()),
      alive_ms_(born_ms_),
      window_(options.window_bytes) {
  connection->SetHandler(this);
  setsockopt(connection->fd(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kNotSentLowWater,
             sizeof kNotSentLowWater);
}

// --- out ---

void Link::WriteFrame(FrameType type, std::string_view payload, uint8_t kind) {
  Frame frame;
  frame.type = type;
  frame.kind = kind;
  frame.payload = payload;
  std::string bytes;
  AppendFrame(frame, &bytes);
  written_ += bytes.size();
  connection_->Write(std::string_view(bytes));
}

void Link::WritePing(uint64_t mark) {
  std::string payload;
  PutFixed<int64_t>(&payload, mark == 0 ? SystemClock().MonotonicNs() : 0);
  PutFixed<uint64_t>(&payload, mark);
  WriteFrame(FrameType::kPing, payload);
}

bool Link::WantsPump() {
  return established() && queue_ != nullptr &&
         connection_->unsent_bytes() < options_.socket_backlog_bytes && queue_->HasFrames(window_);
}

void Link::Pump(int64_t now_ms) {
  if (!established() || queue_ == nullptr) return;
  const size_t before = connection_->unsent_bytes();
  const size_t done = queue_->Pump(*connection_, options_.socket_backlog_bytes, now_ms, &window_);
  const size_t bytes = connection_->unsent_bytes() - before;
  written_ += bytes;
  if (const uint64_t mark = window_.TakeMark(); mark != 0) WritePing(mark);
  if (counters_ == nullptr || (bytes == 0 && done == 0)) return;
  Bump<uint64_t>(counters_->bytes_sent, bytes);
  Bump<uint64_t>(
      stream() == StreamKind::kMessages ? counters_->messages_sent : counters_->services_sent,
      done);
}

void Link::OnDrained(net::Connection& /*connection*/) { Pump(MonotonicMs()); }

void Link::Tick(int64_t now_ms) {
  if (down_) return;
  const uint64_t taken = written_ - connection_->unsent_bytes();
  if (taken != taken_by_socket_) {
    taken_by_socket_ = taken;
    // Bytes that the kernel takes show that the peer's kernel acknowledges; a silent peer's buffer
    // fills up soon. Pings alone do not count: they always find a few bytes of room.
    if (established_ && connection_->unsent_bytes() > 0) alive_ms_ = now_ms;
  }
  if (!established_) {
    if (now_ms - born_ms_ > options_.handshake_timeout_ms) {
      Close(LinkError::kTimeout, Status(StatusCode::kNetwork, "no handshake in time"));
    }
    return;
  }
  if (now_ms - alive_ms_ > options_.link_timeout_ms) {
    Close(LinkError::kTimeout, Status(StatusCode::kNetwork, "no sign of life in time"));
  } else if (now_ms - pinged_ms_ >= options_.ping_interval_ms) {
    pinged_ms_ = now_ms;
    WritePing(0);
  }
}

// --- in ---

void Link::OnInput(net::Connection& connection) {
  const size_t arrived = connection.input().data().size();
  if (!down_) {
    alive_ms_ = MonotonicMs();
    if (counters_ != nullptr) {
      counters_->last_contact_ms.store(alive_ms_, std::memory_order_relaxed);
    }
  }
  while (!down_) {
    const std::string_view in = connection.input().data();
    if (in.empty()) break;
    const Result<ParsedFrame> parsed =
        ParseFrame(in, established_ ? kFrameBytesMax : kHandshakeBytesMax);
    if (!parsed.ok()) return CloseFor(parsed.status());
    if (parsed->bytes == 0) {
      connection.SetReadHint(parsed->wanted);
      break;
    }
    if (const Status status = OnFrame(parsed->frame); !status.ok()) return CloseFor(status);
    connection.input().Consume(parsed->bytes);
  }
  if (down_) connection.input().Consume(connection.input().data().size());
  if (counters_ != nullptr) {
    Bump<uint64_t>(counters_->bytes_received, arrived - connection.input().data().size());
  }
}

Status Link::OnFrame(const Frame& frame) {
  if (!established_) return OnHandshakeFrame(frame);
  Assembly& lane = lanes_[(frame.flags & kFrameLow) != 0 ? 1 : 0];
  switch (frame.type) {
    case FrameType::kPing:
      if (frame.payload.size() > kHandshakeBytesMax) return Unexpected("a ping that is too long");
      WriteFrame(FrameType::kPong, frame.payload);
      return Status::Ok();
    case FrameType::kPong:
      return OnPong(frame.payload);
    case FrameType::kMessage:
      return OnMessageFrame(frame, lane);
    case FrameType::kEntries:
      return OnEntriesFrame(frame, lane);
    case FrameType::kService:
      return OnServiceFrame(frame, lane);
    case FrameType::kHello:
    case FrameType::kWelcome:
    case FrameType::kRefuse:
      break;
  }
  return Unexpected("a handshake in the middle of a stream");
}

Status Link::OnHandshakeFrame(const Frame& frame) {
  if (dialed_ && frame.type == FrameType::kRefuse) {
    told_removed_ = frame.kind == kRefusedAsRemoved;
    return Status(StatusCode::kInvalidArgument,
                  "refused by the peer: " + std::string(frame.payload));
  }
  if (dialed_ && frame.type == FrameType::kWelcome) {
    Welcome welcome;
    KIWI_RETURN_IF_ERROR(DecodeWelcome(frame.payload, &welcome));
    if (hello_.to != kNoNode && welcome.from != hello_.to) {
      return Status(StatusCode::kInvalidArgument, "node " + std::to_string(welcome.from) +
                                                      " answers, not node " +
                                                      std::to_string(hello_.to));
    }
    if (welcome.cluster_id != hello_.cluster_id) SetJoinOnly();
    peer_ = welcome.from;
    Establish();
    return Status::Ok();
  }
  if (dialed_ || frame.type != FrameType::kHello) {
    return Unexpected("a frame before the handshake");
  }
  Status status = DecodeHello(frame.payload, &hello_);
  if (status.code() == StatusCode::kCorruption) return status;
  if (status.ok()) {
    peer_ = hello_.from;
    status = owner_->OnHello(*this, hello_);
  }
  if (!status.ok()) {
    WriteFrame(FrameType::kRefuse, status.message().substr(0, kHandshakeBytesMax),
               removed_peer_ ? kRefusedAsRemoved : 0);
    return Status(StatusCode::kInvalidArgument, std::string(status.message()));
  }
  Welcome welcome;
  welcome.cluster_id = own_cluster_id_;
  welcome.from = options_.self;
  WriteFrame(FrameType::kWelcome, EncodeWelcome(welcome));
  Establish();
  return Status::Ok();
}

void Link::Establish() {
  established_ = true;
  owner_->OnEstablished(*this);
}

Status Link::OnPong(std::string_view payload) {
  int64_t sent_ns = 0;
  uint64_t mark = 0;
  if (!GetFixed(&payload, &sent_ns) || !GetFixed(&payload, &mark)) {
    return Unexpected("an answer to no ping");
  }
  if (mark != 0) {
    window_.Answered(mark);
    return Status::Ok();
  }
  const int64_t rtt_us = (SystemClock().MonotonicNs() - sent_ns) / 1000;
  if (counters_ != nullptr && rtt_us >= 0) {
    counters_->rtt_us.store(rtt_us, std::memory_order_relaxed);
  }
  return Status::Ok();
}

Status Link::OnMessageFrame(const Frame& frame, Assembly& lane) {
  if (stream() != StreamKind::kMessages || dialed_)
    return Unexpected("a message on another stream");
  if (lane.message.has_value()) return Unexpected("a message within another");
  KIWI_ASSIGN_OR_RETURN(const std::string_view payload, FramePayload(frame, &scratch_));
  KIWI_ASSIGN_OR_RETURN(Message message, DecodeMessage(payload));
  if (message.from != peer_ || message.to != options_.self) {
    return Unexpected("a message from or to another node");
  }
  if (!message.entries.empty()) return Unexpected("a message with entries in its head");
  if ((frame.flags & kFrameMore) != 0) {
    lane.message = std::move(message);
  } else {
    Deliver(std::move(message));
  }
  return Status::Ok();
}

Status Link::OnEntriesFrame(const Frame& frame, Assembly& lane) {
  if (!lane.message.has_value()) return Unexpected("entries without their message");
  KIWI_ASSIGN_OR_RETURN(const std::string_view payload, FramePayload(frame, &scratch_));
  KIWI_RETURN_IF_ERROR(lane.entries.Feed(payload));
  if ((frame.flags & kFrameMore) != 0) return Status::Ok();
  KIWI_ASSIGN_OR_RETURN(lane.message->entries, lane.entries.Finish());
  Message message = std::move(*lane.message);
  lane.message.reset();
  Deliver(std::move(message));
  return Status::Ok();
}

void Link::Deliver(Message&& message) {
  if (counters_ != nullptr) Bump<uint64_t>(counters_->messages_received, 1);
  owner_->OnLinkMessage(*this, std::move(message));
}

Status Link::OnServiceFrame(const Frame& frame, Assembly& lane) {
  if (stream() != StreamKind::kService) return Unexpected("a service on another stream");
  const bool reply = (frame.kind & kServiceReply) != 0;
  const bool bulk = (frame.kind & kServiceBulk) != 0;
  if (reply != dialed_ || bulk != ((frame.flags & kFrameLow) != 0)) {
    return Unexpected("a service in the wrong direction or lane");
  }
  if (join_only_ && (frame.kind & kServiceJoin) == 0) {
    return Unexpected("a service that a node of no cluster has no part in");
  }
  if (lane.in_service && lane.kind != frame.kind) return Unexpected("a service within another");
  KIWI_ASSIGN_OR_RETURN(const std::string_view payload, FramePayload(frame, &scratch_));
  // What strangers say costs no more memory than an answer to them needs.
  const size_t bytes_max =
      join_only_ ? std::min(kJoinBytesMax, options_.max_message_bytes) : options_.max_message_bytes;
  if (lane.payload.size() + payload.size() > bytes_max) {
    return Status(StatusCode::kCorruption,
                  "a service is longer than the allowed " + std::to_string(bytes_max) + " bytes");
  }
  const bool more = (frame.flags & kFrameMore) != 0;
  const size_t whole = more ? bytes_max : lane.payload.size() + payload.size();
  AppendPiece(payload, whole, &lane.payload);
  lane.kind = frame.kind;
  lane.in_service = more;
  if (lane.in_service) return Status::Ok();
  if (counters_ != nullptr) Bump<uint64_t>(counters_->services_received, 1);
  owner_->OnLinkService(*this, frame.kind, std::exchange(lane.payload, {}));
  return Status::Ok();
}

// --- the end ---

void Link::CloseFor(const Status& reason) {
  const bool handshake = reason.code() == StatusCode::kInvalidArgument;
  Close(handshake ? LinkError::kHandshake : LinkError::kCorrupt, reason);
}

void Link::Close(LinkError error, const Status& reason) {
  if (down_) return;
  Down(error, reason);
  // A refusal is written before the connection goes.
  if (error == LinkError::kHandshake && !dialed_) {
    connection_->CloseAfterFlush();
  } else {
    connection_->Close(reason);
  }
}

void Link::Evict(const Status& reason) {
  evicted_ = true;
  if (!down_) Down(LinkError::kTimeout, reason);
  connection_->Close(reason);
}

void Link::Down(LinkError error, const Status& reason) {
  down_ = true;
  if (queue_ != nullptr) queue_->Close();
  owner_->OnLinkDown(*this, error, reason);
}

void Link::OnClosed(net::Connection& /*connection*/, const Status& reason) {
  if (!down_) Down(LinkError::kReset, reason);
  connection_ = nullptr;
  owner_->OnLinkGone(*this);
}

}  // namespace kiwi::raft
