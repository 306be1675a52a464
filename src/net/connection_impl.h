// The one kind of connection: a stream socket polled by libuv, read and written by ourselves.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "net/address.h"
#include "net/connection.h"
#include "net/loop_impl.h"
#include "net/output_queue.h"

namespace kiwi::net {

class ConnectionImpl final : public Connection, private LoopTask {
 public:
  // Owns fd.
  ConnectionImpl(Loop::Impl& loop, int fd);
  ~ConnectionImpl() override;

  void SetHandler(Handler* handler) override { handler_ = handler; }
  Handler* handler() override { return handler_; }
  Loop& loop() override { return *loop_->loop; }
  InputBuffer& input() override { return input_; }
  void SetReadHint(size_t bytes) override { read_hint_ = bytes; }
  void Write(std::string&& bytes) override;
  void Write(std::string_view bytes) override;
  void WriteShared(std::shared_ptr<const void> owner, std::string_view bytes) override;
  size_t unsent_bytes() const override { return output_.size(); }
  void PauseReading() override { paused_ = true; }
  void ResumeReading() override;
  bool reading() const override { return WantsInput(); }
  void CloseAfterFlush() override;
  void Close(Status reason) override;
  void MoveTo(Loop& loop, std::function<void(Connection&)> done) override;
  int fd() const override { return fd_; }
  const std::string& peer_address() const override { return peer_.text; }
  const std::string& local_address() const override { return local_.text; }
  bool is_unix() const override { return local_.is_unix; }
  bool peer_is_loopback() const override { return peer_.is_loopback; }
  void SetKeepAlive(int seconds) override;

  // --- for the loop ---
  bool Attach();  // begins to poll on loop_, whose list it joins
  bool open() const { return state_ == State::kOpen; }
  void FlushDirty();
  void LeaveLoop();  // ends a closing connection (it is destroyed), sends off a moving one
  void CloseIfLingering(int64_t now_ns);

 private:
  enum class State : uint8_t { kOpen, kMoving, kClosing };

  static void OnEvent(void* owner, int status, int events);
  void OnReadable();
  void PrepareRead();
  void OnSocketError(int error);
  bool Flush();  // false: an error closed the connection
  void OnFlushed();
  bool WantsInput() const { return !paused_ && !input_ended_ && !close_after_flush_; }
  void UpdateWatch(bool stop_reading);
  void MarkDirty();
  void LeaveList();
  void FinishClose();
  void Depart();
  void RunOnLoop() override;  // arrives on the new loop

  Loop::Impl* loop_;
  int fd_;
  State state_ = State::kOpen;
  bool paused_ = false;
  bool input_ended_ = false;
  bool close_after_flush_ = false;
  bool dirty_ = false;       // in the loop's list of those to flush
  bool backlogged_ = false;  // the socket did not take all; it is watched for room
  Handler* handler_ = nullptr;
  Poller* poller_ = nullptr;
  size_t index_ = 0;  // in the loop's list
  InputBuffer input_;
  size_t read_hint_ = 0;
  OutputQueue output_;
  Status close_reason_;
  int64_t linger_until_ns_ = 0;
  Loop::Impl* move_target_ = nullptr;
  std::function<void(Connection&)> move_done_;
  Endpoint peer_;
  Endpoint local_;
};

}  // namespace kiwi::net
