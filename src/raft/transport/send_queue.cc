#include "raft/transport/send_queue.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "raft/core/codec.h"

namespace kiwi::raft {
namespace {

// What an item costs besides its payload.
constexpr size_t kItemOverhead = 128;
constexpr size_t kEntryOverhead = 32;
// After so much of the high lane, one frame of the low lane.
constexpr size_t kHighInARow = 1 << 20;

int64_t NowMs() { return SystemClock().MonotonicNs() / 1'000'000; }

size_t BytesOf(const Message& message) {
  size_t bytes = kItemOverhead;
  for (const Entry& e : message.entries) bytes += kEntryOverhead + e.bytes().size();
  return bytes;
}

}  // namespace

// Appends stay together: one that overtakes another would be refused by the receiver.
Lane SendQueue::LaneOf(const Message& message) {
  return message.type == MessageType::kAppend || message.type == MessageType::kSnapshot
             ? Lane::kLow
             : Lane::kHigh;
}

Status SendQueue::Push(Message message, const fault::LinkVerdict& verdict) {
  Item item;
  item.lane = LaneOf(message);
  item.is_message = true;
  item.bytes = BytesOf(message);
  item.message = std::move(message);
  return Add(std::move(item), verdict);
}

Status SendQueue::Push(ServiceKind kind, std::string payload, const fault::LinkVerdict& verdict) {
  Item item;
  item.lane = (kind & kServiceBulk) != 0 ? Lane::kLow : Lane::kHigh;
  item.kind = kind;
  item.bytes = kItemOverhead + payload.size();
  item.payload = std::move(payload);
  return Add(std::move(item), verdict);
}

Status SendQueue::Add(Item item, const fault::LinkVerdict& verdict) {
  const auto lane = static_cast<size_t>(item.lane);
  MutexLock lock(mu_);
  if (closed_) return Status(StatusCode::kNetwork, "the connection to the peer is gone");
  LaneState& state = lanes_[lane];
  if (state.count > 0 && (state.count >= options_.count_max[lane] ||
                          state.bytes + item.bytes > options_.bytes_max[lane])) {
    return Status(StatusCode::kBusy, "the queue to the peer is full");
  }
  state.bytes += item.bytes;
  ++state.count;
  if (held_.Wants(verdict)) {
    held_.Push(std::move(item), verdict, NowMs());
  } else {
    state.items.push_back(std::move(item));
  }
  return Status::Ok();
}

size_t SendQueue::unsent(Lane lane) const {
  MutexLock lock(mu_);
  return lanes_[static_cast<size_t>(lane)].bytes;
}

void SendQueue::Close() {
  MutexLock lock(mu_);
  closed_ = true;
  held_.Clear();
  for (LaneState& lane : lanes_) lane = {};
}

bool SendQueue::HasFrames(const SendWindow& window) {
  MutexLock lock(mu_);
  for (const Lane lane : {Lane::kHigh, Lane::kLow}) {
    const auto i = static_cast<size_t>(lane);
    if (Open(lane, window) && (cursors_[i].active || !lanes_[i].items.empty())) return true;
  }
  return false;
}

bool SendQueue::Next(Lane lane) {
  Cursor& cursor = cursors_[static_cast<size_t>(lane)];
  if (cursor.active) return true;
  Item item;
  {
    MutexLock lock(mu_);
    std::deque<Item>& items = lanes_[static_cast<size_t>(lane)].items;
    if (items.empty()) return false;
    item = std::move(items.front());
    items.pop_front();
  }
  Begin(cursor, std::move(item));
  return true;
}

void SendQueue::Begin(Cursor& cursor, Item item) {
  cursor = {};
  cursor.active = true;
  cursor.bytes_left = item.bytes;
  if (!item.is_message) {
    cursor.kind = item.kind;
    cursor.compress = options_.body.compress_min_bytes > 0 &&
                      item.payload.size() >= options_.body.compress_min_bytes;
    cursor.payload = std::make_shared<const std::string>(std::move(item.payload));
    return;
  }
  if (!item.message.entries.empty()) cursor.body = bodies_->Get(item.message.entries);
  item.message.entries.clear();
  std::string encoded;
  EncodeMessage(item.message, &encoded);
  Frame frame;
  frame.type = FrameType::kMessage;
  frame.flags = static_cast<uint8_t>((item.lane == Lane::kLow ? kFrameLow : 0) |
                                     (cursor.body != nullptr ? kFrameMore : 0));
  frame.payload = encoded;
  head_.clear();
  AppendFrame(frame, &head_);
}

size_t SendQueue::Pump(net::Connection& connection, size_t backlog, int64_t now_ms,
                       SendWindow* window) {
  {
    MutexLock lock(mu_);
    for (Item item; held_.PopDue(now_ms, &item);) {
      lanes_[static_cast<size_t>(item.lane)].items.push_back(std::move(item));
    }
  }
  size_t done_count = 0;
  // By what is handed over, not by what the connection holds: one that is closing takes nothing, and
  // would be fed for as long as somebody fills the queue.
  size_t handed = connection.unsent_bytes();
  while (handed < backlog) {
    const auto next = [&](Lane lane) { return Open(lane, *window) && Next(lane); };
    Lane lane = Lane::kHigh;
    if (high_in_a_row_ >= kHighInARow && next(Lane::kLow)) {
      lane = Lane::kLow;
    } else if (!next(Lane::kHigh)) {
      if (!next(Lane::kLow)) break;
      lane = Lane::kLow;
    }
    Cursor& cursor = cursors_[static_cast<size_t>(lane)];
    const Emitted emitted = cursor.payload != nullptr ? EmitServiceFrame(lane, cursor, connection)
                                                      : EmitMessageFrame(cursor, connection);
    handed += emitted.bytes;
    window->Sent(emitted.raw_bytes);
    high_in_a_row_ = lane == Lane::kLow ? 0 : high_in_a_row_ + emitted.bytes;
    Sent(lane, cursor, emitted.raw_bytes, emitted.done);
    if (emitted.done) ++done_count;
  }
  return done_count;
}

SendQueue::Emitted SendQueue::EmitMessageFrame(Cursor& cursor, net::Connection& connection) {
  Emitted emitted;
  if (!head_.empty()) {
    connection.Write(std::string_view(head_));
    emitted.bytes = emitted.raw_bytes = head_.size();
    head_.clear();
    emitted.done = cursor.body == nullptr;
    if (emitted.done) return emitted;
  }
  const EntriesBody::FramePieces* frame = cursor.body->FrameAt(cursor.frame);
  for (const SharedBytes& piece : frame->pieces) {
    connection.WriteShared(piece.owner, piece.bytes);
    emitted.bytes += piece.bytes.size();
  }
  emitted.raw_bytes += frame->raw_bytes;
  emitted.done = cursor.body->FrameAt(++cursor.frame) == nullptr;
  return emitted;
}

SendQueue::Emitted SendQueue::EmitServiceFrame(Lane lane, Cursor& cursor,
                                               net::Connection& connection) {
  const std::string_view raw =
      std::string_view(*cursor.payload).substr(cursor.offset, options_.body.frame_bytes);
  cursor.offset += raw.size();
  const bool done = cursor.offset == cursor.payload->size();
  Frame frame;
  frame.type = FrameType::kService;
  frame.kind = cursor.kind;
  frame.flags =
      static_cast<uint8_t>((lane == Lane::kLow ? kFrameLow : 0) | (done ? 0 : kFrameMore));
  frame.payload = raw;
  // One frame that does not get smaller tells about the rest.
  cursor.compress = cursor.compress && CompressPayload(raw, &packed_);
  if (cursor.compress) {
    frame.flags |= kFrameLz4;
    frame.raw_bytes = static_cast<uint32_t>(raw.size());
    frame.payload = packed_;
  }
  const Emitted emitted = {kFrameHeaderBytes + frame.payload.size(), raw.size(), done};
  FrameHeader header(frame, frame.payload.size());
  header.Cover(frame.payload);
  connection.Write(header.Finish());
  if (cursor.compress) {
    connection.Write(std::move(packed_));
  } else {
    connection.WriteShared(cursor.payload, raw);
  }
  return emitted;
}

void SendQueue::Sent(Lane lane, Cursor& cursor, size_t bytes, bool done) {
  const size_t counted = done ? cursor.bytes_left : std::min(bytes, cursor.bytes_left);
  cursor.bytes_left -= counted;
  if (done) cursor = {};
  MutexLock lock(mu_);
  if (closed_) return;  // nothing is counted any more
  LaneState& state = lanes_[static_cast<size_t>(lane)];
  state.bytes -= counted;
  if (done) --state.count;
}

}  // namespace kiwi::raft
