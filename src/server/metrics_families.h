// Every family of metrics that the server tells: docs/metrics.md is checked against these tables
// (tests/integration/metrics_test.py), so that it stays true.
#pragma once

#include "metrics/scrape.h"
#include "server/figures.h"

namespace kiwi::server {

using metrics::FamilyRow;
using metrics::Kind;

// /metrics/runtime: threads, queues, clients, commands.
inline constexpr FamilyRow kRuntimeFamilies[] = {
    {"kiwi_info", Kind::kGauge, "version", "1; which build this is."},
    {"kiwi_start_time_seconds", Kind::kGauge, "", "When the server started, since 1970."},
    {"kiwi_cpu_seconds_total", Kind::kCounter, "mode", "Processor time of the process."},
    {"kiwi_memory_bytes", Kind::kGauge, "kind",
     "Memory: allocated by the program, resident, of the keyspace."},

    {"kiwi_runtime_threads", Kind::kGauge, "runtime", "Size of a pool as it is wanted."},
    {"kiwi_runtime_threads_alive", Kind::kGauge, "runtime", "Threads that run."},
    {"kiwi_runtime_threads_min", Kind::kGauge, "runtime", "Configured minimum."},
    {"kiwi_runtime_threads_max", Kind::kGauge, "runtime", "Configured maximum, bounded by cores."},
    {"kiwi_runtime_threads_busy", Kind::kGauge, "runtime", "Threads inside a task."},
    {"kiwi_runtime_thread_seconds_total", Kind::kCounter, "runtime",
     "Life time of all threads: what the pool has cost."},
    {"kiwi_runtime_tasks_total", Kind::kCounter, "runtime", "Tasks that threads of a pool ran."},
    {"kiwi_runtime_reserve_tasks_total", Kind::kCounter, "runtime",
     "Of them, those that the worker in reserve for Critical and High ran."},
    {"kiwi_runtime_growths_total", Kind::kCounter, "runtime", "Times that a pool grew."},
    {"kiwi_runtime_shrinks_total", Kind::kCounter, "runtime",
     "Times that a pool shrank, growths that were taken back included."},
    {"kiwi_runtime_growths_taken_back_total", Kind::kCounter, "runtime",
     "Growths that brought nothing."},
    {"kiwi_runtime_growth_barred_seconds", Kind::kGauge, "runtime",
     "For so long a pool does not grow, after growths in vain."},
    {"kiwi_runtime_last_resize_commands_per_second", Kind::kGauge, "runtime,when",
     "Throughput before and after the last resize that was judged."},
    {"kiwi_runtime_last_reaction_seconds", Kind::kGauge, "runtime",
     "From passing the threshold until the last growth for it."},
    {"kiwi_runtime_strain_seconds", Kind::kGauge, "runtime",
     "What a pool is resized by: delay of the loops, response time of storage."},
    {"kiwi_runtime_connection_moves_total", Kind::kCounter, "",
     "Connections that were asked to another loop."},
    {"kiwi_runtime_storage_first", Kind::kGauge, "",
     "1 while the network pool waits for the storage pool to grow."},
    {"kiwi_runtime_backpressure_pause", Kind::kGauge, "",
     "1 while the network pool does not grow because of backpressure."},

    {"kiwi_queue_batches", Kind::kGauge, "priority", "Batches that wait in the channel."},
    {"kiwi_queue_taken_total", Kind::kCounter, "priority", "Batches taken from the channel."},
    {"kiwi_queue_refused_total", Kind::kCounter, "priority",
     "Batches that a full level of the channel refused."},
    {"kiwi_requests_total", Kind::kCounter, "priority", "Requests that clients sent."},
    {"kiwi_batch_seconds", Kind::kHistogram, "priority",
     "From a batch's parsing until its replies were handed to the socket; sampled."},
    {"kiwi_batch_stage_seconds", Kind::kHistogram, "stage,priority", "The same by stage; sampled."},
    {"kiwi_command_stage_seconds", Kind::kHistogram, "command,stage",
     "Stages of the batches that a command was in, once a command; sampled."},

    {"kiwi_backpressure_events_total", Kind::kCounter, "cause",
     "Times that a socket was paused: full, the channel had no room; unread, the client does not "
     "read its replies."},
    {"kiwi_backpressure_clients", Kind::kGauge, "cause", "Clients that are paused now."},
    {"kiwi_backpressure_requests", Kind::kGauge, "", "Requests that the channel had no room for."},
    {"kiwi_backpressure_pause_seconds", Kind::kHistogram, "cause", "Pauses that have ended."},
    {"kiwi_backpressure_batch_seconds", Kind::kGauge, "batches",
     "Mean time of batches that the channel had no room for at first, and of all others."},

    {"kiwi_breaker_state", Kind::kGauge, "priority", "0 closed, 1 open, 2 half open."},
    {"kiwi_breaker_opened_total", Kind::kCounter, "priority", "Times that a level opened."},
    {"kiwi_breaker_refused_total", Kind::kCounter, "priority",
     "Requests that an open level refused."},
    {"kiwi_breaker_failures_total", Kind::kCounter, "priority,kind",
     "Requests that count as failed: storage error, time-out, missed queue deadline."},
    {"kiwi_breaker_window_requests", Kind::kGauge, "priority", "Requests in the window."},
    {"kiwi_breaker_window_failures", Kind::kGauge, "priority", "Failures in the window."},

    {"kiwi_clients", Kind::kGauge, "", "Connected clients."},
    {"kiwi_clients_max", Kind::kGauge, "", "As many may be connected."},
    {"kiwi_connections_total", Kind::kCounter, "result", "Connections taken and turned away."},
    {"kiwi_network_bytes_total", Kind::kCounter, "direction", "Bytes of clients."},
    {"kiwi_socket_calls_total", Kind::kCounter, "direction", "Reads and writes of sockets."},
    {"kiwi_commands_total", Kind::kCounter, "command", "Calls of a command."},
    {"kiwi_commands_failed_total", Kind::kCounter, "command", "Calls that answered an error."},
    {"kiwi_commands_rejected_total", Kind::kCounter, "command",
     "Requests that were refused before the call."},
    {"kiwi_command_seconds_total", Kind::kCounter, "command", "Time inside a command's calls."},
    {"kiwi_error_replies_total", Kind::kCounter, "", "Errors that clients were told."},
    {"kiwi_errors_total", Kind::kCounter, "code",
     "Of them, those of a kind, by their first word: CLUSTERDOWN, UNKNOWN, MISCONF …"},
    {"kiwi_keyspace_lookups_total", Kind::kCounter, "result", "Reads that found a key, or none."},
    {"kiwi_expired_keys_total", Kind::kCounter, "", "Keys deleted because their time was over."},
    {"kiwi_metrics_requests_total", Kind::kCounter, "answer", "Requests of this endpoint."},
};

// /metrics/raft; node: this one's id, peer: another's.
inline constexpr FamilyRow kRaftFamilies[] = {
    {"kiwi_raft_role", Kind::kGauge, "node,role", "1 for the role that the node has."},
    {"kiwi_raft_term", Kind::kGauge, "node", "Present term."},
    {"kiwi_raft_leader", Kind::kGauge, "node", "Id of the leader; 0: none is known."},
    {"kiwi_raft_log_first_index", Kind::kGauge, "node", "First entry that is kept."},
    {"kiwi_raft_log_last_index", Kind::kGauge, "node", "Last entry."},
    {"kiwi_raft_commit_index", Kind::kGauge, "node",
     "Last entry known to be committed; its rate is the commit rate."},
    {"kiwi_raft_applied_index", Kind::kGauge, "node",
     "Last entry applied; its rate is the apply rate."},
    {"kiwi_raft_snapshot_index", Kind::kGauge, "node", "Entry of the last durable checkpoint."},
    {"kiwi_raft_log_bytes", Kind::kGauge, "node", "Size of the log."},
    {"kiwi_raft_entries_composed_total", Kind::kCounter, "node",
     "Entries made out of clients' writes."},
    {"kiwi_raft_log_writes_total", Kind::kCounter, "node", "Batches written to the log."},
    {"kiwi_raft_log_syncs_total", Kind::kCounter, "node", "Of them, and beside them, syncs."},
    {"kiwi_raft_log_sync_seconds", Kind::kHistogram, "node", "Writes of the log with their sync."},
    {"kiwi_raft_commit_seconds", Kind::kHistogram, "node",
     "From composing an entry until it was committed, on the leader; sampled."},
    {"kiwi_raft_apply_seconds", Kind::kHistogram, "node", "Applying one entry."},
    {"kiwi_read_seconds", Kind::kHistogram, "node,level",
     "Batches of reads, from parsing until the replies were handed to the socket, by consistency: "
     "linearizable by lease or by read_index, bounded, any; sampled."},
    {"kiwi_reads_stale_refused_total", Kind::kCounter, "node",
     "Bounded reads refused because nobody could say in time how fresh the data is."},
    {"kiwi_raft_proposals_waiting", Kind::kGauge, "node", "Proposals not in an entry yet."},
    {"kiwi_raft_forwarded_bytes", Kind::kGauge, "node", "Writes on their way to the leader."},
    {"kiwi_raft_elections_total", Kind::kCounter, "node", "Elections that this node began."},
    {"kiwi_raft_elections_won_total", Kind::kCounter, "node", "And won."},
    {"kiwi_raft_leader_changes_total", Kind::kCounter, "node",
     "Times that this node learned of a leader."},
    {"kiwi_raft_leaderless_seconds", Kind::kHistogram, "node",
     "How long this node knew no leader, each time: what elections took."},
    {"kiwi_raft_votes_total", Kind::kCounter, "node,answer",
     "Answers of this node to candidates, pre-votes included."},
    {"kiwi_raft_messages_total", Kind::kCounter, "node,type,direction", "Messages of the group."},
    {"kiwi_raft_checkpoints_total", Kind::kCounter, "node", "Checkpoints that became durable."},
    {"kiwi_raft_checkpoint_running", Kind::kGauge, "node", "1 while one is written."},
    {"kiwi_raft_checkpoint_ok", Kind::kGauge, "node", "0 if the last one failed."},
    {"kiwi_raft_storage_ok", Kind::kGauge, "node", "0 while the log takes no writes."},

    {"kiwi_raft_peer_lag_entries", Kind::kGauge, "node,peer",
     "Entries that a peer has not got; on the leader."},
    {"kiwi_raft_peer_lag_seconds", Kind::kGauge, "node,peer",
     "Age of the oldest entry that a peer has not got; on the leader."},
    {"kiwi_raft_peer_match_index", Kind::kGauge, "node,peer",
     "Last entry that a peer has for certain; on the leader."},
    {"kiwi_raft_link_up", Kind::kGauge, "node,peer", "1 while the message stream stands."},
    {"kiwi_raft_link_rtt_seconds", Kind::kGauge, "node,peer", "Round trip of the last ping."},
    {"kiwi_raft_link_silence_seconds", Kind::kGauge, "node,peer",
     "Since the last bytes came from a peer."},
    {"kiwi_raft_link_bytes_total", Kind::kCounter, "node,peer,direction", "Bytes between nodes."},
    {"kiwi_raft_link_queued_bytes", Kind::kGauge, "node,peer", "Bytes that wait to be sent."},
    {"kiwi_raft_link_dropped_total", Kind::kCounter, "node,peer",
     "Messages dropped: no connection, or a full queue."},
    {"kiwi_raft_link_reconnects_total", Kind::kCounter, "node,peer",
     "Connections that stood after the first."},
    {"kiwi_raft_link_errors_total", Kind::kCounter, "node,peer,error", "Network errors."},
    {"kiwi_raft_refused_total", Kind::kCounter, "node,error",
     "Connections to the raft port that were refused: strangers, other clusters, garbage."},
    {"kiwi_raft_link_breaker", Kind::kGauge, "node,peer",
     "Circuit breaker of a link: 0 closed, 1 open, 2 half open."},
};

// /metrics/storage; store: log or state.
inline constexpr FamilyRow kStorageFamilies[] = {
    {"kiwi_storage_disk_bytes", Kind::kGauge, "backend,store", "Live files."},
    {"kiwi_storage_wal_bytes", Kind::kGauge, "backend,store", "Of them, write-ahead logs."},
    {"kiwi_storage_memory_bytes", Kind::kGauge, "backend,store", "Write buffers and caches."},
    {"kiwi_storage_written_bytes_total", Kind::kCounter, "backend,store",
     "Bytes of batches that were written."},
    {"kiwi_storage_writes_total", Kind::kCounter, "backend,store", "Batches written."},
    {"kiwi_storage_sync_seconds", Kind::kHistogram, "backend,store",
     "Synced writes, and syncs alone."},
    {"kiwi_storage_errors_total", Kind::kCounter, "backend,store", "Writes and syncs that failed."},
    {"kiwi_checkpoint_seconds", Kind::kGauge, "", "How long the last checkpoint took."},
};

consteval size_t RuntimeFamily(std::string_view name) { return FamilyIn(kRuntimeFamilies, name); }
consteval size_t RaftFamily(std::string_view name) { return FamilyIn(kRaftFamilies, name); }
consteval size_t StorageFamily(std::string_view name) { return FamilyIn(kStorageFamilies, name); }

}  // namespace kiwi::server
