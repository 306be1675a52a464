#include "storage/disk_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace kiwi::storage {
namespace {

Status SystemError(const std::string& path) {
  return {errno == ENOSPC ? StatusCode::kNoSpace : StatusCode::kIo,
          path + ": " + std::strerror(errno)};
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

constexpr char kProbeName[] = "kiwi.probe";
constexpr size_t kProbeChunk = size_t{64} << 10;

Status WriteProbe(const std::string& path, uint64_t bytes) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (file.get() < 0) return SystemError(path);
  const std::string chunk(kProbeChunk, 'p');
  while (bytes > 0) {
    const ssize_t n = write(file.get(), chunk.data(), std::min<uint64_t>(bytes, chunk.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError(path);
    bytes -= static_cast<uint64_t>(n);
  }
  return fsync(file.get()) == 0 ? Status() : SystemError(path);
}

Status WriteProbe(FileLayer* layer, uint64_t session, const std::string& path, uint64_t bytes) {
  KIWI_ASSIGN_OR_RETURN(const FileLayer::Handle file, layer->Create(session, path));
  const std::string chunk(kProbeChunk, 'p');
  while (bytes > 0) {
    const uint64_t part = std::min<uint64_t>(bytes, chunk.size());
    KIWI_RETURN_IF_ERROR(layer->Append(file, std::string_view(chunk).substr(0, part)));
    bytes -= part;
  }
  return layer->Sync(file);
}

}  // namespace

DiskFiles::DiskFiles(std::string directory, FileLayer* layer)
    : directory_(std::move(directory)),
      layer_(layer),
      session_(layer == nullptr ? 0 : layer->session()) {}

Result<std::vector<std::string>> DiskFiles::List() const {
  if (layer_ != nullptr) return layer_->List(session_, directory_);
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(directory_, error)) {
    names.push_back(file.path().filename().string());
  }
  if (error) return Status(StatusCode::kIo, directory_ + ": " + error.message());
  return names;
}

Result<uint64_t> DiskFiles::Size(const std::string& name) const {
  if (layer_ != nullptr) {
    KIWI_ASSIGN_OR_RETURN(const FileLayer::Handle file, layer_->Open(session_, Path(name)));
    return layer_->Size(file);
  }
  std::error_code error;
  const uint64_t size = std::filesystem::file_size(Path(name), error);
  if (error) return Status(StatusCode::kIo, Path(name) + ": " + error.message());
  return size;
}

Result<std::string> DiskFiles::Read(const std::string& name) const {
  const std::string path = Path(name);
  std::string bytes;
  if (layer_ != nullptr) {
    KIWI_ASSIGN_OR_RETURN(const FileLayer::Handle file, layer_->Open(session_, path));
    KIWI_ASSIGN_OR_RETURN(const uint64_t size, layer_->Size(file));
    bytes.resize(size);
    KIWI_ASSIGN_OR_RETURN(const size_t read, layer_->Read(file, 0, size, bytes.data()));
    bytes.resize(read);
    return bytes;
  }
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0) return SystemError(path);
  const off_t size = lseek(file.get(), 0, SEEK_END);
  if (size < 0) return SystemError(path);
  bytes.resize(static_cast<size_t>(size));
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        pread(file.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return SystemError(path);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

Status DiskFiles::Cut(const std::string& name, uint64_t size) const {
  const std::string path = Path(name);
  if (layer_ != nullptr) {
    KIWI_ASSIGN_OR_RETURN(const FileLayer::Handle file, layer_->Open(session_, path));
    return layer_->Truncate(file, size);
  }
  const Descriptor file(path, O_WRONLY);
  if (file.get() < 0) return SystemError(path);
  const bool done = ftruncate(file.get(), static_cast<off_t>(size)) == 0 && fsync(file.get()) == 0;
  return done ? Status() : SystemError(path);
}

Status DiskFiles::ProveWritable(uint64_t bytes) const {
  const std::string path = Path(kProbeName);
  if (layer_ != nullptr) {
    const Status status = WriteProbe(layer_, session_, path, bytes);
    (void)layer_->Remove(session_, path);
    KIWI_RETURN_IF_ERROR(status);
    return layer_->SyncDirectory(session_, directory_);
  }
  const Status status = WriteProbe(path, bytes);
  unlink(path.c_str());
  return status;
}

}  // namespace kiwi::storage
