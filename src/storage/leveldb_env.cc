#include "storage/leveldb_env.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "storage/wal_order.h"

namespace kiwi::storage {
namespace {

using leveldb::Slice;

leveldb::Status SystemError(const std::string& path) {
  const std::string text = std::strerror(errno);
  return errno == ENOENT ? leveldb::Status::NotFound(path, text)
                         : leveldb::Status::IOError(path, text);
}

Status SyncRealDirectory(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FromLevel(SystemError(path));
  const bool synced = fsync(fd) == 0;
  const Status status = synced ? Status() : FromLevel(SystemError(path));
  close(fd);
  return status;
}

// Syncs the directories of one database.
class Directories {
 public:
  explicit Directories(FileLayer* layer)
      : layer_(layer), session_(layer == nullptr ? 0 : layer->session()) {}
  Status SyncParent(const std::string& file) const {
    const std::string directory = std::filesystem::path(file).parent_path().string();
    return layer_ != nullptr ? layer_->SyncDirectory(session_, directory)
                             : SyncRealDirectory(directory);
  }

 private:
  FileLayer* layer_;
  uint64_t session_;
};

class OrderedWal final : public leveldb::WritableFile, public WalOrder::File {
 public:
  OrderedWal(std::unique_ptr<leveldb::WritableFile> target, std::string path, WalOrder* order,
             const Directories* directories)
      : target_(std::move(target)),
        path_(std::move(path)),
        order_(order),
        directories_(directories) {
    order_->Add(this);
  }
  ~OrderedWal() override { order_->Remove(this); }

  leveldb::Status Append(const Slice& data) override {
    Appended();
    return target_->Append(data);
  }
  leveldb::Status Flush() override { return target_->Flush(); }
  leveldb::Status Close() override {
    order_->Remove(this);
    return target_->Close();
  }
  leveldb::Status Sync() override {
    if (!name_is_durable_) {
      const Status status = directories_->SyncParent(path_);
      if (!status.ok()) return ToLevel(status);
      name_is_durable_ = true;
    }
    const uint64_t covered = appends();
    const leveldb::Status s = target_->Sync();
    if (s.ok()) Synced(covered);
    return s;
  }
  // LevelDB creates the successor where it would write: nobody appends meanwhile.
  Status SyncForSuccessor() override { return FromLevel(Sync()); }

 private:
  std::unique_ptr<leveldb::WritableFile> target_;
  const std::string path_;
  WalOrder* const order_;
  const Directories* const directories_;
  bool name_is_durable_ = false;
};

class ReadFile final : public leveldb::RandomAccessFile {
 public:
  ReadFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~ReadFile() override { close(fd_); }

  leveldb::Status Read(uint64_t offset, size_t n, Slice* result, char* scratch) const override {
    size_t done = 0;
    while (done < n) {
      const ssize_t part = pread(fd_, scratch + done, n - done, static_cast<off_t>(offset + done));
      if (part < 0 && errno == EINTR) continue;
      if (part < 0) return SystemError(path_);
      if (part == 0) break;
      done += static_cast<size_t>(part);
    }
    *result = Slice(scratch, done);
    return leveldb::Status::OK();
  }

 private:
  const std::string path_;
  const int fd_;
};

class LevelEnv final : public leveldb::EnvWrapper {
 public:
  LevelEnv(std::unique_ptr<leveldb::Env> target, FileLayer* layer)
      : EnvWrapper(target ? target.get() : leveldb::Env::Default()),
        owned_(std::move(target)),
        directories_(layer) {}

  leveldb::Status NewWritableFile(const std::string& path,
                                  leveldb::WritableFile** result) override {
    if (!IsWalPath(path)) return EnvWrapper::NewWritableFile(path, result);
    if (Status status = order_.SyncOpen(); !status.ok()) return ToLevel(status);
    leveldb::WritableFile* file = nullptr;
    const leveldb::Status s = EnvWrapper::NewWritableFile(path, &file);
    if (!s.ok()) return s;
    *result = std::make_unique<OrderedWal>(std::unique_ptr<leveldb::WritableFile>(file), path,
                                           &order_, &directories_)
                  .release();
    return s;
  }

  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** result) override {
    if (owned_) return EnvWrapper::NewRandomAccessFile(path, result);
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return SystemError(path);
    *result = std::make_unique<ReadFile>(path, fd).release();
    return leveldb::Status::OK();
  }

  leveldb::Status RenameFile(const std::string& from, const std::string& to) override {
    const leveldb::Status s = EnvWrapper::RenameFile(from, to);
    return s.ok() ? ToLevel(directories_.SyncParent(to)) : s;
  }

 private:
  std::unique_ptr<leveldb::Env> owned_;
  const Directories directories_;
  WalOrder order_;
};

}  // namespace

std::unique_ptr<leveldb::Env> NewLevelEnv(std::unique_ptr<leveldb::Env> target, FileLayer* layer) {
  return std::make_unique<LevelEnv>(std::move(target), layer);
}

Status FromLevel(const leveldb::Status& s) {
  if (s.ok()) return {};
  const std::string text = "leveldb: " + s.ToString();
  if (s.IsNotFound()) return {StatusCode::kNotFound, text};
  if (s.IsCorruption()) return {StatusCode::kCorruption, text};
  if (s.IsNotSupportedError() || s.IsInvalidArgument()) return {StatusCode::kInvalidArgument, text};
  if (text.find("No space left on device") != std::string::npos) {
    return {StatusCode::kNoSpace, text};
  }
  return {StatusCode::kIo, text};
}

leveldb::Status ToLevel(const Status& status) {
  const std::string text(status.message());
  switch (status.code()) {
    case StatusCode::kOk:
      return leveldb::Status::OK();
    case StatusCode::kNotFound:
      return leveldb::Status::NotFound(text);
    case StatusCode::kCorruption:
      return leveldb::Status::Corruption(text);
    case StatusCode::kInvalidArgument:
      return leveldb::Status::InvalidArgument(text);
    default:
      return leveldb::Status::IOError(text);
  }
}

}  // namespace kiwi::storage
