// What a connection has received and its owner has not yet consumed: contiguous bytes.
//
// The bytes stand in reference-counted blocks. A loop reads into one shared block (the slab), so an
// idle connection holds no memory, and a busy one reads into memory that is warm. Only what is left
// unconsumed is copied into a block of the connection's own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace kiwi::net {

// A share in a block of received bytes: as long as it lives, so do the views into the block. Small
// (a pointer); can be dropped on any thread. Don't keep one for long (a blocked client): it may pin
// a whole slab for a few bytes; copy those instead.
class InputBlock {
 public:
  InputBlock() = default;
  static InputBlock Allocate(size_t capacity);
  InputBlock(InputBlock&& other) noexcept : rep_(std::exchange(other.rep_, nullptr)) {}
  InputBlock& operator=(InputBlock&& other) noexcept;
  ~InputBlock() { Reset(); }

  InputBlock Share() const;
  void Reset();
  explicit operator bool() const { return rep_ != nullptr; }
  bool shared() const { return rep_->refs.load(std::memory_order_acquire) > 1; }
  char* bytes() const { return reinterpret_cast<char*>(rep_ + 1); }
  size_t capacity() const { return rep_->capacity; }
  bool SameAs(const InputBlock& other) const { return rep_ == other.rep_; }

 private:
  struct Rep {
    std::atomic<uint32_t> refs;
    size_t capacity;
  };
  explicit InputBlock(Rep* rep) : rep_(rep) {}

  Rep* rep_ = nullptr;  // the bytes follow it
};

// So much of an unfinished request is copied in front of the next read rather than getting a block
// to read into of its own.
inline constexpr size_t kSlabCarryMax = 4096;

// One thread at a time (the connection's loop).
class InputBuffer {
 public:
  InputBuffer() = default;
  InputBuffer(InputBuffer&& other) noexcept = default;
  InputBuffer& operator=(InputBuffer&& other) noexcept = default;
  ~InputBuffer() = default;

  std::string_view data() const {
    return block_ ? std::string_view(block_.bytes() + begin_, end_ - begin_) : std::string_view();
  }
  void Consume(size_t n) { begin_ += n; }
  // A share in the block that holds data(): views into data() taken before, consumed or not, stay
  // valid while it lives, whatever the connection reads meanwhile. Empty when there is no data yet.
  InputBlock Take() const { return block_ ? block_.Share() : InputBlock(); }

  // Makes room for at least n more bytes behind data(), in a block of its own, moving or growing as
  // needed. Bytes that somebody has a share in are left where they are.
  char* Reserve(size_t n, size_t* capacity);
  void Commit(size_t n) { end_ += n; }
  size_t capacity() const { return block_ ? block_.capacity() : 0; }
  void Clear();

  // --- for the connection ---
  // Goes on in slab[offset, limit): data() is copied to its front.
  void MoveToSlab(const InputBlock& slab, size_t offset, size_t limit);
  // After the owner has seen the bytes: nothing left frees the block; what is left in a slab, or is
  // little in a big block, moves to a block of fitting size.
  void Park(const InputBlock& slab);
  // Where data() ends in the block, and how much may be written there.
  size_t end_offset() const { return end_; }
  char* tail() const { return block_.bytes() + end_; }
  size_t room() const { return limit_ - end_; }
  bool in(const InputBlock& block) const { return block_.SameAs(block); }
  // What can be read behind data() without growing, in a block of its own; 0 in a slab.
  size_t own_room() const;

 private:
  void MoveTo(InputBlock block, size_t offset, size_t limit);

  InputBlock block_;
  size_t begin_ = 0;
  size_t end_ = 0;
  size_t limit_ = 0;  // behind it, the block belongs to others
};

}  // namespace kiwi::net
