// The entries of an append as they travel: encoded, cut into frames, checksummed and compressed once
// for all peers; large payloads are sent from where they lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "raft/core/types.h"
#include "raft/transport/frame.h"

namespace kiwi::raft {

struct BodyOptions {
  size_t frame_bytes = 256 << 10;
  size_t compress_min_bytes = 64 << 10;  // 0: never
};

// A stretch of bytes and what keeps them alive.
struct SharedBytes {
  std::shared_ptr<const void> owner;
  std::string_view bytes;
};

// One thread (the transport's).
class EntriesBody {
 public:
  // entries is not empty.
  EntriesBody(const std::vector<Entry>& entries, const BodyOptions& options);

  struct FramePieces {
    std::vector<SharedBytes> pieces;  // header first
    size_t raw_bytes = 0;             // of entries, unpacked
  };
  // Frame i; null behind the last. Made when first asked for, and kept until the body goes: what is
  // not compressed costs a header only.
  const FramePieces* FrameAt(size_t i);
  size_t raw_bytes() const { return raw_bytes_; }
  bool Holds(const std::vector<Entry>& entries) const;

 private:
  void Own(std::string bytes);
  FramePieces Cut();
  FramePieces MakeFrame();

  const BodyOptions options_;
  // What identifies the entries; holding the payloads keeps their addresses from being used again.
  const Entry first_;
  const Entry last_;
  const size_t count_;
  size_t raw_bytes_ = 0;
  std::deque<SharedBytes> rest_;     // not cut yet
  std::vector<FramePieces> frames_;  // made
  int incompressible_ = 0;           // so many frames are not tried
};

// The bodies made last. Small ones live here for a while, so that each peer's turn finds them; large
// ones only as long as some peer is being sent them.
class BodyCache {
 public:
  explicit BodyCache(const BodyOptions& options) : options_(options) {}
  std::shared_ptr<EntriesBody> Get(const std::vector<Entry>& entries);

 private:
  struct Slot {
    std::weak_ptr<EntriesBody> body;
    std::shared_ptr<EntriesBody> kept;
  };
  const BodyOptions options_;
  std::vector<Slot> slots_;
  size_t next_ = 0;
};

// Appends to *out, which will grow to `whole` bytes at most. Room follows what has come, in steps so
// large that the loop never copies much at once.
void AppendPiece(std::string_view piece, size_t whole, std::string* out);

// Puts entries together from the frames' payloads as they come.
class EntriesReader {
 public:
  explicit EntriesReader(size_t bytes_max) : bytes_max_(bytes_max) {}
  // kCorruption: does not decode, or is longer than bytes_max.
  Status Feed(std::string_view bytes);
  // After the last frame; the reader is empty again.
  Result<std::vector<Entry>> Finish();

 private:
  Status TakeHead(std::string_view* bytes);
  void TakePayload(std::string_view* bytes);
  void EndEntry();

  const size_t bytes_max_;
  std::vector<Entry> entries_;
  size_t bytes_ = 0;  // an estimate of the memory they take
  std::string head_;  // of an entry whose head is cut by a frame's end
  bool in_payload_ = false;
  Entry entry_;
  size_t missing_ = 0;  // of its payload
  std::string payload_;
};

}  // namespace kiwi::raft
