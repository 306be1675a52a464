// A client's byte stream. Belongs to one loop at a time and is used on that loop's thread only; it
// owns its descriptor, so it can move to another loop.
//
// Output is collected and written by the loop at the end of its iteration (writev); what the socket
// does not take waits for it to become writable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "net/loop.h"

namespace kiwi::net {

// The bytes received and not yet consumed, contiguous. The owner may take the whole block out (Take)
// to keep views into it alive while the connection goes on reading into a fresh one.
class InputBuffer {
 public:
  InputBuffer() = default;
  InputBuffer(InputBuffer&& other) noexcept;
  InputBuffer& operator=(InputBuffer&& other) noexcept;
  ~InputBuffer();

  std::string_view data() const { return {block_ + begin_, end_ - begin_}; }
  void Consume(size_t n) { begin_ += n; }
  // Makes room for at least n more bytes behind data(), moving or growing as needed.
  char* Reserve(size_t n, size_t* capacity);
  void Commit(size_t n) { end_ += n; }
  size_t capacity() const { return capacity_; }
  void Clear();

 private:
  char* block_ = nullptr;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t capacity_ = 0;
};

class Connection {
 public:
  // Called on the loop's thread. The handler outlives the connection or clears itself.
  class Handler {
   public:
    virtual ~Handler() = default;
    // New bytes are in connection.input(). Called once per read.
    virtual void OnInput(Connection& connection) = 0;
    // All output is on its way; called after there was a backlog (unsent_bytes() fell to 0).
    virtual void OnDrained(Connection& connection) = 0;
    // The peer closed, an error came, or Close() ran: the last call. The connection is destroyed
    // after it returns.
    virtual void OnClosed(Connection& connection, const Status& reason) = 0;
  };

  virtual ~Connection() = default;

  virtual void SetHandler(Handler* handler) = 0;
  virtual Loop& loop() = 0;
  virtual InputBuffer& input() = 0;
  // The next read asks for at least this much room (a large value is on its way). 0: the default.
  virtual void SetReadHint(size_t bytes) = 0;
  // Appends output; never blocks. The string's buffer is taken over when large, copied when small.
  virtual void Write(std::string&& bytes) = 0;
  virtual void Write(std::string_view bytes) = 0;
  // Appended and not yet accepted by the socket.
  virtual size_t unsent_bytes() const = 0;
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;
  virtual bool reading() const = 0;
  // Writes what is there, then closes.
  virtual void CloseAfterFlush() = 0;
  // Closes at once. OnClosed follows within this iteration, not inside this call.
  virtual void Close(Status reason) = 0;
  // Moves to another loop; done(connection) runs there. No byte is lost or reordered. Nothing else
  // may be called from here until then.
  virtual void MoveTo(Loop& loop, std::function<void(Connection&)> done) = 0;

  virtual int fd() const = 0;
  virtual const std::string& peer_address() const = 0;   // "127.0.0.1:50312", "/path:0" for unix
  virtual const std::string& local_address() const = 0;
  virtual bool is_unix() const = 0;
  virtual bool peer_is_loopback() const = 0;
  virtual void SetKeepAlive(int seconds) = 0;  // 0: off
};

// Gives a connected, non-blocking descriptor to a loop. Loop thread only.
Connection* AdoptDescriptor(Loop& loop, int fd);

}  // namespace kiwi::net
