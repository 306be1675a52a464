#include "raft/core/storage.h"

namespace kiwi::raft {

Status Storage::Append(const std::vector<Entry>& entries) {
  LogBatch batch;
  batch.entries = &entries;
  return Write(batch);
}

Status Storage::SetHardState(const HardState& hard_state) {
  LogBatch batch;
  batch.hard_state = &hard_state;
  return Write(batch);
}

Status Storage::SetConfState(const ConfState& conf_state) {
  LogBatch batch;
  batch.conf_state = &conf_state;
  return Write(batch);
}

Status Storage::ApplySnapshot(const SnapshotMeta& meta, const std::string* state_dir) {
  LogBatch batch;
  batch.snapshot = &meta;
  batch.state_dir = state_dir;
  return Write(batch);
}

}  // namespace kiwi::raft
