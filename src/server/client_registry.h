// All client connections of the server, over all loops: their ids, what CLIENT LIST tells about
// them, and a way to close them from any thread.
//
// A session keeps a ClientRecord and stores into it as it goes (relaxed atomics: a few plain stores
// a batch). Whoever lists clients reads the records; no loop is asked or woken.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "commands/client_info.h"

namespace kiwi::server {

struct ClientEndpoint {
  std::string address;
  std::string local_address;
  int fd = -1;
  bool unix_socket = false;
  int64_t created_ms = 0;  // by the caller's clock, as all times here
};

class ClientRecord {
 public:
  enum Flag : uint32_t {
    kCloseAfterReply = 1u << 0,
    kCloseSoon = 1u << 1,
    kTransactionDirty = 1u << 2,
    kNoEvict = 1u << 3,
    kBlocked = 1u << 4,
    kWaits = 1u << 5,      // for replicas: CLIENT UNBLOCK may end it
    kUnblocked = 1u << 6,  // it has
    kUnblockedByError = 1u << 7,
  };

  ClientRecord(uint64_t id, ClientEndpoint endpoint);

  const uint64_t id;
  const ClientEndpoint endpoint;

  // Stored by the thread that has the session, read by any: relaxed.
  std::atomic<int64_t> active_ms;     // when it last sent something
  std::atomic<int> last_command{-1};  // CommandTable id
  std::atomic<int> db{0};
  std::atomic<int> resp_version{2};
  std::atomic<int> priority{static_cast<int>(commands::ClientPriority::kNormal)};
  std::atomic<int> queued_commands{-1};  // of MULTI
  std::atomic<uint32_t> flags{0};
  std::atomic<size_t> watched_keys{0};
  std::atomic<size_t> query_bytes{0};  // received behind the executing batch
  std::atomic<size_t> query_free_bytes{0};
  std::atomic<size_t> argument_bytes{0};  // of the executing batch
  std::atomic<size_t> queued_bytes{0};
  std::atomic<size_t> reply_buffer_bytes{0};
  std::atomic<size_t> reply_buffer_peak{0};
  std::atomic<size_t> unsent_bytes{0};

  void SetFlag(Flag flag, bool on) {
    if (on) {
      flags.fetch_or(flag, std::memory_order_relaxed);
    } else {
      flags.fetch_and(~uint32_t{flag}, std::memory_order_relaxed);
    }
  }
  bool Has(Flag flag) const { return (flags.load(std::memory_order_relaxed) & flag) != 0; }

  void SetName(std::string_view name) KIWI_EXCLUDES(mu_);
  void SetLibraryName(std::string_view name) KIWI_EXCLUDES(mu_);
  void SetLibraryVersion(std::string_view version) KIWI_EXCLUDES(mu_);
  std::string name() const KIWI_EXCLUDES(mu_);

  commands::ClientInfo Describe(int64_t now_ms) const KIWI_EXCLUDES(mu_);

 private:
  mutable Mutex mu_;  // rarely taken: names change rarely
  std::string name_ KIWI_GUARDED_BY(mu_);
  std::string library_name_ KIWI_GUARDED_BY(mu_);
  std::string library_version_ KIWI_GUARDED_BY(mu_);
};

// Thread-safe.
class ClientRegistry {
 public:
  // Tells the connection's owner to close it. Called under a lock of the registry, while the record
  // is still registered: it only posts to the loop, and does not call back.
  using CloseFn = std::function<void(uint64_t id)>;

  // Ids are given in order, from 1 on, and never twice.
  std::shared_ptr<ClientRecord> Add(ClientEndpoint endpoint, CloseFn close);
  // After it returns, close is not called any more. Once.
  void Remove(uint64_t id);

  // Those told to close count no more, and are not listed.
  size_t count() const { return count_.load(std::memory_order_relaxed); }
  // By id.
  std::vector<commands::ClientInfo> List(const commands::ClientFilter& filter,
                                         int64_t now_ms) const;
  // Closes those that match, except self_id, and says how many match, self_id included: its own
  // session closes it after the reply.
  size_t Kill(const commands::ClientFilter& filter, uint64_t self_id, int64_t now_ms);
  // False: it does not exist, or waits for nothing.
  bool Unblock(uint64_t id, bool by_error);
  void ForEach(const std::function<void(ClientRecord&)>& visit) const;

 private:
  struct Entry {
    std::shared_ptr<ClientRecord> record;
    CloseFn close;
  };
  // Spread by id, so that connecting clients of several loops seldom meet.
  static constexpr size_t kShards = 16;
  struct Shard {
    mutable Mutex mu;
    std::unordered_map<uint64_t, Entry> entries KIWI_GUARDED_BY(mu);
  };
  Shard& ShardOf(uint64_t id) { return shards_[id % kShards]; }

  std::atomic<uint64_t> next_id_{1};
  std::atomic<size_t> count_{0};
  std::array<Shard, kShards> shards_;
};

}  // namespace kiwi::server
