// Backups: a snapshot stream (docs/formats.md) in a file, and a data directory made of one.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "raft/core/types.h"
#include "server/engine.h"
#include "server/snapshot_keeper.h"

namespace kiwi::server {

struct BackupInfo {
  std::string path;
  raft::LogIndex index = 0;  // the last entry that it covers
  raft::Term term = 0;
  uint64_t bytes = 0;
};

// Where a backup named so goes: an absolute path as it is, a plain file name into the data
// directory. kInvalidArgument: neither, or a name that the server keeps for itself.
Result<std::string> BackupPath(const std::string& data_dir, const std::string& path);

// Writes the last durable checkpoint into a new file; durable at return. Nothing is left under the
// path unless it is whole. kInvalidArgument: there is a file already.
Result<BackupInfo> WriteBackup(SnapshotKeeper& snapshots, const std::string& path);

// Makes a data directory of a backup, to be opened as a group of one node with a log that begins
// behind it. kInvalidArgument: the directory is not empty; damage and files cut short are refused,
// and leave it empty.
Status RestoreBackup(const EngineOptions& options, const std::string& path);

}  // namespace kiwi::server
