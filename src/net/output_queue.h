// What a connection has to send. Replies of one loop iteration are gathered in the loop's arena,
// which is warm and costs an idle connection nothing; what the socket does not take at the end of
// the iteration is copied into buffers of the connection's own.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kiwi::net {

// Memory for one iteration's output. Loop thread only.
class OutputArena {
 public:
  // n bytes that stay where they are until Reset().
  char* Allocate(size_t n);
  // True when p is where the next Allocate(n) would begin: a piece that ends there can grow in
  // place.
  bool IsNext(const char* p, size_t n) const { return p == next_ && n <= left_; }
  void Reset();

 private:
  static constexpr size_t kBlockBytes = 128 << 10;

  std::vector<std::unique_ptr<char[]>> blocks_;  // the first is kept
  char* next_ = nullptr;
  size_t left_ = 0;
};

class OutputQueue {
 public:
  enum class FlushResult { kAll, kBlocked, kError };

  void Append(std::string_view bytes, OutputArena& arena);
  // A large string is taken over, a small one copied.
  void Append(std::string&& bytes, OutputArena& arena);
  // bytes live as long as owner does, and are not copied unless they are few.
  void AppendShared(std::shared_ptr<const void> owner, std::string_view bytes, OutputArena& arena);
  // Writes what the socket takes. After kBlocked nothing of the arena is referenced any more, and
  // until all is written no more of it will be. errno tells about kError.
  FlushResult Flush(int fd);
  // Copies what stands in the arena.
  void LeaveArena();
  void Clear();

  size_t size() const { return size_; }

 private:
  struct Piece {
    const char* data;
    size_t size;
    std::string owned;  // holds data, or is empty when the arena or an owner does
    bool in_arena;
    std::shared_ptr<const void> owner;
  };
  void AppendOwned(std::string_view bytes);
  void Drop(size_t n);

  std::vector<Piece> pieces_;
  size_t first_ = 0;  // pieces before it are written
  size_t size_ = 0;
  bool blocked_ = false;
};

}  // namespace kiwi::net
