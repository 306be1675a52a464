#include "net/output_queue.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace kiwi::net {
namespace {

// From here on a string is worth a piece of its own instead of a copy.
constexpr size_t kTakeOverBytes = 4096;
// Backlog is kept in pieces of about this size, so that what is sent is freed.
constexpr size_t kOwnPieceBytes = 16 << 10;
constexpr int kMaxPieces = 64;  // for one writev

}  // namespace

char* OutputArena::Allocate(size_t n) {
  if (n > left_) {
    const size_t size = std::max(n, kBlockBytes);
    // Not initialised: it is written before it is read.
    blocks_.push_back(std::unique_ptr<char[]>(new char[size]));
    next_ = blocks_.back().get();
    left_ = size;
  }
  char* p = next_;
  next_ += n;
  left_ -= n;
  return p;
}

void OutputArena::Reset() {
  if (blocks_.empty()) return;
  if (blocks_.size() > 1) blocks_.resize(1);
  next_ = blocks_[0].get();
  left_ = kBlockBytes;
}

void OutputQueue::Append(std::string_view bytes, OutputArena& arena) {
  if (bytes.empty()) return;
  if (blocked_) {
    AppendOwned(bytes);
    return;
  }
  size_ += bytes.size();
  if (!pieces_.empty() && pieces_.back().in_arena) {
    Piece& last = pieces_.back();
    if (arena.IsNext(last.data + last.size, bytes.size())) {
      std::memcpy(arena.Allocate(bytes.size()), bytes.data(), bytes.size());
      last.size += bytes.size();
      return;
    }
  }
  char* p = arena.Allocate(bytes.size());
  std::memcpy(p, bytes.data(), bytes.size());
  pieces_.push_back({p, bytes.size(), {}, true, nullptr});
}

void OutputQueue::Append(std::string&& bytes, OutputArena& arena) {
  if (bytes.size() < kTakeOverBytes) {
    Append(std::string_view(bytes), arena);
    return;
  }
  size_ += bytes.size();
  Piece& piece =
      pieces_.emplace_back(Piece{nullptr, bytes.size(), std::move(bytes), false, nullptr});
  piece.data = piece.owned.data();  // on the heap: it does not move with the piece
}

void OutputQueue::AppendShared(std::shared_ptr<const void> owner, std::string_view bytes,
                               OutputArena& arena) {
  if (bytes.size() < kTakeOverBytes) {
    Append(bytes, arena);
    return;
  }
  size_ += bytes.size();
  pieces_.push_back({bytes.data(), bytes.size(), {}, false, std::move(owner)});
}

void OutputQueue::AppendOwned(std::string_view bytes) {
  size_ += bytes.size();
  if (pieces_.size() > first_) {
    Piece& last = pieces_.back();
    if (!last.in_arena && last.data + last.size == last.owned.data() + last.owned.size() &&
        last.owned.size() + bytes.size() <= last.owned.capacity()) {
      last.owned.append(bytes);
      last.size += bytes.size();
      return;
    }
  }
  Piece& piece = pieces_.emplace_back(Piece{nullptr, bytes.size(), {}, false, nullptr});
  piece.owned.reserve(std::max(bytes.size(), kOwnPieceBytes));
  piece.owned.append(bytes);
  piece.data = piece.owned.data();
}

OutputQueue::FlushResult OutputQueue::Flush(int fd) {
  while (size_ > 0) {
    const size_t count = std::min<size_t>(pieces_.size() - first_, kMaxPieces);
    ssize_t sent;
    size_t offered = 0;
    if (count == 1) {
      const Piece& piece = pieces_[first_];
      offered = piece.size;
      sent = ::send(fd, piece.data, piece.size, MSG_NOSIGNAL);
    } else {
      iovec iov[kMaxPieces];
      for (size_t i = 0; i < count; ++i) {
        const Piece& piece = pieces_[first_ + i];
        iov[i] = {const_cast<char*>(piece.data), piece.size};
        offered += piece.size;
      }
      msghdr message{};
      message.msg_iov = iov;
      message.msg_iovlen = count;
      sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
    }
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) return FlushResult::kError;
      sent = 0;
    }
    Drop(static_cast<size_t>(sent));
    // It took less than it was offered: asking again would only be told to wait.
    if (static_cast<size_t>(sent) < offered) {
      LeaveArena();
      blocked_ = true;
      return FlushResult::kBlocked;
    }
  }
  blocked_ = false;
  return FlushResult::kAll;
}

void OutputQueue::Drop(size_t n) {
  size_ -= n;
  while (n > 0) {
    Piece& piece = pieces_[first_];
    const size_t part = std::min(n, piece.size);
    piece.data += part;
    piece.size -= part;
    n -= part;
    if (piece.size > 0) break;
    piece.owned = std::string();
    piece.owner.reset();
    ++first_;
  }
  if (first_ == pieces_.size()) {
    pieces_.clear();
    first_ = 0;
    if (pieces_.capacity() > kMaxPieces) pieces_.shrink_to_fit();
  } else if (first_ > kMaxPieces) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutputQueue::LeaveArena() {
  if (std::none_of(pieces_.begin(), pieces_.end(), [](const Piece& p) { return p.in_arena; })) {
    return;
  }
  std::vector<Piece> old;
  old.swap(pieces_);
  const size_t first = first_;
  first_ = 0;
  size_ = 0;
  for (size_t i = first; i < old.size(); ++i) {
    if (old[i].in_arena) {
      AppendOwned({old[i].data, old[i].size});
    } else {
      size_ += old[i].size;
      pieces_.push_back(std::move(old[i]));
    }
  }
}

void OutputQueue::Clear() {
  pieces_ = {};
  first_ = size_ = 0;
  blocked_ = false;
}

}  // namespace kiwi::net
