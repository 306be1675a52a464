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

bool SendQueue::HasFrames() {
  if (cursors_[0].active || cursors_[1].active) return true;
  MutexLock lock(mu_);
  return !lanes_[0].items.empty() || !lanes_[1].items.empty();
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

size_t SendQueue::Pump(net::Connection& connection, size_t backlog, int64_t now_ms) {
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
    Lane lane = Lane::kHigh;
    if (high_in_a_row_ >= kHighInARow && Next(Lane::kLow)) {
      lane = Lane::kLow;
    } else if (!Next(Lane::kHigh)) {
      if (!Next(Lane::kLow)) break;
      lane = Lane::kLow;
    }
    Cursor& cursor = cursors_[static_cast<size_t>(lane)];
    size_t bytes = 0;
    const bool done = cursor.payload != nullptr ? EmitServiceFrame(lane, cursor, connection, &bytes)
                                                : EmitMessageFrame(cursor, connection, &bytes);
    handed += bytes;
    high_in_a_row_ = lane == Lane::kLow ? 0 : high_in_a_row_ + bytes;
    Sent(lane, cursor, bytes, done);
    if (done) ++done_count;
  }
  return done_count;
}

bool SendQueue::EmitMessageFrame(Cursor& cursor, net::Connection& connection, size_t* bytes) {
  if (!head_.empty()) {
    connection.Write(std::string_view(head_));
    *bytes += head_.size();
    head_.clear();
    if (cursor.body == nullptr) return true;
  }
  const std::vector<SharedBytes>* pieces = cursor.body->FrameAt(cursor.frame);
  for (const SharedBytes& piece : *pieces) {
    connection.WriteShared(piece.owner, piece.bytes);
    *bytes += piece.bytes.size();
  }
  return cursor.body->FrameAt(++cursor.frame) == nullptr;
}

bool SendQueue::EmitServiceFrame(Lane lane, Cursor& cursor, net::Connection& connection,
                                 size_t* bytes) {
  const std::string_view raw =
      std::string_view(*cursor.payload).substr(cursor.offset, options_.body.frame_bytes);
  cursor.offset += raw.size();
  *bytes = kFrameHeaderBytes + raw.size();
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
  FrameHeader header(frame, frame.payload.size());
  header.Cover(frame.payload);
  connection.Write(header.Finish());
  if (cursor.compress) {
    connection.Write(std::move(packed_));
  } else {
    connection.WriteShared(cursor.payload, raw);
  }
  return done;
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
