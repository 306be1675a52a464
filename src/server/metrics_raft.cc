// /metrics/raft and /metrics/storage.
#include <algorithm>
#include <string>

#include "server/metrics_families.h"
#include "server/metrics_service.h"
#include "server/raft_figures.h"
#include "server/server.h"

namespace kiwi::server {
namespace {

using metrics::Scrape;

template <typename T>
double D(T value) {
  return static_cast<double>(value);
}

void AddGroup(const raft::GroupFigures& figures, std::string_view node, Scrape* out) {
  out->Add(RaftFamily("kiwi_raft_elections_total"), {{"node", node}}, D(figures.elections_begun));
  out->Add(RaftFamily("kiwi_raft_elections_won_total"), {{"node", node}}, D(figures.elections_won));
  out->Add(RaftFamily("kiwi_raft_leader_changes_total"), {{"node", node}},
           D(figures.leader_changes));
  out->Add(RaftFamily("kiwi_raft_leaderless_seconds"), {{"node", node}}, figures.leaderless);
  out->Add(RaftFamily("kiwi_raft_log_sync_seconds"), {{"node", node}}, figures.sync);
  out->Add(RaftFamily("kiwi_raft_commit_seconds"), {{"node", node}}, figures.commit);
  out->Add(RaftFamily("kiwi_raft_apply_seconds"), {{"node", node}}, figures.apply);
  const size_t votes = RaftFamily("kiwi_raft_votes_total");
  out->Add(votes, {{"node", node}, {"answer", "granted"}}, D(figures.votes_granted));
  out->Add(votes, {{"node", node}, {"answer", "refused"}}, D(figures.votes_refused));
  const size_t messages = RaftFamily("kiwi_raft_messages_total");
  for (size_t i = 1; i < raft::kMessageTypes; ++i) {
    const std::string_view type = raft::MessageTypeName(static_cast<raft::MessageType>(i));
    if (figures.sent[i] > 0) {
      out->Add(messages, {{"node", node}, {"type", type}, {"direction", "out"}},
               D(figures.sent[i]));
    }
    if (figures.received[i] > 0) {
      out->Add(messages, {{"node", node}, {"type", type}, {"direction", "in"}},
               D(figures.received[i]));
    }
  }
}

void AddReads(Server& server, std::string_view node, Scrape* out) {
  const StageStats::Reads reads = server.stages().SumReads();
  for (size_t i = 0; i < kReadKinds; ++i) {
    out->Add(RaftFamily("kiwi_read_seconds"), {{"node", node}, {"level", kReadKindNames[i]}},
             reads[i]);
  }
  out->Add(RaftFamily("kiwi_reads_stale_refused_total"), {{"node", node}},
           D(server.stats().SinceStart(Counter::kStaleReadsRefused)));
}

// What the leader knows of the others.
void AddPeers(Server& server, const raft::NodeStatus& status, std::string_view node, Scrape* out) {
  const int64_t now_ms = server.clock().MonotonicNs() / 1'000'000;
  for (const auto& progress : status.peers) {
    if (progress.id == status.id) continue;
    const std::string peer = std::to_string(progress.id);
    const raft::LogIndex lag = status.last_index - std::min(status.last_index, progress.match);
    out->Add(RaftFamily("kiwi_raft_peer_match_index"), {{"node", node}, {"peer", peer}},
             D(progress.match));
    out->Add(RaftFamily("kiwi_raft_peer_lag_entries"), {{"node", node}, {"peer", peer}}, D(lag));
    if (server.cluster() == nullptr) continue;
    const int64_t lag_ms =
        lag == 0 ? 0 : server.cluster()->lag_times().LagMs(now_ms, progress.match);
    out->Add(RaftFamily("kiwi_raft_peer_lag_seconds"), {{"node", node}, {"peer", peer}},
             D(lag_ms) / 1000);
  }
}

void AddLink(const raft::PeerLinkStats& link, std::string_view node, Scrape* out) {
  const std::string peer = std::to_string(link.id);
  const auto add = [&](size_t family, double value) {
    out->Add(family, {{"node", node}, {"peer", peer}}, value);
  };
  add(RaftFamily("kiwi_raft_link_up"), D(link.connected));
  if (link.rtt_us >= 0) add(RaftFamily("kiwi_raft_link_rtt_seconds"), D(link.rtt_us) / 1e6);
  if (link.last_contact_ms >= 0) {
    const int64_t now_ms = SystemClock().MonotonicNs() / 1'000'000;  // as the transport's
    add(RaftFamily("kiwi_raft_link_silence_seconds"),
        D(std::max<int64_t>(0, now_ms - link.last_contact_ms)) / 1000);
  }
  const size_t bytes = RaftFamily("kiwi_raft_link_bytes_total");
  out->Add(bytes, {{"node", node}, {"peer", peer}, {"direction", "out"}}, D(link.bytes_sent));
  out->Add(bytes, {{"node", node}, {"peer", peer}, {"direction", "in"}}, D(link.bytes_received));
  add(RaftFamily("kiwi_raft_link_queued_bytes"), D(link.bytes_queued));
  add(RaftFamily("kiwi_raft_link_dropped_total"), D(link.messages_dropped));
  add(RaftFamily("kiwi_raft_link_reconnects_total"), D(link.reconnects));
  add(RaftFamily("kiwi_raft_link_breaker"), D(static_cast<int>(link.breaker)));
  for (size_t i = 0; i < raft::kLinkErrors; ++i) {
    const std::string_view error = raft::LinkErrorName(static_cast<raft::LinkError>(i));
    out->Add(RaftFamily("kiwi_raft_link_errors_total"),
             {{"node", node}, {"peer", peer}, {"error", error}}, D(link.errors[i]));
  }
}

void AddStore(std::string_view backend, std::string_view store, const storage::Stats& stats,
              Scrape* out) {
  const auto add = [&](size_t family, const auto& value) {
    out->Add(family, {{"backend", backend}, {"store", store}}, value);
  };
  add(StorageFamily("kiwi_storage_disk_bytes"), D(stats.disk_bytes));
  add(StorageFamily("kiwi_storage_wal_bytes"), D(stats.wal_bytes));
  add(StorageFamily("kiwi_storage_memory_bytes"), D(stats.memory_bytes));
  add(StorageFamily("kiwi_storage_written_bytes_total"), D(stats.bytes_written));
  add(StorageFamily("kiwi_storage_writes_total"), D(stats.writes));
  add(StorageFamily("kiwi_storage_sync_seconds"), stats.syncs);
  add(StorageFamily("kiwi_storage_errors_total"), D(stats.errors));
}

}  // namespace

std::vector<prometheus::MetricFamily> CollectRaftMetrics(Server& server) {
  Scrape out(kRaftFamilies);
  const raft::NodeStatus status = server.engine().node().GetStatus();
  const std::string node = std::to_string(status.id);
  constexpr raft::Role kRoles[] = {raft::Role::kFollower, raft::Role::kPreCandidate,
                                   raft::Role::kCandidate, raft::Role::kLeader};
  for (const raft::Role role : kRoles) {
    out.Add(RaftFamily("kiwi_raft_role"), {{"node", node}, {"role", RoleName(role)}},
            D(role == status.role));
  }
  const metrics::Label labels[] = {{"node", node}};
  AddToScrape(RaftFigures(), status, labels, &out);
  AddGroup(server.engine().node().GetFigures(), node, &out);
  AddReads(server, node, &out);
  AddPeers(server, status, node, &out);
  if (Cluster* const cluster = server.cluster(); cluster != nullptr) {
    for (const raft::PeerLinkStats& link : cluster->transport().stats()) {
      AddLink(link, node, &out);
    }
    const auto refused = cluster->transport().refused();
    for (size_t i = 0; i < refused.size(); ++i) {
      const std::string_view error = raft::LinkErrorName(static_cast<raft::LinkError>(i));
      out.Add(RaftFamily("kiwi_raft_refused_total"), {{"node", node}, {"error", error}},
              D(refused[i]));
    }
  }
  return out.Take();
}

std::vector<prometheus::MetricFamily> CollectStorageMetrics(Server& server) {
  Scrape out(kStorageFamilies);
  Engine& engine = server.engine();
  const std::string_view backend = engine.log_backend().Name();
  AddStore(backend, "log", engine.log_backend().GetStats(), &out);
  AddStore(backend, "state", engine.snapshots().StateStats(), &out);
  if (const int64_t ms = engine.checkpointer().progress().duration_ms; ms >= 0) {
    out.Add(StorageFamily("kiwi_checkpoint_seconds"), {}, D(ms) / 1000);
  }
  return out.Take();
}

}  // namespace kiwi::server
