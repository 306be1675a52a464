#include "storage/file_layer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

namespace kiwi::storage {
namespace {

Status SystemError(const std::string& what) {
  const int error = errno;
  const StatusCode code = error == ENOENT   ? StatusCode::kNotFound
                          : error == ENOSPC ? StatusCode::kNoSpace
                                            : StatusCode::kIo;
  return {code, what + ": " + std::strerror(error)};
}

std::string Normal(const std::string& path) {
  return std::filesystem::path(path).lexically_normal().string();
}
std::string DirectoryOf(const std::string& path) {
  const std::string directory = std::filesystem::path(Normal(path)).parent_path().string();
  return directory.empty() ? "." : directory;
}
std::string NameOf(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}
// A directory's own path, without a slash at its end.
std::string DirectoryPath(const std::string& path) {
  std::string normal = Normal(path);
  while (normal.size() > 1 && normal.back() == '/') normal.pop_back();
  return normal;
}

}  // namespace

// A file, whatever its name. Guarded by the layer's mutex.
class FileLayer::Node {
 public:
  Node() = default;
  ~Node() {
    if (fd_ >= 0) close(fd_);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  uint64_t size() const { return real_size_ + tail_.size(); }
  uint64_t unsynced() const { return real_size_ + tail_.size() - synced_size_; }

  // A file that is there already.
  Status Attach(const std::string& path) {
    fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd_ < 0) return SystemError("cannot open " + path);
    const off_t end = lseek(fd_, 0, SEEK_END);
    if (end < 0) return SystemError("cannot seek in " + path);
    real_size_ = synced_size_ = static_cast<uint64_t>(end);
    return {};
  }

  void Append(std::string_view data) { tail_.append(data); }

  // From now on the synced part of the file is real.
  Status Link(const std::string& path) {
    fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd_ < 0) return SystemError("cannot create " + path);
    return WriteReal(synced_size_);
  }

  Status Sync() {
    synced_size_ = size();
    return fd_ < 0 ? Status() : WriteReal(synced_size_);
  }

  // What a failed sync leaves: the bytes can be read, but will never be durable.
  void Lose() { lost_until_ = size(); }

  // The part of the unsynced tail that a crash happened to keep.
  Status Keep(uint64_t bytes) { return fd_ < 0 ? Status() : WriteReal(synced_size_ + bytes); }

  Status Truncate(uint64_t size_wanted) {
    if (size_wanted > real_size_) {
      tail_.resize(std::min<uint64_t>(tail_.size(), size_wanted - real_size_));
    } else {
      tail_.clear();
      real_size_ = size_wanted;
      if (fd_ >= 0 && ftruncate(fd_, static_cast<off_t>(size_wanted)) != 0) {
        return SystemError("cannot truncate");
      }
    }
    return Sync();
  }

  Result<size_t> Read(uint64_t offset, size_t wanted, char* out) const {
    if (offset >= size()) return size_t{0};
    wanted = static_cast<size_t>(std::min<uint64_t>(wanted, size() - offset));
    size_t done = 0;
    while (done < wanted && offset + done < real_size_) {
      const size_t part = std::min<uint64_t>(wanted - done, real_size_ - offset - done);
      const ssize_t n = pread(fd_, out + done, part, static_cast<off_t>(offset + done));
      if (n <= 0) return SystemError("cannot read");
      done += static_cast<size_t>(n);
    }
    if (done < wanted) {
      std::memcpy(out + done, tail_.data() + (offset + done - real_size_), wanted - done);
    }
    return wanted;
  }

 private:
  // Moves the tail's bytes before `until` to the real file.
  Status WriteReal(uint64_t until) {
    const size_t bytes = static_cast<size_t>(until - real_size_);
    std::string data = tail_.substr(0, bytes);
    if (lost_until_ > real_size_) {
      std::fill_n(data.begin(), std::min<uint64_t>(bytes, lost_until_ - real_size_), '\0');
    }
    size_t done = 0;
    while (done < bytes) {
      const ssize_t n =
          pwrite(fd_, data.data() + done, bytes - done, static_cast<off_t>(real_size_ + done));
      if (n < 0) return SystemError("cannot write");
      done += static_cast<size_t>(n);
    }
    tail_.erase(0, bytes);
    real_size_ = until;
    return {};
  }

  int fd_ = -1;               // of the real file, if it has become real
  uint64_t real_size_ = 0;    // bytes there
  std::string tail_;          // what follows them
  uint64_t synced_size_ = 0;  // above real_size_ while the name is not durable
  uint64_t lost_until_ = 0;
};

uint64_t FileLayer::session() const {
  MutexLock lock(mu_);
  return session_;
}

void FileLayer::Crash(Tails tails) {
  MutexLock lock(mu_);
  ++session_;
  if (tails == Tails::kTear) {
    for (auto& [path, directory] : directories_) {
      for (auto& [name, node] : directory.real) {
        const uint64_t unsynced = node->unsynced();
        if (unsynced > 0) (void)node->Keep(random_.Below(unsynced + 1));
      }
    }
  }
  directories_.clear();
}

Status FileLayer::CheckSession(uint64_t session) const {
  if (session == session_) return {};
  return {StatusCode::kIo, "the file layer crashed"};
}

Result<FileLayer::Directory*> FileLayer::Load(const std::string& path) {
  const auto [it, is_new] = directories_.try_emplace(path);
  Directory* directory = &it->second;
  if (!is_new) return directory;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(path, error)) {
    if (!file.is_regular_file(error)) continue;
    auto node = std::make_shared<Node>();
    if (Status status = node->Attach(file.path().string()); !status.ok()) {
      directories_.erase(it);
      return status;
    }
    directory->real[file.path().filename().string()] = node;
  }
  if (error) {
    directories_.erase(it);
    const StatusCode code =
        error == std::errc::no_such_file_or_directory ? StatusCode::kNotFound : StatusCode::kIo;
    return Status(code, "cannot list " + path + ": " + error.message());
  }
  directory->names = directory->real;
  return directory;
}

Result<std::shared_ptr<FileLayer::Node>> FileLayer::Find(const std::string& path) {
  KIWI_ASSIGN_OR_RETURN(Directory * directory, Load(DirectoryOf(path)));
  const auto it = directory->names.find(NameOf(path));
  if (it == directory->names.end()) {
    return Status(StatusCode::kNotFound, path + ": No such file or directory");
  }
  return it->second;
}

Result<FileLayer::Handle> FileLayer::Create(uint64_t session, const std::string& path) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(session));
  KIWI_ASSIGN_OR_RETURN(Directory * directory, Load(DirectoryOf(path)));
  const std::string name = NameOf(path);
  auto node = std::make_shared<Node>();
  directory->names[name] = node;
  directory->pending.push_back({Operation::Kind::kCreate, name, "", node});
  return Handle{node, path, session};
}

Result<FileLayer::Handle> FileLayer::Open(uint64_t session, const std::string& path) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(session));
  KIWI_ASSIGN_OR_RETURN(std::shared_ptr<Node> node, Find(path));
  return Handle{std::move(node), path, session};
}

Status FileLayer::Append(const Handle& handle, std::string_view data) {
  const uint64_t fits = faults_.TakeSpace(data.size());
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(handle.session));
  handle.node->Append(data.substr(0, fits));
  if (fits == data.size()) return {};
  return {StatusCode::kNoSpace, handle.path + ": No space left on device"};
}

Status FileLayer::Sync(const Handle& handle) {
  const FileFaults::SyncOutcome outcome = faults_.BeforeSync(handle.path);
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(handle.session));
  switch (outcome) {
    case FileFaults::SyncOutcome::kFails:
      handle.node->Lose();
      return {StatusCode::kIo, handle.path + ": sync failed: Input/output error (injected)"};
    case FileFaults::SyncOutcome::kLies:
      return {};
    case FileFaults::SyncOutcome::kDone:
      break;
  }
  return handle.node->Sync();
}

Result<size_t> FileLayer::Read(const Handle& handle, uint64_t offset, size_t size, char* out) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(handle.session));
  KIWI_ASSIGN_OR_RETURN(const size_t read, handle.node->Read(offset, size, out));
  faults_.AfterRead(handle.path, out, read);
  return read;
}

Result<uint64_t> FileLayer::Size(const Handle& handle) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(handle.session));
  return handle.node->size();
}

Status FileLayer::Truncate(const Handle& handle, uint64_t size) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(handle.session));
  return handle.node->Truncate(size);
}

Status FileLayer::MakeReal(const std::string& directory, Directory* state,
                           const Operation& operation) {
  const std::string path = directory + "/" + operation.name;
  switch (operation.kind) {
    case Operation::Kind::kCreate:
      KIWI_RETURN_IF_ERROR(operation.node->Link(path));
      state->real[operation.name] = operation.node;
      return {};
    case Operation::Kind::kRename:
      if (std::rename(path.c_str(), (directory + "/" + operation.to).c_str()) != 0) {
        return SystemError("cannot rename " + path);
      }
      state->real[operation.to] = state->real[operation.name];
      state->real.erase(operation.name);
      return {};
    case Operation::Kind::kRemove:
      if (unlink(path.c_str()) != 0) return SystemError("cannot remove " + path);
      state->real.erase(operation.name);
      return {};
  }
  return {};
}

Status FileLayer::SyncDirectory(uint64_t session, const std::string& path) {
  const std::string directory = DirectoryPath(path);
  const FileFaults::SyncOutcome outcome = faults_.BeforeSync(directory);
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(session));
  if (outcome == FileFaults::SyncOutcome::kLies) return {};
  if (outcome == FileFaults::SyncOutcome::kFails) {
    return {StatusCode::kIo, directory + ": sync failed: Input/output error (injected)"};
  }
  KIWI_ASSIGN_OR_RETURN(Directory * state, Load(directory));
  size_t done = 0;
  Status status;
  while (done < state->pending.size() && status.ok()) {
    status = MakeReal(directory, state, state->pending[done]);
    if (status.ok()) ++done;
  }
  state->pending.erase(state->pending.begin(),
                       state->pending.begin() + static_cast<std::ptrdiff_t>(done));
  return status;
}

Status FileLayer::Rename(uint64_t session, const std::string& from, const std::string& to) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(session));
  if (DirectoryOf(from) != DirectoryOf(to)) {
    return {StatusCode::kInvalidArgument, "the file layer renames within a directory only"};
  }
  KIWI_ASSIGN_OR_RETURN(std::shared_ptr<Node> node, Find(from));
  KIWI_ASSIGN_OR_RETURN(Directory * directory, Load(DirectoryOf(from)));
  directory->names.erase(NameOf(from));
  directory->names[NameOf(to)] = std::move(node);
  directory->pending.push_back({Operation::Kind::kRename, NameOf(from), NameOf(to), nullptr});
  return {};
}

Status FileLayer::Remove(uint64_t session, const std::string& path) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(session));
  KIWI_RETURN_IF_ERROR(Find(path).status());
  KIWI_ASSIGN_OR_RETURN(Directory * directory, Load(DirectoryOf(path)));
  directory->names.erase(NameOf(path));
  directory->pending.push_back({Operation::Kind::kRemove, NameOf(path), "", nullptr});
  return {};
}

bool FileLayer::Exists(uint64_t session, const std::string& path) {
  MutexLock lock(mu_);
  return CheckSession(session).ok() && Find(path).ok();
}

Result<std::vector<std::string>> FileLayer::List(uint64_t session, const std::string& path) {
  MutexLock lock(mu_);
  KIWI_RETURN_IF_ERROR(CheckSession(session));
  KIWI_ASSIGN_OR_RETURN(Directory * directory, Load(DirectoryPath(path)));
  std::vector<std::string> names;
  for (const auto& [name, node] : directory->names) names.push_back(name);
  return names;
}

}  // namespace kiwi::storage
