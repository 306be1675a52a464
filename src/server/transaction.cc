#include "server/transaction.h"

#include "base/numbers.h"
#include "base/random.h"

namespace kiwi::server {

using commands::Args;
using commands::Command;
using commands::CommandTable;

namespace {

// A transaction of more arguments than this is applied by a worker.
constexpr size_t kFastQueueLength = 64;

std::vector<std::string_view> Views(const std::vector<std::string>& args) {
  return {args.begin(), args.end()};
}

}  // namespace

void QueuedCommands::Add(const Command* command, Args args) {
  Queued queued{.command = command, .args = {args.begin(), args.end()}};
  for (const std::string_view arg : args) bytes_ += arg.size() + sizeof(std::string);
  has_write_ = has_write_ || command->Is(commands::kWrite);
  has_deny_oom_ = has_deny_oom_ || command->Is(commands::kDenyOom);
  slow_ = slow_ || !command->Is(commands::kFast | commands::kCheap) ||
          commands_.size() >= kFastQueueLength;
  commands_.push_back(std::move(queued));
}

void QueuedCommands::ResolveDatabases(int db, int databases) {
  for (Queued& queued : commands_) {
    queued.db = db;
    if (queued.command->full_name != "select" || queued.args.size() != 2) continue;
    int64_t index = 0;
    if (ParseInt64(queued.args[1], &index) && index >= 0 && index < databases) {
      db = static_cast<int>(index);
    }
  }
}

void QueuedCommands::Clear() { *this = {}; }

keyspace::ShardSet QueuedCommands::Shards() const {
  keyspace::ShardSet shards;
  for (const Queued& queued : commands_) {
    const auto args = Views(queued.args);
    shards.Merge(CommandTable::Shards(*queued.command, args));
    // Server commands may look at the whole keyspace (INFO, DEBUG DIGEST …).
    if (!queued.command->Is(commands::kWrite | commands::kReadOnly | commands::kFast)) {
      shards.AddAll();
    }
  }
  return shards;
}

keyspace::ShardSet Transaction::Shards() const {
  keyspace::ShardSet shards = queue.Shards();
  for (const Watch& watch : watches) shards.AddKey(watch.key);
  return shards;
}

void Transaction::NoteExpired(keyspace::Keyspace& keyspace, const keyspace::Moment& moment) const {
  for (const Watch& watch : watches) {
    keyspace::Db(keyspace, watch.db, moment).NoteExpired(watch.key);
  }
  std::vector<int> positions;
  for (const auto& queued : queue.commands()) {
    if (!queued.command->Is(commands::kReadOnly)) continue;
    const keyspace::Db db(keyspace, queued.db, moment);
    if (queued.command->Is(commands::kAllShards)) db.NoteAllExpired();
    positions.clear();
    if (!CommandTable::KeyPositions(*queued.command, Views(queued.args), &positions)) continue;
    for (const int i : positions) db.NoteExpired(queued.args[static_cast<size_t>(i)]);
  }
}

void Transaction::AppendRecord(std::string* out) const {
  if (!queue.has_write()) return;
  std::vector<raft::WatchedKey> watched;
  watched.reserve(watches.size());
  for (const Watch& watch : watches) {
    watched.push_back(
        {.db = static_cast<uint64_t>(watch.db), .existed = watch.existed, .key = watch.key});
  }
  size_t writes = 0;
  for (const auto& queued : queue.commands()) writes += queued.command->Is(commands::kWrite);
  raft::AppendTransactionHeader(watch_index, watched, writes, out);
  for (const auto& queued : queue.commands()) {
    if (!queued.command->Is(commands::kWrite)) continue;
    raft::AppendCommandBody(static_cast<uint64_t>(queued.db), Views(queued.args), out);
  }
}

uint64_t CommandSeed(uint64_t seed, uint64_t ordinal) {
  return Random(seed ^ (ordinal * 0x9e3779b97f4a7c15ULL)).Next();
}

bool WatchedKeyChanged(keyspace::Keyspace& keyspace, const keyspace::Moment& moment,
                       uint64_t watch_index, const raft::WatchedKey& watch) {
  const keyspace::Db db(keyspace, static_cast<int>(watch.db), moment);
  const bool exists = db.FindNoTouch(watch.key) != nullptr;
  // Gone by its time to live alone, which no log entry need have told yet.
  if (watch.existed && !exists) return true;
  // A key that was missing (or expired and merely not yet removed) and still is has not changed.
  if (!watch.existed && !exists) return false;
  return db.ModifiedSince(watch.key, watch_index);
}

}  // namespace kiwi::server
