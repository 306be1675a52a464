#include "server/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "base/log.h"
#include "keyspace/checkpoint.h"
#include "keyspace/snapshot_format.h"
#include "keyspace/snapshot_sink.h"
#include "raft/storage/log_storage.h"
#include "server/applier.h"
#include "server/data_lock.h"
#include "server/state_store.h"
#include "storage/factory.h"

namespace kiwi::server {
namespace {

namespace fs = std::filesystem;
using keyspace::ChunkHeader;

constexpr size_t kChunkBytes = size_t{1} << 20;
// Beyond it a header that passed by chance would make us read a file of anything into memory.
constexpr uint32_t kPayloadBytesMax = 64 << 20;

Status IoError(const std::string& what, const std::string& path) {
  return {errno == ENOSPC ? StatusCode::kNoSpace : StatusCode::kIo,
          "cannot " + what + " " + path + ": " + std::strerror(errno)};
}

// A file under another name until it is whole.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)), partial_(path_ + ".partial") {}
  ~NewFile() {
    if (fd_ < 0) return;
    close(fd_);
    unlink(partial_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Status Create() {
    std::error_code ignored;
    if (fs::exists(path_, ignored)) return Exists();
    fd_ = open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd_ >= 0) return {};
    if (errno != EEXIST) return IoError("create", partial_);
    return {StatusCode::kInvalidArgument,
            partial_ + " exists: another backup is writing it, or one was cut short; remove it"};
  }

  Status Append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return IoError("write", partial_);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
  }

  // Gives it its name, durably; an existing file is never replaced.
  Status Commit() {
    if (fsync(fd_) != 0) return IoError("sync", partial_);
    if (link(partial_.c_str(), path_.c_str()) != 0) {
      return errno == EEXIST ? Exists() : IoError("name", path_);
    }
    const fs::path folder = fs::path(path_).parent_path();
    return SyncDirectory(folder.empty() ? "." : folder.string());
  }

 private:
  Status Exists() const {
    return {StatusCode::kInvalidArgument, path_ + " exists: backups do not replace files"};
  }

  const std::string path_;
  const std::string partial_;
  int fd_ = -1;
};

// Feeds the file's chunks to the sink.
class BackupFile {
 public:
  explicit BackupFile(const std::string& path)
      : path_(path), fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~BackupFile() {
    if (fd_ >= 0) close(fd_);
  }
  BackupFile(const BackupFile&) = delete;
  BackupFile& operator=(const BackupFile&) = delete;

  Status ReadInto(keyspace::SnapshotSink* sink) {
    if (fd_ < 0) return IoError("open", path_);
    std::string chunk;
    while (!sink->complete()) {
      chunk.clear();
      KIWI_RETURN_IF_ERROR(Append(ChunkHeader::kBytes, &chunk));
      ChunkHeader header;
      KIWI_RETURN_IF_ERROR(keyspace::DecodeChunkHeader(chunk, &header).WithContext(path_));
      if (header.payload_bytes > kPayloadBytesMax) {
        return {StatusCode::kCorruption, path_ + ": a chunk of impossible size"};
      }
      KIWI_RETURN_IF_ERROR(Append(header.payload_bytes, &chunk));
      KIWI_RETURN_IF_ERROR(sink->Write(chunk).WithContext(path_));
    }
    char beyond = 0;
    if (read(fd_, &beyond, 1) != 0) {
      return {StatusCode::kCorruption, path_ + ": there are bytes behind its end"};
    }
    return {};
  }

 private:
  Status Append(size_t size, std::string* out) {
    const size_t begin = out->size();
    out->resize(begin + size);
    for (size_t done = 0; done < size;) {
      const ssize_t n = read(fd_, out->data() + begin + done, size - done);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return IoError("read", path_);
      if (n == 0) return {StatusCode::kCorruption, path_ + ": it is cut short"};
      done += static_cast<size_t>(n);
    }
    return {};
  }

  const std::string path_;
  const int fd_;
};

// Of what a server would take for its own; a lock file alone is what a refused start leaves.
bool IsEmptyDirectory(const std::string& dir) {
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename() != DataLock::kFileName) return false;
  }
  return true;
}

// Fills a new state from the file and proves that it loads. Its membership is this node alone.
Result<raft::SnapshotMeta> StageBackup(const EngineOptions& options, StateStore& store,
                                       const std::string& path) {
  keyspace::SnapshotSink sink(&store.backend());
  KIWI_RETURN_IF_ERROR(BackupFile(path).ReadInto(&sink));
  const keyspace::CheckpointMeta stored = sink.meta();
  KIWI_ASSIGN_OR_RETURN(CheckpointHost host,
                        DecodeCheckpointHost(stored.applied_index, stored.host));
  host.meta.conf_state = {};
  host.meta.conf_state.voters = {options.node.core.id};
  host.membership = options.bootstrap.membership;
  std::erase_if(host.membership.members,
                [&](const raft::Member& member) { return member.id != options.node.core.id; });
  const std::string host_bytes = EncodeCheckpointHost(host);
  KIWI_RETURN_IF_ERROR(sink.Finish(&host_bytes));
  keyspace::Keyspace keyspace(options.keyspace);
  keyspace::Checkpointer checkpointer(&keyspace, &store.backend());
  KIWI_RETURN_IF_ERROR(checkpointer.Load(options.load_threads).status());
  return host.meta;
}

// The commit point: the log that names the state and begins behind it.
Status BeginGroup(const EngineOptions& options, const raft::SnapshotMeta& meta,
                  const std::string& state_dir) {
  KIWI_ASSIGN_OR_RETURN(const std::unique_ptr<storage::Backend> backend,
                        storage::OpenBackend(LogBackendOptions(options)));
  KIWI_ASSIGN_OR_RETURN(const std::unique_ptr<raft::LogStorage> log,
                        raft::LogStorage::Open(backend.get()));
  // Its own vote: a group that never had another member owes nobody the silence of a follower.
  const raft::HardState hard_state{
      .term = meta.term, .vote = options.node.core.id, .commit = meta.index};
  raft::LogBatch batch;
  batch.hard_state = &hard_state;
  batch.snapshot = &meta;
  batch.state_dir = &state_dir;
  return log->Write(batch);
}

}  // namespace

Result<std::string> BackupPath(const std::string& data_dir, const std::string& path) {
  if (path.starts_with('/') && !path.ends_with('/')) return path;
  const bool plain = !path.empty() && path.find('/') == std::string::npos && path[0] != '.';
  if (!plain || IsStateDirName(path) || path == "log" || path == DataLock::kFileName) {
    return Status(StatusCode::kInvalidArgument,
                  "a backup goes to an absolute path, or under a plain file name into the data "
                  "directory");
  }
  return data_dir + "/" + path;
}

Result<BackupInfo> WriteBackup(SnapshotKeeper& snapshots, const std::string& path) {
  KIWI_ASSIGN_OR_RETURN(const std::unique_ptr<raft::SnapshotReader> reader,
                        snapshots.OpenSnapshot(kChunkBytes));
  NewFile file(path);
  KIWI_RETURN_IF_ERROR(file.Create());
  BackupInfo info{.path = path, .index = reader->meta().index, .term = reader->meta().term};
  for (;;) {
    KIWI_ASSIGN_OR_RETURN(const std::string chunk, reader->Read(info.bytes));
    if (chunk.empty()) break;
    KIWI_RETURN_IF_ERROR(file.Append(chunk));
    info.bytes += chunk.size();
  }
  KIWI_RETURN_IF_ERROR(file.Commit());
  KIWI_LOG(kInfo, "backup written path={} index={} bytes={}", path, info.index, info.bytes);
  return info;
}

Status RestoreBackup(const EngineOptions& options, const std::string& path) {
  if (options.backend == "memory") {
    return {StatusCode::kConfig, "a restore needs a storage backend on disk"};
  }
  KIWI_ASSIGN_OR_RETURN(const std::unique_ptr<DataLock> lock, DataLock::Take(options.dir));
  const std::string log_dir = LogBackendOptions(options).path;
  if (!IsEmptyDirectory(options.dir) || !IsEmptyDirectory(log_dir)) {
    return {StatusCode::kInvalidArgument,
            "a backup is restored into an empty data directory only, and " + options.dir +
                (IsEmptyDirectory(options.dir) ? " has a log in " + log_dir : " is not empty")};
  }
  raft::SnapshotMeta meta;
  const std::string state_dir = NewStateDirName();
  {
    KIWI_ASSIGN_OR_RETURN(const std::shared_ptr<StateStore> store,
                          StateStore::Open(StateBackendOptions(options), options.dir, state_dir));
    Result<raft::SnapshotMeta> staged = StageBackup(options, *store, path);
    if (!staged.ok()) {
      store->Retire();
      return staged.status().WithContext("cannot restore");
    }
    meta = std::move(*staged);
  }
  KIWI_RETURN_IF_ERROR(SyncDirectory(options.dir));
  KIWI_RETURN_IF_ERROR(BeginGroup(options, meta, state_dir).WithContext("cannot restore"));
  KIWI_RETURN_IF_ERROR(SyncDirectory(options.dir));
  KIWI_LOG(kInfo, "backup restored path={} index={} term={}", path, meta.index, meta.term);
  return {};
}

}  // namespace kiwi::server
