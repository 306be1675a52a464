#include "net/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "net/connection_impl.h"

namespace kiwi::net {
namespace {

// So much is always reserved for a large value; beyond it, the room follows what has arrived, so
// that announcing a value of 512 MB costs a client nearly as many bytes as it costs the server.
constexpr size_t kFreeRoom = 1 << 20;
constexpr size_t kRoomPerByteHeld = 7;
// One read brings at most so much, so that one connection does not hold up the others.
constexpr size_t kMaxReadBytes = 1 << 20;
constexpr int kMaxDiscards = 16;

Status NetworkError(const char* what, int error) {
  return Status(StatusCode::kNetwork, std::string(what) + ": " + std::strerror(error));
}

}  // namespace

Connection* AdoptDescriptor(Loop& loop, int fd) {
  auto connection = std::make_unique<ConnectionImpl>(loop.impl(), fd);
  if (!connection->Attach()) return nullptr;
  loop.impl().connection_count.fetch_add(1, std::memory_order_relaxed);
  return connection.release();  // the loop's, until LeaveLoop destroys it
}

ConnectionImpl::ConnectionImpl(Loop::Impl& loop, int fd)
    : loop_(&loop), fd_(fd), peer_(PeerEndpoint(fd)), local_(LocalEndpoint(fd)) {}

ConnectionImpl::~ConnectionImpl() {
  if (fd_ >= 0) ::close(fd_);
}

bool ConnectionImpl::Attach() {
  poller_ = Poller::Open(*loop_, fd_, this, &ConnectionImpl::OnEvent);
  if (poller_ == nullptr) return false;
  index_ = loop_->connections.size();
  loop_->connections.push_back(this);
  if (close_after_flush_) ++loop_->lingering;
  UpdateWatch(/*stop_reading=*/!WantsInput());
  return true;
}

// --- input ---

void ConnectionImpl::OnEvent(void* owner, int status, int events) {
  auto* self = static_cast<ConnectionImpl*>(owner);
  if (self->state_ != State::kOpen) return;
  if (status < 0) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(self->fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    self->OnSocketError(error != 0 ? error : ECONNRESET);
    return;
  }
  if ((events & UV_WRITABLE) != 0 && self->Flush()) self->OnFlushed();
  if ((events & UV_READABLE) != 0 && self->state_ == State::kOpen) self->OnReadable();
}

void ConnectionImpl::OnReadable() {
  if (!WantsInput()) {
    // Only now that bytes wait for a paused connection is it worth a system call to stop watching.
    UpdateWatch(/*stop_reading=*/true);
    return;
  }
  PrepareRead();
  const ssize_t n = ::recv(fd_, input_.tail(), std::min(input_.room(), kMaxReadBytes), 0);
  if (n > 0) {
    const auto bytes = static_cast<size_t>(n);
    input_.Commit(bytes);
    if (input_.in(loop_->slab)) loop_->slab_used = input_.end_offset();
    read_hint_ = 0;
    Count(loop_->counters.reads);
    Count(loop_->counters.bytes_in, bytes);
    if (handler_ != nullptr) handler_->OnInput(*this);
    input_.Park(loop_->slab);
    return;
  }
  const int error = errno;
  input_.Park(loop_->slab);
  if (n == 0) {
    input_ended_ = true;
    UpdateWatch(/*stop_reading=*/true);
    if (handler_ != nullptr) {
      handler_->OnEndOfInput(*this);
    } else {
      Close(Status(StatusCode::kNetwork, "closed by the peer"));
    }
  } else if (error != EAGAIN && error != EWOULDBLOCK && error != EINTR) {
    OnSocketError(error);
  }
}

// Points input_ at memory to read into: the loop's slab, or, for a large value, a block of its own.
void ConnectionImpl::PrepareRead() {
  const size_t held = input_.data().size();
  const size_t missing = read_hint_ > held ? read_hint_ - held : 0;
  const size_t chunk = std::max(loop_->options.read_chunk_bytes, 4 * kSlabCarryMax);
  if (held <= kSlabCarryMax && missing <= chunk) {
    InputBlock& slab = loop_->slab;
    if (!slab.shared()) {
      loop_->slab_used = 0;  // nobody looks at what was read before
    } else if (slab.capacity() - loop_->slab_used < held + chunk) {
      slab = InputBlock::Allocate(slab.capacity());
      loop_->slab_used = 0;
    }
    input_.MoveToSlab(slab, loop_->slab_used, loop_->slab_used + held + chunk);
    return;
  }
  // Room that is left of an earlier hint is used up first: growing for every read would copy.
  if (input_.own_room() >= (missing > 0 ? std::min(missing, chunk) : chunk)) return;
  const size_t wanted =
      missing > 0 ? std::clamp(missing, chunk, std::max(kFreeRoom, kRoomPerByteHeld * held))
                  : std::max(chunk, held);
  size_t room = 0;
  input_.Reserve(wanted, &room);
}

void ConnectionImpl::ResumeReading() {
  paused_ = false;
  if (state_ == State::kOpen && WantsInput()) UpdateWatch(/*stop_reading=*/false);
}

void ConnectionImpl::UpdateWatch(bool stop_reading) {
  const bool read = stop_reading ? false : (WantsInput() || (poller_->watched() & UV_READABLE));
  poller_->Watch((read ? UV_READABLE : 0) | (backlogged_ ? UV_WRITABLE : 0));
}

// --- output ---

void ConnectionImpl::Write(std::string&& bytes) {
  if (state_ != State::kOpen) return;
  output_.Append(std::move(bytes), loop_->arena);
  MarkDirty();
}

void ConnectionImpl::Write(std::string_view bytes) {
  if (state_ != State::kOpen) return;
  output_.Append(bytes, loop_->arena);
  MarkDirty();
}

void ConnectionImpl::WriteShared(std::shared_ptr<const void> owner, std::string_view bytes) {
  if (state_ != State::kOpen) return;
  output_.AppendShared(std::move(owner), bytes, loop_->arena);
  MarkDirty();
}

void ConnectionImpl::MarkDirty() {
  if (dirty_ || backlogged_) return;  // a backlog is written when the socket is ready
  dirty_ = true;
  loop_->dirty.push_back(this);
}

void ConnectionImpl::FlushDirty() {
  dirty_ = false;
  if (state_ == State::kClosing) {
    output_.Clear();
  } else if (Flush()) {
    OnFlushed();
  }
}

bool ConnectionImpl::Flush() {
  const size_t before = output_.size();
  const OutputQueue::FlushResult result = output_.Flush(fd_);
  if (result == OutputQueue::FlushResult::kError) {
    const int error = errno;
    output_.Clear();
    OnSocketError(error);
    return false;
  }
  Count(loop_->counters.flushes);
  Count(loop_->counters.bytes_out, before - output_.size());
  return true;
}

void ConnectionImpl::OnFlushed() {
  const bool had_backlog = backlogged_;
  backlogged_ = output_.size() > 0;
  if (had_backlog != backlogged_ && state_ == State::kOpen) UpdateWatch(/*stop_reading=*/false);
  if (backlogged_) return;
  if (close_after_flush_) {
    Close(Status(StatusCode::kNetwork, "closed by the server"));
  } else if ((had_backlog || !reading()) && handler_ != nullptr) {
    // Also for an owner that has paused over much output which the socket then took at once.
    handler_->OnDrained(*this);
  }
}

// --- the end ---

void ConnectionImpl::CloseAfterFlush() {
  if (state_ != State::kOpen || close_after_flush_) return;
  close_after_flush_ = true;
  ++loop_->lingering;
  linger_until_ns_ = SystemClock().MonotonicNs() + loop_->options.close_linger_ms * 1'000'000;
  if (output_.size() == 0) Close(Status(StatusCode::kNetwork, "closed by the server"));
}

void ConnectionImpl::CloseIfLingering(int64_t now_ns) {
  if (close_after_flush_ && now_ns >= linger_until_ns_) {
    Close(Status(StatusCode::kNetwork, "the peer did not read its last replies"));
  }
}

void ConnectionImpl::OnSocketError(int error) {
  Close(NetworkError("the connection broke", error));
}

void ConnectionImpl::Close(Status reason) {
  if (state_ == State::kClosing) return;
  // A moving connection stands in the list already.
  if (state_ == State::kOpen) loop_->leaving.push_back(this);
  state_ = State::kClosing;
  close_reason_ = std::move(reason);
}

void ConnectionImpl::LeaveLoop() {
  if (dirty_) {
    std::erase(loop_->dirty, this);
    dirty_ = false;
  }
  if (state_ == State::kMoving && Flush()) {
    backlogged_ = output_.size() > 0;
    Depart();
  } else {
    FinishClose();
  }
}

void ConnectionImpl::LeaveList() {
  if (close_after_flush_) --loop_->lingering;
  poller_->Close();
  poller_ = nullptr;
  ConnectionImpl* last = loop_->connections.back();
  last->index_ = index_;
  loop_->connections[index_] = last;
  loop_->connections.pop_back();
}

void ConnectionImpl::FinishClose() {
  const std::unique_ptr<ConnectionImpl> self(this);
  if (poller_ != nullptr) LeaveList();
  if (close_after_flush_) {
    // Closing with unread input would reset the connection and could take the last reply with it.
    ::shutdown(fd_, SHUT_WR);
    char sink[4096];
    for (int i = 0; i<kMaxDiscards&& ::recv(fd_, sink, sizeof sink, 0)> 0; ++i) {
    }
  }
  ::close(std::exchange(fd_, -1));
  if (handler_ != nullptr) handler_->OnClosed(*this, close_reason_);
  // Counted until here, so that OnClosed can hold the loop.
  loop_->connection_count.fetch_sub(1, std::memory_order_release);
  if (move_target_ != nullptr) {  // closed before it could leave
    move_target_->connection_count.fetch_sub(1, std::memory_order_release);
  }
}

// --- moving ---

void ConnectionImpl::MoveTo(Loop& loop, std::function<void(Connection&)> done) {
  if (state_ != State::kOpen) return;  // OnClosed is on its way instead
  state_ = State::kMoving;
  move_target_ = &loop.impl();
  // From here on the target counts it, so that a pool does not take the target for empty.
  move_target_->connection_count.fetch_add(1, std::memory_order_relaxed);
  move_done_ = std::move(done);
  loop_->leaving.push_back(this);
}

void ConnectionImpl::Depart() {
  Loop::Impl* source = loop_;
  LeaveList();
  loop_ = std::exchange(move_target_, nullptr);
  if (loop_->loop->Post(this)) {  // it may already be gone from here
    source->connection_count.fetch_sub(1, std::memory_order_release);
    return;
  }
  loop_->connection_count.fetch_sub(1, std::memory_order_relaxed);
  loop_ = source;
  state_ = State::kClosing;
  close_reason_ = Status(StatusCode::kAborted, "moved to a loop that has stopped");
  FinishClose();
}

void ConnectionImpl::RunOnLoop() {
  state_ = State::kOpen;
  if (!Attach()) {
    Close(Status(StatusCode::kNetwork, "the new loop cannot poll the connection"));
    return;
  }
  const auto done = std::exchange(move_done_, nullptr);
  if (done) done(*this);
}

void ConnectionImpl::SetKeepAlive(int seconds) {
  if (is_unix()) return;
  const int on = seconds > 0 ? 1 : 0;
  setsockopt(fd_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (on == 0) return;
  // The first probe after the given time, then three more within as long again.
  const int interval = std::max(1, seconds / 3);
  const int probes = 3;
  setsockopt(fd_, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
  setsockopt(fd_, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd_, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

}  // namespace kiwi::net
