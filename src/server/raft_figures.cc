#include "server/raft_figures.h"

#include "server/metrics_families.h"

namespace kiwi::server {
namespace {

using Row = Figure<raft::NodeStatus>;
using Status = raft::NodeStatus;

template <typename T>
double D(T value) {
  return static_cast<double>(value);
}

constexpr Row kRows[] = {
    {.info = "leader_id",
     .family = RaftFamily("kiwi_raft_leader"),
     .get = [](const Status& s) { return D(s.leader); }},
    {.info = "term",
     .family = RaftFamily("kiwi_raft_term"),
     .get = [](const Status& s) { return D(s.term); }},
    {.info = "first_index",
     .family = RaftFamily("kiwi_raft_log_first_index"),
     .get = [](const Status& s) { return D(s.first_index); }},
    {.info = "last_index",
     .family = RaftFamily("kiwi_raft_log_last_index"),
     .get = [](const Status& s) { return D(s.last_index); }},
    {.info = "commit_index",
     .family = RaftFamily("kiwi_raft_commit_index"),
     .get = [](const Status& s) { return D(s.commit_index); }},
    {.info = "applied_index",
     .family = RaftFamily("kiwi_raft_applied_index"),
     .get = [](const Status& s) { return D(s.applied_index); }},
    {.info = "snapshot_index",
     .family = RaftFamily("kiwi_raft_snapshot_index"),
     .get = [](const Status& s) { return D(s.snapshot_index); }},
    {.info = "log_bytes",
     .family = RaftFamily("kiwi_raft_log_bytes"),
     .get = [](const Status& s) { return D(s.log_bytes); }},
    {.info = "entries_composed",
     .family = RaftFamily("kiwi_raft_entries_composed_total"),
     .get = [](const Status& s) { return D(s.entries_composed); }},
    {.info = "log_writes",
     .family = RaftFamily("kiwi_raft_log_writes_total"),
     .get = [](const Status& s) { return D(s.log_writes); }},
    {.info = "log_syncs",
     .family = RaftFamily("kiwi_raft_log_syncs_total"),
     .get = [](const Status& s) { return D(s.log_syncs); }},
    {.info = "proposals_waiting",
     .family = RaftFamily("kiwi_raft_proposals_waiting"),
     .get = [](const Status& s) { return D(s.proposals_waiting); }},
    {.family = RaftFamily("kiwi_raft_forwarded_bytes"),
     .get = [](const Status& s) { return D(s.forwards_under_way); }},
    {.info = "checkpoints",
     .family = RaftFamily("kiwi_raft_checkpoints_total"),
     .get = [](const Status& s) { return D(s.checkpoints); }},
    {.family = RaftFamily("kiwi_raft_checkpoint_running"),
     .get = [](const Status& s) { return D(s.checkpoint_running); }},
    {.family = RaftFamily("kiwi_raft_checkpoint_ok"),
     .get = [](const Status& s) { return D(s.checkpoint_ok); }},
    {.family = RaftFamily("kiwi_raft_storage_ok"),
     .get = [](const Status& s) { return D(s.storage_error.empty()); }},
};

}  // namespace

std::string_view RoleName(raft::Role role) {
  switch (role) {
    case raft::Role::kFollower:
      return "follower";
    case raft::Role::kPreCandidate:
      return "pre-candidate";
    case raft::Role::kCandidate:
      return "candidate";
    case raft::Role::kLeader:
      return "leader";
  }
  return "unknown";
}

std::span<const Figure<raft::NodeStatus>> RaftFigures() { return kRows; }

}  // namespace kiwi::server
