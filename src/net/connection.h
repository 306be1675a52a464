// A client's byte stream. Belongs to one loop at a time and is used on that loop's thread only; it
// owns its descriptor, so it can move to another loop (docs/decisions/001).
//
// Output is collected and written by the loop at the end of its iteration, by one system call; what
// the socket does not take waits for it to become writable. A handler may call anything below at
// any time, also from inside its own callbacks: a connection is destroyed only at the end of an
// iteration, never below a caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "net/input_buffer.h"
#include "net/loop.h"

namespace kiwi::net {

class Connection {
 public:
  // Called on the loop's thread. The handler outlives the connection or clears itself.
  class Handler {
   public:
    virtual ~Handler() = default;
    // New bytes are in connection.input(). Called once per read. What it does not consume is shown
    // again, with more behind it, after the next read (or whenever the handler looks at input()).
    virtual void OnInput(Connection& connection) = 0;
    // All output is on its way (unsent_bytes() fell to 0); called after there was a backlog, or when
    // reading is paused. It may come after the iteration's hook: who makes work in it wakes the loop.
    virtual void OnDrained(Connection& connection) = 0;
    // The peer will send no more, but may still be reading (it shut down its side, or closed). A
    // handler with replies under way can write them and then CloseAfterFlush().
    virtual void OnEndOfInput(Connection& connection) {
      connection.Close(Status(StatusCode::kNetwork, "closed by the peer"));
    }
    // The loop pool wants the connection on another loop, which is sure to be there during this
    // call. A handler that has work under way elsewhere calls LoopPool::MoveAway when that is done,
    // or waits to be asked again.
    virtual void OnMoveWanted(Connection& connection, Loop& target) {
      connection.MoveTo(target, nullptr);
    }
    // The peer closed, an error came, or Close() ran: the last call. The connection is destroyed
    // after it returns.
    virtual void OnClosed(Connection& connection, const Status& reason) = 0;
  };

  virtual ~Connection() = default;

  virtual void SetHandler(Handler* handler) = 0;
  virtual Handler* handler() = 0;
  virtual Loop& loop() = 0;
  virtual InputBuffer& input() = 0;
  // input().data() has to reach this size before the handler can go on (a large value is on its
  // way), as RequestParser::bytes_wanted() says: the next read makes room for what is missing. It
  // holds for one read: set it again in OnInput while the value is not complete. Memory follows what
  // has come, so that a promise of bytes costs little. 0: not known.
  virtual void SetReadHint(size_t bytes) = 0;
  // Appends output; never blocks. The string's buffer is taken over when large, copied when small.
  virtual void Write(std::string&& bytes) = 0;
  virtual void Write(std::string_view bytes) = 0;
  // Bytes that live as long as owner does: sent from where they lie, unless they are few.
  virtual void WriteShared(std::shared_ptr<const void> owner, std::string_view bytes) = 0;
  void Write(const char* text) { Write(std::string_view(text)); }
  // Appended and not yet accepted by the socket.
  virtual size_t unsent_bytes() const = 0;
  // Pausing and resuming within an iteration or two costs no system call.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
  virtual bool reading() const = 0;
  // Reads no more, writes what is there, then closes; a peer that does not read is given up after
  // LoopOptions::close_linger_ms.
  virtual void CloseAfterFlush() = 0;
  // Closes at once; what is unsent is dropped, and so is what is written from here on. OnClosed
  // follows within this iteration, not inside this call. The first reason counts.
  virtual void Close(Status reason) = 0;
  // Moves to another loop at the end of this iteration; done(connection) runs there (it may be
  // null). No byte is lost or reordered. Nothing else may be called from here until then, but the
  // handler may see OnClosed instead (on the loop that has the connection then).
  virtual void MoveTo(Loop& loop, std::function<void(Connection&)> done) = 0;

  virtual int fd() const = 0;
  virtual const std::string& peer_address() const = 0;  // "127.0.0.1:50312", "/path:0" for unix
  virtual const std::string& local_address() const = 0;
  virtual bool is_unix() const = 0;
  virtual bool peer_is_loopback() const = 0;
  virtual void SetKeepAlive(int seconds) = 0;  // 0: off
};

// Gives a connected, non-blocking descriptor to a loop, which owns it from here on. Loop thread
// only. Null when the loop cannot poll it (or is stopping): the descriptor is closed.
Connection* AdoptDescriptor(Loop& loop, int fd);

}  // namespace kiwi::net
