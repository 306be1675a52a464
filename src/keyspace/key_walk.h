// A walk over all keys of a database as they are at one moment, which holds the lock of one shard
// at a time, for a bounded number of keys: no write waits for it longer than that.
//
// It begins with all shards held for an instant. From then on the applier tells it of each key that
// is created in the database or removed from it, and the walk notes the first such event of each
// key that it has not come to yet. A key that it meets is left out if it is noted; a noted key that
// was there at the beginning is visited from the note. What a key holds, and when it expires, may
// change meanwhile without its being told: a mutation first removes a key that is past its time, so
// what is met and not noted was there at the beginning, and alive then if it is by the moment.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/function_ref.h"
#include "keyspace/keyspace.h"

namespace kiwi::keyspace {

struct Database;

// Copies of keys, in one buffer.
class KeyList {
 public:
  void Clear();
  void Add(std::string_view key);
  size_t size() const { return ends_.size(); }
  size_t bytes() const { return bytes_.size(); }
  std::string_view front() const { return std::string_view(bytes_).substr(0, ends_.front()); }
  void ForEach(FunctionRef<void(std::string_view key)> visit) const;

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

struct KeyWalkLimits {
  // Of what is visited under one hold of a shard, leaves of up to 32 keys being visited whole.
  size_t keys_per_hold = 4096;
  size_t bytes_per_hold = 1 << 20;
  // Of what is noted in all; beyond it the walk ends without a result.
  size_t noted_keys = 1 << 18;
  size_t noted_bytes = 32 << 20;
};

// Used by one thread, which holds no shard save where it is made; the applier's calls come from
// another. The keyspace outlives it. FLUSHDB, SWAPDB and an installed snapshot leave it the database
// that it has begun on, which nobody changes any more once it is out of use.
class KeyWalk {
 public:
  enum class Step : uint8_t { kMore, kEnd, kOverflow };

  // All shards are held, and stay so until it is made. db's moment is the walk's; its wall view, if
  // any, is told of the keys that the walk meets, and outlives it.
  explicit KeyWalk(const Db& db, const KeyWalkLimits& limits = {});
  ~KeyWalk();  // takes all shards, shared, for an instant
  KeyWalk(const KeyWalk&) = delete;
  KeyWalk& operator=(const KeyWalk&) = delete;

  // Puts the next keys into *keys; each live key of the moment comes once, in no certain order.
  // kEnd: there are no more, and none was put. kOverflow: more has changed meanwhile than the limits
  // allow to note; the walk is of no use any more.
  Step Next(KeyList* keys);

  // --- the applier, before the change, with the key's shard held exclusively ---
  void KeyCreated(uint16_t slot, uint64_t hash, std::string_view key);
  void KeyRemoved(uint16_t slot, uint64_t hash, const Object& object);

 private:
  // What the first event of a key says of the beginning.
  struct Note {
    bool existed;
    int64_t expire_at_ms;
  };
  struct Hasher {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };
  struct Part {             // guarded by the lock of its shard
    uint64_t frontier = 0;  // a cursor: keys before it were visited; kPassed: all of the shard
    std::unordered_map<std::string, Note, Hasher, std::equal_to<>> notes;  // at or behind it
  };
  static constexpr uint64_t kPassed = ~uint64_t{0};

  void Remember(uint16_t slot, uint64_t hash, std::string_view key, const Note& note);
  bool Visit(Part& part, KeyList* keys);
  bool IsLive(std::string_view key, int64_t expire_at_ms);

  Keyspace& keyspace_;
  const int db_index_;
  const Moment moment_;
  const KeyWalkLimits limits_;
  std::shared_ptr<Database> database_;
  int shard_ = 0;  // the next to be visited
  std::array<Part, kShardCount> parts_;
  // The applier's: of all parts.
  size_t noted_keys_ = 0;
  size_t noted_bytes_ = 0;
  std::atomic<bool> overflowed_{false};
};

}  // namespace kiwi::keyspace
