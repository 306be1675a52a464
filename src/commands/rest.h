// What a read leaves to be done behind its shards: a handler that has found much to answer makes a
// walk (keyspace/key_walk.h, body_walk.h) of the moment at which it runs, and returns; the rest of
// the reply is written when the locks are released, the walk taking them for a short time each.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "protocol/reply_writer.h"

namespace kiwi::commands {

// More than this is not copied, or gone through, under a lock.
inline constexpr size_t kMaxBytesAtOnce = 1 << 20;
inline constexpr size_t kMaxStepsAtOnce = 4096;  // keys, fields

// Used by one thread at a time; destroyed where no shard is held.
class Rest {
 public:
  // Appends its part of a reply. False: that has become impossible, and the read must run anew.
  using Write = std::function<bool(protocol::ReplyWriter& reply)>;

  enum class Where : uint8_t {
    kHere,       // the thread that runs the handler will run the rest, or see to it
    kElsewhere,  // it must not run for long (net loops): nothing can be left
  };
  explicit Rest(Where where) : where_(where) {}
  Rest(const Rest&) = delete;
  Rest& operator=(const Rest&) = delete;

  // Before anything is left. False: the handler returns; the read will run again, elsewhere.
  bool Accepts() {
    refused_ = refused_ || where_ == Where::kElsewhere;
    return !refused_;
  }
  // What has been written comes before, what will be comes behind. bytes: about how many it will be.
  void Add(protocol::ReplyWriter& reply, size_t bytes, Write write);
  // What was written and left from there on will not be answered.
  void TakeBack(size_t begin);

  bool refused() const { return refused_; }
  bool pending() const { return !parts_.empty() || !dropped_.empty(); }
  size_t bytes() const { return bytes_; }
  // Writes all into the buffer that the replies went to. False: as Write says.
  bool Run(std::string* buffer);

 private:
  struct Part {
    size_t at;  // in the buffer
    size_t bytes;
    int resp_version;
    Write write;
  };

  const Where where_;
  bool refused_ = false;
  size_t bytes_ = 0;
  std::vector<Part> parts_;    // by their place
  std::vector<Part> dropped_;  // until no shard is held
};

}  // namespace kiwi::commands
