#include "server/client_registry.h"

#include <algorithm>
#include <utility>

#include "commands/command.h"

namespace kiwi::server {

using commands::ClientInfo;

ClientRecord::ClientRecord(uint64_t id_, ClientEndpoint endpoint_)
    : id(id_), endpoint(std::move(endpoint_)), active_ms(endpoint.created_ms) {}

void ClientRecord::SetName(std::string_view name) {
  MutexLock lock(mu_);
  name_ = name;
}

void ClientRecord::SetLibraryName(std::string_view name) {
  MutexLock lock(mu_);
  library_name_ = name;
}

void ClientRecord::SetLibraryVersion(std::string_view version) {
  MutexLock lock(mu_);
  library_version_ = version;
}

std::string ClientRecord::name() const {
  MutexLock lock(mu_);
  return name_;
}

ClientInfo ClientRecord::Describe(int64_t now_ms) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  ClientInfo info;
  info.id = id;
  info.address = endpoint.address;
  info.local_address = endpoint.local_address;
  info.fd = endpoint.fd;
  info.unix_socket = endpoint.unix_socket;
  info.age_s = std::max<int64_t>(0, now_ms - endpoint.created_ms) / 1000;
  info.idle_s = std::max<int64_t>(0, now_ms - active_ms.load(kRelaxed)) / 1000;
  info.priority = static_cast<commands::ClientPriority>(priority.load(kRelaxed));
  info.db = db.load(kRelaxed);
  info.resp_version = resp_version.load(kRelaxed);
  info.queued_commands = queued_commands.load(kRelaxed);
  info.watched_keys = watched_keys.load(kRelaxed);
  info.argument_bytes = argument_bytes.load(kRelaxed);
  info.query_bytes = query_bytes.load(kRelaxed) + info.argument_bytes;
  info.query_free_bytes = query_free_bytes.load(kRelaxed);
  info.queued_bytes = queued_bytes.load(kRelaxed);
  info.reply_buffer_bytes = reply_buffer_bytes.load(kRelaxed);
  info.reply_buffer_peak = reply_buffer_peak.load(kRelaxed);
  info.unsent_bytes = unsent_bytes.load(kRelaxed);
  info.unsent_replies = info.unsent_bytes > 0 ? 1 : 0;
  info.memory_bytes = sizeof(ClientRecord) + info.query_bytes + info.query_free_bytes +
                      info.queued_bytes + info.reply_buffer_bytes + info.unsent_bytes;
  const int command = last_command.load(kRelaxed);
  if (command >= 0) info.last_command = commands::CommandTable::Get().ById(command).full_name;
  info.close_after_reply = Has(kCloseAfterReply);
  info.close_soon = Has(kCloseSoon);
  info.transaction_dirty = Has(kTransactionDirty);
  info.no_evict = Has(kNoEvict);
  info.blocked = Has(kBlocked);
  MutexLock lock(mu_);
  info.name = name_;
  info.library_name = library_name_;
  info.library_version = library_version_;
  return info;
}

std::shared_ptr<ClientRecord> ClientRegistry::Add(ClientEndpoint endpoint, CloseFn close) {
  const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  auto record = std::make_shared<ClientRecord>(id, std::move(endpoint));
  Shard& shard = ShardOf(id);
  MutexLock lock(shard.mu);
  shard.entries.emplace(id, Entry{record, std::move(close)});
  count_.fetch_add(1, std::memory_order_relaxed);
  return record;
}

void ClientRegistry::Remove(uint64_t id) {
  Shard& shard = ShardOf(id);
  MutexLock lock(shard.mu);
  const auto it = shard.entries.find(id);
  if (it == shard.entries.end()) return;
  if (!it->second.record->Has(ClientRecord::kCloseSoon)) {
    count_.fetch_sub(1, std::memory_order_relaxed);
  }
  shard.entries.erase(it);
}

std::vector<ClientInfo> ClientRegistry::List(const commands::ClientFilter& filter,
                                             int64_t now_ms) const {
  std::vector<ClientInfo> clients;
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mu);
    for (const auto& [id, entry] : shard.entries) {
      if (entry.record->Has(ClientRecord::kCloseSoon)) continue;
      ClientInfo info = entry.record->Describe(now_ms);
      if (filter.Matches(info)) clients.push_back(std::move(info));
    }
  }
  std::sort(clients.begin(), clients.end(),
            [](const ClientInfo& a, const ClientInfo& b) { return a.id < b.id; });
  return clients;
}

size_t ClientRegistry::Kill(const commands::ClientFilter& filter, uint64_t self_id,
                            int64_t now_ms) {
  size_t count = 0;
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mu);
    for (const auto& [id, entry] : shard.entries) {
      if (entry.record->Has(ClientRecord::kCloseSoon)) continue;  // told so before
      if (!filter.Matches(entry.record->Describe(now_ms))) continue;
      ++count;
      if (id == self_id) continue;
      entry.record->SetFlag(ClientRecord::kCloseSoon, true);
      count_.fetch_sub(1, std::memory_order_relaxed);
      entry.close(id);
    }
  }
  return count;
}

bool ClientRegistry::Unblock(uint64_t id, bool by_error) {
  Shard& shard = ShardOf(id);
  MutexLock lock(shard.mu);
  const auto it = shard.entries.find(id);
  if (it == shard.entries.end()) return false;
  ClientRecord& record = *it->second.record;
  if (!record.Has(ClientRecord::kWaits) || record.Has(ClientRecord::kUnblocked)) return false;
  if (by_error) record.SetFlag(ClientRecord::kUnblockedByError, true);
  record.SetFlag(ClientRecord::kUnblocked, true);
  return true;
}

void ClientRegistry::ForEach(const std::function<void(ClientRecord&)>& visit) const {
  for (const Shard& shard : shards_) {
    MutexLock lock(shard.mu);
    for (const auto& [id, entry] : shard.entries) visit(*entry.record);
  }
}

}  // namespace kiwi::server
