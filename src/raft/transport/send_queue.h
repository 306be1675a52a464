// What waits to be sent on one connection, in two lanes. Any thread fills it; the loop takes frames
// out of it: those of the high lane first, but after a megabyte of them one of the low lane.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "net/connection.h"
#include "raft/core/message.h"
#include "raft/transport/delay_line.h"
#include "raft/transport/message_body.h"
#include "raft/transport/send_window.h"
#include "raft/transport/transport.h"

namespace kiwi::raft {

enum class Lane : uint8_t { kHigh = 0, kLow = 1 };

struct SendQueueOptions {
  // Of each lane; an empty lane takes one item whatever its size.
  size_t bytes_max[2] = {64 << 20, 64 << 20};
  // Heartbeats and votes do not wait for the window; nor do the answers that open it.
  bool window_for_high = false;
  size_t count_max[2] = {1 << 20, 1 << 20};
  BodyOptions body;
  bool join_only = false;  // takes kServiceJoin only
};

class SendQueue {
 public:
  // The cache is the loop's and outlives the queue's use by it.
  SendQueue(const SendQueueOptions& options, BodyCache* bodies)
      : options_(options), bodies_(bodies) {}

  // --- any thread ---
  // kBusy: over a bound. kNetwork: the connection is gone.
  Status Push(Message message, const fault::LinkVerdict& verdict);
  Status Push(ServiceKind kind, std::string payload, const fault::LinkVerdict& verdict);
  size_t unsent(Lane lane) const;  // bytes not handed to the socket
  bool join_only() const { return options_.join_only; }
  void Close();  // drops what there is, and takes nothing more

  // --- the loop's thread ---
  // Hands frames to the connection until it has `backlog` unsent, or the window is full; the number
  // of messages that went out whole.
  size_t Pump(net::Connection& connection, size_t backlog, int64_t now_ms, SendWindow* window);
  bool HasFrames(const SendWindow& window);  // Pump would find something

 private:
  struct Item {
    Lane lane = Lane::kHigh;
    bool is_message = false;
    ServiceKind kind = 0;
    Message message;
    std::string payload;
    size_t bytes = 0;  // as counted
  };
  struct LaneState {
    std::deque<Item> items;
    size_t bytes = 0;  // items, held up ones, and what is left of the one being sent
    size_t count = 0;
  };
  // What is being sent; the loop's.
  struct Cursor {
    bool active = false;
    size_t bytes_left = 0;  // as counted
    std::shared_ptr<EntriesBody> body;
    size_t frame = 0;
    ServiceKind kind = 0;
    std::shared_ptr<const std::string> payload;  // of a service
    size_t offset = 0;
    bool compress = false;
  };

  static Lane LaneOf(const Message& message);
  Status Add(Item item, const fault::LinkVerdict& verdict);
  bool Open(Lane lane, const SendWindow& window) const {
    return !window.Full() || (lane == Lane::kHigh && !options_.window_for_high);
  }
  bool Next(Lane lane);  // makes the cursor active
  void Begin(Cursor& cursor, Item item);
  // What a frame took of the connection, and what it is unpacked.
  struct Emitted {
    size_t bytes = 0;
    size_t raw_bytes = 0;
    bool done = false;  // the item ends with it
  };
  Emitted EmitMessageFrame(Cursor& cursor, net::Connection& connection);
  Emitted EmitServiceFrame(Lane lane, Cursor& cursor, net::Connection& connection);
  void Sent(Lane lane, Cursor& cursor, size_t bytes, bool done);

  const SendQueueOptions options_;
  BodyCache* const bodies_;

  mutable Mutex mu_;
  bool closed_ KIWI_GUARDED_BY(mu_) = false;
  LaneState lanes_[2] KIWI_GUARDED_BY(mu_);
  DelayLine<Item> held_ KIWI_GUARDED_BY(mu_);

  // --- the loop's thread ---
  Cursor cursors_[2];
  std::string head_;          // of the message at hand
  size_t high_in_a_row_ = 0;  // bytes
  std::string packed_;
};

}  // namespace kiwi::raft
