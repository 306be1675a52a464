// MULTI: what is queued, what is watched, and how EXEC becomes one log record.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "commands/command.h"
#include "raft/node/entry_codec.h"

namespace kiwi::server {

// A queued command with arguments of its own (the input it came in is gone by EXEC).
class QueuedCommands {
 public:
  struct Queued {
    const commands::Command* command = nullptr;
    std::vector<std::string> args;
    int db = 0;  // set by ResolveDatabases
  };

  void Add(const commands::Command* command, commands::Args args);
  // Walks SELECTs, so that each command knows its database before anything runs.
  void ResolveDatabases(int db, int databases);
  void Clear();

  const std::vector<Queued>& commands() const { return commands_; }
  bool empty() const { return commands_.empty(); }
  size_t size() const { return commands_.size(); }
  size_t bytes() const { return bytes_; }
  bool has_write() const { return has_write_; }
  bool has_deny_oom() const { return has_deny_oom_; }
  bool slow() const { return slow_; }
  // All that must be locked, so that the transaction sees one moment.
  keyspace::ShardSet Shards() const;

 private:
  std::vector<Queued> commands_;
  size_t bytes_ = 0;
  bool has_write_ = false;
  bool has_deny_oom_ = false;
  bool slow_ = false;
};

struct Watch {
  int db = 0;
  bool existed = false;
  std::string key;
};

// A MULTI that met its EXEC: moved from the session into the batch that runs it.
struct Transaction {
  QueuedCommands queue;
  std::vector<Watch> watches;
  uint64_t watch_index = 0;

  keyspace::ShardSet Shards() const;
  // Tells the moment's wall view of the expiring keys that its reads and watches will meet. All its
  // shards are held.
  void NoteExpired(keyspace::Keyspace& keyspace, const keyspace::Moment& moment) const;
  // The record of its writes; nothing when it has none.
  void AppendRecord(std::string* out) const;
};

// Of the k-th write of an entry, or of a transaction: well spread, and the same on every node.
uint64_t CommandSeed(uint64_t seed, uint64_t ordinal);

// True when a watched key has changed since the watch, as of `moment`. The keys' shards are held.
// The same function decides on every node.
bool WatchedKeyChanged(keyspace::Keyspace& keyspace, const keyspace::Moment& moment,
                       uint64_t watch_index, const raft::WatchedKey& watch);

}  // namespace kiwi::server
