#include "net/input_buffer.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/check.h"

namespace kiwi::net {
namespace {

constexpr size_t kSmallestOwnBlock = 256;

}  // namespace

InputBlock InputBlock::Allocate(size_t capacity) {
  void* memory = std::malloc(sizeof(Rep) + capacity);
  KIWI_CHECK(memory != nullptr, "out of memory");
  return InputBlock(new (memory) Rep{{1}, capacity});
}

InputBlock& InputBlock::operator=(InputBlock&& other) noexcept {
  if (this != &other) {
    Reset();
    rep_ = std::exchange(other.rep_, nullptr);
  }
  return *this;
}

InputBlock InputBlock::Share() const {
  rep_->refs.fetch_add(1, std::memory_order_relaxed);
  return InputBlock(rep_);
}

void InputBlock::Reset() {
  Rep* rep = std::exchange(rep_, nullptr);
  if (rep == nullptr || rep->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  rep->~Rep();
  std::free(rep);
}

char* InputBuffer::Reserve(size_t n, size_t* capacity) {
  const size_t held = end_ - begin_;
  if (!block_ || room() < n) {
    const bool own = block_ && limit_ == block_.capacity() && !block_.shared();
    if (own && limit_ - held >= n && begin_ >= held) {
      std::memmove(block_.bytes(), block_.bytes() + begin_, held);
      begin_ = 0;
      end_ = held;
    } else {
      const size_t size = std::max(kSmallestOwnBlock, held + n);
      MoveTo(InputBlock::Allocate(size), 0, size);
    }
  }
  *capacity = room();
  return tail();
}

size_t InputBuffer::own_room() const { return block_ && limit_ == block_.capacity() ? room() : 0; }

void InputBuffer::Clear() {
  block_.Reset();
  begin_ = end_ = limit_ = 0;
}

void InputBuffer::MoveToSlab(const InputBlock& slab, size_t offset, size_t limit) {
  MoveTo(slab.Share(), offset, limit);
}

void InputBuffer::Park(const InputBlock& slab) {
  if (!block_) return;
  const size_t held = end_ - begin_;
  if (held == 0) {
    Clear();
    return;
  }
  const bool too_big =
      held <= kSlabCarryMax && block_.capacity() > 4 * std::max(kSmallestOwnBlock, held);
  if (block_.SameAs(slab) || too_big) {
    const size_t size = std::max(kSmallestOwnBlock, held);
    MoveTo(InputBlock::Allocate(size), 0, size);
  }
}

void InputBuffer::MoveTo(InputBlock block, size_t offset, size_t limit) {
  const size_t held = end_ - begin_;
  KIWI_DCHECK(offset + held <= limit, "the new place is too small");
  if (held > 0) std::memcpy(block.bytes() + offset, block_.bytes() + begin_, held);
  block_ = std::move(block);
  begin_ = offset;
  end_ = offset + held;
  limit_ = limit;
}

}  // namespace kiwi::net
