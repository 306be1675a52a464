#include "storage/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace kiwi::storage {
namespace {

std::string OwnerIn(int fd) {
  std::array<char, 32> text{};
  const ssize_t n = pread(fd, text.data(), text.size(), 0);
  std::string owner(text.data(), n > 0 ? static_cast<size_t>(n) : 0);
  while (!owner.empty() && owner.back() == '\n') owner.pop_back();
  return owner.empty() ? "another process" : "process " + owner;
}

}  // namespace

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(const std::string& directory) {
  const std::string path = directory + "/kiwi.lock";
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return Status(errno == ENOSPC ? StatusCode::kNoSpace : StatusCode::kIo,
                  "cannot open " + path + ": " + std::strerror(errno));
  }
  std::unique_ptr<DirectoryLock> lock(new DirectoryLock(fd));
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return Status(StatusCode::kIo, "cannot lock " + path + ": " + std::strerror(errno));
    }
    return Status(StatusCode::kBusy, "the directory " + directory + " is in use by " + OwnerIn(fd) +
                                         "; stop it, or choose another directory");
  }
  // For the message above only: it does not matter if a full disk keeps it from being written.
  const std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(fd, 0) != 0 || pwrite(fd, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

DirectoryLock::~DirectoryLock() { close(fd_); }

}  // namespace kiwi::storage
