// The server as commands see it: narrow, in strings and plain structs, so that commands depend on
// nothing above them. The server implements it. Every method may be called by any thread that
// executes commands, several at once.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/function_ref.h"
#include "base/status.h"
#include "commands/client_info.h"
#include "commands/cluster_state.h"
#include "commands/info_figures.h"
#include "keyspace/keyspace.h"

namespace kiwi::commands {

using NameValue = std::pair<std::string, std::string>;
using NameValueViews = std::span<const std::pair<std::string_view, std::string_view>>;

struct ConfigSetError {
  bool unknown = false;  // no such option; else what follows is wrong with it
  std::string name;      // the option as the client wrote it
  std::string reason;    // "argument must be between 1 and 65535 inclusive", without a full stop
};

struct SlowlogEntry {
  int64_t id = 0;
  int64_t unix_s = 0;
  int64_t duration_us = 0;
  std::vector<std::string> args;  // already cut to 32 of 128 bytes
  std::string client_address;
  std::string client_name;
};

struct LatencySample {
  int64_t unix_s = 0;
  int64_t latency_ms = 0;
};

struct LatencyEvent {
  std::string name;                    // "command", "fast-command"
  std::vector<LatencySample> samples;  // oldest first
  int64_t all_time_max_ms = 0;
};

// Calls of one command by duration: bucket i counts those of at most `le_us`, all before included.
struct CommandHistogram {
  int command_id = 0;
  uint64_t calls = 0;
  struct Bucket {
    uint64_t le_us = 0;
    uint64_t cumulative_calls = 0;
  };
  std::vector<Bucket> buckets;  // ascending; those where the count grew
};

struct ShutdownRequest {
  enum class Save : uint8_t { kAsConfigured, kNo, kYes };
  Save save = Save::kAsConfigured;
  bool now = false;    // do not wait for clients' replies to drain
  bool force = false;  // go on when a last checkpoint fails
};

// What was backed up, and where to.
struct BackupReport {
  std::string path;
  uint64_t index = 0;  // the last log entry that it covers
  uint64_t term = 0;
  uint64_t bytes = 0;
};

class FaultView;  // commands/fault_view.h
class GroupView;  // commands/group_view.h

enum class PauseMode : uint8_t { kWrites, kAll };

class ServerView {
 public:
  virtual ~ServerView() = default;

  virtual Clock& clock() = 0;

  // --- authentication: the default user and requirepass ---
  virtual bool PasswordRequired() const = 0;
  // True for ("default", the password), and for any password while none is required.
  virtual bool CheckPassword(std::string_view user, std::string_view password) const = 0;

  // --- configuration, by name as in Redis's configuration file ---
  // Every option with its value, in the order of the option table, names in lower case. Aliases
  // (the
  // *-ziplist-* names) are listed on their own.
  virtual std::vector<NameValue> ConfigList() const = 0;
  // All or nothing. Names in any case; duplicates have been refused by the caller.
  virtual std::optional<ConfigSetError> ConfigSet(NameValueViews options) = 0;
  // Not ok when there is no configuration file (kNotFound) or it cannot be written.
  virtual Status ConfigRewrite() = 0;

  // --- figures ---
  // needs: of InfoNeed. What it does not name may be left empty.
  virtual void CollectInfo(uint32_t needs, InfoFigures* figures) = 0;
  virtual void ResetStats() = 0;  // CONFIG RESETSTAT
  // The allocator's own report (MEMORY MALLOC-STATS); empty: it has none.
  virtual std::string AllocatorReport() = 0;
  virtual void PurgeAllocator() = 0;

  // --- the group ---
  virtual bool cluster_enabled() const = 0;
  virtual ClusterState DescribeCluster() = 0;
  // How many other nodes have the log up to `index` on their disks (SessionView::last_write).
  virtual uint64_t ReplicasWith(uint64_t index) = 0;

  // --- clients ---
  // The matching ones by id; of each loop's own the state at one moment.
  virtual std::vector<ClientInfo> ListClients(const ClientFilter& filter) = 0;
  // How many were told to close. The caller's own connection (self_id) closes after its reply.
  virtual size_t KillClients(const ClientFilter& filter, uint64_t self_id) = 0;
  // Ends what the client waits for (WAIT); false: it waits for nothing, or is none.
  virtual bool UnblockClient(uint64_t id, bool by_error) = 0;
  virtual void PauseClients(PauseMode mode, int64_t until_wall_ms) = 0;
  virtual void UnpauseClients() = 0;

  // --- slow log and latency ---
  virtual std::vector<SlowlogEntry> Slowlog(size_t count_max) const = 0;  // newest first
  virtual size_t SlowlogLength() const = 0;
  virtual void SlowlogReset() = 0;
  virtual int64_t LatencyThresholdMs() const = 0;  // 0: the monitor is off
  virtual std::vector<LatencyEvent> LatencyEvents() const = 0;
  virtual size_t LatencyReset(std::span<const std::string_view> events) = 0;  // empty: all
  virtual std::vector<CommandHistogram> LatencyHistograms() const = 0;  // of commands with calls

  // --- durability and life cycle ---
  // Starts a checkpoint of the keyspace; with `wait` returns when it is durable. kBusy: one runs.
  virtual Status Checkpoint(bool wait) = 0;
  // Writes a backup that holds at least what was acknowledged before the call, and returns when it
  // is durable. kInvalidArgument: the path, or what is there already.
  virtual Result<BackupReport> Backup(std::string_view path) = 0;
  // Ok: the server is on its way down and gives no reply to the caller.
  virtual Status RequestShutdown(const ShutdownRequest& request) = 0;
  virtual bool AbortShutdown() = 0;  // false: none was under way

  // --- the keyspace, for commands that carry no key in their row (DEBUG DIGEST …) ---
  // Runs `read` on database `db` under shared locks of `shards`, at a moment that includes every
  // write acknowledged before the call. At once when the executing thread holds the locks already.
  virtual void ReadKeyspace(int db, keyspace::ShardSet shards,
                            FunctionRef<void(keyspace::Db&)> read) = 0;
  // Executes a write as if a client had sent it to database `db`, and returns its reply (RESP2)
  // once it is durable. Empty: that cannot be done here (inside a transaction).
  virtual std::string ExecuteWrite(int db, std::span<const std::string_view> args) = 0;

  // --- the group ---
  virtual GroupView* group() = 0;

  // --- debugging ---
  // By the names of storage::FileFaults::Set. kUnavailable: the server runs without a file layer.
  virtual Status SetDiskFault(std::string_view fault, std::string_view value) = 0;
  // Null unless fault.enabled stood in the configuration at the start.
  virtual FaultView* faults() = 0;
  virtual void SetActiveExpire(bool on) = 0;
  // Occupies the executing thread, in pieces: returns early when the server shuts down.
  virtual void SleepUs(int64_t us) = 0;
  // Likewise, as a slow reader of these shards: holds them shared.
  virtual void HoldShards(keyspace::ShardSet shards, int64_t us) = 0;
  virtual int ShardHolders() const = 0;  // calls of HoldShards that hold them now
  virtual void ReleaseShards() = 0;      // ends those before their time
  // Before what a read has left (commands/rest.h) is run: waits while PauseReads says so.
  virtual void BeforeRest() {}
  virtual void PauseReads(bool) {}
  virtual int PausedReads() const { return 0; }
};

}  // namespace kiwi::commands
